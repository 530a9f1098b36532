"""The verbs on stored webhooks after their receipt: claim, close, sweep, replay.

Every write of a worker is conditional on the generation it claimed, so that one which was paused and overtaken
cannot undo its successor (fencing). Deliberately no parsing and no effects.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from pymongo import UpdateOne
from pymongo.client_session import ClientSession

from models.store.codec import from_document, to_document
from models.store.collections import Store
from models.values import EventStatus
from models.webhook_event import EventItem, WebhookEvent
from runtime.errors import Conflict, LeaseLost, NotFound

#: Rows that one sweep hands back or rings for, at most; the next sweep takes the rest, oldest first.
SWEEP_LIMIT: Final = 5_000
_ENDED: Final = [EventStatus.PROCESSED, EventStatus.FAILED, EventStatus.IGNORED]


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

    def claim(self, ids: Sequence[str], *, now: datetime, until: datetime) -> list[WebhookEvent]:
        """Take those of the rows that still wait, until a moment; what another worker took is left out."""
        token = uuid4().hex
        taken = self._events.update_many(
            {"id": {"$in": list(ids)}, "status": EventStatus.PENDING},
            {
                "$set": {"status": EventStatus.PROCESSING, "claim": token, "leaseUntil": until, "updatedAt": now},
                "$inc": {"generation": 1, "attempts": 1},
            },
        )
        if not taken.modified_count:
            return []
        rows = self._events.find({"id": {"$in": list(ids)}, "claim": token})
        return sorted((from_document(WebhookEvent, row) for row in rows), key=lambda event: event.id)

    def renew(self, claimed: Sequence[WebhookEvent], *, until: datetime) -> None:
        """Hold on to claimed rows; those that another worker took over meanwhile stay with it."""
        held = {"id": {"$in": [event.id for event in claimed]}, "claim": {"$in": [event.claim for event in claimed]}}
        self._events.update_many(held, {"$set": {"leaseUntil": until}})

    def waiting(self, *, now: datetime, limit: int) -> list[str]:
        """Ids of rows that wait, oldest first."""
        query = {"status": EventStatus.PENDING, "nextAttemptAt": {"$lte": now}}
        rows = self._events.find(query, {"id": 1}).sort("nextAttemptAt", 1).limit(limit)
        return [row["id"] for row in rows]

    def hand_back_expired(self, *, now: datetime) -> int:
        """Return rows whose worker let its lease expire to those that wait."""
        expired = {"status": EventStatus.PROCESSING, "leaseUntil": {"$lte": now}}
        rows = self._events.find(expired, {"id": 1}).limit(SWEEP_LIMIT)
        found = [row["id"] for row in rows]
        if not found:
            return 0
        change = {"$set": {"status": EventStatus.PENDING, "updatedAt": now}, "$unset": {"claim": 1, "leaseUntil": 1}}
        return self._events.update_many({"id": {"$in": found}, **expired}, change).modified_count

    def stranded(self, *, now: datetime, after: timedelta) -> list[str]:
        """Ids of rows that have waited too long for a ring, oldest first."""
        return self.waiting(now=now - after, limit=SWEEP_LIMIT)

    def close(self, closings: Sequence[Closing], session: ClientSession) -> None:
        """End rows, within the transaction of their effects.

        Raises:
            LeaseLost: another worker has taken one of them; nothing of the transaction may stand.
        """
        if not closings:
            return
        updates = [_ending(closing) for closing in closings]
        result = self._events.bulk_write(updates, ordered=False, session=session)
        if result.matched_count != len(closings):
            raise LeaseLost

    def get(self, event_id: str, *, session: ClientSession | None = None) -> WebhookEvent:
        """Find a row.

        Raises:
            NotFound: there is none.
        """
        row = self._events.find_one({"id": event_id}, session=session)
        if row is None:
            raise NotFound(f"no webhook event {event_id}")
        return from_document(WebhookEvent, row)

    def find(
        self, *, status: str | None = None, since: datetime | None = None, until: datetime | None = None, limit: int
    ) -> list[WebhookEvent]:
        """Find rows, newest first."""
        rows = self._events.find(_matching(status, since, until)).sort("id", -1).limit(limit)
        return [from_document(WebhookEvent, row) for row in rows]

    def ended_ids(
        self, *, status: str | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> list[str]:
        """Ids of the matching rows that are at an end, oldest first."""
        query = _matching(status, since, until)
        query.setdefault("status", {"$in": _ENDED})
        return [row["id"] for row in self._events.find(query, {"id": 1}).sort("id", 1)]

    def reopen(self, event_id: str, *, now: datetime, session: ClientSession | None = None) -> WebhookEvent:
        """Put an ended row back to wait, for a replay through the current parser.

        Raises:
            NotFound: there is none.
            Conflict: it waits or is being processed already.
        """
        change = {
            "$set": {
                "status": EventStatus.PENDING,
                "attempts": 0,
                "nextAttemptAt": now,
                "replayedAt": now,
                "updatedAt": now,
            },
            "$unset": {"expiresAt": 1, "error": 1, "claim": 1, "leaseUntil": 1},
        }
        ended = {"id": event_id, "status": {"$in": _ENDED}}
        if not self._events.update_one(ended, change, session=session).matched_count:
            event = self.get(event_id, session=session)
            raise Conflict(f"webhook event {event_id} is {event.status}; it is not at an end yet")
        return self.get(event_id, session=session)


def _matching(status: str | None, since: datetime | None, until: datetime | None) -> dict[str, Any]:
    received = {name: moment for name, moment in (("$gte", since), ("$lt", until)) if moment}
    query: dict[str, Any] = {"status": status} if status else {}
    return query | ({"receivedAt": received} if received else {})


def _ending(closing: Closing) -> UpdateOne:
    values: dict[str, Any] = {
        "status": closing.status,
        "items": [to_document(item) for item in closing.items],
        "eventType": closing.event_type,
        "processedAt": closing.processed_at,
        "updatedAt": closing.processed_at,
        "expiresAt": closing.expires_at,
        "error": closing.error,
        "chatId": closing.chat_id,
        "messageId": closing.message_id,
    }
    return UpdateOne(
        {"id": closing.id, "status": EventStatus.PROCESSING, "generation": closing.generation},
        {
            "$set": {name: value for name, value in values.items() if value is not None},
            "$unset": {"claim": 1, "leaseUntil": 1, "nextAttemptAt": 1},
        },
    )
