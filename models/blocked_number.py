"""A sender we do not want to hear (seed §8).

Deliberately not a filter: what a blocked sender writes is stored and flagged, only nobody is disturbed.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class PushState(StrEnum):
    """Whether a vendor's own block list says what ours does."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


@dataclass(slots=True, kw_only=True)
class VendorBlock:
    """What one account's vendor was told of a block, or of its end."""

    config_id: str
    state: PushState = PushState.PENDING
    #: The vendor's reason, where the state is not done.
    error: str | None = None
    attempts: int = 0
    #: When the next try is due; only while pending.
    next_attempt_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class BlockedNumber:
    """A block by number (in its canonical form), by BSUID, or both; unblocking ends it and keeps the row."""

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

    vendor_blocks: list[VendorBlock] = field(default_factory=list)
    #: When somebody has to look at this row next: a vendor is to be told, or chats are to be looked through again.
    next_attempt_at: datetime | None = None
    lease_until: datetime | None = None
    #: Grows with every claim and every change, so that whoever was overtaken writes nothing.
    generation: int = 0

    is_active: bool = True
    is_deleted: bool = False
    deleted_at: datetime | None = None
    deleted_by: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
