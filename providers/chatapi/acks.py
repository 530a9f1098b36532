"""Steps in the life of what the business sent.

    {"id": "true_447700900381@c.us_3EB0…", "queueNumber": 101?, "chatId": "447700900381@c.us",
     "status": "delivered"}

The queue's number is that of the send's answer, which old versions give in place of an id. There is no time in it.
In a group there is one ack per change, not per member, so it moves the message
itself. Deliberately judges no order: which status wins is a rule of the message.
"""

from typing import Any, Final

from models.message import MessageError
from models.values import MessageStatus
from providers import wire
from providers.chatapi.addresses import chat_named, party_of
from providers.chatapi.source import Item, Source, queue_number
from providers.events import Event, StatusChanged

#: The vendor's word -> ours; `read` and `failed` are 1msg's.
STATES: Final = {
    "sent": MessageStatus.SENT,
    "delivered": MessageStatus.DELIVERED,
    "viewed": MessageStatus.READ,
    "read": MessageStatus.READ,
    "played": MessageStatus.PLAYED,
    "failed": MessageStatus.FAILED,
}
_KEYS: Final = frozenset({"id", "chatId", "status"})
_QUEUED: Final = frozenset({"queueNumber"})


def read_ack(source: Source, item: Item, path: str) -> list[Event]:
    """Read an ack.

    Raises:
        UnreadableError: it does not say of which message, or which status.
    """
    own_id, number, word = wire.text(item.get("id")), queue_number(item), wire.text(item.get("status"))
    if word is None or (own_id is None and number is None):
        raise wire.UnreadableError("status_without_status" if word is None else "status_without_id")
    chat = chat_named(item.get("chatId"))
    named = own_id or f"{chat or ''}#{number}"
    state = STATES.get(word.strip().lower())
    if state is None:
        return [source.ignored(path, "unknown_status", item, key=f"s:{named}:{word}")]
    changed = StatusChanged(
        account=source.account,
        path=path,
        key=f"s:{named}:{state}",
        metadata=wire.leftovers(item, _KEYS if number is None else _KEYS | _QUEUED),
        provider_message_id=own_id or "",
        queue_number=number,
        status=state,
        provider_status=word,
        party=party_of(chat) if chat else None,
        error=_error(item) if state is MessageStatus.FAILED else None,
    )
    return [changed]


def _error(item: Item) -> MessageError | None:
    """Read why it failed. No document says how 1msg tells; it passes Meta's words on elsewhere."""
    found: Any = item.get("errors") or item.get("error")
    said = wire.first(found)
    if not said:
        text = wire.text(found)
        return MessageError(message=text) if text else None
    title = wire.text(said.get("title"))
    return MessageError(
        code=wire.text(said.get("code")),
        title=title,
        message=wire.text(said.get("message")) or title,
        details=wire.text({**said, **wire.mapping(said.get("error_data"))}.get("details")),
        href=wire.text(said.get("href")),
    )
