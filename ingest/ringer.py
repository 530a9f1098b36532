"""Ringing after the commit, off the request path: a lost ring costs a moment, never a message.

One wake-up per committed group. When the queue cannot be reached a breaker leaves it alone for a while and the
sweep rings instead. Deliberately no buffer that outlives the process.
"""

import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Final

from models.store.intake import Intake, IntakeRow, Stored
from runtime.jobs import RECEIVE
from runtime.logs import logger
from runtime.metrics import RINGS

#: Ids in one wake-up, at most.
MAX_IDS: Final = 200
#: Groups that may wait to be rung; beyond that the sweep does it.
MAX_BACKLOG: Final = 1_000
#: Least time (s) between two rings: what is committed meanwhile shares the next one, and the worker's transaction.
PAUSE_S: Final = 0.02
#: Rings that wait for workers and make more of them pointless, each being for hundreds of rows: without this, a night
#: without workers would fill the queue's memory.
ENOUGH_RINGS: Final = 1_000
#: How often (s) to look how many there are.
LOOK_EVERY_S: Final = 1.0
#: How long (s) the breaker leaves an unreachable queue alone.
BREAK_S: Final = 1.0

_log = logger(__name__)
Ring = Callable[[Sequence[str]], None]


class Ringer:
    """One thread that wakes the workers; `committed` never waits and never fails."""

    def __init__(self, intake: Intake, *, ring: Ring, rings_waiting: Callable[[], int] = lambda: 0) -> None:
        self._intake = intake
        self._ring = ring
        self._rings_waiting = rings_waiting
        self._enough = False
        self._looked_at = float("-inf")
        self._queue: SimpleQueue[tuple[list[str], list[bytes]]] = SimpleQueue()
        self._closed_until = float("-inf")
        threading.Thread(target=self._run, name="ringer", daemon=True).start()

    def committed(self, rows: Sequence[IntakeRow], results: Sequence[Stored]) -> None:
        """Take note of a committed group."""
        if self._queue.qsize() >= MAX_BACKLOG:
            RINGS.labels(RECEIVE.name, "dropped").inc()
            return
        new = [row.id for row, result in zip(rows, results, strict=True) if result is Stored.NEW]
        again = [row.delivery_key for row, result in zip(rows, results, strict=True) if result is Stored.DUPLICATE]
        self._queue.put((new, again))

    def _run(self) -> None:
        while True:
            ids, repeated = self._gather()
            try:
                self._wake(ids)
                self._wake(self._unfinished(repeated))
            except Exception as error:  # noqa: BLE001  the thread must outlive every failure; the sweep makes up for it
                _log.warning("redeliveries_not_noted", error=type(error).__name__)
            time.sleep(PAUSE_S)

    def _gather(self) -> tuple[list[str], list[bytes]]:
        ids, repeated = self._queue.get()
        while len(ids) < MAX_IDS:
            try:
                more, more_repeated = self._queue.get_nowait()
            except Empty:
                break
            ids, repeated = ids + more, repeated + more_repeated
        return ids, repeated

    def _unfinished(self, repeated: list[bytes]) -> list[str]:
        return self._intake.note_redelivery(repeated) if repeated else []

    def _wake(self, ids: Sequence[str]) -> None:
        for start in range(0, len(ids), MAX_IDS):
            if time.monotonic() < self._closed_until:
                RINGS.labels(RECEIVE.name, "skipped").inc()
                return
            self._ring_once(ids[start : start + MAX_IDS])

    def _ring_once(self, ids: Sequence[str]) -> None:
        outcome = "sent"
        try:
            if self._are_enough():
                outcome = "left_to_waiting_rings"
            else:
                self._ring(ids)
        except Exception as error:  # noqa: BLE001  any failure of the queue opens the breaker
            self._closed_until = time.monotonic() + BREAK_S
            outcome = "failed"
            _log.warning("ring_failed", error=type(error).__name__, retry_by="sweep")
        RINGS.labels(RECEIVE.name, outcome).inc()

    def _are_enough(self) -> bool:
        """Say whether, a moment ago, more rings waited than workers would answer for long."""
        if time.monotonic() - self._looked_at >= LOOK_EVERY_S:
            self._enough = self._rings_waiting() >= ENOUGH_RINGS
            self._looked_at = time.monotonic()
        return self._enough
