"""The verbs on stored webhooks after their receipt: claim, close, sweep, replay.

Every write of a worker is conditional on the generation it claimed, so that one which was paused and overtaken
cannot undo its successor (fencing). Deliberately no parsing and no effects.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import pymongo
from pymongo import UpdateOne
from pymongo.client_session import ClientSession
from pymongo.errors import PyMongoError

from models.ids import PREFIXES, first_id
from models.store.chat_list import enlist
from models.store.codec import from_document, to_document
from models.store.collections import AT_ONCE, Store, bare
from models.store.transactions import insist, is_cut_off
from models.values import EventStatus
from models.webhook_event import EventItem, WebhookEvent
from runtime.errors import Conflict, LeaseLost, NotFound

#: Rows that one sweep hands back or rings for, at most; the next sweep takes the rest, oldest first.
SWEEP_LIMIT: Final = 5_000
#: Bytes of raw bodies that one claim brings into memory, at most (and one row more).
CLAIM_BYTES: Final = 32 * 1024 * 1024
#: How long (s) giving rows back may take: the database has just failed, and the leases end anyway.
GIVE_BACK_S: Final = 2.0
#: Rows that wait for a worker.
_UNCLAIMED: Final = {"status": EventStatus.PENDING, "leaseUntil": {"$exists": False}}
#: Rows that a worker holds and whose end is not decided.
_CLAIMED: Final = {"status": EventStatus.PENDING, "leaseUntil": {"$exists": True}, "ending": {"$exists": False}}
#: The indexed fields of an ended row: they wait in `ending` from the decision to the closing.
_ENDING: Final = ("status", "eventType", "chatId", "expiresAt")
_CLOSE: Final[list[dict[str, Any]]] = [
    {"$set": {name: f"$ending.{name}" for name in _ENDING}},
    {"$unset": ["ending", "claim", "leaseUntil", "nextAttemptAt"]},
]
#: Where rows are asked for by id and by state, MongoDB would try the index of states too, each time anew.
_BY_ID: Final = [("id", 1)]
#: What a row waiting for a worker is asked for.
_CLAIMS: Final = {"_id": 0, "id": 1, "attempts": 1}
_ENDED: Final = [EventStatus.PROCESSED, EventStatus.FAILED, EventStatus.IGNORED]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Some of the stored webhooks: of a state and a vendor, received from a moment on and before another."""

    status: str | None = None
    provider: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """How a claimed row ends."""

    id: str
    generation: int
    status: EventStatus
    items: Sequence[EventItem]
    event_type: str
    error: str | None = None
    chat_id: str | None = None
    message_id: str | None = None
    processed_at: datetime
    expires_at: datetime


