"""Messages on their way to Twilio, for tests; deliberately judges nothing."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

from models.message import Message
from models.values import Direction, MessageStatus, MessageType, SenderType
from providers.base import Account
from providers.outbound import Destination, SendableMedia, Sending
from providers.twilio.outbound import TwilioSender
from runtime.calls import HttpAnswer, HttpRequest
from runtime.crypto import Secret
from tests.fixtures.twilio.conformance import ACCOUNT_SID, NUMBER, SERVICE_SID

FIXTURES: Final = Path(__file__).parent.parent / "fixtures" / "twilio" / "api"
SENDER: Final = TwilioSender()
TOKEN: Final = "5a1e0d9307b8f4a26c0f3c1e8a9b7d4c"
PHONE: Final = "+447700900201"
BSUID: Final = "GB.4821900Z17"
TO_PHONE: Final = Destination(phone=PHONE)
OWN_ID: Final = "msg_01kan2q0c0sampleown0id00000"
CALLBACK: Final = "https://inbox.example/api/whatsapp/webhooks/twilio/cfg_1"
LINK: Final = "https://inbox.example/media/8c1f?sig=a%2Bb"
BASE: Final = "https://api.twilio.com"


def account(*, number: str | None = NUMBER, service: str | None = None, token: str | None = TOKEN) -> Account:
    """Make an account that sends from a number, by a service, or both."""
    fields = {"accountSid": ACCOUNT_SID, "phoneNumber": number, "messagingServiceSid": service}
    given = {name: value for name, value in fields.items() if value}
    return Account(
        id="cfg_1", provider="twilio", fields=given, secrets={"authToken": (Secret(token),)} if token else {}
    )


BY_SERVICE: Final = account(number=None, service=SERVICE_SID)


def message(kind: str = "text", **values: Any) -> Message:
    """Make an outbound message; a text unless told otherwise."""
    at = datetime(2026, 11, 22, 15, 4, 5, tzinfo=UTC)
    usual: dict[str, Any] = {
        "id": OWN_ID,
        "chat_id": "chat_1",
        "config_id": "cfg_1",
        "direction": Direction.OUTBOUND,
        "status": MessageStatus.SENDING,
        "sender_type": SenderType.AGENT,
        "provider": "twilio",
        "timestamp": at,
        "received_at": at,
        "type": MessageType(kind),
        "text": "Your repair is ready for collection." if kind == "text" else None,
    }
    return Message(**(usual | values))


def sending(sent: Message | None = None, **values: Any) -> Sending:
    """Put a message together with all its request needs."""
    usual: dict[str, Any] = {
        "message": sent or message(),
        "to": TO_PHONE,
        "account": account(),
        "base_url": BASE,
        "media": SendableMedia(link=LINK) if sent and sent.media else None,
        "callback_url": CALLBACK,
    }
    return Sending(**(usual | values))


def form(request: HttpRequest) -> dict[str, str]:
    """Decode a request's form; a name given twice would be lost, so there is none."""
    pairs = parse_qsl(request.body.decode(), keep_blank_values=True, strict_parsing=True)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def spelled(sent: Message | None = None, **values: Any) -> dict[str, str]:
    """The form of a message's request."""
    return form(SENDER.request(sending(sent, **values)))


def said(sent: Message, **values: Any) -> dict[str, str]:
    """The form without what all messages have."""
    return {
        name: value for name, value in spelled(sent, **values).items() if name not in {"To", "From", "StatusCallback"}
    }


def fixture(name: str) -> Any:
    """Read a fixture of Twilio's API."""
    return json.loads((FIXTURES / f"{name}.json").read_bytes())


def answer(status: int, body: object = b"", **headers: str) -> HttpAnswer:
    """Make an answer: of a fixture by name, of a value as JSON, or of bytes as they are."""
    if isinstance(body, str):
        body = (FIXTURES / f"{body}.json").read_bytes()
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpAnswer(status=status, headers={k.replace("_", "-"): v for k, v in headers.items()}, body=raw)
