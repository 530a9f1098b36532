"""Messages that follow into another chat, in pieces; and what the chats and customers they touch then show.

Each piece is a transaction of its own and may be done twice; the order is dropped when nothing is left.
Deliberately no judgement of where a message belongs: that is `services.conversing.moving`.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo.client_session import ClientSession

from models.address import Address
from models.chat import Chat
from models.chat_tally import LOOKED_AT, renamed, tallied
from models.customer import Customer
from models.message import Message
from models.message_move import MessageMove
from models.spelling import canonical
from models.store.batch import Batch
from models.store.codec import camel, from_document, to_changes
from models.store.collections import Documents, Store
from models.store.transactions import transact
from models.values import AddressKind, SenderType

#: Messages of one piece.
PIECE: Final = 500
#: Orders that one sweep carries out, at most.
SWEEP_LIMIT: Final = 100
_LOOKED_AT: Final = {"_id": 0, **{camel(name): 1 for name in LOOKED_AT}}


class Moves:
    """The orders to move messages."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def left(self, *, before: datetime) -> list[MessageMove]:
        """Orders that whoever wrote them did not carry out, oldest first."""
        rows = self._store.messagemoves.find({"createdAt": {"$lt": before}}).sort("id", 1).limit(SWEEP_LIMIT)
        return [from_document(MessageMove, row) for row in rows]

    def drop(self, move: MessageMove) -> None:
        """Forget an order: nothing is left of it."""
        self._store.messagemoves.delete_one({"id": move.id})

    def follow(self, move: MessageMove) -> bool:
        """Let some messages of a united chat follow; say whether more may be left."""

        def work(session: ClientSession) -> bool:
            kept = self._kept(move.to_chat_id or "", session)
            rows = self._store.messages.find({"chatId": move.chat_id}, {"id": 1}, session=session)
            ids = [row["id"] for row in rows.sort("timestamp", -1).limit(PIECE)]
            moved = {"$set": {"chatId": kept, "mergedFrom": move.chat_id}}
            self._store.messages.update_many({"id": {"$in": ids}}, moved, session=session)
            return len(ids) == PIECE

        return transact(self._store.client, work)

    def _kept(self, chat_id: str, session: ClientSession) -> str:
        """The chat that stays, which must not end before this piece is written."""
        touched = {"$currentDate": {"updatedAt": True}}
        row = self._store.chats.find_one_and_update({"id": chat_id}, touched, {"mergedInto": 1}, session=session)
        return self._kept(row["mergedInto"], session) if row and row.get("mergedInto") else chat_id

    def _places(self, chat_id: str) -> list[str]:
        """A chat, and those that it was united with since."""
        places = [chat_id]
        while (row := self._store.chats.find_one({"id": places[-1]}, {"mergedInto": 1})) and row.get("mergedInto"):
            places.append(row["mergedInto"])
        return places

    def address(self, move: MessageMove) -> Address | None:
        """Find the number that an order is about."""
        row = self._store.addresses.find_one({"id": move.address_id})
        return from_document(Address, row) if row else None

    def told_by_number(self, move: MessageMove, address: Address, *, after: Message | None) -> list[Message]:
        """Messages of a chat that came from or went to a number in the order's time, and told nothing else."""
        spellings = list({address.value, address.canonical, *address.aliases})
        bounds = {"$gte": move.since, "$lt": move.until}
        time = {name: moment for name, moment in bounds.items() if moment}
        query: dict[str, Any] = {
            "chatId": {"$in": self._places(move.chat_id)},
            "userId": {"$exists": False},
            "senderType": {"$ne": SenderType.AGENT},
            "$or": [{"from": {"$in": spellings}}, {"to": {"$in": spellings}}],
            **({"timestamp": time} if time else {}),
        }
        if after is not None:
            later = [{"timestamp": {"$gt": after.timestamp}}, {"timestamp": after.timestamp, "id": {"$gt": after.id}}]
            query = {"$and": [query, {"$or": later}]}
        rows = self._store.messages.find(query, _LOOKED_AT).sort([("timestamp", 1), ("id", 1)]).limit(PIECE)
        return [from_document(Message, row) for row in rows]


def recount(store: Store, batch: Batch, session: ClientSession, now: datetime) -> None:
    """Count anew what chats show from which or into which messages were moved, and their customers."""
    if not batch.recounted:
        return
    moved: dict[str, set[datetime]] = {}
    for chat_id, moved_at in batch.recounted.items():
        chat = batch.chats[chat_id].entity
        _recount_chat(store, chat, moved_at, batch.service_window, session=session, now=now)
        moved.setdefault(chat.customer_id or "", set()).update(moved_at)
    rows = store.customers.find({"id": {"$in": list(moved)}}, session=session)
    customers = [from_document(Customer, row) for row in rows]
    for customer in customers:
        _recount_customer(store, customer, moved[customer.id], session, now)
    for customer in customers:
        _renumber(store, customer, moved[customer.id], session, now)


