"""Noting that an account's webhooks reach us, so that one which is set up and hears nothing can be seen.

Told of every batch, it writes at most once a minute for each account: what is noted may be older than the truth by that
much. Deliberately outside the transaction of the effects, which it may neither slow down nor fail.
"""

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from models.store.configs import Configs
from runtime.logs import logger

#: How long an account's newest event may go unnoted.
EVERY: Final = timedelta(minutes=1)

_log = logger(__name__)


class Hearing:
    """Notes when each account was last heard of."""

    def __init__(self, configs: Configs, *, every: timedelta = EVERY) -> None:
        self._configs = configs
        self._every = every
        self._noted: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def heard(self, latest: Mapping[str, datetime]) -> None:
        """Take note of each account's newest event of a batch, by the time of its receipt."""
        for config_id, at in latest.items():
            if not self._is_due(config_id, at):
                continue
            try:
                self._configs.note_event(config_id, at)
            except Exception as error:  # noqa: BLE001  the next batch notes it
                _log.info("event_not_noted", config_id=config_id, error=type(error).__name__)

    def _is_due(self, config_id: str, at: datetime) -> bool:
        with self._lock:
            noted = self._noted.get(config_id)
            if noted is not None and at < noted + self._every:
                return False
            self._noted[config_id] = at
            return True
