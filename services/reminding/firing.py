"""Firing reminders that are due, each once, and calling overdue what nobody came back to.

Any number of clocks may do so at once. A reminder found late still fires within a limit; beyond it the follow-up is
overdue without one, since a flood of stale reminders helps nobody. Deliberately no timers: all times are in the rows.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from models.audit_entry import AuditEntry
from models.follow_up import FollowUp
from models.store.audit import Session
from models.store.follow_ups import Fired, FollowUps
from runtime.clock import Clock
from runtime.logs import logger
from runtime.metrics import FOLLOW_UPS, REMINDER_DELAY
from services.auditing import Auditing

#: Rows of one transaction, at most.
BATCH: Final = 200
#: What follow-ups are called in the audit trail.
ENTITY: Final = "followUp"

_log = logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a follow-up may wait for a person, and a reminder for a clock."""

    grace: timedelta
    late: timedelta


class Firing:
    """Fires what is due."""

    def __init__(self, follow_ups: FollowUps, auditing: Auditing, clock: Clock, patience: Patience) -> None:
        self._follow_ups = follow_ups
        self._auditing = auditing
        self._clock = clock
        self._patience = patience

    def due(self) -> int:
        """Fire every reminder that is due, the earliest first; return how many."""
        fired = 0
        while True:
            now = self._clock.now()
            batch = self._auditing.recorded(partial(self._fire, now=now), self._fired)
            _tell(batch, now)
            fired += len(batch.reminded)
            if len(batch) < BATCH:
                return fired

    def overdue(self) -> int:
        """Call overdue what was reminded of in vain, and what is too late to be reminded of; return how many."""
        now = self._clock.now()
        waited = self._pass_over(reminded=True, until=now - self._patience.grace, now=now)
        missed = self._pass_over(reminded=False, until=now - self._patience.late, now=now)
        FOLLOW_UPS.labels("overdue").inc(waited)
        FOLLOW_UPS.labels("missed").inc(missed)
        if missed:
            _log.warning("reminders_missed", count=missed)
        return waited + missed

    def _fire(self, session: Session, *, now: datetime) -> Fired:
        return self._follow_ups.fire(now=now, since=now - self._patience.late, limit=BATCH, session=session)

    def _fired(self, batch: Fired) -> Iterator[AuditEntry]:
        for row in batch.reminded:
            yield self._entry(row, "remind")
        for row in batch.answered:
            yield self._entry(row, "cancel", reason="the customer wrote")

    def _pass_over(self, *, reminded: bool, until: datetime, now: datetime) -> int:
        def change(session: Session) -> list[FollowUp]:
            return self._follow_ups.pass_over(reminded=reminded, until=until, now=now, limit=BATCH, session=session)

        reason = None if reminded else "too late to be reminded of"
        return in_batches(self._auditing, change, lambda row: self._entry(row, "overdue", reason=reason))

    def _entry(self, row: FollowUp, verb: str, *, reason: str | None = None) -> AuditEntry:
        after = {"scheduledAt": row.scheduled_at}
        return self._auditing.entry(by=None, verb=verb, entity=ENTITY, entity_id=row.id, after=after, reason=reason)


def in_batches(
    auditing: Auditing, change: Callable[[Session], Sequence[FollowUp]], entry: Callable[[FollowUp], AuditEntry]
) -> int:
    """Make an audited change to batch after batch of rows until one is not full; return how many rows there were."""
    changed = 0
    while True:
        batch = auditing.recorded(change, lambda rows: (entry(row) for row in rows))
        changed += len(batch)
        if len(batch) < BATCH:
            return changed


def _tell(batch: Fired, now: datetime) -> None:
    for row in batch.reminded:
        REMINDER_DELAY.observe((now - row.scheduled_at).total_seconds())
        _log.info("reminder_fired", follow_up_id=row.id, chat_id=row.chat_id, agent_id=row.agent_id)
    FOLLOW_UPS.labels("reminded").inc(len(batch.reminded))
    FOLLOW_UPS.labels("answered").inc(len(batch.answered))
