"""Reminding of customers who wait while the service window, in which they can be answered freely, closes.

The assignee gets one follow-up for each window, whoever looks and however often: its origin names chat and window.
Deliberately off unless a setting says how long before.
"""

from datetime import datetime, timedelta
from typing import Final

from models.audit_entry import AuditEntry
from models.follow_up import FollowUp
from models.ids import new_id
from models.store.audit import Session
from models.store.follow_ups import Closing, FollowUps
from models.values import Priority
from runtime.clock import Clock
from runtime.logs import logger
from runtime.metrics import FOLLOW_UPS
from services.auditing import Auditing
from services.reminding.firing import BATCH, ENTITY, in_batches

#: What the assignee reads.
TITLE: Final = "The service window closes soon and the customer still waits"
#: The longest window a vendor has; a chat whose window is open had a message since.
LONGEST_WINDOW: Final = timedelta(hours=72)
#: Chats looked at in one turn, at most; those whose reminder is made come up again until they are answered.
LIMIT: Final = 5_000

_log = logger(__name__)


class WindowReminding:
    """Makes follow-ups of windows that close."""

    def __init__(self, follow_ups: FollowUps, auditing: Auditing, clock: Clock, *, before: timedelta) -> None:
        self._follow_ups = follow_ups
        self._auditing = auditing
        self._clock = clock
        self._before = before

    def remind(self) -> int:
        """Make the follow-ups that are due, and end those whose customer was answered; return how many were made."""
        if not self._before:
            return 0
        now = self._clock.now()
        closing = self._follow_ups.closing_windows(
            now=now, before=now + self._before, active_since=now - LONGEST_WINDOW, limit=LIMIT
        )
        made = sum(self._make(closing[start : start + BATCH], now) for start in range(0, len(closing), BATCH))
        self._settle(now)
        FOLLOW_UPS.labels("window_closing").inc(made)
        return made

    def _make(self, closing: list[Closing], now: datetime) -> int:
        follow_ups = [_follow_up(one, now) for one in closing]

        def change(session: Session) -> list[FollowUp]:
            return self._follow_ups.add_missing(follow_ups, now=now, session=session)

        made = self._auditing.recorded(change, lambda rows: (self._entry(row, "create") for row in rows))
        return len(made)

    def _settle(self, now: datetime) -> None:
        def change(session: Session) -> list[FollowUp]:
            return self._follow_ups.settle_answered(now=now, limit=BATCH, session=session)

        ended = in_batches(self._auditing, change, lambda row: self._entry(row, "complete"))
        FOLLOW_UPS.labels("completed").inc(ended)

    def _entry(self, row: FollowUp, verb: str) -> AuditEntry:
        reason = "the service window closes" if verb == "create" else "the customer was answered"
        return self._auditing.entry(by=None, verb=verb, entity=ENTITY, entity_id=row.id, reason=reason)


def origin_of(closing: Closing) -> str:
    """Name the one follow-up of a chat's window."""
    return f"window:{closing.chat_id}:{int(closing.window_expires_at.timestamp() * 1000)}"


def _follow_up(closing: Closing, now: datetime) -> FollowUp:
    return FollowUp(
        id=new_id("fup", now),
        chat_id=closing.chat_id,
        agent_id=closing.assigned_to,
        title=TITLE,
        scheduled_at=now,
        priority=Priority.HIGH,
        origin=origin_of(closing),
    )
