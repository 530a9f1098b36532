"""The worker's own look for webhooks that nobody rings for: with the queue lost, work goes on, only later.

Usually a ring brings a worker to what waits, and where one was lost the clock's sweep rings. Neither reaches a worker
whose Redis is away or refuses writes. Deliberately idle while rings come: whoever answers one takes the oldest.
"""

import threading
import time
from typing import Final

from runtime.logs import clear_contextvars, logger
from runtime.metrics import SWEPT
from services.receiving import Receiving
from services.sweeping import Sweeping

#: How often (s) to look whether rings come.
LOOK_EVERY_S: Final = 1.0

_log = logger(__name__)


class Lookout:
    """Looks after a silence of so many seconds, in a thread of its own, from `start` to `stop`."""

    def __init__(self, receiving: Receiving, sweeping: Sweeping, *, after: float) -> None:
        self._receiving = receiving
        self._sweeping = sweeping
        self._after = after
        self._stopping = threading.Event()
        self._looking = threading.Thread(target=self._look_forever, name="lookout", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._looking.start()

    @property
    def is_alive(self) -> bool:
        """Whether it still looks."""
        return self._looking.is_alive()

    def stop(self) -> None:
        """Take nothing more, and wait until what is in hand has come to its end."""
        self._stopping.set()
        if self._looking.ident is not None:
            self._looking.join()

    def _look_forever(self) -> None:
        while not self._stopping.wait(LOOK_EVERY_S):
            try:
                self._look()
            except Exception as error:  # noqa: BLE001  whatever ails the database, the next look may find it well
                _log.warning("lookout_failed", error=type(error).__name__)

    def _look(self) -> None:
        clear_contextvars()
        answered = self._receiving.answered_at
        if time.monotonic() - answered < self._after:
            return
        while self._is_silent_since(answered) and (overdue := self._sweeping.overdue()):
            found = self._receiving.receive(overdue)
            answered = self._receiving.answered_at
            SWEPT.labels("found_by_worker").inc(found)
            _log.info("received_without_a_ring", count=found)

    def _is_silent_since(self, answered: float) -> bool:
        """Whether nobody answered a ring since then, and nobody told us to stop."""
        return self._receiving.answered_at == answered and not self._stopping.is_set()
