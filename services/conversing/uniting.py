"""Making one of two: customers, and their chats, that the vendor's word shows to be the same person.

The older one stays, so that the result does not depend on which was looked at first; what the other had moves to it.
Only the chats that the word itself is about are united: one customer may well have several, at several numbers.
Deliberately only on the vendor's word: equal names or numbers prove nothing.
"""

from collections.abc import Iterable
from typing import Any, Final

from models.audit_entry import ActorType, AuditEntry
from models.chat import Chat
from models.customer import Customer
from models.ids import new_id
from models.store.batch import Batch, Tracked
from models.values import ChatStatus
from services.conversing.facts import BEGINNING, Fact

_COUNTERS: Final = ("unread_count", "total_messages", "customer_messages", "agent_messages")


def one_of(batch: Batch, people: Iterable[Tracked[Customer]], fact: Fact) -> Tracked[Customer]:
    """Make one customer of several, and return who stays."""
    stays, *others = sorted({one.entity.id: one for one in people}.values(), key=lambda one: one.entity.id)
    for ends in others:
        _unite(batch, stays, ends, fact)
    return stays


def unite_chats(batch: Batch, chat_ids: Iterable[str | None], fact: Fact) -> str | None:
    """Make one chat of those that some addresses lead to, and return the id of the one that stays.

    An id may also be of a chat that nobody has written in yet.
    """
    found = sorted({living for one in chat_ids if (living := batch.living(one))})
    open_ones = [one for one in found if one in batch.chats]
    kept = next(iter(open_ones or found), None)
    for gone in found:
        if kept is not None and gone != kept:
            if gone in batch.chats:
                _unite_two(batch, batch.chats[kept], batch.chats[gone], fact)
            batch.merge_chats(gone, kept)
    return kept


def _unite(batch: Batch, stays: Tracked[Customer], ends: Tracked[Customer], fact: Fact) -> None:
    _take_over(batch, stays, ends)
    batch.merge_customers(ends.entity.id, stays.entity.id)
    ends.set(
        is_deleted=True, deleted_at=fact.received_at, merged_into=stays.entity.id, phone_number=None, is_active=False
    )
    batch.audit.append(_entry("customer", ends.entity.id, stays.entity.id, fact))
    for address in batch.addresses.values():
        if address.entity.customer_id == ends.entity.id:
            address.set(customer_id=stays.entity.id)
    for chat in batch.chats.values():
        if chat.entity.customer_id == ends.entity.id:
            chat.set(customer_id=stays.entity.id)


def _take_over(batch: Batch, stays: Tracked[Customer], ends: Tracked[Customer]) -> None:
    kept, gone = stays.entity, ends.entity
    stays.add(total_messages=gone.total_messages, total_chats=gone.total_chats)
    if gone.named_at and (kept.named_at is None or gone.named_at > kept.named_at):
        followed = kept.name in {None, kept.whatsapp_name}
        stays.set(whatsapp_name=gone.whatsapp_name, named_at=gone.named_at)
        if followed:
            stays.set(name=gone.name)
    stays.set(**_later_told(kept, gone, ("phone_number", "user_id", "username")))
    for name in ("name", "email", "language"):
        if getattr(kept, name) is None and getattr(gone, name) is not None:
            stays.set(**{name: getattr(gone, name)})
    for number, who in list(batch.by_phone.items()):
        if who in (stays, ends):
            batch.by_phone.pop(number)
    if kept.phone_number:
        batch.by_phone[kept.phone_number] = stays
    stays.set(
        first_contact_at=_least(kept.first_contact_at, gone.first_contact_at),
        last_contact_at=_greatest(kept.last_contact_at, gone.last_contact_at),
    )


