"""The verbs on outboxes: put, claim, hold, let go.

A claim is thrift, not truth: who may send a message is decided by the message's own status (docs/decisions/0011),
so two workers on one outbox are wasteful, never wrong. Deliberately nothing about messages.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from pymongo import ReturnDocument, WriteConcern
from pymongo.client_session import ClientSession

from models.outbox import Outbox
from models.store.codec import from_document
from models.store.collections import LATEST, Store
from models.values import MessageStatus

#: Rows that one sweep looks at, at most; the next sweep takes the rest.
SWEEP_LIMIT: Final = 5_000
#: How often one who claims looks again because others were faster.
LOOKS: Final = 3
#: What only says who looks at a chat may be lost with a primary: somebody then looks once more.
_THRIFTY: Final = WriteConcern(w=1)


def put_outbox(store: Store, chat_id: str, config_id: str, *, at: datetime, session: ClientSession) -> datetime:
    """Note that a chat has something to send from a moment on, in the transaction of its queueing.

    Return its place in the queue: that moment, or just after what was queued last by a process whose clock is ahead.
    """
    place = {"$max": [at, {"$add": ["$queuedAt", 1]}]}
    return _put(store, chat_id, config_id, next_at=at, place=place, session=session).queued_at or at


def unite_outboxes(store: Store, gone: str, kept: str, session: ClientSession) -> None:
    """Let a chat send what another had queued that was united with it; what is queued from now on comes after both."""
    row = store.outboxes.find_one({"id": gone}, session=session)
    if row is not None:
        known = {"$max": ["$queuedAt", row.get("queuedAt")]}
        _put(store, kept, row["configId"], next_at=row["nextAt"], place=known, session=session)


def free_outbox(store: Store, chat_id: str, *, at: datetime, session: ClientSession) -> None:
    """Let somebody look at a chat now: what kept the others waiting does so no more."""
    change = {"$min": {"nextAt": at}, "$inc": {"version": 1}, "$set": {"updatedAt": at}}
    store.outboxes.update_one({"id": chat_id}, change, session=session)


def _put(
    store: Store, chat_id: str, config_id: str, *, next_at: datetime, place: dict[str, Any], session: ClientSession
) -> Outbox:
    values = {
        "configId": config_id,
        "nextAt": {"$min": ["$nextAt", next_at]},
        "queuedAt": place,
        "version": {"$add": [{"$ifNull": ["$version", 0]}, 1]},
        "generation": {"$ifNull": ["$generation", 0]},
        "createdAt": {"$ifNull": ["$createdAt", "$$NOW"]},
        "updatedAt": "$$NOW",
    }
    row = store.outboxes.find_one_and_update(
        {"id": chat_id}, [{"$set": values}], upsert=True, return_document=ReturnDocument.AFTER, session=session
    )
    return from_document(Outbox, row or {})


class Outboxes:
    """The chats that have something to send."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows = store.outboxes.with_options(write_concern=_THRIFTY, read_concern=LATEST)

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
        """Take outboxes that are due, the longest waiting first; none of the accounts `without`, or `only` of some.

        Fewer than the limit were all that were due, as far as others do not take them faster than we look.
        """
        due = _due(now, without=without, only=only)
        ours: list[Outbox] = []
        for _ in range(LOOKS):
            found = [
                from_document(Outbox, row) for row in self._rows.find(due).sort("nextAt", 1).limit(limit - len(ours))
            ]
            taken = self._take(found, due, until) if found else []
            ours += taken
            if len(taken) == len(found) or len(ours) == limit:
                break
        return ours

    def _take(self, found: Sequence[Outbox], due: Mapping[str, Any], until: datetime) -> list[Outbox]:
        """Take those of the rows that are still due."""
        token, ids = uuid4().hex, [one.id for one in found]
        taken = self._rows.update_many(
            {"id": {"$in": ids}, **due},
            {"$set": {"claim": token, "leaseUntil": until}, "$inc": {"generation": 1}},
        ).modified_count
        if not taken:
            return []
        if taken < len(found):
            ours = {row["id"] for row in self._rows.find({"id": {"$in": ids}, "claim": token}, {"id": 1})}
            found = [one for one in found if one.id in ours]
        # The version is the one seen before the claim: whatever was queued since makes another look worth it.
        return [replace(one, claim=token, lease_until=until) for one in found]

    def renew(self, claimed: Iterable[Outbox], *, until: datetime) -> None:
        """Hold on to claimed rows; what another worker took stays with it."""
        held = list(claimed)
        if held:
            query = {"id": {"$in": [one.id for one in held]}, "claim": {"$in": list({one.claim for one in held})}}
            self._rows.update_many(query, {"$set": {"leaseUntil": until}})

    def release(self, outbox: Outbox, *, next_at: datetime) -> bool:
        """Let go of a row until a moment; at once and false where something was queued meanwhile."""
        free = {"$unset": {"claim": 1, "leaseUntil": 1}}
        held = {"id": outbox.id, "claim": outbox.claim}
        same = {**held, "version": outbox.version}
        if self._rows.update_one(same, {**free, "$set": {"nextAt": next_at}}).matched_count:
            return True
        self._rows.update_one(held, free)
        return False

    def finish(self, outbox: Outbox, *, now: datetime) -> bool:
        """Remove a row that has nothing left to send; false where something was queued meanwhile, and it stays."""
        gone = self._rows.delete_one({"id": outbox.id, "claim": outbox.claim, "version": outbox.version})
        if not gone.deleted_count:
            self.release(outbox, next_at=now)
        return bool(gone.deleted_count)

    def is_due(self, *, now: datetime, without: Collection[str] = ()) -> bool:
        """Say whether any row waits to be claimed."""
        return self._rows.find_one(_due(now, without=without, only=None), {"_id": 1}) is not None

    def stranded(self, *, now: datetime, after: timedelta) -> Sequence[str]:
        """Ids of rows that have been due for long and that nobody holds, oldest first."""
        rows = self._rows.find(_due(now - after, without=(), only=None), {"id": 1}).sort("nextAt", 1)
        return [row["id"] for row in rows.limit(SWEEP_LIMIT)]

    def restore(self, *, now: datetime, after: str) -> tuple[int, str]:
        """Make rows for chats that have queued messages and none: what no transaction of ours leaves behind.

        Look at the messages of a stretch of chats that follow one; return how many rows were made, and the last of the
        stretch, empty where none is left to follow.
        """
        states = [MessageStatus.QUEUED.value, MessageStatus.SENDING.value]
        fields = {"_id": 0, "chatId": 1, "configId": 1, "queuedAt": 1}
        rows = self._store.messages.find({"chatId": {"$gt": after}, "status": {"$in": states}}, fields)
        found = list(rows.sort([("chatId", 1), ("queuedAt", 1)]).limit(SWEEP_LIMIT))
        chats = {row["chatId"]: row for row in found}
        there = {row["id"] for row in self._rows.find({"id": {"$in": list(chats)}}, {"id": 1})}
        lost = [row for chat_id, row in chats.items() if chat_id not in there]
        for row in lost:
            new = {"configId": row["configId"], "nextAt": now, "generation": 0, "version": 1, "createdAt": now}
            new |= {"updatedAt": now, **({"queuedAt": row["queuedAt"]} if "queuedAt" in row else {})}
            self._rows.update_one({"id": row["chatId"]}, {"$setOnInsert": new}, upsert=True)
        return len(lost), found[-1]["chatId"] if len(found) == SWEEP_LIMIT else ""


def _due(now: datetime, *, without: Collection[str], only: Collection[str] | None) -> dict[str, Any]:
    accounts: dict[str, Any] = {"$nin": list(without)} if without else {}
    accounts |= {"$in": list(only)} if only is not None else {}
    return {
        "nextAt": {"$lte": now},
        **({"configId": accounts} if accounts else {}),
        "$or": [{"leaseUntil": {"$exists": False}}, {"leaseUntil": {"$lte": now}}],
    }
