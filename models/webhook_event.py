"""One delivery of a vendor as received (seed §10), and what became of each of its parts.

The bytes are kept, not a parsed copy: the seed's `rawData` is parsed from them on reading.
Deliberately no parsing here: dialects parse, and may parse the same bytes again after a bug is mended.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from models.values import EventStatus, Outcome

#: The event type of a delivery whose parts are of several kinds.
MIXED: Final = "mixed"


@dataclass(slots=True, kw_only=True)
class EventItem:
    """One part of a delivery: where it stood, what it was and what became of it."""

    #: The place in the delivery, e.g. "entry.0.changes.0.value.messages.1".
    index: str
    kind: str
    key: str | None = None
    outcome: Outcome
    reason: str | None = None
    message_id: str | None = None
    chat_id: str | None = None


@dataclass(slots=True, kw_only=True)
class WebhookEvent:
    """A stored delivery; `generation` and `claim` fence a worker that lost its lease."""

    id: str
    provider: str
    #: The account whose secret made the delivery; its parts may be for others of the same vendor account.
    config_id: str | None = None
    event_type: str | None = None

    status: EventStatus = EventStatus.PENDING
    raw_body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    query: str | None = None
    content_type: str | None = None
    #: SHA-256 of provider, account and body: the same bytes for the same account are the same delivery.
    delivery_key: bytes
    redeliveries: int = 0

    items: list[EventItem] = field(default_factory=list)
    processed_data: dict[str, Any] | None = None
    chat_id: str | None = None
    message_id: str | None = None

    attempts: int = 0
    generation: int = 0
    #: The token of the worker that holds the row.
    claim: str | None = None
    lease_until: datetime | None = None
    next_attempt_at: datetime | None = None

    received_at: datetime
    processed_at: datetime | None = None
    replayed_at: datetime | None = None
    error: str | None = None
    #: When retention removes the row; set on terminal rows only.
    expires_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


def event_type_of(kinds: Iterable[str]) -> str | None:
    """Name a delivery after its parts: their common kind, `mixed` for several, None for none."""
    distinct = set(kinds)
    if len(distinct) > 1:
        return MIXED
    return next(iter(distinct), None)


def status_of(outcomes: Iterable[Outcome]) -> EventStatus:
    """Judge a delivery by its parts: failed if one failed, ignored if nothing but ignored, else processed."""
    seen = set(outcomes)
    if Outcome.FAILED in seen:
        return EventStatus.FAILED
    return EventStatus.IGNORED if seen <= {Outcome.IGNORED} else EventStatus.PROCESSED
