"""The guarantee behind the rings: finding what was left behind and ringing for it again.

Every verb here may run twice, or in two processes at once, and change nothing more. Deliberately no timetable:
the clock process decides when.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from models.store.webhook_events import WebhookEvents
from runtime.clock import Clock
from runtime.logs import logger
from runtime.metrics import SWEPT

#: Ids in one ring.
RING_SIZE: Final = 200
#: Rings that wait for workers and make more of them pointless: without this, a night without workers would fill the
#: queue's memory with repetitions.
ENOUGH_RINGS: Final = 100

_log = logger(__name__)
Ring = Callable[[Sequence[str]], None]


class Sweeping:
    """Finds stranded webhooks."""

    def __init__(
        self,
        events: WebhookEvents,
        clock: Clock,
        *,
        ring: Ring,
        after: timedelta,
        rings_waiting: Callable[[], int] = lambda: 0,
    ) -> None:
        self._events = events
        self._clock = clock
        self._ring = ring
        self._after = after
        self._rings_waiting = rings_waiting

    def stranded(self) -> int:
        """Hand back what a dead worker held, and ring for everything that waits too long."""
        now = self._clock.now()
        returned = self._events.hand_back_expired(now=now)
        SWEPT.labels("lease_expired").inc(returned)
        if self._rings_waiting() >= ENOUGH_RINGS:
            SWEPT.labels("left_to_waiting_rings").inc()
            return 0
        waiting = self._events.stranded(now=now, after=self._after)
        for start in range(0, len(waiting), RING_SIZE):
            self._ring(waiting[start : start + RING_SIZE])
        SWEPT.labels("not_rung").inc(len(waiting))
        if waiting:
            _log.info("stranded_events_rung", count=len(waiting), leases_expired=returned)
        return len(waiting)

    def overdue(self) -> list[str]:
        """The id of the row that waits longest, if it waits too long; no ring is made for it."""
        return self._events.waiting(now=self._clock.now() - self._after, limit=1)
