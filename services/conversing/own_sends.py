"""A message that comes back: what a vendor echoes of our own sends is the message we have, not a second one.

ChatAPI posts every message of the business to our webhook, those we sent ourselves too, perhaps before it answers the
send and so before we know their ids. An echo takes the place of a message of ours that is on its way, in the same chat
and with the same content. One that fits none is kept like any other: another program may have sent it, and should it
be ours after all, the receipt unites the two (services.sending.recording). An answer without an id has a number in its
place, which the acks repeat. Deliberately only for vendors that have no reference of ours to give back.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from models.delivery_status import READ_STATUS, TIMES, advance, earliest
from models.message import Content, Message
from models.pending_update import LIFETIME
from models.store.batch import Batch, Tracked
from models.values import MEDIA_TYPES, Direction, MessageStatus, MessageType
from providers.events import MessageArrived, StatusChanged
from services.conversing.attempts import settled

#: How long a message of ours is looked for: a vendor may queue it for as long as its phone is off.
SOUGHT_FOR: Final = LIFETIME
#: How long a number in the vendor's queue means one message: it may begin again.
NUMBERED_FOR: Final = timedelta(days=1)
#: Under which name a message's metadata holds that number.
QUEUE_NUMBER: Final = "queueNumber"
#: A vendor's clock may be behind ours by so much; its times are whole seconds.
BEHIND: Final = timedelta(seconds=5)
#: Where a message stands that has left, or may have; beyond `accepted` by acks that told its number alone.
_ON_ITS_WAY: Final = frozenset(
    {
        MessageStatus.SENDING,
        MessageStatus.UNKNOWN,
        MessageStatus.ACCEPTED,
        MessageStatus.SENT,
        MessageStatus.DELIVERED,
        MessageStatus.READ,
    }
)
#: What an attempt came to that never reached the vendor's work.
_NOT_TRIED: Final = frozenset({"throttled", "paused"})
#: What it came to where the message waits for another: should the vendor have sent it all the same, that is not needed.
_DOUBTFUL: Final = frozenset({"retry", "unknown"})
#: Decimals of a degree that survive a vendor's spelling: some ten metres.
_DECIMALS: Final = 4
#: What comes back as the text that the customer reads.
_AS_TEXT: Final = frozenset({MessageType.TEXT, MessageType.TEMPLATE, MessageType.INTERACTIVE})


def sent_before(batch: Batch, event: MessageArrived, *, chat_id: str, at: datetime) -> Tracked[Message] | None:
    """Find the message of ours that an echo, written at a moment, is of; None where there is none.

    Of several alike it is the newest that had begun to be sent by then.
    """
    found = ((begun_at, one) for begun_at, one in _candidates(batch, event, chat_id) if begun_at <= at + BEHIND)
    newest = max(found, key=lambda pair: (pair[0], pair[1].entity.id), default=None)
    return newest[1] if newest else None


def numbered(batch: Batch, event: StatusChanged, *, config_id: str, at: datetime) -> Tracked[Message] | None:
    """Find the message of ours to whose sending the vendor answered with a number and no id; of several the newest."""
    found = (
        (message.attempts[-1].at, one)
        for one in batch.by_ref.values()
        if (message := one.entity).config_id == config_id
        and message.attempts
        and not (message.provider_message_id or message.is_deleted)
        and (message.metadata or {}).get(QUEUE_NUMBER) == event.queue_number
    )
    recent = (pair for pair in found if at - NUMBERED_FOR <= pair[0] <= at + BEHIND)
    newest = max(recent, key=lambda pair: (pair[0], pair[1].entity.id), default=None)
    return newest[1] if newest else None


def learned(message: Message, event: MessageArrived, at: datetime) -> dict[str, Any]:
    """What an echo tells of a message: that it was sent, when, and under which id."""
    reported = event.status or MessageStatus.SENT
    status = advance(message.status, reported)
    times = {name: earliest(getattr(message, name), at) for name in TIMES.get(reported, ())}
    return {
        **settled(message),
        **times,
        "status": status,
        "read_status": READ_STATUS.get(status),
        "provider_message_id": event.provider_message_id,
        "error": None if status is reported else message.error,
    }


def _candidates(batch: Batch, event: MessageArrived, chat_id: str) -> Iterator[tuple[datetime, Tracked[Message]]]:
    """Name what may have left and says the same, each with the beginning of its last attempt."""
    said = _essence(event.content)
    for tracked in batch.by_ref.values():
        message = tracked.entity
        begun_at = _begun_at(message)
        if message.chat_id == chat_id and begun_at is not None and _essence(message) == said:
            yield begun_at, tracked


def _begun_at(message: Message) -> datetime | None:
    """When a message was last tried; None for what cannot be on its way under an id we do not know."""
    if message.direction is not Direction.OUTBOUND or message.provider_message_id or message.is_deleted:
        return None
    tried = [one for one in message.attempts or () if one.outcome not in _NOT_TRIED]
    if not tried:
        return None
    doubtful = message.status is MessageStatus.QUEUED and tried[-1].outcome in _DOUBTFUL
    return tried[-1].at if doubtful or message.status in _ON_ITS_WAY else None


def _essence(content: Content) -> tuple[object, ...]:
    """What of a content comes back as it was sent: files get other addresses, names and kinds."""
    kind = "file" if content.type in MEDIA_TYPES else MessageType.TEXT if content.type in _AS_TEXT else content.type
    return (kind, *_ESSENCES.get(kind, _of_text)(content))


def _of_text(content: Content) -> tuple[object, ...]:
    return ((content.text or "").strip(),)


def _of_file(content: Content) -> tuple[object, ...]:
    caption = (content.media.caption if content.media else None) or content.text
    return ((caption or "").strip(),)


def _of_location(content: Content) -> tuple[object, ...]:
    place = content.location
    return (round(place.latitude or 0, _DECIMALS), round(place.longitude or 0, _DECIMALS)) if place else ()


def _of_contact(content: Content) -> tuple[object, ...]:
    cards = content.contacts or ([content.contact] if content.contact else [])
    return tuple(sorted("".join(filter(str.isdigit, card.phone_number or "")) for card in cards))


_ESSENCES: Final[dict[str, Callable[[Content], tuple[object, ...]]]] = {
    "file": _of_file,
    MessageType.LOCATION: _of_location,
    MessageType.CONTACT: _of_contact,
}
