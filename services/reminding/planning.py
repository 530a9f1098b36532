"""Follow-ups as people plan, change and end them.

Ending is final, and decided against the clock in one transaction on one row: either the reminder fired before, and the
row says when, or it never will. Deliberately no judging of whose follow-up is whose: the doors let callers in.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from models.audit_entry import AuditEntry
from models.caller import Caller
from models.follow_up import FINAL, FollowUp, FollowUpStatus, ReminderStep, ReminderTemplate, may_step
from models.ids import new_id
from models.store.audit import Session
from models.store.codec import camel, encode
from models.store.follow_ups import FollowUps
from runtime.clock import Clock
from runtime.errors import Conflict, Invalid
from runtime.metrics import FOLLOW_UPS
from services.auditing import Auditing
from services.reminding.firing import ENTITY

#: How far back a time may lie: clients' clocks differ from ours.
SLACK: Final = timedelta(minutes=1)
#: How far ahead a follow-up may be planned.
HORIZON: Final = timedelta(days=3_660)
#: Fields whose values the audit trail repeats; of the others it says that they were changed.
_TOLD: Final = frozenset({"scheduled_at", "status", "agent_id", "priority", "chat_id", "cancel_on_reply", "is_deleted"})
_VERBS: Final[Mapping[Any, str]] = {FollowUpStatus.COMPLETED: "complete", FollowUpStatus.CANCELLED: "cancel"}


@dataclass(frozen=True, slots=True)
class Change:
    """What one request did to a follow-up; nothing where `values` is empty."""

    before: FollowUp
    values: Mapping[str, Any]


class Planning:
    """Plans, changes and ends follow-ups."""

    def __init__(self, follow_ups: FollowUps, auditing: Auditing, clock: Clock) -> None:
        self._follow_ups = follow_ups
        self._auditing = auditing
        self._clock = clock

    def plan(self, values: Mapping[str, Any], *, by: Caller) -> FollowUp:
        """Make a follow-up of its fields, audited.

        Raises:
            Invalid: its time has passed, or lies beyond any plan.
        """
        now = self._clock.now()
        _check_time(values["scheduled_at"], now)
        follow_up = FollowUp(id=new_id("fup", now), created_by=by.agent_id or by.token_id, **values)
        self._auditing.audited(
            lambda session: self._follow_ups.add(follow_up, now=now, session=session),
            by=by,
            verb="create",
            entity=ENTITY,
            entity_id=follow_up.id,
            after=_told(values),
        )
        return follow_up

    def change(self, follow_up_id: str, values: Mapping[str, Any], *, by: Caller) -> None:
        """Change, put off, complete or cancel a follow-up, audited; what stands already is no change.

        Raises:
            NotFound: there is none.
            Conflict: it has come to its end.
            Invalid: its new time has passed, or lies beyond any plan.
        """
        done = self._auditing.recorded(
            lambda session: self._change(session, follow_up_id, values, by), lambda change: self._entries(change, by)
        )
        if "status" in values and done.values:
            FOLLOW_UPS.labels(str(values["status"])).inc()

    def remove(self, follow_up_id: str, *, by: Caller) -> None:
        """Delete a follow-up, audited; it will not fire any more.

        Raises:
            NotFound: there is none.
        """

        def change(session: Session) -> None:
            now = self._clock.now()
            before = self._follow_ups.get(follow_up_id, session=session)
            gone = {"is_deleted": True, "deleted_at": now, "deleted_by": _who(by), **_without_message(before)}
            self._follow_ups.change(before, gone, now=now, session=session)

        self._auditing.audited(change, by=by, verb="delete", entity=ENTITY, entity_id=follow_up_id)

    def _change(self, session: Session, follow_up_id: str, values: Mapping[str, Any], by: Caller) -> Change:
        now = self._clock.now()
        before = self._follow_ups.get(follow_up_id, session=session)
        differing = {name: value for name, value in values.items() if not _is_same(value, getattr(before, name))}
        if not differing:
            return Change(before, {})
        if before.status in FINAL:
            raise Conflict(f"The follow-up {follow_up_id} is {before.status.value}; that is final.")
        changes = _consequences(before, differing, now, by)
        self._follow_ups.change(before, changes, now=now, session=session)
        return Change(before, differing)

    def _entries(self, change: Change, by: Caller) -> Iterator[AuditEntry]:
        if change.values:
            yield self._auditing.entry(
                by=by,
                verb=_VERBS.get(change.values.get("status"), "update"),
                entity=ENTITY,
                entity_id=change.before.id,
                before=_told({name: getattr(change.before, name) for name in change.values}),
                after=_told(change.values),
            )


def _consequences(before: FollowUp, differing: Mapping[str, Any], now: datetime, by: Caller) -> dict[str, Any]:
    """All that changes with what a caller wants changed."""
    changes = dict(differing)
    target = differing.get("status")
    if target is not None:
        return changes | _ended(before, target, now, by)
    if "scheduled_at" in differing:
        _check_time(differing["scheduled_at"], now)
        changes |= {
            "status": FollowUpStatus.PENDING,
            "reminder_sent": False,
            "reminder_sent_at": None,
            "template_due_at": None,
        }
    if differing.get("template", before) is None:
        # The reminder may have fired, and its message not been queued yet.
        changes["template_due_at"] = None
    if "scheduled_at" in differing or differing.get("cancel_on_reply"):
        # What the customer wrote before was no answer to this.
        changes["reply_awaited_since"] = now
    return changes


def _ended(before: FollowUp, target: FollowUpStatus, now: datetime, by: Caller) -> dict[str, Any]:
    if not may_step(before.status, target):
        raise Conflict(f"A follow-up that is {before.status.value} cannot become {target.value}.")
    word = "completed" if target is FollowUpStatus.COMPLETED else "cancelled"
    return {f"{word}_at": now, f"{word}_by": _who(by), **_without_message(before)}


def _without_message(before: FollowUp) -> dict[str, Any]:
    """Take back the message that goes with a reminder, unless it was queued already."""
    if before.template is None or before.template.state is not ReminderStep.WAITING:
        return {"template_due_at": None}
    return {"template_due_at": None, "template": replace(before.template, state=ReminderStep.DROPPED)}


def template_of(values: Mapping[str, Any] | None) -> ReminderTemplate | None:
    """Make the message that goes with a reminder of what a caller says about it."""
    return None if values is None else ReminderTemplate(**values)


def _check_time(moment: datetime, now: datetime) -> None:
    problem = None
    if moment < now - SLACK:
        problem = "This moment has passed."
    elif moment > now + HORIZON:
        problem = "This moment is too far away."
    if problem:
        raise Invalid("the follow-up cannot be planned then", fields={"scheduledAt": [problem]})


def _is_same(said: Any, known: Any) -> bool:
    """Whether a caller repeats what stands; of a message they say what it is, not what became of it."""
    if isinstance(said, ReminderTemplate) and isinstance(known, ReminderTemplate):
        return (said.name, said.language, said.values) == (known.name, known.language, known.values)
    return bool(said == known)


def _who(by: Caller) -> str:
    return by.agent_id or by.token_id


def _told(values: Mapping[str, Any]) -> dict[str, Any]:
    """Put changed fields as the audit trail may show them: texts may speak of customers."""
    return {camel(name): encode(value) if name in _TOLD else "changed" for name, value in values.items()}
