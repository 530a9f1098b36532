"""Follow-ups as planned, and what became of them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from models.agent import Role, permissions_of
from models.caller import Caller
from models.follow_up import FollowUp
from models.ids import new_id
from models.store.codec import from_document, to_document
from tests.support.wired import Wired

AMARA = Caller(
    token_id="tok_1", name="Amara", agent_id="agt_amara", role=Role.AGENT, permissions=permissions_of(Role.AGENT)
)


def add_follow_ups(wired: Wired, times: Sequence[datetime], **values: Any) -> list[str]:
    """Store follow-ups for some times, as planned an hour ago."""
    made = wired.clock.now() - timedelta(hours=1)
    rows = [FollowUp(id=new_id("fup"), **{"chat_id": "chat_1", "scheduled_at": at, **values}) for at in times]
    wired.store.followups.insert_many([to_document(row) | {"createdAt": made, "updatedAt": made} for row in rows])
    return [row.id for row in rows]


def add_follow_up(wired: Wired, *, due_in: timedelta = timedelta(0), **values: Any) -> str:
    """Store a follow-up that is due so long from now."""
    return add_follow_ups(wired, [wired.clock.now() + due_in], **values)[0]


def follow_up(wired: Wired, follow_up_id: str) -> FollowUp:
    row = wired.store.followups.find_one({"id": follow_up_id})
    assert row is not None
    return from_document(FollowUp, row)


def trail(wired: Wired, follow_up_id: str | None = None) -> list[str]:
    """What the audit trail says was done to follow-ups, in order."""
    query = {"entity": "followUp", **({"entityId": follow_up_id} if follow_up_id else {})}
    return [row["verb"] for row in wired.store.auditentries.find(query).sort([("at", 1), ("id", 1)])]


def fired_times(wired: Wired, ids: Sequence[str]) -> list[int]:
    """How often the reminder of each fired, by the audit trail."""
    counted = {
        row["_id"]: row["times"]
        for row in wired.store.auditentries.aggregate(
            [{"$match": {"verb": "remind"}}, {"$group": {"_id": "$entityId", "times": {"$sum": 1}}}]
        )
    }
    return [counted.get(one, 0) for one in ids]
