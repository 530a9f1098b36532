"""A reminder to come back to a chat (seed §6), and which steps of its life are legal.

Deliberately no timer: the clock process claims due rows, so a reminder outlives every process.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from models.values import Priority

#: The priorities a follow-up may have; `urgent` is for chats.
PRIORITIES: Final = frozenset({Priority.LOW, Priority.MEDIUM, Priority.HIGH})


class FollowUpStatus(StrEnum):
    """The life of a reminder; `overdue` is pending past its grace, the last two are final."""

    PENDING = "pending"
    OVERDUE = "overdue"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


#: From where a follow-up may step to where.
STEPS: Final[Mapping[FollowUpStatus, frozenset[FollowUpStatus]]] = {
    FollowUpStatus.PENDING: frozenset({FollowUpStatus.OVERDUE, FollowUpStatus.COMPLETED, FollowUpStatus.CANCELLED}),
    # Put off to a later time, an overdue reminder is pending again.
    FollowUpStatus.OVERDUE: frozenset({FollowUpStatus.PENDING, FollowUpStatus.COMPLETED, FollowUpStatus.CANCELLED}),
    FollowUpStatus.COMPLETED: frozenset(),
    FollowUpStatus.CANCELLED: frozenset(),
}


def may_step(current: FollowUpStatus, target: FollowUpStatus) -> bool:
    """Say whether a follow-up may go from one state to the other."""
    return target in STEPS[current]


@dataclass(slots=True, kw_only=True)
class FollowUp:
    """What to do, in which chat, by whom and when; `reminder_sent_at` is set once."""

    id: str
    chat_id: str
    agent_id: str | None = None
    title: str | None = None
    notes: str | None = None
    scheduled_at: datetime

    status: FollowUpStatus = FollowUpStatus.PENDING
    completed_at: datetime | None = None
    completed_by: str | None = None
    priority: Priority = Priority.MEDIUM
    reminder_sent: bool = False
    reminder_sent_at: datetime | None = None

    created_by: str | None = None
    is_deleted: bool = False
    deleted_at: datetime | None = None
    deleted_by: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
