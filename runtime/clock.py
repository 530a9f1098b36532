"""The only source of the present moment, so that tests and skewed machines can be told the time.

All of Hookline's leases and due times are judged by one clock: MongoDB's. Each process measures its own
offset from it now and then, so a machine whose clock is wrong neither steals leases nor fires early; between two
measurements it counts on by a steady counter, so that setting the machine's clock changes nothing either.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from runtime.logs import logger

#: How often the offset is measured again.
RESYNC_EVERY = timedelta(seconds=60)
#: How soon it is tried again after a measurement that failed.
RETRY_AFTER = timedelta(seconds=5)
#: Offsets smaller than this are the network's, not the clock's.
NEGLIGIBLE_OFFSET = timedelta(milliseconds=250)
#: A measurement that took longer says too little about when the reference looked at its clock.
LONGEST_MEASUREMENT = timedelta(seconds=1)
#: Counts seconds whatever the clock is set to; on Linux also while the machine sleeps.
_COUNTER = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

_log = logger(__name__)


class Clock(Protocol):
    """Tells the time as an aware UTC datetime."""

    def now(self) -> datetime:
        """The present moment, UTC, millisecond precision."""
        ...


def truncated(moment: datetime) -> datetime:
    """Cut a moment to the milliseconds that MongoDB keeps."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


class SystemClock:
    """This machine's clock."""

    def now(self) -> datetime:
        """The present moment by this machine."""
        return truncated(datetime.now(UTC))


class SharedClock:
    """This machine's clock, corrected by its offset from a reference that all processes share.

    `reference` returns the reference's present moment or raises; on failure the last offset holds.
    `now()` never waits: the offset is measured by `resync`, at start and by a background thread.
    """

    def __init__(self, reference: Callable[[], datetime]) -> None:
        self._reference = reference
        #: The moment at which the steady counter stood at zero.
        self._zero = datetime.now(UTC) - _counted()

    def now(self) -> datetime:
        """The present moment by the shared reference."""
        return truncated(self._zero + _counted())

    @property
    def offset(self) -> timedelta:
        """How far this machine's clock is behind the reference."""
        return self._zero + _counted() - datetime.now(UTC)

    def resync(self) -> bool:
        """Measure the offset anew, and say whether that worked; a reference that cannot be reached changes nothing."""
        try:
            self._zero += self._measure()
        except Exception as error:  # noqa: BLE001  a clock never fails; the store's own calls will say what is wrong
            _log.debug("clock_not_resynced", error=type(error).__name__)
            return False
        return True

    def keep_in_sync(self) -> "SharedClock":
        """Measure now, and from a daemon thread for as long as the process lives."""
        measured = self.resync()
        threading.Thread(target=self._resync_forever, args=(measured,), name="clock-sync", daemon=True).start()
        return self

    def _resync_forever(self, measured: bool) -> None:  # noqa: FBT001
        while True:
            time.sleep((RESYNC_EVERY if measured else RETRY_AFTER).total_seconds())
            measured = self.resync()

    def _measure(self) -> timedelta:
        """Return how far we are behind the reference.

        Raises:
            TimeoutError: the reference took too long for its answer to say so.
        """
        before = _counted()
        reference = self._reference()
        took = _counted() - before
        if took > LONGEST_MEASUREMENT:
            raise TimeoutError
        behind = reference - (self._zero + before + took / 2)
        return behind if abs(behind) > NEGLIGIBLE_OFFSET else timedelta(0)


def _counted() -> timedelta:
    return timedelta(seconds=time.clock_gettime(_COUNTER))
