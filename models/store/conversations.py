"""Reading what a batch of events touches, and writing what they did, in one transaction.

One query and one write per collection, whatever the number of events. Deliberately no rules: what events do is
folded in by the caller.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

from pymongo import UpdateOne
from pymongo.client_session import ClientSession
from pymongo.collection import Collection

from models.address import Address, Tenure
from models.chat import Chat
from models.customer import Customer
from models.ids import first_id, new_id
from models.message import Message
from models.message_move import MessageMove
from models.pending_update import PendingUpdate, UpdateKind
from models.response_clock import Spoken, Turn, counted, turn_of
from models.store.batch import Batch, MessageKey, T, Tracked, Wanted
from models.store.blocks import blocked_among, look_again
from models.store.chat_list import enlist, leave_unlisted
from models.store.codec import field_names, from_document, to_changes, to_document
from models.store.collections import AT_ONCE, Store, bare
from models.store.moves import recount
from models.store.outboxes import free_outbox, unite_outboxes
from models.store.templates import note_use
from models.store.transactions import is_away, is_outage, transact
from models.store.webhook_events import Closing, WebhookEvents
from models.template import Template
from models.values import AddressKind, Direction, MessageStatus
from models.whatsapp_config import WhatsAppConfig
from runtime.lanes import Lanes

Fold = Callable[[Batch], Sequence[Closing]]
R = TypeVar("R")
#: Documents to be looked for from which on other processes are asked to wait: small transactions seldom meet, and
#: repeat themselves cheaply.
WORTH_A_TURN: Final = 20
_Documents = Collection[dict[str, Any]]
#: Messages of one chat that are moved to another in one transaction; more follow in pieces.
MOVED_AT_ONCE: Final = 1_000
#: Where a message can stand that has left, or may have, and of which the vendor's id is not known.
_UNNAMED: Final = [
    status.value
    for status in (
        *(MessageStatus.QUEUED, MessageStatus.SENDING, MessageStatus.UNKNOWN, MessageStatus.ACCEPTED),
        # By acks that tell a place in the vendor's queue and no id.
        *(MessageStatus.SENT, MessageStatus.DELIVERED, MessageStatus.READ),
    )
]
_SPOKEN: Final = {"_id": 0, **dict.fromkeys(field_names(Spoken).values(), 1)}


class Conversations:
    """Chats with all that hangs on them."""

    def __init__(self, store: Store, lanes: Lanes | None = None) -> None:
        self._store = store
        self._events = WebhookEvents(store)
        #: One transaction at a time in each lane: two in the same would meet in the same chats and make each other
        #: begin again.
        self._lanes = lanes or Lanes(1)

    @property
    def lanes(self) -> int:
        """How many parts all people are divided into; of each one transaction of a batch runs at a time."""
        return self._lanes.count

    def transact(self, wanted: Wanted, fold: Fold, *, now: datetime, lane: int | None = None) -> None:
        """Read what is wanted, let `fold` change it and say which webhooks end, and write all of it or nothing.

        `fold` may be called more than once, each time with fresh state. `lane`: which part of all people it touches,
        None for several; lanes save collisions, nothing depends on them.

        Raises:
            LeaseLost: one of the webhooks is another worker's by now.
            pymongo.errors.PyMongoError: the database is away, or refuses a document.
        """

        def work(session: ClientSession) -> tuple[list[str], list[Any]]:
            batch = self._read(wanted, session) if wanted else Batch()
            closings = fold(batch)
            # Without a row that remembers them, the chats' places are written with the rest.
            unlisted = leave_unlisted(batch) if closings else []
            self._write(batch, session, now)
            self._events.decide(closings, session, unlisted=unlisted)
            return [closing.id for closing in closings], unlisted

        with self._lanes.turn(lane, shared=len(wanted) >= WORTH_A_TURN):
            decided, unlisted = transact(self._store.client, work)
            # While the lane is ours: the next transaction in it would meet this in the same chats.
            enlist(self._store.chats, unlisted)
        self._events.close(decided)

    def change(self, wanted: Wanted, fold: Callable[[Batch, ClientSession], R], *, now: datetime) -> R:
        """Read what is wanted, let `fold` change it, write all of it or nothing, and return what `fold` returned.

        `fold` may be called more than once; what it writes by itself, it writes within the same transaction.

        Raises:
            Whatever `fold` raises; nothing stands then.
        """

        def work(session: ClientSession) -> R:
            batch = self._read(wanted, session)
            result = fold(batch, session)
            self._write(batch, session, now)
            return result

        return transact(self._store.client, work)

    def reconcilable(self, messages: Iterable[MessageKey], refs: Iterable[str] = ()) -> list[PendingUpdate]:
        """Find updates that wait for these messages; asked after their commit, so neither side misses the other."""
        query = _either(
            _by_account("providerMessageId", messages),
            [{"clientRef": {"$in": list(refs)}}] if refs else [],
        )
        return [from_document(PendingUpdate, row) for row in self._store.pendingupdates.find(query)] if query else []

    def numbered(self, config_id: str, queue_number: int, *, since: datetime) -> list[PendingUpdate]:
        """Find statuses parked since a moment that name their message by its place in the vendor's queue."""
        query = {
            "id": {"$gte": first_id("pnd", since)},
            "configId": config_id,
            "kind": UpdateKind.STATUS.value,
            "payload.queueNumber": queue_number,
        }
        return [from_document(PendingUpdate, row) for row in self._store.pendingupdates.find(query).hint([("id", 1)])]

    def present(self, messages: Iterable[MessageKey], refs: Iterable[str] = ()) -> tuple[set[MessageKey], set[str]]:
        """Say which of these messages are here, by the vendor's id and by our own."""
        wanted, own = set(messages), set(refs)
        query = _either(_by_account("providerMessageId", wanted), [{"id": {"$in": list(own)}}] if own else [])
        fields = {"_id": 0, "id": 1, "configId": 1, "providerMessageId": 1}
        rows = list(self._store.messages.find(query, fields)) if query else []
        keys = {(row["configId"], row["providerMessageId"]) for row in rows if "providerMessageId" in row}
        return keys & wanted, {row["id"] for row in rows} & own

    def reconcilable_by_sweep(self, ids: Sequence[str]) -> list[PendingUpdate]:
        """Find those of the updates whose message is here: what a crash between two commits leaves behind."""
        here = {
            "from": "messages",
            # By the fields, not in $expr, which cannot use a partial index and would read every message.
            "localField": "providerMessageId",
            "foreignField": "providerMessageId",
            "let": {"config": "$configId"},
            "pipeline": [{"$match": {"$expr": {"$eq": ["$configId", "$$config"]}}}, {"$project": {"_id": 1}}],
            "as": "found",
        }
        looked_at = {"$match": {"id": {"$in": list(ids)}}}
        pipeline: list[dict[str, Any]] = [looked_at, {"$lookup": here}, {"$match": {"found": {"$ne": []}}}]
        return [from_document(PendingUpdate, row) for row in self._store.pendingupdates.aggregate(pipeline)]

    def parked_ids(self, *, after: str | None, limit: int) -> list[str]:
        """Ids of waiting updates: the oldest after one of them, or the newest."""
        order = -1 if after is None else 1
        rows = self._store.pendingupdates.find({"id": {"$gt": after or ""}}, {"id": 1, "_id": 0})
        return [row["id"] for row in rows.sort("id", order).limit(limit)]

    def settle(self, updates: Sequence[PendingUpdate], wanted: Wanted, fold: Fold, *, now: datetime) -> None:
        """Apply waiting updates and drop them, in one transaction; those whose message is still not here stay."""

        def work(session: ClientSession) -> None:
            batch = self._read(wanted, session)
            fold(batch)
            still = {_target(update) for update in batch.parked}
            settled = [update.id for update in updates if _target(update) not in still]
            batch.parked.clear()
            self._write(batch, session, now)
            self._store.pendingupdates.delete_many({"id": {"$in": settled}}, session=session)

        transact(self._store.client, work)

    @staticmethod
    def is_outage(error: BaseException) -> bool:
        """Whether an error says that the database is away rather than that the work is wrong."""
        return is_outage(error)

    @staticmethod
    def is_away(error: BaseException) -> bool:
        """Whether it says so beyond doubt: a call that took too long may have been too heavy."""
        return is_away(error)

    def _read(self, wanted: Wanted, session: ClientSession) -> Batch:
        batch = Batch()
        for address in self._addresses(wanted, session):
            found = address.entity
            batch.addresses[found.config_id, found.kind.value, found.canonical or found.value] = address
        for message in self._messages(wanted, session):
            entity = message.entity
            batch.by_ref[entity.id] = message
            if entity.provider_message_id:
                batch.messages[entity.config_id, entity.provider_message_id] = message
        chat_ids = {m.entity.chat_id for m in batch.by_ref.values()} | {h.chat_id for h in _holders(batch)}
        for message in self._unnamed(wanted, chat_ids, session):
            batch.by_ref.setdefault(message.entity.id, message)
        chat_ids |= wanted.chats
        batch.chats = _tracked(Chat, self._living(batch, self._store.chats, {"id": chat_ids}, session))
        batch.blocked = self._blocked(batch, wanted, session)
        self._read_customers(batch, wanted, session)
        for template in self._templates(wanted, session):
            named = template.entity
            batch.templates[named.config_id or "", named.name, named.language or ""] = template
        configs = self._living(batch, self._store.whatsappconfigs, {"id": wanted.configs}, session)
        batch.configs = _tracked(WhatsAppConfig, configs)
        return batch

    def _living(
        self, batch: Batch, collection: _Documents, values: Mapping[str, Iterable[str | None]], session: ClientSession
    ) -> list[dict[str, Any]]:
        """Read documents, and instead of those that were united with others what stays of them."""
        living: list[dict[str, Any]] = []
        while values:
            found = _with(collection, values, session)
            living += (row for row in found if not row["isDeleted"])
            ended = {row["id"]: row.get("mergedInto") for row in found if row["isDeleted"]}
            batch.successors |= ended
            known = {row["id"] for row in living}
            values = {"id": {one for one in ended.values() if one and one not in known}} if any(ended.values()) else {}
        return list({row["id"]: row for row in living}.values())

    def _blocked(self, batch: Batch, wanted: Wanted, session: ClientSession) -> set[tuple[str, str]]:
        """Find the blocked among those who may be about to get a chat; a chat that is there has its own flag."""
        known = {key for key, found in batch.addresses.items() if batch.chat(found.entity.chat_id)}
        new = {(kind, value) for config_id, kind, value in wanted.addresses if (config_id, kind, value) not in known}
        return blocked_among(self._store.blockednumbers, new, session) if new else set()

    def _templates(self, wanted: Wanted, session: ClientSession) -> Iterable[Tracked[Template]]:
        """Read the live templates of these names in all their languages."""
        query = _either(_by_account("name", {(config_id, name) for config_id, name, _ in wanted.templates}))
        rows = self._store.templates.find({**query, "isDeleted": False}, session=session) if query else ()
        return (_one(Template, row) for row in rows)

    def _read_customers(self, batch: Batch, wanted: Wanted, session: ClientSession) -> None:
        """Read those the addresses lead to, and those who have the phone of an address not known yet."""
        ids = {holder.customer_id for holder in _holders(batch)}
        ids |= {chat.entity.customer_id for chat in batch.chats.values()} if ids or wanted.chats else set()
        phones = {value for config_id, kind, value in wanted.addresses if kind == AddressKind.PHONE}
        rows = self._living(batch, self._store.customers, {"id": ids, "phoneNumber": phones}, session)
        batch.customers = _tracked(Customer, rows)
        batch.by_phone = {c.entity.phone_number: c for c in batch.customers.values() if c.entity.phone_number}

    def _addresses(self, wanted: Wanted, session: ClientSession) -> Iterable[Tracked[Address]]:
        groups: dict[tuple[str, str], list[str]] = {}
        for config_id, kind, value in wanted.addresses:
            groups.setdefault((config_id, kind), []).append(value)
        query = _either(
            [
                {"configId": config_id, "kind": kind, "canonical": {"$in": values}}
                for (config_id, kind), values in groups.items()
            ]
        )
        rows = bare(self._store.addresses).find(query, session=session, batch_size=AT_ONCE) if query else ()
        return (_one(Address, row) for row in rows)

    def _messages(self, wanted: Wanted, session: ClientSession) -> Iterable[Tracked[Message]]:
        refs: list[dict[str, Any]] = [{"id": {"$in": list(wanted.refs)}}] if wanted.refs else []
        query = _either(_by_account("providerMessageId", wanted.messages), refs)
        rows = bare(self._store.messages).find(query, session=session, batch_size=AT_ONCE) if query else ()
        return (_one(Message, row) for row in rows)

    def _unnamed(self, wanted: Wanted, chat_ids: set[str | None], session: ClientSession) -> Iterable[Tracked[Message]]:
        """Read what was sent in these chats, or is being sent, under an id of the vendor's that we do not know."""
        if wanted.unnamed_since is None:
            return ()
        query = {
            "chatId": {"$in": [chat_id for chat_id in chat_ids if chat_id]},
            "timestamp": {"$gte": wanted.unnamed_since},
            "direction": Direction.OUTBOUND.value,
            "status": {"$in": _UNNAMED},
            "providerMessageId": {"$exists": False},
            "isDeleted": False,
        }
        return (_one(Message, row) for row in self._store.messages.find(query, session=session))

    def _count_late_turns(self, batch: Batch, session: ClientSession) -> None:
        """Count the response clocks of chats to which a message came late, from all their messages."""
        if not batch.late_turns:
            return
        turns: dict[str, list[Turn]] = {chat_id: [] for chat_id in batch.late_turns}
        # Also what was in a chat that was united with one of these, and has not followed yet.
        ended = [gone for gone in batch.merged_chats if batch.living(gone) in turns]
        query = {"chatId": {"$in": [*turns, *ended]}, "isDeleted": False}
        rows = self._store.messages.find(query, _SPOKEN, session=session, batch_size=AT_ONCE)
        stored = (from_document(Spoken, row) for row in rows)
        # Of those the batch holds, as it leaves them: its own changes are not written yet.
        ours = {tracked.entity.id: tracked.entity for tracked in batch.by_ref.values()}
        others = (message for message in stored if message.id not in ours)
        spoken: Iterable[Message | Spoken] = itertools.chain(others, ours.values())
        for message in spoken:
            chat_id = batch.living(message.chat_id)
            if chat_id in turns and (turn := turn_of(message)):
                turns[chat_id].append(turn)
        for chat_id, found in turns.items():
            batch.chats[chat_id].set(**counted(found))

    def _move_chat(self, gone: str, kept: str, config_id: str, batch: Batch, session: ClientSession) -> None:
        """Move what hangs on a chat that was united with another; of very many messages the oldest follow later."""
        newest = self._store.messages.find({"chatId": gone}, {"id": 1}, session=session)
        ids = [row["id"] for row in newest.sort("timestamp", -1).limit(MOVED_AT_ONCE + 1)]
        moved = {"$set": {"chatId": kept, "mergedFrom": gone}}
        self._store.messages.update_many({"id": {"$in": ids[:MOVED_AT_ONCE]}}, moved, session=session)
        if len(ids) > MOVED_AT_ONCE:
            batch.moves.append(MessageMove(id=new_id("mov"), config_id=config_id, chat_id=gone, to_chat_id=kept))
        unite_outboxes(self._store, gone, kept, session)
        for collection in (self._store.followups, self._store.teamnotes, self._store.chatassignments):
            collection.update_many({"chatId": gone}, {"$set": {"chatId": kept}}, session=session)

    def _move_customer(self, gone: str, kept: str, session: ClientSession) -> None:
        """Move what belongs to a customer who was united with another, at other accounts too."""
        for collection in (self._store.chats, self._store.addresses):
            collection.update_many({"customerId": gone}, {"$set": {"customerId": kept}}, session=session)

    def _write(self, batch: Batch, session: ClientSession, now: datetime) -> None:
        for gone, kept in batch.merged_chats.items():
            if gone in batch.chats and not batch.chats[gone].is_new:
                self._move_chat(gone, kept, batch.chats[gone].entity.config_id, batch, session)
            elif gone not in batch.chats:
                # Nobody has written in it yet, but other addresses of the person may be waiting to lead to it.
                theirs = {"chatId": gone, "customerId": {"$in": list(batch.customers)}}
                self._store.addresses.update_many(theirs, {"$set": {"chatId": kept}}, session=session)
        for gone, kept in batch.merged_customers.items():
            self._move_customer(gone, kept, session)
        if batch.audit:
            entries = [to_document(entry) | {"createdAt": now, "updatedAt": now} for entry in batch.audit]
            self._store.auditentries.insert_many(entries, session=session)
        self._count_late_turns(batch, session)
        _save(self._store.customers, batch.customers.values(), session, now)
        _save(self._store.addresses, batch.addresses.values(), session, now)
        _save(self._store.chats, batch.chats.values(), session, now)
        _save(self._store.messages, batch.by_ref.values(), session, now)
        recount(self._store, batch, session, now)
        look_again(self._store.blockednumbers, batch.blocks_met, now=now, session=session)
        _save(self._store.templates, batch.templates.values(), session, now)
        _save(self._store.whatsappconfigs, batch.configs.values(), session, now)
        self._write_what_follows(batch, session, now)

    def _write_what_follows(self, batch: Batch, session: ClientSession, now: datetime) -> None:
        for chat_id in sorted(batch.freed):
            free_outbox(self._store, chat_id, at=now, session=session)
        if batch.template_uses:
            note_use(self._store, batch.template_uses, session=session)
        if batch.moves:
            orders = [to_document(move) | {"createdAt": now, "updatedAt": now} for move in batch.moves]
            self._store.messagemoves.insert_many(orders, session=session)
        if batch.parked:
            parked = [_parking(update, now) for update in batch.parked]
            self._store.pendingupdates.bulk_write(parked, ordered=False, session=session)


