"""Bringing stored webhooks to their end: claim, read, apply, close.

A batch is applied in one transaction; if that fails for a reason of its own, its halves are, and so on down to one row
and its parts, so that one poisoned part is recorded alone and its neighbours take effect. Deliberately no knowledge of
what events do to a conversation: that is `services.conversing`.
"""

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from models.message import MessageError
from models.store.batch import Batch
from models.store.conversations import Conversations
from models.store.moves import Moves
from models.store.webhook_events import Closing, WebhookEvents
from models.values import EventStatus, Outcome
from models.webhook_event import WebhookEvent
from runtime.clock import Clock
from runtime.errors import LeaseLost, Unavailable
from runtime.logs import logger
from runtime.metrics import APPLY_BATCH, BLOCKED_MESSAGES, EVENT_SECONDS, EVENTS, FENCED_WRITES, ITEMS, POISON
from services.conversing.applying import apply, arrived, lane_of, wanted
from services.conversing.facts import Fact, Verdict
from services.conversing.messages import BLOCKED
from services.conversing.moving import Moving
from services.conversing.reconciling import Reconciling
from services.reading import Part, Reader, Row, closing, set_aside

#: Rows claimed together, at most; a lane's share of them is one transaction. The more, the more messages of one chat
#: meet in one, and the fewer the round trips.
BATCH_ROWS: Final = 600
#: Parts of one transaction, at most: a delivery may hold thousands, and what a transaction holds must fit into
#: the database's cache.
BATCH_PARTS: Final = 1_000
#: Rows claimed together, by how often they were claimed in vain; from the second time on each is alone.
TOGETHER: Final = {1: 20}
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
        moves: Moves,
        reader: Reader,
        clock: Clock,
        lease: timedelta,
        retention: Retention,
        on_media: Callable[[Sequence[str]], None] = lambda _ids: None,
        on_heard: Callable[[Mapping[str, datetime]], None] = lambda _latest: None,
        on_trouble: Callable[[Mapping[str, tuple[MessageError, str | None]]], None] = lambda _troubles: None,
    ) -> None:
        self._events = events
        self._conversations = conversations
        self._reconciling = Reconciling(conversations, reader.account, clock)
        self._moving = Moving(conversations, moves, reader, clock)
        self._reader = reader
        self._clock = clock
        self._lease = lease
        self._retention = retention
        self._turns = itertools.count()
        #: When (s, monotonic) a ring was answered last.
        self.answered_at = time.monotonic()
        self._on_media = on_media
        self._on_heard = on_heard
        self._on_trouble = on_trouble

    def receive(self, ids: Sequence[str]) -> int:
        """Answer a ring for these rows (or, given none, for all that wait); return how many rows this call claimed.

        A ring says how much there is to do; done is what has waited longest, a batch at a time. While one batch is
        applied the next gathers, so that the busier it is the cheaper each row becomes. As each ring has no fewer rows
        done than it is for, if so many wait, none is left behind by all of them; what others took first does not count.
        """
        claimed = 0
        while True:
            waiting = self._events.next_waiting(limit=BATCH_ROWS)
            claimed += self._receive(waiting)
            self.answered_at = time.monotonic()
            # Fewer than a batch were all that waited, and by now each is in somebody's hands.
            if len(waiting) < BATCH_ROWS or (ids and claimed >= len(ids)):
                return claimed

    def _receive(self, waiting: Mapping[str, int]) -> int:
        """Take rows: new ones together, and those that were claimed in vain with fewer neighbours each time.

        A claim counts only when its rows' turn has come, so that one that crashes its workers costs nobody else's.
        """
        new = [event_id for event_id, claims in waiting.items() if not claims]
        claimed = 0
        while claimed < len(new) and (taken := self._take(new, new_only=True)):
            claimed += taken
        for again in _groups(waiting):
            claimed += self._take(again)
        return claimed

    def _take(self, ids: Sequence[str], *, new_only: bool = False) -> int:
        """Claim rows and bring them to their end; what an outage leaves undone is given back, uncounted."""
        now = self._clock.now()
        claimed = self._events.claim(ids, now=now, until=now + self._lease, new_only=new_only)
        try:
            self._reader.refresh_for(claimed)
            self._end(claimed, held_since=now)
        except Exception as error:
            if isinstance(error, Unavailable) or self._conversations.is_away(error):
                self._give_back(claimed)
            raise
        return len(claimed)

    def _end(self, claimed: Sequence[WebhookEvent], *, held_since: datetime) -> None:
        for batch in _batches(self._read(event) for event in claimed):
            now = self._clock.now()
            if now - held_since > self._lease / 3:
                self._events.renew(claimed, until=now + self._lease)
                held_since = now
            for part in self._by_lane(batch):
                self._apply_batch(part)

    def _by_lane(self, batch: Sequence[Row]) -> Iterator[Sequence[Row]]:
        """Part a batch by the people it is about, each thread beginning with another part.

        Where a row is about several (a number changed hands, say) all keep their order, and the batch stays whole.
        """
        lanes: dict[int | None, list[Row]] = {}
        count = self._conversations.lanes
        for row in batch:
            lanes.setdefault(lane_of(row.facts, count), []).append(row)
        if None in lanes:
            yield batch
            return
        first = next(self._turns) % count
        for lane in sorted(lanes, key=lambda lane: ((lane or 0) + first) % count):
            yield lanes[lane]

    def _give_back(self, claimed: Sequence[WebhookEvent]) -> None:
        try:
            self._events.give_back(claimed, now=self._clock.now())
        except Exception as error:  # noqa: BLE001  the leases end by themselves
            _log.info("rows_left_to_their_leases", error=type(error).__name__, rows=len(claimed))

    def _read(self, event: WebhookEvent) -> Row:
        """Read a row, unless earlier claims did not end it: it may be crashing its workers, and is set aside."""
        if event.attempts <= MAX_ATTEMPTS:
            return self._reader.read(event)
        POISON.labels(event.provider).inc()
        return set_aside(event, f"gave_up: no end after {event.attempts - 1} attempts")

    def _apply_batch(self, batch: Sequence[Row]) -> None:
        """Apply rows together, and where that is not possible, apart.

        Raises:
            pymongo.errors.PyMongoError: the database is away.
        """
        try:
            self._apply_pieces(batch[0]) if _is_large(batch) else self._apply(batch)
        except LeaseLost:
            FENCED_WRITES.inc()
            _log.info("lease_lost", rows=len(batch))
            self._apply_singly(batch)
        except Exception as error:
            if self._conversations.is_outage(error):
                raise
            _log.warning("batch_failed", error=type(error).__name__, rows=len(batch), exc_info=True)
            self._apply_halves(batch) if len(batch) > 1 else self._apply_poisoned(batch[0])

    def _apply_halves(self, batch: Sequence[Row]) -> None:
        """Come in few steps to what is poisoned, with its neighbours applied together in all but the last of them."""
        self._apply_batch(batch[: len(batch) // 2])
        self._apply_batch(batch[len(batch) // 2 :])

    def _apply_singly(self, batch: Sequence[Row]) -> None:
        for row in batch if len(batch) > 1 else ():
            self._apply_batch([row])

    def _apply_poisoned(self, row: Row) -> None:
        """Apply a row of which something fails; should not even its end be storable, set it aside."""
        POISON.labels(row.event.provider).inc()
        try:
            self._apply_pieces(row)
        except LeaseLost:
            FENCED_WRITES.inc()
        except Exception as error:
            if self._conversations.is_outage(error):
                raise
            _log.error("row_set_aside", event_id=row.event.id, error=type(error).__name__, exc_info=True)
            self._apply_batch([set_aside(row.event, f"no_end: {type(error).__name__}")])

    def _apply_pieces(self, row: Row) -> None:
        """Apply a row's parts in several transactions, then close it with what became of them.

        Raises:
            LeaseLost: another worker holds the row; it will find what was applied here.
        """
        parts = [part for part in row.parts if part.fact is not None]
        for start in range(0, len(parts), BATCH_PARTS):
            if not self._events.renew([row.event], until=self._clock.now() + self._lease):
                raise LeaseLost
            self._apply_piece(parts[start : start + BATCH_PARTS])
        self._apply([row])

    def _apply_piece(self, parts: Sequence[Part]) -> None:
        """Apply parts together, and where that fails in ever smaller pieces: what is poisoned fails alone."""
        facts = [part.fact for part in parts if part.fact is not None]
        try:
            verdicts = self._apply_facts(facts)
        except Exception as error:
            if self._conversations.is_outage(error):
                raise
            if len(parts) > 1:
                self._apply_piece(parts[: len(parts) // 2])
                self._apply_piece(parts[len(parts) // 2 :])
                return
            _log.error("part_failed", event_id=facts[0].event_id, error=type(error).__name__, exc_info=True)
            verdicts = [Verdict(outcome=Outcome.FAILED, reason=f"apply_error: {type(error).__name__}")]
        for part, verdict in zip(parts, verdicts, strict=True):
            part.fact, part.verdict = None, verdict

    def _apply_facts(self, facts: Sequence[Fact]) -> list[Verdict]:
        """Apply facts without closing the row they are of, then settle what waited for them."""
        verdicts: list[Verdict] = []
        written: list[Batch] = []

        def fold(documents: Batch) -> list[Closing]:
            written[:] = [documents]
            verdicts[:] = apply(documents, facts)
            return []

        self._conversations.transact(wanted(facts), fold, now=self._clock.now())
        self._settle(facts, written[0])
        return verdicts

    def _apply(self, batch: Sequence[Row]) -> None:
        """Apply and close rows in one transaction, then settle what waited for them.

        Raises:
            LeaseLost: another worker holds one of the rows; nothing was applied.
        """
        facts = [fact for row in batch for fact in row.facts]
        now = self._clock.now()
        closings: list[Closing] = []
        written: list[Batch] = []

        def fold(documents: Batch) -> list[Closing]:
            written[:] = [documents]
            ended = iter(apply(documents, facts))
            closings[:] = [closing(row, ended, now=now, retention=self._retention.until) for row in batch]
            return closings

        self._conversations.transact(wanted(facts), fold, now=now, lane=lane_of(facts, self._conversations.lanes))
        _count(batch, closings, self._clock.now())
        self._settle(facts, written[0])

    def _settle(self, facts: Sequence[Fact], written: Batch) -> None:
        """Do what follows from a commit; what fails here is committed already and left to the sweep."""
        try:
            self._moving.carry_out(written.moves)
            self._reconciling.after(arrived(facts), written.parked)
            if written.troubles:
                self._on_trouble(written.troubles)
        except Exception as error:  # noqa: BLE001  nothing may be applied a second time because of what comes after
            _log.warning("settling_left_to_sweep", error=type(error).__name__, exc_info=True)
        self._ring_for_media(written.to_fetch)
        # A later one replaces an earlier one of the same account.
        self._on_heard({fact.account.id: fact.received_at for fact in sorted(facts, key=_received)})

    def _ring_for_media(self, message_ids: Sequence[str]) -> None:
        """Have files fetched, after the commit; a ring that fails is the sweep's to make good."""
        if not message_ids:
            return
        try:
            self._on_media(message_ids)
        except Exception as error:  # noqa: BLE001  as above
            _log.info("media_left_to_sweep", error=type(error).__name__, messages=len(message_ids))


def _received(fact: Fact) -> datetime:
    return fact.received_at


def _groups(waiting: Mapping[str, int]) -> Iterator[list[str]]:
    """Cut rows that were claimed before into what is claimed together, the least often claimed first.

    The more often a row was claimed in vain the fewer neighbours it has, until one that crashes its workers is alone.
    """
    again = sorted((claims, event_id) for event_id, claims in waiting.items() if claims)
    for claims, found in itertools.groupby(again, key=lambda row: row[0]):
        ids = [event_id for _, event_id in found]
        size = TOGETHER.get(claims, 1)
        yield from (ids[start : start + size] for start in range(0, len(ids), size))


def _is_large(batch: Sequence[Row]) -> bool:
    """Whether it is one row that does not fit into one transaction."""
    return len(batch) == 1 and len(batch[0].parts) > BATCH_PARTS


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Cut rows, read one after another, into batches of a bounded number of parts; a large row is alone."""
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
    for row in batch:
        EVENT_SECONDS.observe((now - row.event.received_at).total_seconds())
    ended = [(row.event.provider, closing) for row, closing in zip(batch, closings, strict=True)]
    ends = Counter((provider, closing.status.value) for provider, closing in ended)
    items = [(provider, item) for provider, closing in ended for item in closing.items]
    parts = Counter((provider, item.kind, item.outcome.value) for provider, item in items)
    blocked = Counter(
        provider for provider, item in items if item.reason == BLOCKED and item.outcome == Outcome.APPLIED
    )
    for labels, number in ends.items():
        EVENTS.labels(*labels).inc(number)
    for kind, number in parts.items():
        ITEMS.labels(*kind).inc(number)
    for provider, number in blocked.items():
        BLOCKED_MESSAGES.labels(provider).inc(number)