def _recount_chat(
    store: Store,
    chat: Chat,
    moved_at: Collection[datetime],
    window: timedelta | None,
    *,
    session: ClientSession,
    now: datetime,
) -> None:
    rows = store.messages.find({"chatId": chat.id, "isDeleted": False}, _LOOKED_AT, session=session)
    messages = [from_document(Message, row) for row in rows]
    values = tallied(messages, window=window, closed_at=chat.window_closed_at)
    values |= renamed(chat, messages, moved_at)
    if "customer_name" in values and not values["customer_name"]:
        values["customer_name"] = values.get("phone_number", chat.phone_number) or chat.username or chat.user_id
    if not messages:
        values |= {"is_deleted": True, "deleted_at": now, "unread_count": 0}
    _update(store.chats, chat.id, values, session, now)


def counted_from_chats(store: Store, customer_id: str, session: ClientSession) -> dict[str, Any]:
    """Count what a customer shows of the chats."""
    chats = _chats_of(store, customer_id, session)
    oldest = [_oldest(store, chat.id, session) for chat in chats]
    return {
        "total_chats": len(chats),
        "total_messages": sum(chat.total_messages for chat in chats),
        "last_contact_at": max((chat.last_message.timestamp for chat in chats if chat.last_message), default=None),
        "first_contact_at": min((moment for moment in oldest if moment), default=None),
    }


def _recount_customer(
    store: Store, customer: Customer, moved_at: Collection[datetime], session: ClientSession, now: datetime
) -> None:
    named_at, name = max(_told(_chats_of(store, customer.id, session), "customer_name"), default=(None, None))
    values: dict[str, Any] = {
        **counted_from_chats(store, customer.id, session),
        "whatsapp_name": name,
        "named_at": named_at,
        "name": name if customer.name == customer.whatsapp_name else customer.name,
    }
    if _numbered_at(customer) in moved_at:
        values["phone_number"] = None
    _update(store.customers, customer.id, values, session, now)


def _renumber(
    store: Store, customer: Customer, moved_at: Collection[datetime], session: ClientSession, now: datetime
) -> None:
    """Let a customer be known by the number of last, where a message that had told another was moved away."""
    if _numbered_at(customer) not in moved_at:
        return
    at, told = max(_told(_chats_of(store, customer.id, session), "phone_number"), default=(None, None))
    number = canonical(AddressKind.PHONE, told) if told else None
    seen_at = {name: moment for name, moment in (customer.seen_at or {}).items() if name != "phone_number"}
    values: dict[str, Any] = {"seen_at": seen_at | ({"phone_number": at} if at else {})}
    row = store.customers.find_one({"phoneNumber": number, "isDeleted": False}, session=session) if number else None
    other = from_document(Customer, row) if row else None
    if other is None or (at and (_numbered_at(other) or at) < at):
        values["phone_number"] = number
        if other is not None:
            _update(store.customers, other.id, {"phone_number": None}, session, now)
    _update(store.customers, customer.id, values, session, now)


def _chats_of(store: Store, customer_id: str, session: ClientSession) -> list[Chat]:
    theirs = {"customerId": customer_id, "isDeleted": False}
    return [from_document(Chat, row) for row in store.chats.find(theirs, session=session)]


def _told(chats: Iterable[Chat], name: str) -> list[tuple[datetime, str]]:
    """What chats show of a person, and when it was told."""
    told = [((chat.seen_at or {}).get(name), getattr(chat, name)) for chat in chats]
    return [(at, value) for at, value in told if at and value]


def _numbered_at(customer: Customer) -> datetime | None:
    return (customer.seen_at or {}).get("phone_number")


def _oldest(store: Store, chat_id: str, session: ClientSession) -> datetime | None:
    row = store.messages.find_one({"chatId": chat_id}, {"timestamp": 1}, sort=[("timestamp", 1)], session=session)
    return row["timestamp"] if row else None


def _update(collection: Documents, row_id: str, values: dict[str, Any], session: ClientSession, now: datetime) -> None:
    changes, removals = to_changes({**values, "updated_at": now})
    parts = {"$set": changes, "$unset": removals}
    collection.update_one({"id": row_id}, {name: part for name, part in parts.items() if part}, session=session)