def _target(update: PendingUpdate) -> tuple[str, str, str | None]:
    """Which message an update is for."""
    return update.config_id, update.provider_message_id, update.client_ref


def _holders(batch: Batch) -> Iterator[Address | Tenure]:
    """Who has the batch's addresses, and who had them."""
    for tracked in batch.addresses.values():
        yield tracked.entity
        yield from tracked.entity.former


def _either(*groups: list[dict[str, Any]]) -> dict[str, Any]:
    """Join alternatives into one query; empty where there is none."""
    alternatives = [query for group in groups for query in group]
    if len(alternatives) == 1:
        return alternatives[0]
    return {"$or": alternatives} if alternatives else {}


def _by_account(field: str, keys: Iterable[MessageKey]) -> list[dict[str, Any]]:
    groups: dict[str, list[str]] = {}
    for config_id, value in keys:
        groups.setdefault(config_id, []).append(value)
    return [{"configId": config_id, field: {"$in": values}} for config_id, values in groups.items()]


def _with(
    collection: _Documents, values: Mapping[str, Iterable[str | None]], session: ClientSession
) -> list[dict[str, Any]]:
    """Read the documents that have one of the values in one of the fields; of the deleted only those of these ids."""
    present = {name: [one for one in found if one] for name, found in values.items()}
    live = {name: {} if name == "id" else {"isDeleted": False} for name in present}
    query = _either([{name: {"$in": found}, **live[name]} for name, found in present.items() if found])
    return list(bare(collection).find(query, session=session, batch_size=AT_ONCE)) if query else []


