"""The verbs on messages that are being sent: find whose turn it is, begin, put back, accept.

A message is sent by whoever moves it from queued to sending, which one update does for one worker; everything a
worker writes afterwards is conditional on the generation it began. Deliberately no outboxes and no calls; what follows
from an unusual end is folded in by `services.sending.recording`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from pymongo.client_session import ClientSession
from pymongo.errors import DuplicateKeyError

from models.address import Address
from models.chat import Chat
from models.idempotency_key import IdempotencyKey
from models.message import Attempt, Message, MessageError
from models.spelling import canonical
from models.store.blocks import blocked_among
from models.store.codec import from_document, to_changes, to_document
from models.store.collections import LATEST, Store
from models.store.templates import note_use
from models.store.transactions import transact
from models.template_usage import first_use
from models.values import AddressKind, Direction, MessageStatus, MessageType
from runtime.errors import LeaseLost, NotFound

#: Messages that keep those behind them waiting.
IN_TURN: Final = {"status": {"$in": [MessageStatus.QUEUED.value, MessageStatus.SENDING.value]}}

_LOOKED_AT: Final = {"_id": 0} | dict.fromkeys(
    ("configId", "addressId", "customerId", "blocked", "isDeleted", "mergedInto"), 1
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Who a chat's messages go to; one that is there no more may have been united with another."""

    is_there: bool = True
    merged_into: str | None = None
    is_blocked: bool = False
    addresses: list[Address] = field(default_factory=list)


