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
    Entry("parked_updates", 15, lambda services: services.reconciling.sweep()),
)
