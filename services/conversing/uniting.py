"""Making one of two: customers, and their chats, that the vendor's word shows to be the same person.

The older one stays, so that the result does not depend on which was looked at first; what the other had moves to it
in the same transaction. Deliberately only on the vendor's word: equal names or numbers prove nothing.
"""

from dataclasses import replace
from typing import Any

from models.audit_entry import ActorType, AuditEntry
from models.chat import Chat
from models.customer import Customer
from models.ids import new_id
from models.store.batch import Batch, Tracked
from models.values import ChatStatus
from services.conversing.facts import Fact


def unite(batch: Batch, one: Tracked[Customer], other: Tracked[Customer], fact: Fact) -> Tracked[Customer]:
    """Make one customer, with one chat for this account, of two; return who stays."""
    if one is other:
        return one
    stays, ends = sorted((one, other), key=lambda customer: customer.entity.id)
    _unite_chats(batch, stays, ends, fact)
    _take_over(batch, stays, ends)
    batch.merged_customers[ends.entity.id] = stays.entity.id
    number = ends.entity.phone_number or ""
    if batch.by_phone.get(number) is ends:
        batch.by_phone.pop(number)
    ends.set(
        is_deleted=True, deleted_at=fact.received_at, merged_into=stays.entity.id, phone_number=None, is_active=False
    )
    batch.audit.append(_entry("customer", ends.entity.id, stays.entity.id, fact))
    for address in batch.addresses.values():
        _redirect(address, "customer_id", ends.entity.id, stays.entity.id)
    for chat in batch.chats.values():
        if chat.entity.customer_id == ends.entity.id:
            chat.set(customer_id=stays.entity.id)
    for message in batch.by_ref.values():
        if message.entity.customer_id == ends.entity.id:
            message.set(customer_id=stays.entity.id)
    return stays


def _take_over(batch: Batch, stays: Tracked[Customer], ends: Tracked[Customer]) -> None:
    kept, gone = stays.entity, ends.entity
    stays.add(total_messages=gone.total_messages, total_chats=gone.total_chats)
    if gone.named_at and (kept.named_at is None or gone.named_at > kept.named_at):
        followed = kept.name in {None, kept.whatsapp_name}
        stays.set(whatsapp_name=gone.whatsapp_name, named_at=gone.named_at)
        if followed:
            stays.set(name=gone.name)
    for name in ("phone_number", "user_id", "username", "name", "email", "language"):
        if getattr(kept, name) is None and getattr(gone, name) is not None:
            stays.set(**{name: getattr(gone, name)})
    if kept.phone_number:
        batch.by_phone[kept.phone_number] = stays
    stays.set(
        first_contact_at=_least(kept.first_contact_at, gone.first_contact_at),
        last_contact_at=_greatest(kept.last_contact_at, gone.last_contact_at),
    )


def _unite_chats(batch: Batch, one: Tracked[Customer], other: Tracked[Customer], fact: Fact) -> None:
    mine = [
        chat
        for chat in batch.chats.values()
        if chat.entity.config_id == fact.account.id
        and not chat.entity.is_deleted
        and chat.entity.customer_id in {one.entity.id, other.entity.id}
    ]
    mine.sort(key=lambda chat: chat.entity.id)
    for ends in mine[1:]:
        _unite_two(batch, mine[0], ends, fact)
        one.add(total_chats=-1)


def _unite_two(batch: Batch, stays: Tracked[Chat], ends: Tracked[Chat], fact: Fact) -> None:
    kept, gone = stays.entity, ends.entity
    counters = ("unread_count", "total_messages", "customer_messages", "agent_messages")
    stays.add(**{name: getattr(gone, name) for name in counters})
    stays.set(**_newest(kept, gone))
    if gone.referral_at and (kept.referral_at is None or gone.referral_at < kept.referral_at):
        stays.set(referral=gone.referral, referral_at=gone.referral_at)
    if kept.status is ChatStatus.UNASSIGNED and gone.status is ChatStatus.ASSIGNED:
        stays.set(status=gone.status, assigned_to=gone.assigned_to, assigned_at=gone.assigned_at)
    stays.set(labels=sorted({*kept.labels, *gone.labels}), blocked=kept.blocked or gone.blocked)
    batch.late_turns.add(kept.id)
    batch.late_turns.discard(gone.id)
    batch.merged_chats[gone.id] = kept.id
    batch.audit.append(_entry("chat", gone.id, kept.id, fact))
    ends.set(is_deleted=True, deleted_at=fact.received_at, merged_into=kept.id, unread_count=0)
    for message in batch.by_ref.values():
        if message.entity.chat_id == gone.id:
            message.set(chat_id=kept.id, merged_from=gone.id)
    for address in batch.addresses.values():
        _redirect(address, "chat_id", gone.id, kept.id)


def _newest(kept: Chat, gone: Chat) -> dict[str, Any]:
    """What the united chat shows: of each field the later word."""
    values: dict[str, Any] = {
        "last_inbound_at": _greatest(kept.last_inbound_at, gone.last_inbound_at),
        "window_expires_at": _greatest(kept.window_expires_at, gone.window_expires_at),
        "last_turn_at": _greatest(kept.last_turn_at, gone.last_turn_at),
    }
    if gone.last_message_time and (kept.last_message_time is None or gone.last_message_time > kept.last_message_time):
        shown = ("last_message", "last_message_time", "last_message_id")
        values |= {name: getattr(gone, name) for name in shown}
    told, known = gone.seen_at or {}, kept.seen_at or {}
    later = {name: at for name, at in told.items() if name not in known or at > known[name]}
    return values | {name: getattr(gone, name) for name in later} | {"seen_at": known | later}


def _redirect(address: Any, field: str, gone: str, kept: str) -> None:
    """Let an address and its former holders point to what stays."""
    entity = address.entity
    if getattr(entity, field) == gone:
        address.set(**{field: kept})
    if any(getattr(tenure, field) == gone for tenure in entity.former):
        former = [replace(one, **{field: kept}) if getattr(one, field) == gone else one for one in entity.former]
        address.set(former=former)


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
