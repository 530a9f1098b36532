"""Facts and verdicts: an event joined with the account it is for, and what became of it.

Deliberately no behaviour; the fold is in `services.conversing.applying`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from models.values import Outcome
from providers.base import Account
from providers.events import Event


@dataclass(slots=True, kw_only=True)
class Fact:
    """One event of a stored webhook, and the account it was found to be for."""

    event: Event
    account: Account
    event_id: str
    received_at: datetime
    #: How long after a customer's message an agent may write freely; None where the vendor has no such window.
    service_window: timedelta | None = None


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
