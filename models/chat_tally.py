"""What a chat shows, counted from all its messages: for chats whose messages were moved, and to find drift.

The rules are those by which arriving messages change a chat one by one. Deliberately nothing that people decide:
whom it is assigned to, what was read, how it is labelled.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from models.address import AFTER
from models.chat import Chat, LastMessage
from models.message import Message
from models.response_clock import counted, turn_of
from models.values import Direction, MessageStatus, MessageType, SenderType

#: The fields of a message that are looked at.
LOOKED_AT: Final = (
    *("id", "chat_id", "config_id", "direction", "status", "sender_type", "sender_name", "provider", "timestamp"),
    *("received_at", "provider_message_id", "type", "text", "media", "history", "blocked", "referral", "system"),
    *("from_", "to", "user_id"),
)


def preview(message: Message) -> LastMessage:
    """What the list of chats shows of a message."""
    text = message.text or (message.media.caption if message.media else None)
    return LastMessage(
        id=message.id,
        text=text,
        type=message.type,
        direction=message.direction,
        timestamp=message.timestamp,
        received_at=message.received_at,
        status=message.status,
        sender_type=message.sender_type,
    )


def is_unread(message: Message) -> bool:
    """Whether a message counts as unread."""
    from_customer = message.sender_type is SenderType.CUSTOMER and not (message.history or message.blocked)
    return from_customer and message.status is MessageStatus.RECEIVED


def tallied(
    messages: Iterable[Message], *, window: timedelta | None, closed_at: datetime | None = None
) -> dict[str, Any]:
    """Count a chat's fields from its messages.

    `window` is how long after a customer's message answers are free, `closed_at` when the vendor said they are not.
    """
    shown = sorted((one for one in messages if one.type is not MessageType.REACTION), key=place)
    spoken = [one for one in shown if one.sender_type is SenderType.CUSTOMER and not one.history]
    turns = [turn for one in shown if (turn := turn_of(one))]
    referred = next((one for one in spoken if one.referral), None)
    inbound_at = spoken[-1].timestamp if spoken else None
    return {
        "total_messages": len(shown),
        "customer_messages": sum(one.sender_type is SenderType.CUSTOMER for one in shown),
        "agent_messages": sum(_is_answer(one) for one in shown),
        "last_message": preview(shown[-1]) if shown else None,
        "last_message_time": shown[-1].timestamp if shown else None,
        "last_message_id": shown[-1].provider_message_id if shown else None,
        "last_inbound_at": inbound_at,
        "window_expires_at": window_end(inbound_at, window, closed_at) if inbound_at and window else None,
        "referral": referred.referral if referred else None,
        "referral_at": referred.timestamp if referred else None,
        "last_turn_at": max((turn.at for turn in turns), default=None),
        **counted(turns),
    }


def window_end(inbound_at: datetime, window: timedelta, closed_at: datetime | None) -> datetime:
    """When free answers end: so long after the customer's last message, or when the vendor said since."""
    ends_at = inbound_at + window
    return ends_at if closed_at is None or inbound_at > closed_at else min(ends_at, closed_at)


def renamed(chat: Chat, messages: Sequence[Message], moved_at: Collection[datetime]) -> dict[str, Any]:
    """Tell anew what messages that are not here any more had told of the person; the rest stays."""
    seen_at = dict(chat.seen_at or {})
    lost = [name for name in _TOLD if seen_at.get(name) in moved_at]
    values: dict[str, Any] = {}
    for name in lost:
        told = max((word for one in messages if (word := _TOLD[name](one))), default=None)
        values[name] = told[1] if told else None
        seen_at.pop(name)
        seen_at |= {name: told[0]} if told else {}
    return values | {"seen_at": seen_at or None} if lost else {}


def place(message: Message) -> tuple[Any, ...]:
    """Where a message stands among others."""
    return message.timestamp, message.received_at, message.id


def number_of(message: Message) -> str | None:
    """The customer's number, where the vendor told it with the message."""
    told = message.from_ if message.direction is Direction.INBOUND else message.to
    return told if told and told.startswith("+") and message.sender_type is not SenderType.AGENT else None


def _is_answer(message: Message) -> bool:
    return message.sender_type is not SenderType.CUSTOMER and message.direction is Direction.OUTBOUND


def _number(message: Message) -> tuple[datetime, str] | None:
    if message.system and message.system.get("phone"):
        return message.timestamp + AFTER, message.system["phone"]
    number = number_of(message)
    return (message.timestamp, number) if number else None


def _user_id(message: Message) -> tuple[datetime, str] | None:
    if message.system and message.system.get("userId"):
        return message.timestamp + AFTER, message.system["userId"]
    return (message.timestamp, message.user_id) if message.user_id else None


def _name(message: Message) -> tuple[datetime, str] | None:
    return (message.timestamp, message.sender_name) if message.sender_name else None


#: What a message may tell of its person: when, and what.
_TOLD: Final = {"phone_number": _number, "user_id": _user_id, "customer_name": _name}
