"""Putting stored webhooks back to wait, so that they run through the current parser once more.

Effects happen once, however often a webhook is replayed (law 2). Deliberately no parsing here: a replay is an
ordinary receipt of old bytes, and the workers treat it so.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from models.caller import Caller
from models.store.webhook_events import Stretch, WebhookEvents
from runtime.clock import Clock
from runtime.errors import NotFound
from runtime.jobs import RECEIVE
from runtime.logs import logger
from runtime.metrics import RINGS
from services.auditing import Auditing
from services.sweeping import RING_SIZE

#: Webhooks that are reopened in one go.
PIECE: Final = 500
#: What an order is recorded to be about.
ORDERED: Final = "webhookEvents"

_log = logger(__name__)
Ring = Callable[[Sequence[str]], None]


@dataclass(frozen=True, slots=True)
class Order:
    """An order to replay many webhooks; `id` is the audit entry's."""

    id: str
    stretch: Stretch
    at: datetime


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

    def order(self, stretch: Stretch, *, by: Caller | None, reason: str | None = None) -> Order:
        """Order the replay of all ended webhooks of a stretch, audited as one act; `carry_out` does it in pieces."""
        entry = self._auditing.entry(
            by=by,
            verb="replay",
            entity=ORDERED,
            entity_id=ORDERED,
            after={name: value for name, value in asdict(stretch).items() if value is not None} or None,
            reason=reason,
        )
        self._auditing.recorded(lambda _session: entry, lambda made: [made])
        return Order(entry.id, stretch, entry.at)

    def ordered(self, order_id: str) -> Order:
        """Find an order again, to carry on with it.

        Raises:
            NotFound: it was never given.
        """
        entry = self._auditing.recall(order_id)
        if entry.entity != ORDERED:
            raise NotFound(f"There is no order {order_id} to replay webhooks.")
        return Order(entry.id, Stretch(**(entry.after or {})), entry.at)

    def size(self, stretch: Stretch, *, before: datetime | None = None) -> int:
        """Count what a replay of a stretch would reopen, or still has to."""
        return self._events.count_ended(stretch, before=before or self._clock.now())

    def carry_out(self, order: Order, *, after: str = "", limit: int = PIECE) -> list[str]:
        """Reopen the next webhooks of an order and wake the workers; return their ids, none where all were.

        What this order reopened already is left out, so it may be broken off and taken up again anywhere.
        """
        now = self._clock.now()
        ids = self._events.reopen_some(order.stretch, after=after, limit=limit, before=order.at, now=now)
        for start in range(0, len(ids), RING_SIZE):
            self._wake(ids[start : start + RING_SIZE])
        return ids

    def _wake(self, ids: Sequence[str]) -> None:
        try:
            self._ring(ids)
        except Exception as error:  # noqa: BLE001  whatever ails the queue, the row waits and the sweep rings
            RINGS.labels(RECEIVE.name, "failed").inc()
            _log.warning("ring_failed", error=type(error).__name__, retry_by="sweep")
        else:
            RINGS.labels(RECEIVE.name, "sent").inc()
