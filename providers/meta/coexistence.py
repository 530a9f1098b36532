"""Numbers that live in the WhatsApp Business app and in the API at once: echoes, history, the address book.

    message_echoes[]  {"from": "<business>", "to": "4477…"?, "to_user_id": "GB.…"?, "id", "timestamp", …}
    history[]         {"metadata": {"phase", "chunk_order", "progress"}, "errors"?,
                       "threads": [{"id": "4477…"?, "context": {"wa_id"?, "user_id"?}, "messages": […]}]}
    state_sync[]      {"type": "contact", "contact": {…}, "action": "add"|"remove", "metadata": {"timestamp"}}

Deliberately gives no hint of what follows: that an echo is never sent again and that history opens no window
are rules of the services.
"""

from functools import partial
from typing import Any, Final

from models.values import Direction, MessageStatus, SenderType
from providers import wire
from providers.events import AccountChanged, ContactSynced, Event, Party
from providers.meta.change import Change, read_each
from providers.meta.messages import Talk, read_said
from providers.meta.parties import NOBODY, Address, address_of, username

#: The app's word for how far a synced message got -> ours; what it has not sent yet it has accepted.
HISTORY_STATES: Final = {
    "PENDING": MessageStatus.ACCEPTED,
    "SENT": MessageStatus.SENT,
    "DELIVERED": MessageStatus.DELIVERED,
    "READ": MessageStatus.READ,
    "PLAYED": MessageStatus.PLAYED,
    "ERROR": MessageStatus.FAILED,
}
#: A customer's message of which the app says one of these has been read by the business.
_SEEN: Final = frozenset({MessageStatus.READ, MessageStatus.PLAYED})
#: The business does not share its history.
DECLINED: Final = "2593109"
_CONTACT_KEYS: Final = frozenset({"full_name", "first_name", "phone_number", "user_id", "parent_user_id", "username"})


def read_echo(change: Change, item: dict[str, Any], path: str) -> list[Event]:
    """Read what the business wrote elsewhere."""
    party, card = change.contacts.meet(_addressee(item))
    talk = Talk(
        party=party,
        card=card,
        direction=Direction.OUTBOUND,
        sender_type=SenderType.BUSINESS_APP,
        status=MessageStatus.SENT,
    )
    return read_said(change, item, path, talk)


def _addressee(item: dict[str, Any]) -> Address:
    return address_of(item.get("to"), item.get("to_user_id"), item.get("to_parent_user_id"))


def _sender(item: dict[str, Any]) -> Address:
    return address_of(item.get("from"), item.get("from_user_id"), item.get("from_parent_user_id"))


def read_history(change: Change, item: dict[str, Any], path: str) -> list[Event]:
    """Read a chunk: a word on how far the sync got, then every message of every thread."""
    refused = read_each(change, "history_errors", item.get("errors"), f"{path}.errors", _refused)
    told = [] if refused and item.keys() == {"errors"} else [_progress(change, item, path)]
    return told + refused + read_each(change, "threads", item.get("threads"), f"{path}.threads", _read_thread)


def _progress(change: Change, item: dict[str, Any], path: str) -> Event:
    chunk = wire.storable(wire.mapping(item.get("metadata")))
    place = ":".join(wire.text(chunk.get(name)) or "" for name in ("phase", "chunk_order", "progress"))
    return AccountChanged(
        account=change.account,
        path=path,
        key=f"h:{change.number_id or ''}:{place}",
        field_name="history",
        event_name="chunk",
        details=chunk,
        metadata=wire.leftovers(item, frozenset({"metadata", "threads", "errors"})),
    )


def _refused(change: Change, item: dict[str, Any], path: str) -> list[Event]:
    code = wire.text(item.get("code"))
    refused = AccountChanged(
        account=change.account,
        path=path,
        key=change.fact_key(item),
        at=change.at,
        field_name="history",
        event_name="declined" if code == DECLINED else "error",
        reason=code,
        details=wire.storable(item),
    )
    return [refused]


