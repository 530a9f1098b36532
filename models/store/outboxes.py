"""The verbs on outboxes: put, claim, hold, let go.

A claim is thrift, not truth: who may send a message is decided by the message's own status (docs/decisions/0011),
so two workers on one outbox are wasteful, never wrong. Deliberately nothing about messages.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from pymongo import ReturnDocument
from pymongo.client_session import ClientSession

from models.outbox import Outbox
from models.store.codec import from_document
from models.store.collections import Store
from models.values import MessageStatus

#: Rows that one sweep looks at, at most; the next sweep takes the rest, oldest first.
SWEEP_LIMIT: Final = 5_000


def put_outbox(store: Store, chat_id: str, config_id: str, *, at: datetime, session: ClientSession) -> datetime:
    """Note that a chat has something to send from a moment on, in the transaction of its queueing.

    Return its place in the queue: that moment, or just after what was queued last by a process whose clock is ahead.
    """
    row = store.outboxes.find_one_and_update(
        {"id": chat_id},
        [
            {
                "$set": {
                    "configId": config_id,
                    "nextAt": {"$min": ["$nextAt", at]},
                    "queuedAt": {"$max": [at, {"$add": ["$queuedAt", 1]}]},
                    "version": {"$add": [{"$ifNull": ["$version", 0]}, 1]},
                    "generation": {"$ifNull": ["$generation", 0]},
                    "createdAt": {"$ifNull": ["$createdAt", at]},
                    "updatedAt": at,
                }
            }
        ],
        upsert=True,
        return_document=ReturnDocument.AFTER,
        session=session,
    )
    return from_document(Outbox, row or {}).queued_at or at


class Outboxes:
    """The chats that have something to send."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows = store.outboxes

    def put(self, chat_id: str, config_id: str, *, at: datetime, session: ClientSession) -> datetime:
        """Note that a chat has something to send from a moment on; return its place in the queue."""
        return put_outbox(self._store, chat_id, config_id, at=at, session=session)

    def claim(
        self,
        *,
        now: datetime,
        until: datetime,
        limit: int,
        without: Collection[str] = (),
        only: Collection[str] | None = None,
    ) -> list[Outbox]:
        """Take outboxes that are due, the longest waiting first; none of the accounts `without`, or `only` of some."""
        due = _due(now, without=without, only=only)
        found = [row["id"] for row in self._rows.find(due, {"id": 1}).sort("nextAt", 1).limit(limit)]
        if not found:
            return []
        token = uuid4().hex
        taken = self._rows.update_many(
            {"id": {"$in": found}, **due},
            {"$set": {"claim": token, "leaseUntil": until}, "$inc": {"generation": 1}},
        )
        if not taken.modified_count:
            return []
        rows = self._rows.find({"id": {"$in": found}, "claim": token}).sort("nextAt", 1)
        return [from_document(Outbox, row) for row in rows]

    def renew(self, claimed: Iterable[Outbox], *, until: datetime) -> None:
        """Hold on to claimed rows; what another worker took stays with it."""
        held = list(claimed)
        if held:
            query = {"id": {"$in": [one.id for one in held]}, "claim": {"$in": list({one.claim for one in held})}}
            self._rows.update_many(query, {"$set": {"leaseUntil": until}})

    def release(self, outbox: Outbox, *, next_at: datetime) -> None:
        """Let go of a row until a moment; at once, where something was queued meanwhile."""
        free = {"$unset": {"claim": 1, "leaseUntil": 1}}
        held = {"id": outbox.id, "claim": outbox.claim}
        same = {**held, "version": outbox.version}
        if not self._rows.update_one(same, {**free, "$set": {"nextAt": next_at}}).matched_count:
            self._rows.update_one(held, free)

    def finish(self, outbox: Outbox, *, now: datetime) -> None:
        """Remove a row that has nothing left to send, unless something was queued meanwhile."""
        gone = self._rows.delete_one({"id": outbox.id, "claim": outbox.claim, "version": outbox.version})
        if not gone.deleted_count:
            self.release(outbox, next_at=now)

    def is_due(self, *, now: datetime, without: Collection[str] = ()) -> bool:
        """Say whether any row waits to be claimed."""
        return self._rows.find_one(_due(now, without=without, only=None), {"_id": 1}) is not None

    def stranded(self, *, now: datetime, after: timedelta) -> Sequence[str]:
        """Ids of rows that have been due for long and that nobody holds, oldest first."""
        rows = self._rows.find(_due(now - after, without=(), only=None), {"id": 1}).sort("nextAt", 1)
        return [row["id"] for row in rows.limit(SWEEP_LIMIT)]

    def restore(self, *, now: datetime) -> int:
        """Make rows for chats that have queued messages and none: what no transaction of ours leaves behind."""
        pipeline: list[dict[str, Any]] = [
            {"$match": {"status": {"$in": [MessageStatus.QUEUED.value, MessageStatus.SENDING.value]}}},
            {"$limit": SWEEP_LIMIT},
            {"$group": {"_id": "$chatId", "configId": {"$first": "$configId"}}},
            {"$lookup": {"from": "outboxes", "localField": "_id", "foreignField": "id", "as": "outbox"}},
            {"$match": {"outbox": {"$eq": []}}},
        ]
        lost = list(self._store.messages.aggregate(pipeline))
        for row in lost:
            new = {"configId": row["configId"], "nextAt": now, "generation": 0, "version": 1, "createdAt": now}
            self._rows.update_one({"id": row["_id"]}, {"$setOnInsert": {**new, "updatedAt": now}}, upsert=True)
        return len(lost)


def _due(now: datetime, *, without: Collection[str], only: Collection[str] | None) -> dict[str, Any]:
    accounts: dict[str, Any] = {"$nin": list(without)} if without else {}
    accounts |= {"$in": list(only)} if only is not None else {}
    return {
        "nextAt": {"$lte": now},
        **({"configId": accounts} if accounts else {}),
        "$or": [{"leaseUntil": {"$exists": False}}, {"leaseUntil": {"$lte": now}}],
    }
