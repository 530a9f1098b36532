"""The guarantee behind the workers' own looking: chats that should be sent for, and that nobody sends for.

Safe to run twice and in two processes at once. Deliberately no sending.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from models.store.outboxes import Outboxes
from runtime.clock import Clock
from runtime.logs import logger
from runtime.metrics import SWEPT

#: Ids in one ring.
RING_SIZE: Final = 200

_log = logger(__name__)


class Restoring:
    """Finds stranded outboxes, and queued messages without one."""

    def __init__(
        self, outboxes: Outboxes, clock: Clock, *, ring: Callable[[Sequence[str]], None], after: timedelta
    ) -> None:
        self._outboxes = outboxes
        self._clock = clock
        self._ring = ring
        self._after = after
        #: The last chat that was looked at in the round through all that have something queued.
        self._looked_to = ""

    def stranded(self) -> int:
        """Make what is missing, and ring once where anything waits too long; return how much was found."""
        restored, self._looked_to = self._outboxes.restore(now=self._clock.now(), after=self._looked_to)
        waiting = self._outboxes.stranded(now=self._clock.now(), after=self._after)
        SWEPT.labels("outbox_restored").inc(restored)
        SWEPT.labels("outbox_waiting").inc(len(waiting))
        if restored:
            _log.warning("outboxes_restored", count=restored)
        if waiting or restored:
            self._ring(list(waiting[:RING_SIZE]))
        return restored + len(waiting)