def _read_thread(change: Change, thread: dict[str, Any], path: str) -> list[Event]:
    known = wire.mapping(thread.get("context"))
    number = thread.get("id") or known.get("wa_id")
    address = address_of(number, known.get("user_id"), known.get("parent_user_id"))
    reader = partial(_read_synced, address)
    events = read_each(change, "messages", thread.get("messages"), f"{path}.messages", reader)
    return events or [change.ignored(path, "empty", thread)]


def _read_synced(thread: Address, change: Change, item: dict[str, Any], path: str) -> list[Event]:
    """Read a message of a thread; the thread completes what the message does not say of the customer."""
    direction = _direction(change, item, thread)
    own = _sender(item) if direction is Direction.INBOUND else _addressee(item)
    address = Address(
        own.phone or thread.phone, own.user_id or thread.user_id, own.parent_user_id or thread.parent_user_id
    )
    return read_said(change, item, path, _past(change, item, address, direction))


def read_history_media(change: Change, item: dict[str, Any], path: str) -> list[Event]:
    """Read the file of a message whose thread came as a placeholder: the same id once more."""
    direction = _direction(change, item)
    address = _sender(item) if direction is Direction.INBOUND else _addressee(item)
    talk = _past(change, item, address, direction)
    talk.prefix = "media"
    return read_said(change, item, path, talk)


def _direction(change: Change, item: dict[str, Any], thread: Address = NOBODY) -> Direction:
    """Tell who wrote it: the business, if it is the sender or somebody else is named as the recipient."""
    sender = wire.phone(item.get("from"))
    if sender and sender == change.business:
        return Direction.OUTBOUND
    if _sender(item).user_id or (sender and sender == thread.phone):
        return Direction.INBOUND
    to = _addressee(item)
    named = to.user_id or (to.phone and to.phone != change.business)
    return Direction.OUTBOUND if named else Direction.INBOUND


def _past(change: Change, item: dict[str, Any], address: Address, direction: Direction) -> Talk:
    party, card = change.contacts.meet(address)
    word = wire.text(wire.mapping(item.get("history_context")).get("status")) or ""
    state = HISTORY_STATES.get(word.upper(), MessageStatus.SENT)
    outbound = direction is Direction.OUTBOUND
    if not outbound:
        state = MessageStatus.READ if state in _SEEN else MessageStatus.RECEIVED
    sender_type = SenderType.BUSINESS_APP if outbound else SenderType.CUSTOMER
    return Talk(party=party, card=card, direction=direction, sender_type=sender_type, status=state, history=True)


def read_contact(change: Change, item: dict[str, Any], path: str) -> list[Event]:
    """Read an entry of the phone's address book; `add` also means changed.

    Raises:
        UnreadableError: it does not say whose entry it is.
    """
    sort, action = wire.text(item.get("type")), wire.text(item.get("action"))
    contact = wire.mapping(item.get("contact"))
    stamp = wire.mapping(item.get("metadata")).get("timestamp")
    at = wire.when(stamp)
    if sort not in {"contact", None} or action not in {"add", "remove"}:
        return [change.ignored(path, "unknown_action" if sort == "contact" else "unknown_type", item, at=at)]
    address = address_of(contact.get("phone_number"), contact.get("user_id"), contact.get("parent_user_id"))
    party = _listed(address, contact)
    if not party.known:
        raise wire.UnreadableError("contact_without_number")
    who = address.user_id or address.phone or address.parent_user_id
    synced = ContactSynced(
        account=change.account,
        path=path,
        key=f"c:{who}:{action}:{wire.text(stamp) or ''}",
        at=at,
        metadata=wire.leftovers(contact, _CONTACT_KEYS),
        party=party,
        removed=action == "remove",
    )
    return [synced]


def _listed(address: Address, contact: dict[str, Any]) -> Party:
    return Party(
        phone=address.phone,
        user_id=address.user_id,
        parent_user_id=address.parent_user_id,
        username=username(contact.get("username")),
        name=wire.text(contact.get("full_name")) or wire.text(contact.get("first_name")),
    )