def _unite_two(batch: Batch, stays: Tracked[Chat], ends: Tracked[Chat], fact: Fact) -> None:
    kept, gone = stays.entity, ends.entity
    stays.add(**{name: getattr(gone, name) for name in _COUNTERS})
    stays.set(**_newest(kept, gone))
    if gone.referral_at and (kept.referral_at is None or gone.referral_at < kept.referral_at):
        stays.set(referral=gone.referral, referral_at=gone.referral_at)
    if kept.status is ChatStatus.UNASSIGNED and gone.status is ChatStatus.ASSIGNED:
        stays.set(status=gone.status, assigned_to=gone.assigned_to, assigned_at=gone.assigned_at)
    stays.set(labels=sorted({*kept.labels, *gone.labels}), blocked=kept.blocked or gone.blocked)
    batch.late_turns.add(kept.id)
    batch.late_turns.discard(gone.id)
    batch.audit.append(_entry("chat", gone.id, kept.id, fact))
    ends.set(is_deleted=True, deleted_at=fact.received_at, merged_into=kept.id, unread_count=0)
    for message in batch.by_ref.values():
        if message.entity.chat_id == gone.id:
            message.set(chat_id=kept.id, merged_from=gone.id)
    owner = batch.customer(kept.customer_id)
    if owner is not None and owner is batch.customer(gone.customer_id):
        owner.add(total_chats=-1)


def _newest(kept: Chat, gone: Chat) -> dict[str, Any]:
    """What the united chat shows: of each field the later word."""
    values: dict[str, Any] = {
        "last_inbound_at": _greatest(kept.last_inbound_at, gone.last_inbound_at),
        "window_expires_at": _greatest(kept.window_expires_at, gone.window_expires_at),
        "window_closed_at": _greatest(kept.window_closed_at, gone.window_closed_at),
        "last_turn_at": _greatest(kept.last_turn_at, gone.last_turn_at),
    }
    if gone.last_message and (kept.last_message is None or _place(gone) > _place(kept)):
        shown = ("last_message", "last_message_id")
        values |= {name: getattr(gone, name) for name in shown} | {"last_message_time": gone.last_message.timestamp}
    names = ["phone_number", "username", "customer_name"]
    # Answers go to a user id once there is one: a number may pass on.
    names += ["user_id", "address_id"] if bool(kept.user_id) == bool(gone.user_id) else []
    values |= _later_told(kept, gone, names)
    if gone.user_id and not kept.user_id:
        values |= {"user_id": gone.user_id, "address_id": gone.address_id}
        values["seen_at"] |= {name: at for name, at in (gone.seen_at or {}).items() if name in values}
    return values


def _place(chat: Chat) -> tuple[Any, ...]:
    shown = chat.last_message
    return (shown.timestamp, shown.received_at, shown.id) if shown else ()


def _later_told(kept: Chat | Customer, gone: Chat | Customer, names: Iterable[str]) -> dict[str, Any]:
    """Of each of these the later word; of two at the same moment the greater."""
    told, known = gone.seen_at or {}, kept.seen_at or {}
    later = [name for name in names if _word(gone, name) > _word(kept, name)]
    seen_at = known | {name: told[name] for name in later if name in told}
    return {name: getattr(gone, name) for name in later} | {"seen_at": seen_at}


def _word(entity: Chat | Customer, name: str) -> tuple[Any, ...]:
    value = getattr(entity, name)
    return (value is not None, (entity.seen_at or {}).get(name, BEGINNING), value or "")


def _entry(entity: str, gone: str, kept: str, fact: Fact) -> AuditEntry:
    return AuditEntry(
        id=new_id("aud", fact.received_at),
        actor_type=ActorType.SYSTEM,
        verb="merge",
        entity=entity,
        entity_id=gone,
        after={"mergedInto": kept},
        reason=f"the vendor's word in {fact.event_id}",
        at=fact.received_at,
    )


def _greatest(one: Any, other: Any) -> Any:
    return max((value for value in (one, other) if value is not None), default=None)


def _least(one: Any, other: Any) -> Any:
    return min((value for value in (one, other) if value is not None), default=None)
