"""Facts and verdicts: an event joined with the account it is for, and what became of it.

Deliberately no behaviour beyond which time is believed; the fold is in `services.conversing.applying`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from models.values import Outcome
from providers.base import Account
from providers.events import Event

#: A vendor's clock may run ahead of ours by so much before its word is doubted.
AHEAD: Final = timedelta(minutes=10)
#: No message is older than WhatsApp.
BEGINNING: Final = datetime.fromisoformat("2009-01-01T00:00:00+00:00")


@dataclass(slots=True, kw_only=True)
class Fact:
    """One event of a stored webhook, and the account it was found to be for."""

    event: Event
    account: Account
    event_id: str
    received_at: datetime
    #: How long after a customer's message an agent may write freely; None where the vendor has no such window.
    service_window: timedelta | None = None

    @property
    def is_dated(self) -> bool:
        """Whether the vendor tells a time that can be believed."""
        at = self.event.at
        return at is not None and BEGINNING <= at <= self.received_at + AHEAD

    @property
    def at(self) -> datetime:
        """When it happened: by the vendor's word where that can be believed, else when we were told.

        A time far ahead would otherwise win over every later word.
        """
        return self.event.at if self.event.at is not None and self.is_dated else self.received_at


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What became of a fact."""

    outcome: Outcome
    reason: str | None = None
    message_id: str | None = None
    chat_id: str | None = None


def ignored(reason: str) -> Verdict:
    """Nothing follows from the fact, and why."""
    return Verdict(outcome=Outcome.IGNORED, reason=reason)
