"""How much waits and for how long, read from MongoDB at scrape time.

A scrape is answered whatever happens: the queries are bounded, their answer is kept for a moment, and when
they fail the gauges are absent and a flag says so. Deliberately nothing about what has ended: counters tell.
"""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pymongo
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from pymongo.errors import PyMongoError

from models.store.collections import Store
from models.values import EventStatus
from runtime.clock import Clock
from runtime.logs import logger
from runtime.metrics import EVENTS_OLDEST, EVENTS_WAITING, QUERY_FAILED

#: How long (s) all queries of one reading may take, finding a server included.
BUDGET_S: Final = 0.8
#: How long (s) a reading serves: several scrapers, or a nervous one, cost one reading.
KEPT_S: Final = 1.0
#: States in which a stored webhook waits for something.
WAITING: Final = (EventStatus.PENDING, EventStatus.PROCESSING)

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Depth:
    """How many rows are in a state, and since when the longest of them has been due."""

    count: int
    oldest: datetime | None


class DepthCollector(Collector):
    """Exposes the depths of `webhookevents`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._events = store.webhookevents
        self._clock = clock
        self._reading: Mapping[str, Depth] | None = None
        self._read_at = float("-inf")
        self._lock = threading.Lock()

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Name the series without reading anything."""
        return [_family(series) for series in (EVENTS_WAITING, EVENTS_OLDEST, QUERY_FAILED)]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read the depths, or say that they could not be read."""
        depths = self._recent()
        failed = _family(QUERY_FAILED)
        failed.add_metric([], 1 if depths is None else 0)
        yield failed
        if depths is not None:
            yield from _gauges(depths, self._clock.now())

    def _recent(self) -> Mapping[str, Depth] | None:
        with self._lock:
            if time.monotonic() - self._read_at >= KEPT_S:
                self._reading = self._read()
                self._read_at = time.monotonic()
            return self._reading

    def _read(self) -> Mapping[str, Depth] | None:
        try:
            with pymongo.timeout(BUDGET_S):
                return {state.value: self._of(state) for state in WAITING}
        except PyMongoError as error:
            _log.warning("depth_query_failed", error=type(error).__name__)
            return None

    def _of(self, state: EventStatus) -> Depth:
        """Look at one state, through the partial index on unfinished rows; a row being processed has a lease."""
        leased = {"$exists": state is EventStatus.PROCESSING}
        query = {"status": EventStatus.PENDING.value, "leaseUntil": leased}
        oldest = self._events.find_one(query, {"nextAttemptAt": 1, "_id": 0}, sort=[("nextAttemptAt", 1)])
        count = self._events.count_documents(query) if oldest else 0
        return Depth(count, (oldest or {}).get("nextAttemptAt"))


def _gauges(depths: Mapping[str, Depth], now: datetime) -> Iterator[GaugeMetricFamily]:
    waiting, oldest = _family(EVENTS_WAITING), _family(EVENTS_OLDEST)
    for state, depth in depths.items():
        waiting.add_metric([state], depth.count)
        age = (now - depth.oldest).total_seconds() if depth.oldest else 0.0
        oldest.add_metric([state], max(0.0, age))
    yield waiting
    yield oldest


def _family(series: tuple[str, str, tuple[str, ...]]) -> GaugeMetricFamily:
    name, documentation, labels = series
    return GaugeMetricFamily(name, documentation, labels=labels)
