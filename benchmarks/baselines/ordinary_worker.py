"""The ordinary worker: one job per stored webhook, one operation after the other, each durable by itself.

Idempotent by unique keys, as a competent engineer would first write it: find the account, upsert the customer, upsert
the chat, insert the message, update the chat, close the event. Deliberately no batches and no transactions; what a
crash between two operations leaves undone stays undone.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, ReturnDocument, WriteConcern
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

Document = dict[str, Any]
MEDIA: Final = frozenset({"image", "video", "audio", "document", "sticker"})
#: A status replaces those before it.
STATUSES: Final = ("sent", "delivered", "read")
#: Collection -> its indexes: what must be unique here, and what the data model recommends, as Hookline has it too: a
#: worker is measured with the lists that people read.
UNIQUE: Final[dict[str, tuple[str, ...]]] = {
    "customers": ("phoneNumber",),
    "chats": ("configId phoneNumber",),
    "messages": ("configId providerMessageId",),
}
RECOMMENDED: Final[dict[str, tuple[str, ...]]] = {
    "customers": ("email", "name", "tags"),
    "chats": (
        *("phoneNumber", "status", "assignedTo", "-createdAt", "-lastMessageTime", "labels"),
        "isDeleted status",
    ),
    "messages": ("chatId -timestamp", "providerMessageId", "-timestamp", "senderId", "status"),
    "webhookevents": ("eventType", "status", "-receivedAt", "chatId", "provider"),
    "whatsappconfigs": ("phoneNumberId",),
}


def prepare(database: Database[Document]) -> None:
    """Create its indexes."""
    for table, unique in ((UNIQUE, True), (RECOMMENDED, False)):
        for name, indexes in table.items():
            for index in indexes:
                database[name].create_index([_key(word) for word in index.split()], unique=unique)


def _key(word: str) -> tuple[str, int]:
    return word.removeprefix("-"), DESCENDING if word.startswith("-") else ASCENDING


class OrdinaryWorker:
    """Processes stored webhooks, one at a call."""

    def __init__(self, database: Database[Document]) -> None:
        durable = database.with_options(write_concern=WriteConcern(w="majority", j=True))
        self._events: Collection[Document] = durable["webhookevents"]
        self._configs: Collection[Document] = durable["whatsappconfigs"]
        self._customers: Collection[Document] = durable["customers"]
        self._chats: Collection[Document] = durable["chats"]
        self._messages: Collection[Document] = durable["messages"]

    def process(self, event_id: ObjectId) -> None:
        """Apply one stored webhook; a second time changes nothing."""
        event = self._events.find_one({"_id": event_id})
        if event is None or event["status"] == "processed":
            return
        for value in _values(json.loads(event["rawBody"])):
            self._apply(value)
        self._events.update_one({"_id": event_id}, {"$set": {"status": "processed", "processedAt": datetime.now(UTC)}})

    def _apply(self, value: Document) -> None:
        config = self._configs.find_one({"phoneNumberId": value["metadata"]["phone_number_id"], "isActive": True})
        if config is None:
            return
        contacts = {contact["wa_id"]: contact for contact in value.get("contacts", [])}
        for message in value.get("messages", []):
            if message["type"] == "reaction":
                self._react(config, message)
            else:
                self._keep(config, message, contacts)
        for echo in value.get("message_echoes", []):
            self._keep(config, echo, contacts, outbound=True)
        for status in value.get("statuses", []):
            self._report(config, status)

    def _keep(self, config: Document, message: Document, contacts: Document, *, outbound: bool = False) -> None:
        number = message["to"] if outbound else message["from"]
        phone = f"+{number}"
        name = contacts[number]["profile"]["name"] if number in contacts else None
        at = _time(message)
        customer = self._customer(phone, name, at)
        chat = self._chat(config, phone, name, customer)
        document = _message(message, config=config, chat=chat, phone=phone, outbound=outbound)
        try:
            self._messages.insert_one(document)
        except DuplicateKeyError:
            return
        counted = {"agentMessages": 1} if outbound else {"customerMessages": 1, "unreadCount": 1}
        shown = {"id": message["id"], "text": document.get("text"), "type": document["type"], "timestamp": at}
        changes = {"lastMessage": shown, "lastMessageTime": at, "updatedAt": datetime.now(UTC)}
        self._chats.update_one({"_id": chat["_id"]}, {"$inc": {"totalMessages": 1, **counted}, "$set": changes})

    def _customer(self, phone: str, name: str | None, at: datetime) -> Document:
        now = datetime.now(UTC)
        customer = self._customers.find_one_and_update(
            {"phoneNumber": phone},
            {
                "$set": {"name": name, "lastContactAt": at, "updatedAt": now},
                "$setOnInsert": {"firstContactAt": at, "createdAt": now},
            },
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        assert customer is not None
        return customer

    def _chat(self, config: Document, phone: str, name: str | None, customer: Document) -> Document:
        now = datetime.now(UTC)
        new = {"status": "unassigned", "provider": "meta-whatsapp", "source": "webhook", "createdAt": now}
        chat = self._chats.find_one_and_update(
            {"configId": config["_id"], "phoneNumber": phone},
            {"$set": {"customerName": name, "customerId": customer["_id"], "updatedAt": now}, "$setOnInsert": new},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        assert chat is not None
        return chat

    def _report(self, config: Document, status: Document) -> None:
        before = list(STATUSES[: STATUSES.index(status["status"])])
        self._messages.update_one(
            {"configId": config["_id"], "providerMessageId": status["id"], "status": {"$in": before}},
            {"$set": {"status": status["status"], f"{status['status']}At": _time(status)}},
        )

    def _react(self, config: Document, message: Document) -> None:
        target = {"configId": config["_id"], "providerMessageId": message["reaction"]["message_id"]}
        mine = {"from": message["from_user_id"], "emoji": message["reaction"]["emoji"], "at": _time(message)}
        self._messages.update_one(target, {"$pull": {"reactions": {"from": mine["from"]}}})
        self._messages.update_one(target, {"$push": {"reactions": mine}})


def _values(payload: Document) -> Iterator[Document]:
    for entry in payload["entry"]:
        for change in entry["changes"]:
            yield change["value"]


def _time(item: Document) -> datetime:
    return datetime.fromtimestamp(int(item["timestamp"]), UTC)


def _message(message: Document, *, config: Document, chat: Document, phone: str, outbound: bool) -> Document:
    kind = message["type"]
    now = datetime.now(UTC)
    document = {
        "chatId": chat["_id"],
        "configId": config["_id"],
        "provider": "meta-whatsapp",
        "providerMessageId": message["id"],
        "type": kind,
        "direction": "outbound" if outbound else "inbound",
        "status": "sent" if outbound else "received",
        "from": message["from"] if outbound else phone,
        "to": phone if outbound else None,
        "timestamp": _time(message),
        "createdAt": now,
        "updatedAt": now,
        "isDeleted": False,
    }
    if kind == "text":
        document["text"] = message["text"]["body"]
    elif kind in MEDIA:
        media = message[kind]
        document["media"] = {"mediaId": media["id"], "mimeType": media["mime_type"], "sha256": media["sha256"]}
    return document
