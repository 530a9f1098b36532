"""A reminder to come back to a chat (seed §6), and which steps of its life are legal.

Deliberately no timer: the clock process claims due rows, so a reminder outlives every process.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from models.values import Priority

#: The priorities a follow-up may have; `urgent` is for chats.
PRIORITIES: Final = frozenset({Priority.LOW, Priority.MEDIUM, Priority.HIGH})


class FollowUpStatus(StrEnum):
    """The life of a reminder; `overdue` is pending past its grace, the last two are final."""

    PENDING = "pending"
    OVERDUE = "overdue"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


#: States that nothing leaves.
FINAL: Final = frozenset({FollowUpStatus.COMPLETED, FollowUpStatus.CANCELLED})
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


class ReminderStep(StrEnum):
    """What became of the message that goes with a reminder."""

    WAITING = "waiting"
    QUEUED = "queued"
    FAILED = "failed"
    #: The follow-up came to its end before the message was queued.
    DROPPED = "dropped"


@dataclass(slots=True, kw_only=True)
class ReminderTemplate:
    """The message template that the customer is sent when the reminder fires; `values` as for any use of one."""

    name: str
    language: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    state: ReminderStep = ReminderStep.WAITING
    #: Our id of the message that was queued.
    message_id: str | None = None
    #: Why there is none.
    error: str | None = None
    #: How often queueing it was begun.
    attempts: int = 0


@dataclass(slots=True, kw_only=True)
class FollowUp:
    """What to do, in which chat, by whom and when; `reminder_sent_at` is set once for each time it is scheduled."""

    id: str
    chat_id: str
    agent_id: str | None = None
    title: str | None = None
    notes: str | None = None
    scheduled_at: datetime

    status: FollowUpStatus = FollowUpStatus.PENDING
    completed_at: datetime | None = None
    completed_by: str | None = None
    cancelled_at: datetime | None = None
    cancelled_by: str | None = None
    #: Whether it comes to nothing should the customer write before it is due.
    cancel_on_reply: bool = False
    #: Since when an answer is waited for, where that was said, or put off, after it was planned.
    reply_awaited_since: datetime | None = None
    priority: Priority = Priority.MEDIUM
    reminder_sent: bool = False
    reminder_sent_at: datetime | None = None
    template: ReminderTemplate | None = None
    #: When queueing the template is to be tried; only while that is to be done.
    template_due_at: datetime | None = None
    #: What made it, where no person did: unique, so that it is made once.
    origin: str | None = None

    created_by: str | None = None
    is_deleted: bool = False
    deleted_at: datetime | None = None
    deleted_by: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def silent_since(self) -> datetime | None:
        """What the customer wrote after this moment is the answer that was waited for; None where none is."""
        return (self.reply_awaited_since or self.created_at) if self.cancel_on_reply else None


def idempotency_key(follow_up: FollowUp) -> str:
    """Name the one message that goes with a reminder at the time it is scheduled for, however often it is queued."""
    return f"followup:{follow_up.id}:{int(follow_up.scheduled_at.timestamp() * 1000)}"
