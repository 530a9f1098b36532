"""Who had a chat when (seed §11): one row per episode.

Deliberately written only in the transaction that changes the chat, so the two cannot disagree.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class AssignmentType(StrEnum):
    """How an agent came to a chat."""

    MANUAL = "manual"
    AUTO = "auto"
    TRANSFER = "transfer"


class AssignmentStatus(StrEnum):
    """Whether the episode lasts; a chat has at most one active one."""

    ACTIVE = "active"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


@dataclass(slots=True, kw_only=True)
class ChatAssignment:
    """One agent's time with one chat."""

    id: str
    chat_id: str
    assigned_to: str
    assigned_by: str | None = None
    assignment_type: AssignmentType = AssignmentType.MANUAL
    transferred_from: str | None = None
    transfer_reason: str | None = None

    status: AssignmentStatus = AssignmentStatus.ACTIVE
    assigned_at: datetime
    completed_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
