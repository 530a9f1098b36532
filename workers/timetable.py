"""The timetable: what the clock process does, and how often.

Each entry is safe to run twice and in two processes at once; the lock in Redis only saves the second one's effort.
Deliberately no due times here: reminders and retries are rows that these jobs find.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from services.wiring import Services


@dataclass(frozen=True, slots=True)
class Entry:
    """A job of the clock: its name, its period in seconds, and what it calls."""

    name: str
    every: float
    run: Callable[[Services], Any]


TIMETABLE: Final = (
    Entry("stranded_events", 5, lambda services: services.sweeping.stranded()),
    Entry("stranded_outboxes", 5, lambda services: services.restoring.stranded()),
    Entry("parked_updates", 15, lambda services: services.reconciling.sweep()),
    Entry("message_moves", 15, lambda services: services.moving.sweep()),
    Entry("due_follow_ups", 2, lambda services: services.firing.due()),
    Entry("reminder_messages", 2, lambda services: services.messaging.due()),
    Entry("overdue_follow_ups", 30, lambda services: services.firing.overdue()),
    Entry("closing_windows", 60, lambda services: services.window_reminding.remind()),
    Entry("blocked_numbers", 10, lambda services: services.blocking.attend()),
    Entry("template_uses", 5, lambda services: services.templates.count_uses(now=services.clock.now())),
    Entry("templates", 300, lambda services: services.syncing.due()),
    Entry("due_media", 3, lambda services: services.media_fetching.sweep()),
    Entry("abandoned_media", 3600, lambda services: services.media_storage.clear()),
    Entry("lost_receipts", 5, lambda services: services.marking.sweep()),
)
