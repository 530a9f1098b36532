"""Messages on their way to ChatAPI and 1msg, for tests; deliberately judges nothing."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from models.message import Choice, ChoiceGroup, Context, Interactive, Message, TemplateUse
from models.values import Direction, MessageStatus, MessageType, SenderType
from providers.base import Account
from providers.chatapi.outbound import ChatApiSender, OneMsgSender
from providers.outbound import Destination, SendableMedia, Sending
from runtime.calls import HttpAnswer, HttpRequest
from runtime.crypto import Secret

FIXTURES: Final = Path(__file__).parent.parent / "fixtures"
WEB: Final = ChatApiSender()
ONE_MSG: Final = OneMsgSender()
TOKEN: Final = "83763g87x-kQ3v9n7Zr2u0WfX5tLbA"
CHAT: Final = "447700900201@c.us"
GROUP: Final = "447700900201-1609752271@g.us"
PHONE: Final = "+447700900201"
TO_CHAT: Final = Destination(chat_id=CHAT, phone=PHONE)
TO_PHONE: Final = Destination(phone=PHONE)
LINK: Final = "https://files.example.org/m/8c1f/invoice.pdf"
BASE: Final = "https://api.chat-api.com"


def account(*, instance: str = "318842", token: str | None = TOKEN, url: str | None = None, **fields: str) -> Account:
    """Make an account, of the Web variant unless its fields or its base URL say otherwise."""
    return Account(
        id="cfg_chatapi",
        provider="chatapi",
        fields={"instanceId": instance, **fields},
        secrets={"apiKey": (Secret(token),)} if token else {},
        api_base_url=url,
    )


CHANNEL: Final = account(instance="463107", variant="1msg")


def message(kind: str = "text", **values: Any) -> Message:
    """Make an outbound message; a text unless told otherwise."""
    at = datetime(2026, 11, 22, 15, 4, 5, tzinfo=UTC)
    usual: dict[str, Any] = {
        "id": "msg_1",
        "chat_id": "chat_1",
        "config_id": "cfg_chatapi",
        "direction": Direction.OUTBOUND,
        "status": MessageStatus.SENDING,
        "sender_type": SenderType.AGENT,
        "provider": "chatapi",
        "timestamp": at,
        "received_at": at,
        "type": MessageType(kind),
        "text": "We are open until six." if kind == "text" else None,
    }
    return Message(**(usual | values))


def sending(sent: Message | None = None, **values: Any) -> Sending:
    """Put a message together with all its request needs."""
    usual: dict[str, Any] = {
        "message": sent or message(),
        "to": TO_CHAT,
        "account": account(),
        "base_url": BASE,
        "media": SendableMedia(link=LINK) if sent and sent.media else None,
    }
    return Sending(**(usual | values))


def called(request: HttpRequest) -> tuple[str, dict[str, Any]]:
    """The method a request calls, and its body."""
    return request.url.rpartition("/")[2], json.loads(request.body)


def fixture(name: str) -> Any:
    """Read a fixture of either variant."""
    folder = "onemsg" if "onemsg" in name else "chatapi"
    return json.loads((FIXTURES / folder / f"{name}.json").read_bytes())


def answer(status: int, body: object = b"", **headers: str) -> HttpAnswer:
    """Make an answer: of a fixture by name, of a value as JSON, or of bytes as they are."""
    found = fixture(body) if isinstance(body, str) else body
    raw = found if isinstance(found, bytes) else json.dumps(found).encode()
    return HttpAnswer(status=status, headers={k.replace("_", "-"): v for k, v in headers.items()}, body=raw)


QUOTED = "false_447700900201@c.us_3EB0A9F7E97965D6CF79"
ONE_MSG_ID = "ABGGSRVVVQASAQIKEKx2bV0example01"
QUOTING = Context(message_id=QUOTED)
REACTING = Context(message_id=ONE_MSG_ID)
CARD = fixture("request_sendVCard")["vcard"]
PIXEL = fixture("request_sendFile_data_uri")["body"]
NAMESPACE = "0b1c2d3e_4f50_6172_8394_a5b6c7d8e9f0"
TEMPLATE_ID = f"{NAMESPACE}/appointment_reminder/en"
FLOW = {
    "flow_id": "771",
    "mode": "published",
    "flow_action": "navigate",
    "flow_action_payload": {"screen": "DAY"},
    "flow_token": None,
}
SLOTS = ChoiceGroup(
    title="Friday",
    rows=[
        Choice(id="slot_am", title="Morning slot", description="09:00 to 11:00"),
        Choice(id="slot_pm", title="Afternoon slot"),
    ],
)


def asks(kind: str, text: str = "Pick a slot", **more: Any) -> Message:
    """Make an interactive message of 1msg's."""
    return message("interactive", text=text, interactive=Interactive(kind=kind, **more))


def quoting(sent: Message) -> Message:
    """Let a message quote another."""
    sent.context = QUOTING
    return sent


def uses(components: list[dict[str, Any]] | None = None, **more: Any) -> Message:
    """Make a message that uses a template."""
    use = TemplateUse(
        name="appointment_reminder", language="en", provider_template_id=TEMPLATE_ID, components=components, **more
    )
    return message("template", template=use)


def words(*texts: str) -> list[dict[str, Any]]:
    """Spell a template's text parameters."""
    return [{"type": "text", "text": text} for text in texts]