class WebhookEvents:
    """The stored webhooks."""

    def __init__(self, store: Store) -> None:
        self._events = store.webhookevents
        self._chats = store.chats

    def claim(
        self, ids: Sequence[str], *, now: datetime, until: datetime, new_only: bool = False
    ) -> list[WebhookEvent]:
        """Take those of the rows that still wait, until a moment; what another worker took is left out.

        Of very large rows only the first are taken: what a worker holds must fit into its memory. A claim touches no
        indexed field, which makes it several times cheaper (docs/decisions/0008): a claimed row is a pending one with
        a lease.
        """
        token = uuid4().hex
        wanted = {"id": {"$in": list(ids)}, **_UNCLAIMED, **({"attempts": 0} if new_only else {})}
        change = {
            "$set": {"claim": token, "leaseUntil": until, "updatedAt": now},
            "$inc": {"generation": 1, "attempts": 1},
        }
        count = self._take(wanted, change)
        if not count:
            return []
        held = {"id": {"$in": list(ids)}, "claim": token}
        claimed = self._read_claimed(held, count)
        if claimed and len(claimed) < count:
            self._give_back({**held, "id": {"$in": list(ids), "$gt": claimed[-1].id}}, now=now)
        return claimed

    def _take(self, wanted: Mapping[str, Any], change: Mapping[str, Any]) -> int:
        """Mark rows as taken; return how many at most, for of a call that broke off nobody knows how many it took."""
        try:
            return self._events.update_many(wanted, change, hint=_BY_ID).modified_count
        except PyMongoError as error:
            if not is_cut_off(error):
                raise
        self._events.update_many(wanted, change, hint=_BY_ID)
        return len(wanted["id"]["$in"])

    def _read_claimed(self, held: dict[str, Any], count: int) -> list[WebhookEvent]:
        claimed: list[WebhookEvent] = []
        size = 0
        with bare(self._events).find(held).sort("id", 1).batch_size(count + 1) as rows:
            for row in rows:
                claimed.append(from_document(WebhookEvent, row))
                size += len(claimed[-1].raw_body)
                if size > CLAIM_BYTES:
                    break
        return claimed

    def next_waiting(self, *, limit: int) -> dict[str, int]:
        """Find the rows that have waited longest, and how often each was claimed before."""
        return self._claims(_UNCLAIMED, limit=limit)

    def _claims(self, query: Mapping[str, Any], *, limit: int) -> dict[str, int]:
        rows = self._events.find(query, _CLAIMS, batch_size=AT_ONCE).sort("nextAttemptAt", 1).limit(limit)
        return {row["id"]: row["attempts"] for row in rows}

    def renew(self, claimed: Sequence[WebhookEvent], *, until: datetime) -> bool:
        """Hold on to claimed rows, and say whether all are still held; what another worker took stays with it."""
        renewed = insist(lambda: self._events.update_many(_held(claimed), {"$set": {"leaseUntil": until}}))
        return renewed.matched_count == len(claimed)

    def give_back(self, claimed: Sequence[WebhookEvent], *, now: datetime) -> None:
        """Return claimed rows that are not at an end to those that wait, as if this claim had never been."""
        with pymongo.timeout(GIVE_BACK_S):
            self._give_back(_held(claimed), now=now)

    def _give_back(self, held: Mapping[str, Any], *, now: datetime) -> None:
        self._events.update_many(
            {**held, "status": EventStatus.PENDING, "ending": {"$exists": False}},
            {
                "$set": {"nextAttemptAt": now, "updatedAt": now},
                "$inc": {"attempts": -1},
                "$unset": {"claim": 1, "leaseUntil": 1},
            },
        )

    def waiting(self, *, now: datetime, limit: int) -> list[str]:
        """Ids of rows that wait, oldest first."""
        return list(self._claims({**_UNCLAIMED, "nextAttemptAt": {"$lte": now}}, limit=limit))

    def hand_back_expired(self, *, now: datetime) -> int:
        """Return rows whose worker let its lease expire to those that wait."""
        expired = {"status": EventStatus.PENDING, "leaseUntil": {"$lte": now}}
        # The oldest first, and no more of them: nothing but the row itself knows its lease, and thousands may wait.
        oldest: list[dict[str, Any]] = [
            {"$match": {"status": EventStatus.PENDING}},
            {"$sort": {"nextAttemptAt": 1}},
            {"$limit": SWEEP_LIMIT},
            {"$match": expired},
            {"$project": {"id": 1}},
        ]
        found = [row["id"] for row in self._events.aggregate(oldest)]
        if not found:
            return 0
        self._close_decided(found)
        change = {"$set": {"updatedAt": now}, "$unset": {"claim": 1, "leaseUntil": 1}}
        return self._events.update_many({"id": {"$in": found}, **expired}, change).modified_count

    def stranded(self, *, now: datetime, after: timedelta) -> list[str]:
        """Ids of rows that have waited too long for a ring, oldest first."""
        return self.waiting(now=now - after, limit=SWEEP_LIMIT)

    def decide(self, closings: Sequence[Closing], session: ClientSession, *, unlisted: Sequence[Any] = ()) -> None:
        """Write down how rows end, within the transaction of their effects; `close` makes it so after the commit.

        Nothing here touches an index: within a transaction that is several times dearer (docs/decisions/0012). A row
        keeps its lease until it is closed, so that nobody takes it meanwhile. `unlisted`: chats, by MongoDB's keys,
        whose place in the lists is to follow before; the first row keeps them in mind.

        Raises:
            LeaseLost: another worker has taken one of them; nothing of the transaction may stand.
        """
        if not closings:
            return
        # Read first, then changed by nothing but the key: should anybody take one in between, the snapshot makes the
        # transaction fail.
        held = {"id": {"$in": [closing.id for closing in closings]}, **_CLAIMED}
        seen = {"id": 1, "generation": 1}
        rows = self._events.find(held, seen, hint=_BY_ID, session=session, batch_size=AT_ONCE)
        keys = {(row["id"], row["generation"]): row["_id"] for row in rows}
        if any((closing.id, closing.generation) not in keys for closing in closings):
            raise LeaseLost
        first = closings[0]
        updates = [
            _decision(keys[closing.id, closing.generation], closing, unlisted if closing is first else ())
            for closing in closings
        ]
        self._events.bulk_write(updates, ordered=False, session=session)

    def close(self, ids: Sequence[str]) -> int:
        """Bring rows to the end that was decided; may be repeated, and is, by the sweep, should a worker die before."""
        if not ids:
            return 0
        decided = {"id": {"$in": list(ids)}, "ending": {"$exists": True}}
        return insist(lambda: self._events.update_many(decided, _CLOSE)).modified_count

    def _close_decided(self, ids: Sequence[str]) -> None:
        """Do what their worker died before: give the chats their place, then close the rows."""
        rows = self._events.find(
            {"id": {"$in": list(ids)}, "ending.unlisted": {"$exists": True}}, {"ending.unlisted": 1}
        )
        for row in rows:
            enlist(self._chats, row["ending"]["unlisted"])
        self.close(ids)

    def get(self, event_id: str, *, session: ClientSession | None = None) -> WebhookEvent:
        """Find a row.

        Raises:
            NotFound: there is none.
        """
        row = self._events.find_one({"id": event_id}, session=session)
        if row is None:
            raise NotFound(f"no webhook event {event_id}")
        return from_document(WebhookEvent, row)

    def find(self, stretch: Stretch, *, limit: int) -> list[WebhookEvent]:
        """Find rows, newest first."""
        rows = self._events.find(_within(stretch)).sort("id", -1).limit(limit)
        return [from_document(WebhookEvent, row) for row in rows]

    def count_ended(self, stretch: Stretch, *, before: datetime) -> int:
        """Count the rows of a stretch that are at an end and were not replayed since a moment."""
        return self._events.count_documents(_ended(stretch, before))

    def reopen_some(self, stretch: Stretch, *, after: str, limit: int, before: datetime, now: datetime) -> list[str]:
        """Put the next ended rows of a stretch back to wait, but for those replayed since `before`; return their ids.

        Rows go by their ids, which sort by the time of receipt: `after` is the last of the piece before.
        """
        query = {"$and": [_ended(stretch, before), {"id": {"$gt": after}}]}
        ids = [row["id"] for row in self._events.find(query, {"id": 1}).sort("id", 1).limit(limit)]
        if ids:
            self._events.update_many({"id": {"$in": ids}, "status": {"$in": _ENDED}}, _reopening(now))
        return ids

    def ended_ids(self, stretch: Stretch | None = None) -> list[str]:
        """Ids of the rows of a stretch that are at an end, oldest first."""
        query: dict[str, Any] = {"status": {"$in": _ENDED}, **_within(stretch or Stretch())}
        return [row["id"] for row in self._events.find(query, {"id": 1}).sort("id", 1)]

    def reopen(self, event_id: str, *, now: datetime, session: ClientSession | None = None) -> WebhookEvent:
        """Put an ended row back to wait, for a replay through the current parser.

        Raises:
            NotFound: there is none.
            Conflict: it waits or is being processed already.
        """
        ended = {"id": event_id, "status": {"$in": _ENDED}}
        if not self._events.update_one(ended, _reopening(now), session=session).matched_count:
            event = self.get(event_id, session=session)
            raise Conflict(f"webhook event {event_id} is {event.status}; it is not at an end yet")
        return self.get(event_id, session=session)


