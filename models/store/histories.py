"""What is stored about one message, wherever it stands: the webhooks that spoke of it, what waits for it, who did what.

For a person who looks after one message, so it may read more rows than any list would. Deliberately nothing of what a
message says, and no writing.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import pymongo

from models.ids import PREFIXES, first_id
from models.store.collections import Documents, Store

#: How long (s) all webhooks since a message may take to be looked through.
READ_LIMIT_S: Final = 60.0
#: Rows of each kind that are told, at most; the earliest.
MOST: Final = 1_000
#: What is told of a message: what became of it, never what it says.
_MESSAGE: Final = (
    *("id", "chatId", "configId", "provider", "providerMessageId", "direction", "senderType", "senderId", "senderName"),
    *("type", "rawType", "status", "providerStatus", "timestamp", "receivedAt", "queuedAt", "sentAt", "deliveredAt"),
    *("readAt", "playedAt", "failedAt", "editedAt", "revokedAt", "error", "attempts", "tries", "nextAttemptAt"),
    *("leaseUntil", "clientRef", "idempotencyKey", "history", "blocked", "fetch", "media.state", "media.error"),
    *("pricing", "createdAt", "updatedAt", "deletedAt", "mergedFrom"),
)
_WEBHOOK: Final = (
    *("id", "provider", "configId", "receivedAt", "status", "processedAt", "attempts", "replayedAt", "redeliveries"),
    *("error", "items"),
)
_WAITING: Final = ("id", "configId", "kind", "key", "at", "eventId", "receivedAt", "expiresAt")
_ACT: Final = ("id", "at", "actorType", "actorId", "actorName", "verb", "before", "after", "reason", "requestId")
Row = dict[str, Any]


class Histories:
    """Reads what is stored about messages."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def messages(self, ids: Collection[str]) -> list[Row]:
        """Find messages by our ids or the vendors'."""
        named = list(ids)
        wanted = {"$or": [{"id": {"$in": named}}, {"providerMessageId": {"$in": named}}]}
        return self._read(self._store.messages, wanted, _MESSAGE, sort="id")

    def webhooks(self, message_ids: Collection[str], vendor_ids: Collection[str], since: datetime | None) -> list[Row]:
        """Find the webhooks with a part about a message, received since a moment; other parts are left out."""
        about = [{"items.messageId": {"$in": list(message_ids)}}, *({"items.key": key} for key in _keys(vendor_ids))]
        bound = {"id": {"$gte": first_id(PREFIXES["webhook_event"], since)}} if since else {}
        rows = self._read(self._store.webhookevents, {**bound, "$or": about}, _WEBHOOK, sort="id")
        return [row | {"items": _about(row["items"], message_ids, vendor_ids)} for row in rows]

    def waiting(self, vendor_ids: Collection[str]) -> list[Row]:
        """Find what waits for a message of one of these ids."""
        wanted = {"providerMessageId": {"$in": list(vendor_ids)}}
        return self._read(self._store.pendingupdates, wanted, _WAITING, sort="id")

    def acts(self, message_id: str) -> list[Row]:
        """Find what people did with a message."""
        return self._read(self._store.auditentries, {"entity": "message", "entityId": message_id}, _ACT, sort="at")

    def _read(self, rows: Documents, wanted: Mapping[str, Any], fields: Iterable[str], *, sort: str) -> list[Row]:
        shown = dict.fromkeys(fields, 1) | {"_id": 0}
        with pymongo.timeout(READ_LIMIT_S):
            return list(rows.find(wanted, shown).sort(sort, 1).limit(MOST))


def _keys(vendor_ids: Iterable[str]) -> list[re.Pattern[str]]:
    """Match the keys of parts about a message: its kind, the vendor's id, and of a status the word."""
    return [re.compile(rf"^[a-z]+:{re.escape(vendor_id)}(:|$)") for vendor_id in vendor_ids]


def _about(items: Iterable[Row], message_ids: Collection[str], vendor_ids: Collection[str]) -> list[Row]:
    keys = _keys(vendor_ids)
    return [
        item
        for item in items
        if item.get("messageId") in message_ids or any(key.search(item.get("key") or "") for key in keys)
    ]
