"""Bringing stored webhooks to their end: claim, read, apply, close.

A batch is applied in one transaction; if that fails for a reason of its own, its rows are applied one by one and
then their parts, so that one poisoned part is recorded alone and its neighbours take effect. Deliberately no knowledge
of what events do to a conversation: that is `services.conversing`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from models.pending_update import PendingUpdate
from models.store.batch import Batch
from models.store.conversations import Conversations
from models.store.webhook_events import Closing, WebhookEvents
from models.values import EventStatus, Outcome
from models.webhook_event import WebhookEvent
from runtime.clock import Clock
from runtime.errors import LeaseLost
from runtime.logs import logger
from runtime.metrics import APPLY_BATCH, EVENT_SECONDS, EVENTS, FENCED_WRITES, ITEMS, POISON
from services.conversing.applying import apply, arrived, wanted
from services.conversing.facts import Fact, Verdict
from services.conversing.reconciling import Reconciling
from services.reading import Reader, Row, closing, gave_up

#: Rows of one transaction, at most.
BATCH_ROWS: Final = 200
#: Parts of one transaction, at most: a delivery may hold a thousand.
BATCH_PARTS: Final = 1_000
#: Rows applied together, by how often they were claimed; from the third time on each is alone.
TOGETHER: Final = {1: BATCH_ROWS, 2: 20}
#: Claims after which a row that never came to an end is set aside (it may be crashing its workers).
MAX_ATTEMPTS: Final = 5

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Retention:
    """How long ended rows are kept."""

    ended: timedelta
    failed: timedelta

    def until(self, status: EventStatus, now: datetime) -> datetime:
        """When a row that ends now may be removed."""
        return now + (self.failed if status is EventStatus.FAILED else self.ended)


class Receiving:
    """Applies stored webhooks; any number of workers may do so at once."""

    def __init__(
        self,
        *,
        events: WebhookEvents,
        conversations: Conversations,
        reader: Reader,
        clock: Clock,
        lease: timedelta,
        retention: Retention,
    ) -> None:
        self._events = events
        self._conversations = conversations
        self._reconciling = Reconciling(conversations, reader.account, clock)
        self._reader = reader
        self._clock = clock
        self._lease = lease
        self._retention = retention

    def receive(self, ids: Sequence[str]) -> int:
        """Bring these rows (or, given none, any that wait) to their end; return how many this call claimed."""
        claimed = 0
        for start in range(0, len(ids), BATCH_ROWS):
            claimed += self._receive(ids[start : start + BATCH_ROWS])
        if not ids:
            while found := self._receive(self._events.waiting(now=self._clock.now(), limit=BATCH_ROWS)):
                claimed += found
        return claimed

    def _receive(self, ids: Sequence[str]) -> int:
        now = self._clock.now()
        claimed = self._events.claim(ids, now=now, until=now + self._lease) if ids else []
        self._reader.refresh_for(claimed)
        renewed = now
        for chunk, rest in _chunks(claimed):
            if self._clock.now() - renewed > self._lease / 3:
                renewed = self._clock.now()
                self._events.renew([*chunk, *rest], until=renewed + self._lease)
            for batch in _batches([self._read(event) for event in chunk]):
                self._apply_batch(batch)
        return len(claimed)

    def _read(self, event: WebhookEvent) -> Row:
        """Read a row, unless earlier claims did not end it: it may be crashing its workers, and is set aside."""
        if event.attempts <= MAX_ATTEMPTS:
            return self._reader.read(event)
        POISON.labels(event.provider).inc()
        return gave_up(event)

    def _apply_batch(self, batch: Sequence[Row]) -> None:
        """Apply rows together, and where that is not possible, apart.

        Raises:
            pymongo.errors.PyMongoError: the database is away; the leases expire and the sweep begins anew.
        """
        try:
            self._apply(batch)
        except LeaseLost:
            FENCED_WRITES.inc()
            _log.info("lease_lost", rows=len(batch))
            self._apply_singly(batch)
        except Exception as error:
            if self._conversations.is_outage(error):
                raise
            _log.warning("batch_failed", error=type(error).__name__, rows=len(batch), exc_info=True)
            self._apply_singly(batch) if len(batch) > 1 else self._apply_parts(batch[0])

    def _apply_singly(self, batch: Sequence[Row]) -> None:
        for row in batch if len(batch) > 1 else ():
            self._apply_batch([row])

    def _apply_parts(self, row: Row) -> None:
        """Apply the parts of a row each for itself, then close the row with what became of them."""
        POISON.labels(row.event.provider).inc()
        for part in row.parts:
            if part.fact is not None:
                part.verdict = self._apply_alone(part.fact)
                part.fact = None
        self._apply([row])

    def _apply_alone(self, fact: Fact) -> Verdict:
        verdicts: list[Verdict] = []

        def fold(batch: Batch) -> list[Closing]:
            verdicts[:] = apply(batch, [fact])
            return []

        try:
            self._conversations.transact(wanted([fact]), fold, now=self._clock.now())
        except Exception as error:
            if self._conversations.is_outage(error):
                raise
            _log.error("part_failed", event_id=fact.event_id, error=type(error).__name__, exc_info=True)
            return Verdict(outcome=Outcome.FAILED, reason=f"apply_error: {type(error).__name__}")
        return verdicts[0]

    def _apply(self, batch: Sequence[Row]) -> None:
        """Apply and close rows in one transaction, then settle what waited for them.

        Raises:
            LeaseLost: another worker holds one of the rows; nothing was applied.
        """
        facts = [fact for row in batch for fact in row.facts]
        now = self._clock.now()
        closings: list[Closing] = []
        parked: list[PendingUpdate] = []

        def fold(documents: Batch) -> list[Closing]:
            ended = iter(apply(documents, facts))
            parked[:] = documents.parked
            closings[:] = [closing(row, ended, now=now, retention=self._retention.until) for row in batch]
            return closings

        self._conversations.transact(wanted(facts), fold, now=now)
        _count(batch, closings, self._clock.now())
        self._settle(facts, parked)

    def _settle(self, facts: Sequence[Fact], parked: Sequence[PendingUpdate]) -> None:
        """Bring parked updates and messages together; what fails here is committed already and left to the sweep."""
        try:
            self._reconciling.after(arrived(facts), parked)
        except Exception as error:  # noqa: BLE001  nothing may be applied a second time because of what comes after
            _log.warning("settling_left_to_sweep", error=type(error).__name__, exc_info=True)


def _chunks(claimed: Sequence[WebhookEvent]) -> Iterator[tuple[Sequence[WebhookEvent], Sequence[WebhookEvent]]]:
    """Cut claimed rows into what is applied together, each with what is left then.

    The more often a row was claimed in vain the fewer neighbours it has, until one that crashes its workers is alone.
    """
    left = sorted(claimed, key=lambda event: (event.attempts, event.id))
    while left:
        size = TOGETHER.get(left[0].attempts, 1)
        chunk = [event for event in left[:size] if event.attempts == left[0].attempts]
        left = left[len(chunk) :]
        yield chunk, left


def _batches(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Cut rows into batches of a bounded number of parts; a row is never cut."""
    batch: list[Row] = []
    parts = 0
    for row in rows:
        if batch and parts + len(row.parts) > BATCH_PARTS:
            yield batch
            batch, parts = [], 0
        batch.append(row)
        parts += len(row.parts)
    if batch:
        yield batch


def _count(batch: Sequence[Row], closings: Sequence[Closing], now: datetime) -> None:
    APPLY_BATCH.observe(len(batch))
    for row, ended in zip(batch, closings, strict=True):
        EVENTS.labels(row.event.provider, ended.status.value).inc()
        EVENT_SECONDS.observe((now - row.event.received_at).total_seconds())
        for item in ended.items:
            ITEMS.labels(row.event.provider, item.kind, item.outcome.value).inc()