def _tracked(entity: type[T], rows: Iterable[dict[str, Any]]) -> dict[str, Tracked[T]]:
    return {row["id"]: _one(entity, row) for row in rows}


def _one(entity: type[T], row: dict[str, Any]) -> Tracked[T]:
    return Tracked(from_document(entity, row), key=row["_id"])


def _save(collection: _Documents, documents: Iterable[Tracked[T]], session: ClientSession, now: datetime) -> None:
    """Update the changed and insert the new documents of one collection, in one round trip each.

    In this order, and what is given up before all else: another may take it in the same batch.
    """
    held = list(documents)
    changed = sorted((tracked for tracked in held if tracked.is_changed), key=_ends_first)
    new = [_new_document(tracked, now) for tracked in held if tracked.is_new]
    if changed:
        updates = [update for tracked in changed if (update := _giving_up(tracked.entity, tracked.changes))]
        updates += (_update(tracked, now) for tracked in changed)
        collection.bulk_write(updates, session=session)
    if new:
        collection.insert_many(new, ordered=False, session=session)


def _ends_first(tracked: Tracked[T]) -> bool:
    return not tracked.changes.get("is_deleted")


def _giving_up(entity: object, changes: Mapping[str, Any]) -> UpdateOne | None:
    """Free what only one document may have, where this one is about to have another."""
    if isinstance(entity, Chat) and "address_id" in changes:
        return UpdateOne({"id": entity.id}, {"$set": {"addressId": entity.id}})
    if isinstance(entity, Customer) and "phone_number" in changes:
        return UpdateOne({"id": entity.id}, {"$unset": {"phoneNumber": ""}})
    return None


def _new_document(tracked: Tracked[T], now: datetime) -> dict[str, Any]:
    return to_document(tracked.entity) | {"createdAt": now, "updatedAt": now}


def _update(tracked: Tracked[T], now: datetime) -> UpdateOne:
    """Set what was set and add what was added; a field that became None is removed."""
    changes = {name: value for name, value in tracked.changes.items() if name not in tracked.additions}
    values, removals = to_changes({**changes, "updated_at": now})
    parts = {"$set": values, "$unset": removals, "$inc": to_changes(tracked.additions)[0]}
    return UpdateOne({"_id": tracked.key}, {operator: fields for operator, fields in parts.items() if fields})


def _parking(update: PendingUpdate, now: datetime) -> UpdateOne:
    document = to_document(update) | {"createdAt": now, "updatedAt": now}
    return UpdateOne({"configId": update.config_id, "key": update.key}, {"$setOnInsert": document}, upsert=True)
