"""Small ChatAPI payloads for tests of single rules; deliberately made here, so that a test shows all it needs."""

import json
from typing import Any, Final, TypeVar

from providers.base import Delivery
from providers.chatapi import PROVIDER
from providers.events import Event, MessageArrived

INSTANCE: Final = "318842"
CHAT: Final = "447700900201@c.us"
GROUP: Final = "447700900201-1609752271@g.us"
MEMBER: Final = "447700900202@c.us"
HIDDEN: Final = "98765432101234@lid"
OWN: Final = "447700900100@c.us"
ID: Final = f"false_{CHAT}_3EB0A9F7E97965D6CF79"
OWN_ID: Final = f"true_{CHAT}_3EB0F1584B995A477098"
AT: Final = 1795359601
FILE: Final = "https://files.example/318842/9948c645.pdf"

E_ = TypeVar("E_", bound=Event)


def item(**more: Any) -> dict[str, Any]:
    """Make a text of the usual customer; a value of `...` takes a key away."""
    base = {
        "id": ID,
        "body": "hello",
        "type": "chat",
        "fromMe": False,
        "self": 0,
        "author": CHAT,
        "time": AT,
        "chatId": CHAT,
        "senderName": "Jana Weber",
    }
    return {key: value for key, value in (base | more).items() if value is not ...}


def echo(**more: Any) -> dict[str, Any]:
    """Make a message of the business's own."""
    return item(**{"id": OWN_ID, "fromMe": True, "author": OWN, "senderName": "Shop desk"} | more)


def ack(word: str = "delivered", **more: Any) -> dict[str, Any]:
    """Make an ack of a message to the usual customer."""
    return {"id": OWN_ID, "chatId": CHAT, "status": word} | more


def body(**arrays: Any) -> bytes:
    """Make the body of a delivery of the usual instance."""
    return json.dumps({"instanceId": INSTANCE, **arrays}).encode()


def parse(payload: object) -> list[Event]:
    """Parse any payload, or bytes as they are."""
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return PROVIDER.parse(Delivery(body=raw))


def only(events: list[Event], kind: type[E_]) -> E_:
    """Return the single event, which must be of a kind."""
    (event,) = events
    assert isinstance(event, kind), event
    return event


def arrived(**more: Any) -> MessageArrived:
    """Parse one message of the usual customer, altered."""
    return only(parse(body(messages=[item(**more)])), MessageArrived)
