"""A sender we do not want to hear (seed §8).

Deliberately not a filter: what a blocked sender writes is stored and flagged, only nobody is disturbed.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True, kw_only=True)
class BlockedNumber:
    """A block by number, by BSUID, or both; unblocking ends it and keeps the row."""

    id: str
    phone_number: str | None = None
    user_id: str | None = None
    reason: str | None = None
    notes: str | None = None

    blocked_by: str | None = None
    blocked_by_name: str | None = None
    blocked_at: datetime | None = None
    unblocked_at: datetime | None = None
    unblocked_by: str | None = None

    is_active: bool = True
    is_deleted: bool = False
    deleted_at: datetime | None = None
    deleted_by: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
