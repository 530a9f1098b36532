"""The only source of the present moment, so that tests and skewed machines can be told the time.

All of Hookline's leases and due times are judged by one clock: MongoDB's. Each process measures its own
offset from it now and then, so a machine whose clock is wrong neither steals leases nor fires early.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from runtime.logs import logger

#: How often the offset is measured again.
RESYNC_EVERY = timedelta(seconds=60)
#: Offsets smaller than this are the network's, not the clock's.
NEGLIGIBLE_OFFSET = timedelta(milliseconds=250)

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
        self._offset = timedelta(0)

    def now(self) -> datetime:
        """The present moment by the shared reference."""
        return truncated(datetime.now(UTC) + self._offset)

    @property
    def offset(self) -> timedelta:
        """How far this machine's clock is behind the reference."""
        return self._offset

    def resync(self) -> None:
        """Measure the offset anew; a reference that cannot be reached changes nothing."""
        try:
            self._offset = self._measure()
        except Exception as error:  # noqa: BLE001  a clock never fails; the store's own calls will say what is wrong
            _log.debug("clock_not_resynced", error=type(error).__name__)

    def keep_in_sync(self) -> "SharedClock":
        """Measure now, and from a daemon thread for as long as the process lives."""
        self.resync()
        threading.Thread(target=self._resync_forever, name="clock-sync", daemon=True).start()
        return self

    def _resync_forever(self) -> None:
        while True:
            time.sleep(RESYNC_EVERY.total_seconds())
            self.resync()

    def _measure(self) -> timedelta:
        before = datetime.now(UTC)
        reference = self._reference()
        after = datetime.now(UTC)
        offset = reference - (before + (after - before) / 2)
        return offset if abs(offset) > NEGLIGIBLE_OFFSET else timedelta(0)
