"""Waking the workers for a chat that has something to send.

A lost ring is no loss: every worker looks for itself several times a second. Deliberately never fails.
"""

from collections.abc import Callable, Sequence

from runtime.jobs import DELIVER
from runtime.logs import logger
from runtime.metrics import RINGS

_log = logger(__name__)


class Waking:
    """Rings for chats."""

    def __init__(self, ring: Callable[[Sequence[str]], None]) -> None:
        self._ring = ring

    def __call__(self, chat_id: str) -> None:
        """Ring for a chat."""
        try:
            self._ring([chat_id])
        except Exception as error:  # noqa: BLE001  whatever ails the queue, the row is found
            RINGS.labels(DELIVER.name, "failed").inc()
            _log.info("ring_failed", error=type(error).__name__, retry_by="workers")
        else:
            RINGS.labels(DELIVER.name, "sent").inc()