class Sends:
    """Outbound messages."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # A message is begun only once a majority has what was read here, and that it was begun.
        self._messages, self._chats, self._addresses = (
            one.with_options(read_concern=LATEST) for one in (store.messages, store.chats, store.addresses)
        )

    def head(self, chat_id: str) -> tuple[Message | None, bool]:
        """Find the message of a chat whose turn it is, the first that is queued or being sent.

        Say too whether it is the only one.
        """
        waiting = self._messages.find({"chatId": chat_id, **IN_TURN})
        rows = list(waiting.sort([("queuedAt", 1), ("id", 1)]).limit(2))
        return (from_document(Message, rows[0]) if rows else None), len(rows) < 2

    def begin(self, message: Message, attempt: Attempt, *, until: datetime) -> bool:
        """Move a queued message to sending, the attempt written down with it; false where another was faster."""
        begun = self._store.messages.update_one(
            _waiting(message),
            {
                "$set": {"status": MessageStatus.SENDING.value, "leaseUntil": until, "updatedAt": attempt.at},
                "$inc": {"generation": 1, "tries": 1},
                "$push": {"attempts": to_document(attempt)},
                "$unset": {"nextAttemptAt": ""},
            },
        )
        return begun.modified_count == 1

    def put_back(self, message: Message, values: Mapping[str, Any], *, now: datetime) -> bool:
        """Return a message that was being sent to those that wait; false where it has been overtaken."""
        changes, removals = to_changes({**values, "status": MessageStatus.QUEUED, "lease_until": None})
        update = {"$set": {**changes, "updatedAt": now}, "$unset": removals}
        return self._store.messages.update_one(_begun(message), update).modified_count == 1

    def accept(self, message: Message, values: Mapping[str, Any], *, now: datetime) -> None:
        """Write down that a message being sent was accepted, and show it in the list of chats.

        Raises:
            LeaseLost: it has been overtaken, by a status or another worker, or an echo that was stored as a message
                of its own has the vendor's id already; nothing was written.
        """
        changes, removals = to_changes({**values, "lease_until": None})
        shown = {"lastMessage.status": changes["status"], "lastMessageId": changes.get("providerMessageId")}
        # One that has followed into another chat meanwhile is shown there.
        here = {**_begun(message), "chatId": message.chat_id}
        use = first_use(message, at=now)
        if use is not None:
            changes["templateCounted"] = True

        def work(session: ClientSession) -> None:
            update = {"$set": {**changes, "updatedAt": now}, "$unset": removals}
            try:
                found = self._store.messages.update_one(here, update, session=session)
            except DuplicateKeyError:
                raise LeaseLost from None
            if not found.matched_count:
                raise LeaseLost
            self._store.chats.update_one(
                {"id": message.chat_id, "lastMessage.id": message.id},
                {"$set": {name: value for name, value in shown.items() if value} | {"updatedAt": now}},
                session=session,
            )
            if use is not None:
                note_use(self._store, [use], session=session)

        transact(self._store.client, work)

    def note(self, message: Message, error: MessageError, *, now: datetime) -> None:
        """Note at a queued message why it waits, where that is news."""
        if message.error != error:
            told = {"$set": {"error": to_document(error), "updatedAt": now}}
            self._store.messages.update_one(_waiting(message), told)

    def is_account_gone(self, config_id: str) -> bool:
        """Say whether an account was deleted, and not only switched off."""
        row = self._store.whatsappconfigs.find_one({"id": config_id}, {"isDeleted": 1})
        return row is None or bool(row.get("isDeleted"))

    def recipient(self, chat_id: str) -> Recipient:
        """Find who a chat's messages go to now."""
        row = self._chats.find_one({"id": chat_id}, _LOOKED_AT) or {"isDeleted": True}
        if row["isDeleted"]:
            return Recipient(is_there=False, merged_into=row.get("mergedInto"))
        return Recipient(is_blocked=bool(row.get("blocked")), addresses=self._leading(chat_id, row, None))

    def get(self, message_id: str) -> Message:
        """Find a message.

        Raises:
            NotFound: there is none.
        """
        row = self._store.messages.find_one({"id": message_id, "isDeleted": False})
        if row is None:
            raise NotFound(f"There is no message {message_id}.")
        return from_document(Message, row)

    def many(self, ids: Iterable[str], *, session: ClientSession | None = None) -> list[Message]:
        """Find messages, in the order of their making."""
        rows = self._store.messages.find({"id": {"$in": list(ids)}}, session=session).sort("id", 1)
        return [from_document(Message, row) for row in rows]

    def in_state(self, status: MessageStatus, *, limit: int) -> list[Message]:
        """Find outbound messages in a state, newest first."""
        rows = self._store.messages.find({"status": status.value, "direction": Direction.OUTBOUND.value})
        return [from_document(Message, row) for row in rows.sort("id", -1).limit(limit)]

    def newest(self, chat_id: str, *, without: str, session: ClientSession) -> Message | None:
        """Find the message that a chat shows as its last, another left aside."""
        shown = {"chatId": chat_id, "id": {"$ne": without}, "isDeleted": False, "type": {"$ne": MessageType.REACTION}}
        order = [("timestamp", -1), ("receivedAt", -1), ("id", -1)]
        row = self._store.messages.find_one(shown, sort=order, session=session)
        return from_document(Message, row) if row else None

    def quoted(self, chat_id: str, message_id: str) -> Message | None:
        """Find a live message of a chat."""
        row = self._store.messages.find_one({"id": message_id, "chatId": chat_id, "isDeleted": False})
        return from_document(Message, row) if row else None

    def chat(self, chat_id: str, *, session: ClientSession | None = None) -> Chat:
        """Find a live chat.

        Raises:
            NotFound: there is none.
        """
        row = self._store.chats.find_one({"id": chat_id, "isDeleted": False}, session=session)
        if row is None:
            raise NotFound(f"There is no chat {chat_id}.")
        return from_document(Chat, row)

    def addresses(self, chat: Chat, *, session: ClientSession | None = None) -> list[Address]:
        """Find the addresses that lead to a chat, its own first."""
        row = {"configId": chat.config_id, "addressId": chat.address_id, "customerId": chat.customer_id}
        return self._leading(chat.id, row, session)

    def _leading(self, chat_id: str, chat: Mapping[str, Any], session: ClientSession | None) -> list[Address]:
        own = chat.get("addressId")
        either: list[dict[str, Any]] = [{"id": own}]
        if chat.get("customerId"):
            either.append({"customerId": chat["customerId"]})
        rows = self._addresses.find({"$or": either, "configId": chat["configId"]}, session=session)
        found = [from_document(Address, row) for row in rows if row.get("chatId") == chat_id]
        return sorted(found, key=lambda address: address.id != own)

    def is_blocked(self, *, phone: str | None, user_id: str | None, session: ClientSession) -> bool:
        """Say whether somebody is blocked by number, in whichever spelling, or by user id."""
        phones = [(AddressKind.PHONE.value, canonical(AddressKind.PHONE, phone))] if phone else []
        users = [(AddressKind.BSUID.value, user_id)] if user_id else []
        return bool(blocked_among(self._store.blockednumbers, phones + users, session))

    def known_key(self, key: str, *, now: datetime, session: ClientSession | None = None) -> IdempotencyKey | None:
        """Find what was asked under a key before; what has expired is removed at once."""
        row = self._store.idempotencykeys.find_one({"key": key}, session=session)
        if row is not None and row["expiresAt"] <= now:
            # Another request may have put its own in the place of that one by now.
            self._store.idempotencykeys.delete_one({"key": key, "expiresAt": {"$lte": now}}, session=session)
            return None
        return from_document(IdempotencyKey, row) if row else None

    def add_key(self, key: IdempotencyKey, *, now: datetime, session: ClientSession) -> None:
        """Remember what was asked under a key.

        Raises:
            pymongo.errors.DuplicateKeyError: another request took the key first.
        """
        document = to_document(key) | {"createdAt": now, "updatedAt": now}
        self._store.idempotencykeys.insert_one(document, session=session)


def _waiting(message: Message) -> dict[str, Any]:
    """The message as this worker found it waiting, in this chat."""
    return {
        "id": message.id,
        "status": MessageStatus.QUEUED.value,
        "generation": message.generation,
        "chatId": message.chat_id,
    }


def _begun(message: Message) -> dict[str, Any]:
    """The message as this worker began to send it."""
    return {"id": message.id, "status": MessageStatus.SENDING.value, "generation": message.generation}
