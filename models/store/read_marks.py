"""The verbs on what has been read: messages, the count of those that have not been, and the receipts that are due.

Messages and count change in one snapshot: a message that arrives in the same moment makes MongoDB refuse the one that
commits last, which begins again and sees it. Deliberately no calls to vendors.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from pymongo.errors import DuplicateKeyError

from models.chat import Chat, ReadMark
from models.message import Message
from models.receipt import Receipt
from models.store.audit import Session
from models.store.codec import Document, encode, from_document, to_document
from models.store.collections import Store
from models.store.transactions import transact
from models.values import Direction, MessageStatus, SenderType

#: Messages that the count of a chat counts.
UNREAD: Final[Mapping[str, Any]] = {
    "direction": Direction.INBOUND.value,
    "senderType": SenderType.CUSTOMER.value,
    "status": MessageStatus.RECEIVED.value,
    "history": {"$ne": True},
    "blocked": {"$ne": True},
    "isDeleted": False,
}
_READ: Final = MessageStatus.READ.value
#: The order of a chat's messages, the newest first, as its index has it.
_NEWEST: Final = [("timestamp", -1), ("receivedAt", -1), ("id", -1)]


class ReadMarks:
    """Who has read what."""

    def __init__(self, store: Store) -> None:
        self._client = store.client
        self._chats = store.chats
        self._messages = store.messages
        self._receipts = store.receipts

    def mark(
        self, chat_id: str, *, message_id: str | None = None, agent_id: str | None, receipt: bool, now: datetime
    ) -> int:
        """Mark a chat's messages, or one of them, as read; return how many had not been.

        With `receipt`, the vendor is to be told of the newest of them. What arrives meanwhile stays unread,
        however often it has to begin again.
        """
        began_with: list[str] | None = None if message_id is None else [message_id]

        def work(session: Session) -> int:
            nonlocal began_with
            row = self._chats.find_one({"id": chat_id, "isDeleted": False}, session=session)
            if row is None:
                return 0
            chat = from_document(Chat, row)
            unread = self._unread(chat, began_with, session)
            began_with = [one["id"] for one in unread]
            self._mark_messages(unread, now, session)
            self._tell_chat(chat, unread, agent_id=agent_id, now=now, session=session)
            if unread and receipt:
                self._put_receipt(chat_id, unread[0]["id"], now, session)
            return len(unread)

        return transact(self._client, work)

    def receipts_due(self, *, now: datetime, limit: int) -> list[str]:
        """Ids of chats whose receipt is due, the longest due first."""
        rows = self._receipts.find({"dueAt": {"$lte": now}}, {"id": 1, "_id": 0})
        return [row["id"] for row in rows.sort("dueAt", 1).limit(limit)]

    def claim_receipt(self, chat_id: str, *, now: datetime) -> Receipt | None:
        """Take a chat's receipt upon oneself; it is nobody else's from here on, and lost with whoever took it."""
        row = self._receipts.find_one_and_delete({"id": chat_id, "dueAt": {"$lte": now}})
        return None if row is None else from_document(Receipt, row)

    def put_receipt_back(self, claimed: Receipt, *, due: datetime, now: datetime) -> None:
        """Let a receipt be tried again later, unless a newer one is there by now."""
        again = replace(claimed, due_at=due, attempts=claimed.attempts + 1, updated_at=now)
        with suppress(DuplicateKeyError):
            self._receipts.insert_one(to_document(again))

    def told_of(self, receipt: Receipt) -> tuple[Chat, Message] | None:
        """Find the message that was read, with its chat; None where it is gone or the sender is blocked."""
        row = self._messages.find_one({"id": receipt.message_id, "isDeleted": False})
        # Not the receipt's chat: that may have been united with another meanwhile.
        chat = self._chats.find_one({"id": row["chatId"], "blocked": False}) if row else None
        return (from_document(Chat, chat), from_document(Message, row)) if chat and row else None

    def newest_inbound(self, chat_id: str) -> tuple[Chat, Message] | None:
        """Find a chat with the newest message of its customer; None where there is none or the sender is blocked."""
        chat = self._chats.find_one({"id": chat_id, "isDeleted": False, "blocked": False})
        query = {"chatId": chat_id, "direction": Direction.INBOUND.value, "isDeleted": False, "history": {"$ne": True}}
        row = self._messages.find_one(query, sort=_NEWEST) if chat else None
        return (from_document(Chat, chat), from_document(Message, row)) if chat and row else None

    def _unread(self, chat: Chat, among: Sequence[str] | None, session: Session) -> list[Document]:
        """Find what is unread: as many as the count says, which keeps the search to the chat's newest end."""
        if chat.unread_count <= 0:
            return []
        these = {} if among is None else {"id": {"$in": list(among)}}
        fields = {"_id": 0, "id": 1}
        rows = self._messages.find({"chatId": chat.id, **UNREAD, **these}, fields, session=session)
        return list(rows.sort(_NEWEST).limit(chat.unread_count))

    def _mark_messages(self, unread: Sequence[Document], now: datetime, session: Session) -> None:
        if unread:
            self._messages.update_many(
                {"id": {"$in": [row["id"] for row in unread]}},
                {"$set": {"status": _READ, "readStatus": _READ, "readAt": now, "updatedAt": now}},
                session=session,
            )

    def _tell_chat(
        self,
        chat: Chat,
        unread: Sequence[Document],
        *,
        agent_id: str | None,
        now: datetime,
        session: Session,
    ) -> None:
        """Let the chat know; where nothing was unread it learns only who has looked."""
        values: Document = {"readBy": encode(_marks(chat, agent_id, now))} if agent_id else {}
        if chat.last_message and any(row["id"] == chat.last_message.id for row in unread):
            values["lastMessage.status"] = _READ
        if unread or values:
            update = {"$set": {**values, "updatedAt": now}, "$inc": {"unreadCount": -len(unread)}}
            self._chats.update_one({"id": chat.id}, update, session=session)

    def _put_receipt(self, chat_id: str, message_id: str, now: datetime, session: Session) -> None:
        """Let the vendor be told, at once, and of nothing that was read before."""
        values = {"messageId": message_id, "dueAt": now, "attempts": 0, "updatedAt": now}
        change = {"$set": values, "$setOnInsert": {"createdAt": now}}
        self._receipts.update_one({"id": chat_id}, change, upsert=True, session=session)


def _marks(chat: Chat, agent_id: str, now: datetime) -> list[ReadMark]:
    others = [mark for mark in chat.read_by if mark.agent_id != agent_id]
    return [*others, ReadMark(agent_id=agent_id, at=now)]
