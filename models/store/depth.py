"""How much waits and for how long, read from MongoDB at scrape time.

A scrape is answered whatever happens: the queries are bounded, their answer is kept for a moment, and when
they fail the gauges are absent and a flag says so. Deliberately nothing about what has ended: counters tell.
"""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import pymongo
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from pymongo.errors import PyMongoError

from models.store.collections import Documents, Store
from models.values import EventStatus, MessageStatus
from runtime.clock import Clock
from runtime.logs import logger
from runtime.metrics import (
    ACCOUNTS_PAUSED,
    EVENTS_OLDEST,
    EVENTS_WAITING,
    MEDIA_OLDEST,
    MEDIA_WAITING,
    MESSAGES_OLDEST,
    MESSAGES_WAITING,
    QUERY_FAILED,
)

#: How long (s) all queries of one reading may take, finding a server included.
BUDGET_S: Final = 0.8
#: How long (s) a reading serves: several scrapers, or a nervous one, cost one reading.
KEPT_S: Final = 1.0
#: How far is counted: a gauge that reads so much means so much or more. Counting takes a second for every few millions
#: of rows, and when most waits the gauges must not be missing.
COUNTED: Final = 500_000
#: Among how many of the oldest waiting webhooks those that workers hold are looked for: they take the oldest.
HELD_AMONG: Final = 20_000
#: States of outbound messages whose fate is open.
OPEN: Final = (MessageStatus.QUEUED, MessageStatus.SENDING, MessageStatus.UNKNOWN)

_EVER: Final = datetime.fromtimestamp(0, UTC)

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Depth:
    """How many rows are in a state, and since when the longest of them has been due."""

    count: int
    oldest: datetime | None


NOTHING: Final = Depth(0, None)


@dataclass(frozen=True, slots=True)
class _Reading:
    """What was read at once."""

    events: Mapping[str, Depth]
    messages: Mapping[str, int]
    oldest_queued: datetime | None
    media: Depth
    paused: int


class DepthCollector(Collector):
    """Exposes the depths of `webhookevents`, of outbound messages, and of files to be fetched."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._events = store.webhookevents
        self._messages = store.messages
        self._outboxes = store.outboxes
        self._pauses = store.sendpauses
        self._clock = clock
        self._reading: _Reading | None = None
        self._read_at = float("-inf")
        self._lock = threading.Lock()

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Name the series without reading anything."""
        return [_family(series) for series in (*_SERIES, QUERY_FAILED)]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read the depths, or say that they could not be read."""
        depths = self._recent()
        failed = _family(QUERY_FAILED)
        failed.add_metric([], 1 if depths is None else 0)
        yield failed
        if depths is not None:
            yield from _gauges(depths, self._clock.now())

    def _recent(self) -> _Reading | None:
        with self._lock:
            if time.monotonic() - self._read_at >= KEPT_S:
                self._reading = self._read()
                self._read_at = time.monotonic()
            return self._reading

    def _read(self) -> _Reading | None:
        try:
            with pymongo.timeout(BUDGET_S):
                return _Reading(
                    events=self._webhooks(),
                    messages={state.value: _count(self._messages, {"status": state.value}) for state in OPEN},
                    oldest_queued=self._oldest_queued(),
                    media=self._files_to_fetch(),
                    paused=self._pauses.count_documents({"id": {"$gt": ""}, "pausedUntil": {"$exists": True}}),
                )
        except PyMongoError as error:
            _log.warning("depth_query_failed", error=type(error).__name__)
            return None

    def _oldest_queued(self) -> datetime | None:
        """When the chat that has waited longest was last given something to send, or became due again."""
        row = self._outboxes.find_one({"nextAt": {"$gt": _EVER}}, {"nextAt": 1}, sort=[("nextAt", 1)])
        return row["nextAt"] if row else None

    def _files_to_fetch(self) -> Depth:
        """Look at messages with files to fetch, through the partial index on them; one being fetched is due later."""
        query = {"fetch.dueAt": {"$gt": _EVER}}
        oldest = self._messages.find_one(query, {"fetch.dueAt": 1, "_id": 0}, sort=[("fetch.dueAt", 1)])
        count = _count(self._messages, query) if oldest else 0
        return Depth(count, oldest["fetch"]["dueAt"] if oldest else None)

    def _webhooks(self) -> dict[str, Depth]:
        """Look at unfinished webhooks through the partial index on them; one being processed is one with a lease."""
        pending = {"status": EventStatus.PENDING.value}
        oldest: list[dict[str, Any]] = [
            {"$match": pending},
            {"$sort": {"nextAttemptAt": 1}},
            {"$limit": HELD_AMONG},
            {
                "$group": {
                    "_id": {"$gt": ["$leaseUntil", None]},
                    "count": {"$sum": 1},
                    "oldest": {"$min": "$nextAttemptAt"},
                }
            },
        ]
        found = {row["_id"]: Depth(row["count"], row["oldest"]) for row in self._events.aggregate(oldest)}
        held, free = found.get(True, NOTHING), found.get(False, NOTHING)
        total = _count(self._events, pending) if held.count + free.count >= HELD_AMONG else held.count + free.count
        return {
            EventStatus.PENDING.value: Depth(max(total - held.count, free.count), free.oldest),
            EventStatus.PROCESSING.value: held,
        }


def _count(documents: Documents, query: Mapping[str, Any]) -> int:
    return documents.count_documents(query, limit=COUNTED)


_SERIES: Final = (
    EVENTS_WAITING,
    EVENTS_OLDEST,
    MESSAGES_WAITING,
    MESSAGES_OLDEST,
    MEDIA_WAITING,
    MEDIA_OLDEST,
    ACCOUNTS_PAUSED,
)


def _gauges(reading: _Reading, now: datetime) -> Iterator[GaugeMetricFamily]:
    counts, ages, messages, message_age, media, media_age, paused = map(_family, _SERIES)
    for state, depth in reading.events.items():
        counts.add_metric([state], depth.count)
        ages.add_metric([state], _age(depth.oldest, now))
    for name, count in reading.messages.items():
        messages.add_metric([name], count)
    message_age.add_metric([], _age(reading.oldest_queued, now))
    media.add_metric([], reading.media.count)
    media_age.add_metric([], _age(reading.media.oldest, now))
    paused.add_metric([], reading.paused)
    yield from (counts, ages, messages, message_age, media, media_age, paused)


def _age(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0


def _family(series: tuple[str, str, tuple[str, ...]]) -> GaugeMetricFamily:
    name, documentation, labels = series
    return GaugeMetricFamily(name, documentation, labels=labels)
