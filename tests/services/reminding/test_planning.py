"""Follow-ups as people plan, change and end them: audited, validated, final when they say so."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from models.follow_up import FollowUpStatus, ReminderStep, ReminderTemplate
from models.values import Priority
from runtime.errors import Conflict, Invalid, NotFound
from services.reminding.planning import HORIZON, SLACK
from tests.services.reminding.rows import AMARA, add_follow_up, follow_up, trail
from tests.support.wired import Wired

HOUR = timedelta(hours=1)
S = FollowUpStatus


def planned(wired: Wired, **values: Any) -> str:
    given = {"chat_id": "chat_1", "agent_id": "agt_amara", "scheduled_at": wired.clock.now() + HOUR, **values}
    return wired.planning.plan(given, by=AMARA).id


def entry(wired: Wired, one: str, verb: str) -> dict[str, Any]:
    found = wired.store.auditentries.find_one({"entityId": one, "verb": verb})
    assert found is not None
    return found


def test_a_plan_is_kept_with_who_made_it(wired: Wired) -> None:
    one = planned(wired, title="Call about the quote", priority=Priority.HIGH)
    found = follow_up(wired, one)
    assert (found.status, found.created_by, found.title) == (S.PENDING, "agt_amara", "Call about the quote")
    assert found.created_at == wired.clock.now()
    assert entry(wired, one, "create")["actorId"] == "agt_amara"


def test_the_trail_tells_times_and_states_and_never_texts(wired: Wired) -> None:
    one = planned(wired, title="Priya's refund")
    wired.planning.change(one, {"notes": "her new number", "priority": Priority.LOW}, by=AMARA)
    told = entry(wired, one, "update")
    assert told["before"] == {"notes": "changed", "priority": "medium"}
    assert told["after"] == {"notes": "changed", "priority": "low"}
    assert "Priya" not in str(list(wired.store.auditentries.find()))


@pytest.mark.parametrize("off", [-SLACK - timedelta(milliseconds=1), HORIZON + timedelta(milliseconds=1)])
def test_times_that_have_passed_or_lie_beyond_any_plan_are_refused(wired: Wired, off: timedelta) -> None:
    with pytest.raises(Invalid) as refused:
        planned(wired, scheduled_at=wired.clock.now() + off)
    assert list(refused.value.fields) == ["scheduledAt"]
    one = planned(wired)
    with pytest.raises(Invalid):
        wired.planning.change(one, {"scheduled_at": wired.clock.now() + off}, by=AMARA)


@pytest.mark.parametrize("off", [-SLACK, HORIZON])
def test_times_just_within_are_taken(wired: Wired, off: timedelta) -> None:
    planned(wired, scheduled_at=wired.clock.now() + off)


@pytest.mark.parametrize("target", [S.COMPLETED, S.CANCELLED])
@pytest.mark.parametrize("start", [S.PENDING, S.OVERDUE])
def test_ending_says_who_and_when(wired: Wired, start: FollowUpStatus, target: FollowUpStatus) -> None:
    one = add_follow_up(wired, status=start)
    wired.planning.change(one, {"status": target}, by=AMARA)
    found = follow_up(wired, one)
    word = "completed" if target is S.COMPLETED else "cancelled"
    assert found.status is target
    assert getattr(found, f"{word}_at") == wired.clock.now()
    assert getattr(found, f"{word}_by") == "agt_amara"
    assert trail(wired, one) == ["complete" if target is S.COMPLETED else "cancel"]


@pytest.mark.parametrize("end", [S.COMPLETED, S.CANCELLED])
@pytest.mark.parametrize("change", ["title", "status", "scheduled_at"])
def test_the_end_is_final(wired: Wired, end: FollowUpStatus, change: str) -> None:
    one = add_follow_up(wired, status=end)
    other = S.CANCELLED if end is S.COMPLETED else S.COMPLETED
    values = {"title": "x", "status": other, "scheduled_at": wired.clock.now() + HOUR}
    with pytest.raises(Conflict):
        wired.planning.change(one, {change: values[change]}, by=AMARA)
    assert follow_up(wired, one).status is end
    assert trail(wired, one) == []


def test_said_twice_it_happens_once(wired: Wired) -> None:
    one = planned(wired)
    for _ in range(2):
        wired.planning.change(one, {"status": S.COMPLETED}, by=AMARA)
    assert trail(wired, one) == ["create", "complete"]


def test_put_off_it_is_pending_again_and_fires_again(wired: Wired) -> None:
    one = add_follow_up(wired)
    wired.firing.due()
    wired.clock_hand.move(2 * HOUR)
    wired.firing.overdue()
    assert follow_up(wired, one).status is S.OVERDUE

    wired.planning.change(one, {"scheduled_at": wired.clock.now() + HOUR}, by=AMARA)

    found = follow_up(wired, one)
    assert (found.status, found.reminder_sent, found.reminder_sent_at) == (S.PENDING, False, None)
    wired.clock_hand.move(HOUR)
    assert wired.firing.due() == 1
    assert trail(wired, one) == ["remind", "overdue", "update", "remind"]


def test_scheduled_for_the_time_it_has_it_does_not_fire_again(wired: Wired) -> None:
    one = add_follow_up(wired)
    due = follow_up(wired, one).scheduled_at
    wired.firing.due()
    wired.planning.change(one, {"scheduled_at": due}, by=AMARA)
    assert wired.firing.due() == 0


def test_a_field_may_be_emptied(wired: Wired) -> None:
    one = planned(wired, notes="x", template=ReminderTemplate(name="hello"))
    wired.planning.change(one, {"notes": None, "template": None}, by=AMARA)
    row = wired.store.followups.find_one({"id": one})
    assert row is not None
    assert "notes" not in row
    assert "template" not in row


def test_deleted_it_is_gone_and_never_fires(wired: Wired) -> None:
    one = planned(wired, template=ReminderTemplate(name="hello"))
    wired.planning.remove(one, by=AMARA)
    wired.clock_hand.move(HOUR)
    assert wired.firing.due() == 0
    found = follow_up(wired, one)
    assert (found.is_deleted, found.deleted_by) == (True, "agt_amara")
    assert found.template is not None
    assert found.template.state is ReminderStep.DROPPED
    with pytest.raises(NotFound):
        wired.planning.remove(one, by=AMARA)
    with pytest.raises(NotFound):
        wired.planning.change(one, {"title": "x"}, by=AMARA)
    assert trail(wired, one) == ["create", "delete"]


def test_a_program_is_named_by_its_token(wired: Wired) -> None:
    program = replace(AMARA, agent_id=None)
    one = wired.planning.plan({"chat_id": "c", "scheduled_at": wired.clock.now() + HOUR}, by=program).id
    wired.planning.change(one, {"status": S.COMPLETED}, by=program)
    assert follow_up(wired, one).completed_by == "tok_1"
