"""Messages on their way to ChatAPI and 1msg, for tests; deliberately judges nothing."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from models.message import Message
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
