"""Putting stored webhooks back to wait, so that they run through the current parser once more.

Effects happen once, however often a webhook is replayed (law 2). Deliberately no parsing here: a replay is an
ordinary receipt of old bytes, and the workers treat it so.
"""

from collections.abc import Callable, Sequence

from models.caller import Caller
from models.store.webhook_events import WebhookEvents
from runtime.clock import Clock
from runtime.jobs import RECEIVE
from runtime.logs import logger
from runtime.metrics import RINGS
from services.auditing import Auditing

_log = logger(__name__)
Ring = Callable[[Sequence[str]], None]


class Replaying:
    """Replays stored webhooks."""

    def __init__(self, events: WebhookEvents, auditing: Auditing, clock: Clock, *, ring: Ring) -> None:
        self._events = events
        self._auditing = auditing
        self._clock = clock
        self._ring = ring

    def replay(self, event_id: str, *, by: Caller | None, reason: str | None = None) -> None:
        """Reopen an ended webhook, audited, and wake the workers.

        Raises:
            NotFound: there is none.
            Conflict: it waits or is being processed already.
        """
        now = self._clock.now()
        self._auditing.audited(
            lambda session: self._events.reopen(event_id, now=now, session=session),
            by=by,
            verb="replay",
            entity="webhookEvent",
            entity_id=event_id,
            reason=reason,
        )
        self._wake([event_id])

    def _wake(self, ids: Sequence[str]) -> None:
        try:
            self._ring(ids)
        except Exception as error:  # noqa: BLE001  whatever ails the queue, the row waits and the sweep rings
            RINGS.labels(RECEIVE.name, "failed").inc()
            _log.warning("ring_failed", error=type(error).__name__, retry_by="sweep")
        else:
            RINGS.labels(RECEIVE.name, "sent").inc()
