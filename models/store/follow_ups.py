"""The verbs on follow-ups: plan, fire, pass over, end.

What fires is read and marked in one snapshot: of two clocks that take the same rows MongoDB lets one through, and the
other begins again with what is left. Deliberately no policy: how late is too late is the caller's to say.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from models.follow_up import FollowUp, FollowUpStatus, ReminderStep
from models.store.audit import Session
from models.store.codec import Document, encode, from_document, to_changes, to_document
from models.store.collections import Store
from models.values import ChatStatus
from runtime.errors import Conflict, NotFound

#: Rows whose reminder has not fired, as their index knows them.
_UNFIRED: Final[Mapping[str, Any]] = {
    "isDeleted": False,
    "status": FollowUpStatus.PENDING.value,
    "reminderSent": False,
}
_FIRED: Final[Mapping[str, Any]] = {**_UNFIRED, "reminderSent": True}
#: Rows about waiting customers that are looked at in one go, at most: those who still wait must not hide the others.
LOOKED_AT: Final = 5_000
_IN_ORDER: Final = [("scheduledAt", 1), ("id", 1)]
#: Chats in which an answer is still awaited.
_OPEN: Final = [ChatStatus.UNASSIGNED.value, ChatStatus.ASSIGNED.value]


@dataclass(frozen=True, slots=True)
class Fired:
    """What a batch of due rows came to."""

    reminded: Sequence[FollowUp] = ()
    #: Ended instead: the customer had written meanwhile, and that was what they were about.
    answered: Sequence[FollowUp] = ()

    def __len__(self) -> int:
        return len(self.reminded) + len(self.answered)


@dataclass(frozen=True, slots=True)
class Closing:
    """A chat whose service window closes soon while its customer waits."""

    chat_id: str
    assigned_to: str | None
    window_expires_at: datetime


class FollowUps:
    """The follow-ups."""

    def __init__(self, store: Store) -> None:
        self._rows = store.followups
        self._chats = store.chats

    def add(self, follow_up: FollowUp, *, now: datetime, session: Session | None = None) -> None:
        """Store a new follow-up."""
        self._rows.insert_one(_new(follow_up, now), session=session)

    def add_missing(self, follow_ups: Sequence[FollowUp], *, now: datetime, session: Session) -> list[FollowUp]:
        """Store those whose origin made none before, and return them."""
        origins = [one.origin for one in follow_ups]
        known = {row["origin"] for row in self._rows.find({"origin": {"$in": origins}}, {"origin": 1}, session=session)}
        missing = [one for one in follow_ups if one.origin not in known]
        if missing:
            self._rows.insert_many([_new(one, now) for one in missing], session=session)
        return missing

    def get(self, follow_up_id: str, *, session: Session | None = None) -> FollowUp:
        """Find a live follow-up.

        Raises:
            NotFound: there is none.
        """
        row = self._rows.find_one({"id": follow_up_id, "isDeleted": False}, session=session)
        if row is None:
            raise NotFound(f"There is no follow-up {follow_up_id}.")
        return from_document(FollowUp, row)

    def change(
        self, before: FollowUp, values: Mapping[str, Any], *, now: datetime, session: Session | None = None
    ) -> None:
        """Set fields of a follow-up, by their Python names, if it stands where it was read.

        Raises:
            Conflict: it has come to its end, or was changed in this moment.
        """
        changes, removals = to_changes({**values, "updated_at": now})
        update = {"$set": changes, **({"$unset": removals} if removals else {})}
        stands = {
            "id": before.id,
            "isDeleted": False,
            "status": encode(before.status),
            "reminderSent": before.reminder_sent,
            "scheduledAt": before.scheduled_at,
        }
        if not self._rows.update_one(stands, update, session=session).matched_count:
            raise Conflict(f"The follow-up {before.id} was changed in this moment.")

    def fire(self, *, now: datetime, since: datetime, limit: int, session: Session) -> Fired:
        """Mark the reminders that became due after a moment, the earliest first; each is marked once, by one caller."""
        due = {**_UNFIRED, "scheduledAt": {"$gt": since, "$lte": now}}
        rows = self._find(due, limit, session)
        answered = self._answered(rows, session)
        reminded = [row for row in rows if row.id not in answered]
        ended = [row for row in rows if row.id in answered]
        self._mark(reminded, {"reminder_sent": True, "reminder_sent_at": now}, now, session)
        with_message = [row for row in reminded if row.template]
        waiting = {"template_due_at": now, "template.state": ReminderStep.WAITING, "template.attempts": 0}
        self._mark(with_message, waiting, now, session)
        self._mark(ended, {"status": FollowUpStatus.CANCELLED, "cancelled_at": now}, now, session)
        return Fired(reminded, ended)

    def pass_over(
        self, *, reminded: bool, until: datetime, now: datetime, limit: int, session: Session
    ) -> list[FollowUp]:
        """Call overdue what was due up to a moment, of those that were reminded of or of those that were not."""
        rows = self._find({**(_FIRED if reminded else _UNFIRED), "scheduledAt": {"$lte": until}}, limit, session)
        self._mark(rows, {"status": FollowUpStatus.OVERDUE}, now, session)
        return rows

    def settle_answered(self, *, now: datetime, limit: int, session: Session) -> list[FollowUp]:
        """End those that the clock made about a waiting customer who was answered meanwhile."""
        rows = self._find({**_FIRED, "origin": {"$exists": True}}, LOOKED_AT, session)
        waiting = self._chat_ids({"id": {"$in": _chats_of(rows)}, "waitingSince": {"$exists": True}}, session)
        settled = [row for row in rows if row.chat_id not in waiting][:limit]
        self._mark(settled, {"status": FollowUpStatus.COMPLETED, "completed_at": now}, now, session)
        return settled

    def templates_due(self, *, now: datetime, limit: int) -> list[FollowUp]:
        """Find the follow-ups whose message is to be queued."""
        rows = self._rows.find({"templateDueAt": {"$lte": now}}).sort("templateDueAt", 1).limit(limit)
        return [from_document(FollowUp, row) for row in rows]

    def claim_template(self, found: FollowUp, *, until: datetime) -> bool:
        """Take the queueing of a follow-up's message upon oneself until a moment; say whether nobody else has."""
        claim = {"$set": {"templateDueAt": until}, "$inc": {"template.attempts": 1}}
        # Taken back in this moment there is none, and a count of its attempts would be all there is of it.
        there = {**_template_at(found, found.template_due_at), "template": {"$exists": True}}
        return bool(self._rows.update_one(there, claim).modified_count)

    def settle_template(self, found: FollowUp, *, until: datetime, outcome: Mapping[str, Any], now: datetime) -> None:
        """Write down what became of a message, whatever became of its follow-up meanwhile."""
        told = {f"template.{name}": value for name, value in to_changes(outcome)[0].items()}
        self._rows.update_one({"id": found.id, "template": {"$exists": True}}, {"$set": {**told, "updatedAt": now}})
        # Only now, so that a crash in between repeats the queueing, which a repetition does not double.
        self._rows.update_one(_template_at(found, until), {"$unset": {"templateDueAt": ""}})

    def closing_windows(self, *, now: datetime, before: datetime, active_since: datetime, limit: int) -> list[Closing]:
        """Find chats whose window closes soon while the customer waits.

        `active_since` bounds the search: a chat whose window is open had a message since then.
        """
        query = {
            "isDeleted": False,
            "blocked": False,
            "status": {"$in": _OPEN},
            "lastMessageTime": {"$gte": active_since},
            "waitingSince": {"$exists": True},
            "windowExpiresAt": {"$gt": now, "$lte": before},
        }
        fields = {"_id": 0, "id": 1, "assignedTo": 1, "windowExpiresAt": 1}
        rows = self._chats.find(query, fields).sort("lastMessageTime", 1).limit(limit)
        return [Closing(row["id"], row.get("assignedTo"), row["windowExpiresAt"]) for row in rows]

    def _find(self, query: Mapping[str, Any], limit: int, session: Session) -> list[FollowUp]:
        rows = self._rows.find(query, session=session).sort(_IN_ORDER).limit(limit)
        return [from_document(FollowUp, row) for row in rows]

    def _mark(self, rows: Collection[FollowUp], values: Mapping[str, Any], now: datetime, session: Session) -> None:
        """Set fields of rows that were read in the same snapshot: a change in between makes MongoDB refuse all."""
        if rows:
            changes = to_changes({**values, "updated_at": now})[0]
            still = {"id": {"$in": [row.id for row in rows]}, "status": FollowUpStatus.PENDING.value}
            self._rows.update_many(still, {"$set": changes}, session=session)

    def _answered(self, rows: Sequence[FollowUp], session: Session) -> set[str]:
        """Name those of the rows that are about a customer's silence, and whose customer has written since."""
        asking = [(row, since) for row in rows if (since := row.silent_since)]
        if not asking:
            return set()
        query = {"id": {"$in": _chats_of([row for row, _ in asking])}, "lastInboundAt": {"$exists": True}}
        wrote = {row["id"]: row["lastInboundAt"] for row in self._chats.find(query, session=session)}
        return {row.id for row, since in asking if wrote.get(row.chat_id, since) > since}

    def _chat_ids(self, query: Mapping[str, Any], session: Session) -> set[str]:
        return {row["id"] for row in self._chats.find(query, {"id": 1}, session=session)}


def _new(follow_up: FollowUp, now: datetime) -> Document:
    return to_document(follow_up) | {"createdAt": now, "updatedAt": now}


def _chats_of(rows: Sequence[FollowUp]) -> list[str]:
    return list({row.chat_id for row in rows})


def _template_at(found: FollowUp, due: datetime | None) -> dict[str, Any]:
    return {"id": found.id, "templateDueAt": due}