def _held(claimed: Sequence[WebhookEvent]) -> dict[str, Any]:
    return {"id": {"$in": [event.id for event in claimed]}, "claim": {"$in": list({event.claim for event in claimed})}}


def _within(stretch: Stretch) -> dict[str, Any]:
    """Bound the ids instead of the times they begin with: they have an index that is read in their order."""
    bounds = {"$gte": stretch.since, "$lt": stretch.until}
    ids = {name: first_id(PREFIXES["webhook_event"], moment) for name, moment in bounds.items() if moment}
    values = {"status": stretch.status, "provider": stretch.provider, "id": ids or None}
    return {name: value for name, value in values.items() if value}


def _ended(stretch: Stretch, before: datetime) -> dict[str, Any]:
    # Any bound on the id makes MongoDB read that index: nothing else finds the processed, nearly all there are.
    return {"id": {"$gt": ""}, "status": {"$in": _ENDED}, **_within(stretch), "replayedAt": {"$not": {"$gte": before}}}


def _reopening(now: datetime) -> dict[str, Any]:
    again = {"status": EventStatus.PENDING, "attempts": 0, "nextAttemptAt": now, "replayedAt": now, "updatedAt": now}
    return {"$set": again, "$unset": {"expiresAt": 1, "error": 1, "claim": 1, "leaseUntil": 1}}


def _decision(key: Any, closing: Closing, unlisted: Sequence[Any]) -> UpdateOne:
    ending: dict[str, Any] = {
        "status": closing.status,
        "eventType": closing.event_type,
        "expiresAt": closing.expires_at,
        "chatId": closing.chat_id,
        "unlisted": list(unlisted) or None,
    }
    values: dict[str, Any] = {
        "ending": {name: value for name, value in ending.items() if value is not None},
        "items": [to_document(item) for item in closing.items],
        "processedAt": closing.processed_at,
        "updatedAt": closing.processed_at,
        "error": closing.error,
        "messageId": closing.message_id,
    }
    return UpdateOne({"_id": key}, {"$set": {name: value for name, value in values.items() if value is not None}})
