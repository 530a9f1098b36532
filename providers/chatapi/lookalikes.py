"""Other vendors whose webhooks resemble these, so that one sent to the wrong address is refused by name.

They share the idea of `messages[]`, `…@c.us` and `instanceId`, not the words: read as ChatAPI, their messages
would come out empty or doubled. Deliberately reads nothing of them.
"""

from typing import Any, Final

Body = dict[str, Any]

#: Vendor -> keys of a whole body that only this vendor combines; the first that fits counts.
BODY_MARKS: Final[tuple[tuple[str, frozenset[str]], ...]] = (
    ("meta", frozenset({"entry"})),
    ("meta", frozenset({"messaging_product"})),
    ("green_api", frozenset({"typeWebhook"})),
    ("ultramsg", frozenset({"event_type", "data"})),
    ("maytapi", frozenset({"product_id", "phone_id"})),
    ("whapi", frozenset({"channel_id", "event"})),
    ("waha", frozenset({"event", "session", "payload"})),
    ("evolution", frozenset({"event", "instance", "data"})),
    ("zapi", frozenset({"instanceId", "messageId", "phone"})),
    ("twilio", frozenset({"AccountSid"})),
)
#: Vendor -> keys of an item that lacks one of ours.
ITEM_MARKS: Final[tuple[tuple[str, frozenset[str]], ...]] = (
    ("wazzup", frozenset({"messageId", "channelId"})),
    ("whapi", frozenset({"from_me"})),
    ("meta", frozenset({"from", "timestamp"})),
)
#: What no item of another vendor has.
OURS: Final = frozenset({"chatId", "fromMe"})


def vendor_of_body(payload: Body) -> str | None:
    """Name the other vendor that a body is of, None where it may be ours."""
    if _is_ours(payload):
        return None
    if _any_item(payload.get("statuses"), frozenset({"messageId"})):
        return "wazzup"
    return next((vendor for vendor, marks in BODY_MARKS if marks <= payload.keys()), None)


def vendor_of_item(item: Body) -> str | None:
    """Name the other vendor that an item of `messages` is of, None where it may be ours."""
    if item.keys() >= OURS:
        return None
    return next((vendor for vendor, marks in ITEM_MARKS if marks <= item.keys()), None)


def _is_ours(payload: Body) -> bool:
    """Say whether one of our arrays stands there in our words; a clone may add any key beside it."""
    if isinstance(payload.get("ack"), list) or isinstance(payload.get("chatUpdate"), list):
        return True
    return _any_item(payload.get("messages"), OURS)


def _any_item(found: object, keys: frozenset[str]) -> bool:
    return isinstance(found, list) and any(isinstance(item, dict) and keys <= item.keys() for item in found)
