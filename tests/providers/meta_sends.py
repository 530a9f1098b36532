"""Outbound messages of Meta's account, and answers as its API gives them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models.message import Context, Message
from models.values import Direction, MessageStatus, MessageType, SenderType
from providers.base import Account
from providers.meta import PROVIDER
from providers.outbound import Destination, SendableMedia, SendError, Sending
from runtime.calls import HttpAnswer, HttpRequest
from runtime.crypto import Secret

FIXTURES = Path(__file__).parent.parent / "fixtures" / "meta"
NUMBER_ID = "331702589914420"
BUSINESS_ID = "209145368820417"
TOKEN = "EAAexampleTokenOfTheTests0123456789"
BASE = "https://graph.facebook.com"
PHONE = "+447700900381"
BSUID = "GB.48213907715562204913"
GROUP = "Y2FwaV9ncm91cDoxNTU1MDE5Mjc0NDoxMjAzNjM0MTA5OTIyNzY1ODMZD"
WAMID = "wamid.HBgMNDQ3NzAwOTAwMzgxFQIAEhgUODAxRjAwNkMyMzYzMEJFQ0UxRDIA"
NOON = datetime(2026, 10, 27, 12, tzinfo=UTC)

assert PROVIDER.sender is not None
assert PROVIDER.media is not None
assert PROVIDER.templates is not None
assert PROVIDER.blocks is not None
SENDER, MEDIA, BOOK, BLOCKS = PROVIDER.sender, PROVIDER.media, PROVIDER.templates, PROVIDER.blocks

TO_PHONE = Destination(phone=PHONE)
TO_USER = Destination(user_id=BSUID)
TO_GROUP = Destination(group_id=GROUP)
QUOTING = Context(message_id=WAMID)


def account(token: str | None = TOKEN, **fields: str) -> Account:
    """The account of the fixtures' number."""
    known = {"phoneNumberId": NUMBER_ID, "businessAccountId": BUSINESS_ID, **fields}
    secrets = {"accessToken": (Secret(token),)} if token else {}
    return Account(id="cfg_meta", provider="meta-whatsapp", fields=known, secrets=secrets)


def message(kind: str = "text", **content: Any) -> Message:
    """A queued message of ours."""
    return Message(
        id="msg_01J9ZX",
        chat_id="cht_1",
        config_id="cfg_meta",
        direction=Direction.OUTBOUND,
        status=MessageStatus.QUEUED,
        sender_type=SenderType.AGENT,
        provider="meta-whatsapp",
        type=MessageType(kind),
        timestamp=NOON,
        received_at=NOON,
        **content,
    )


def sending(what: Message, to: Destination = TO_PHONE, **more: Any) -> Sending:
    """A message with everything its request needs; `media` and `header_media` name files."""
    files = {name: SendableMedia(**given) for name, given in more.items()}
    return Sending(
        message=what,
        to=to,
        account=account(),
        base_url=BASE,
        media=files.get("media"),
        header_media=files.get("header_media"),
    )


def body(what: Message, to: Destination = TO_PHONE, **more: Any) -> dict[str, Any]:
    """The body of the request that sends a message."""
    return loaded(SENDER.request(sending(what, to, **more)))


def loaded(request: HttpRequest | None) -> dict[str, Any]:
    """The JSON body of a request."""
    assert request is not None
    found = json.loads(request.body)
    assert isinstance(found, dict)
    return found


def fixture(name: str) -> dict[str, Any]:
    """A payload as documented."""
    found = json.loads((FIXTURES / f"{name}.json").read_bytes())
    assert isinstance(found, dict)
    return found


def answer(payload: object = None, status: int = 200, **headers: str) -> HttpAnswer:
    """An answer of Meta's; bytes stand as they are, `retry_after` names a header."""
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpAnswer(status=status, headers=named, body=raw)


def failed(judged: object) -> SendError:
    """What must be an error."""
    assert isinstance(judged, SendError)
    assert judged.error.kind == judged.kind
    return judged
