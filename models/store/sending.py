"""The verbs on messages that are being sent: find whose turn it is, begin, put back, accept.

A message is sent by whoever moves it from queued to sending, which one update does for one worker; everything a
worker writes afterwards is conditional on the generation it began. Deliberately no outboxes and no calls; what follows
from an unusual end is folded in by `services.sending.recording`.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pymongo.client_session import ClientSession
from pymongo.errors import DuplicateKeyError

from models.address import Address
from models.chat import Chat
from models.idempotency_key import IdempotencyKey
from models.message import Attempt, Message
from models.spelling import canonical
from models.store.blocks import blocked_among
from models.store.codec import from_document, to_changes, to_document
from models.store.collections import Store
from models.store.templates import Templates
from models.store.transactions import transact
from models.values import AddressKind, Direction, MessageStatus, MessageType
from runtime.errors import LeaseLost, NotFound

#: Messages that keep those behind them waiting.
IN_TURN: Final = {"status": {"$in": [MessageStatus.QUEUED.value, MessageStatus.SENDING.value]}}


class Sends:
    """Outbound messages."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._templates = Templates(store)

    def heads(self, chat_ids: Sequence[str]) -> dict[str, Message]:
        """Find the message of each chat whose turn it is, for many chats at once."""
        return {chat_id: head for chat_id in chat_ids if (head := self.head(chat_id)) is not None}

    def head(self, chat_id: str) -> Message | None:
        """Find the message of a chat whose turn it is: the first that is queued or being sent."""
        row = self._store.messages.find_one({"chatId": chat_id, **IN_TURN}, sort=[("queuedAt", 1), ("id", 1)])
        return from_document(Message, row) if row else None

    def begin(self, message: Message, attempt: Attempt, *, until: datetime) -> bool:
        """Move a queued message to sending, the attempt written down with it; false where another was faster."""
        begun = self._store.messages.update_one(
            {"id": message.id, "status": MessageStatus.QUEUED.value, "generation": message.generation},
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
        template_id = message.template.template_id if message.template else None

        def work(session: ClientSession) -> None:
            update = {"$set": {**changes, "updatedAt": now}, "$unset": removals}
            try:
                found = self._store.messages.update_one(_begun(message), update, session=session)
            except DuplicateKeyError:
                raise LeaseLost from None
            if not found.matched_count:
                raise LeaseLost
            self._store.chats.update_one(
                {"id": message.chat_id, "lastMessage.id": message.id},
                {"$set": {name: value for name, value in shown.items() if value} | {"updatedAt": now}},
                session=session,
            )
            if template_id:
                self._templates.count_use(template_id, at=now, session=session)

        transact(self._store.client, work)

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
        either: list[dict[str, Any]] = [{"id": chat.address_id}]
        if chat.customer_id:
            either.append({"customerId": chat.customer_id})
        rows = self._store.addresses.find({"$or": either, "configId": chat.config_id}, session=session)
        found = [from_document(Address, row) for row in rows if row.get("chatId") == chat.id]
        return sorted(found, key=lambda address: address.id != chat.address_id)

    def is_blocked(self, *, phone: str | None, user_id: str | None, session: ClientSession) -> bool:
        """Say whether somebody is blocked by number, in whichever spelling, or by user id."""
        phones = [(AddressKind.PHONE.value, canonical(AddressKind.PHONE, phone))] if phone else []
        users = [(AddressKind.BSUID.value, user_id)] if user_id else []
        return bool(blocked_among(self._store.blockednumbers, phones + users, session))

    def known_key(self, key: str, *, now: datetime, session: ClientSession | None = None) -> IdempotencyKey | None:
        """Find what was asked under a key before; what has expired is removed at once."""
        row = self._store.idempotencykeys.find_one({"key": key}, session=session)
        if row is not None and row["expiresAt"] <= now:
            self._store.idempotencykeys.delete_one({"key": key}, session=session)
            return None
        return from_document(IdempotencyKey, row) if row else None

    def add_key(self, key: IdempotencyKey, *, now: datetime, session: ClientSession) -> None:
        """Remember what was asked under a key.

        Raises:
            pymongo.errors.DuplicateKeyError: another request took the key first.
        """
        document = to_document(key) | {"createdAt": now, "updatedAt": now}
        self._store.idempotencykeys.insert_one(document, session=session)


def _begun(message: Message) -> dict[str, Any]:
    """The message as this worker began to send it."""
    return {"id": message.id, "status": MessageStatus.SENDING.value, "generation": message.generation}
