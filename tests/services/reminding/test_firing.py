"""Reminders fire once: whoever looks, however often, however late, whatever the calendar says."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from prometheus_client import REGISTRY
from redis import Redis

from models.audit_entry import AuditEntry
from models.follow_up import FollowUp, FollowUpStatus
from models.store.audit import Session
from models.store.codec import from_document
from models.store.follow_ups import Fired, FollowUps
from runtime.errors import Conflict
from services.reminding.firing import Firing, Patience
from tests.api.rows import add_chat
from tests.services.reminding.rows import AMARA, add_follow_up, add_follow_ups, fired_times, follow_up, trail
from tests.support.wired import Wired

HOUR = timedelta(hours=1)
PATIENCE = Patience(grace=HOUR, late=24 * HOUR)
S = FollowUpStatus


def another_clock(wired: Wired, follow_ups: FollowUps | None = None) -> Firing:
    """The firing of another process on the same database."""
    return Firing(follow_ups or FollowUps(wired.store), wired.auditing, wired.clock, PATIENCE)


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("hookline_follow_ups_total", {"outcome": outcome}) or 0


def test_a_reminder_fires_when_it_is_due_and_not_before(wired: Wired) -> None:
    one = add_follow_up(wired, due_in=HOUR, agent_id="agt_amara")
    wired.clock_hand.move(HOUR - timedelta(milliseconds=1))
    assert wired.firing.due() == 0

    wired.clock_hand.move(timedelta(milliseconds=1))
    before = counted("reminded")
    assert wired.firing.due() == 1

    found = follow_up(wired, one)
    assert (found.status, found.reminder_sent, found.reminder_sent_at) == (S.PENDING, True, wired.clock.now())
    assert trail(wired, one) == ["remind"]
    assert counted("reminded") - before == 1


def test_it_fires_once(wired: Wired) -> None:
    one = add_follow_up(wired)
    assert [wired.firing.due() for _ in range(3)] == [1, 0, 0]
    assert trail(wired, one) == ["remind"]


@pytest.mark.parametrize("values", [{"status": S.COMPLETED}, {"status": S.CANCELLED}, {"is_deleted": True}])
def test_what_has_ended_does_not_fire(wired: Wired, values: dict[str, Any]) -> None:
    one = add_follow_up(wired, **values)
    assert wired.firing.due() == 0
    assert wired.firing.overdue() == 0
    assert trail(wired, one) == []


def test_what_is_due_first_fires_first(wired: Wired) -> None:
    now = wired.clock.now()
    minutes = [5, 1, 4, 2, 3]
    ids = add_follow_ups(wired, [now - timedelta(minutes=minute) for minute in minutes])
    wired.firing.due()
    entries = wired.store.auditentries.find({"verb": "remind"}).sort("id", 1)
    assert [entry["entityId"] for entry in entries] == [ids[minutes.index(minute)] for minute in (5, 4, 3, 2, 1)]


class Careless(FollowUps):
    """The verbs as they must not be: looked at outside of the transaction, marked whatever happened since."""

    meeting: threading.Barrier

    def fire(self, *, now: datetime, since: datetime, limit: int, session: Session) -> Fired:
        found = self._rows.find({"reminderSent": False, "scheduledAt": {"$lte": now}}).sort("scheduledAt", 1)
        rows = [from_document(FollowUp, row) for row in found.limit(limit)]
        self.meeting.wait(10)
        self._rows.update_many({"id": {"$in": [row.id for row in rows]}}, {"$set": {"reminderSent": True}})
        return Fired(rows)


def test_two_clocks_on_thousands_of_due_reminders_fire_each_once(wired: Wired) -> None:
    """FAULTS D1."""
    now = wired.clock.now()
    ids = add_follow_ups(wired, [now - timedelta(seconds=n % 600) for n in range(3_000)])
    clocks = [another_clock(wired) for _ in range(2)]

    with ThreadPoolExecutor(2) as pool:
        fired = list(pool.map(lambda clock: clock.due(), clocks))

    assert sum(fired) == 3_000
    assert fired_times(wired, ids) == [1] * 3_000
    assert wired.store.followups.count_documents({"reminderSent": True}) == 3_000


def test_without_the_claim_in_the_transaction_two_clocks_fire_twice(wired: Wired) -> None:
    """FAULTS D1, the negative control."""
    ids = add_follow_ups(wired, [wired.clock.now()] * 100)
    careless = Careless(wired.store)
    careless.meeting = threading.Barrier(2)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: another_clock(wired, careless).due(), range(2)))

    assert fired_times(wired, ids) == [2] * 100


class Crashing(FollowUps):
    """A clock that dies between marking and committing."""

    def fire(self, *, now: datetime, since: datetime, limit: int, session: Session) -> Fired:
        super().fire(now=now, since=since, limit=limit, session=session)
        raise SystemExit


def test_a_clock_that_dies_while_it_fires_leaves_all_or_nothing(wired: Wired) -> None:
    """FAULTS D2, the state; the message that goes with it is tested with the messages."""
    one = add_follow_up(wired)
    with pytest.raises(SystemExit):
        another_clock(wired, Crashing(wired.store)).due()
    assert not follow_up(wired, one).reminder_sent
    assert trail(wired, one) == []

    assert another_clock(wired).due() == 1
    assert trail(wired, one) == ["remind"]


@pytest.mark.parametrize("target", [S.COMPLETED, S.CANCELLED])
def test_ending_and_firing_in_the_same_moment_agree_on_what_happened(wired: Wired, target: FollowUpStatus) -> None:
    """FAULTS D3: the row alone says who was first, and what it says is what happened."""
    outcomes = set()
    for _ in range(20):
        one = add_follow_up(wired, agent_id="agt_amara")
        start = threading.Barrier(2)

        def end(one: str = one, start: threading.Barrier = start) -> None:
            start.wait(10)
            wired.planning.change(one, {"status": target}, by=AMARA)

        def fire(start: threading.Barrier = start) -> None:
            start.wait(10)
            wired.firing.due()

        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(end), pool.submit(fire)]:
                done.result()
        found = follow_up(wired, one)
        assert found.status is target
        verbs = trail(wired, one)
        assert sorted(verbs) == sorted(
            ["complete" if target is S.COMPLETED else "cancel"] + ["remind"] * found.reminder_sent
        )
        outcomes.add(found.reminder_sent)
        wired.firing.due()
        assert trail(wired, one) == verbs
    assert outcomes <= {True, False}


def test_what_asks_about_silence_comes_to_nothing_when_the_customer_writes(wired: Wired) -> None:
    """FAULTS D3, the customer's side: cancelled instead of fired, and the trail says why."""
    now = wired.clock.now()
    wrote = add_chat(wired.store, last_inbound_at=now - timedelta(minutes=5))
    silent = add_chat(wired.store, last_inbound_at=now - 2 * HOUR)
    never = add_chat(wired.store)
    ids = {chat: add_follow_up(wired, chat_id=chat, cancel_on_reply=True) for chat in (wrote, silent, never)}
    anyway = add_follow_up(wired, chat_id=wrote)

    assert wired.firing.due() == 3

    assert follow_up(wired, ids[wrote]).status is S.CANCELLED
    assert not follow_up(wired, ids[wrote]).reminder_sent
    assert trail(wired, ids[wrote]) == ["cancel"]
    for one in (ids[silent], ids[never], anyway):
        assert follow_up(wired, one).reminder_sent


@pytest.mark.parametrize("change", ["put off", "asked for"])
def test_what_the_customer_wrote_before_it_was_put_off_is_no_answer(wired: Wired, change: str) -> None:
    """Answered, and put off to ask once more: the old answer does not cancel the new question; a new one does."""
    now = wired.clock.now()
    chats = [add_chat(wired.store, last_inbound_at=now - timedelta(minutes=5)) for _ in range(2)]
    asked = change == "put off"
    silent, wrote = (add_follow_up(wired, chat_id=chat, cancel_on_reply=asked, due_in=HOUR) for chat in chats)
    told = {"scheduled_at": now + 2 * HOUR} if asked else {"cancel_on_reply": True}
    for one in (silent, wrote):
        wired.planning.change(one, told, by=AMARA)
    wired.clock_hand.move(2 * HOUR)
    wired.store.chats.update_one({"id": chats[1]}, {"$set": {"lastInboundAt": now + timedelta(minutes=1)}})

    assert wired.firing.due() == 1

    assert follow_up(wired, silent).reminder_sent
    assert follow_up(wired, wrote).status is S.CANCELLED


def test_a_clock_that_was_away_for_two_hours_fires_what_it_missed_once_and_in_order(wired: Wired) -> None:
    """FAULTS D4."""
    now = wired.clock.now()
    ids = add_follow_ups(wired, [now + timedelta(minutes=10 * n) for n in range(12)])
    wired.clock_hand.move(2 * HOUR)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda clock: (clock.due(), clock.overdue()), [another_clock(wired) for _ in range(2)]))

    assert fired_times(wired, ids) == [1] * 12
    entries = wired.store.auditentries.find({"verb": "remind"}).sort("id", 1)
    assert [entry["entityId"] for entry in entries] == ids
    overdue = {row["id"] for row in wired.store.followups.find({"status": "overdue"})}
    assert overdue == set(ids[:7])


def test_what_is_found_too_late_is_overdue_without_a_reminder(wired: Wired) -> None:
    """FAULTS D4, beyond the window."""
    at_the_limit = add_follow_up(wired, due_in=-PATIENCE.late + timedelta(milliseconds=1))
    too_late = add_follow_up(wired, due_in=-PATIENCE.late)

    assert wired.firing.due() == 1
    assert wired.firing.overdue() == 2

    assert follow_up(wired, at_the_limit).reminder_sent
    missed = follow_up(wired, too_late)
    assert (missed.status, missed.reminder_sent) == (S.OVERDUE, False)
    assert trail(wired, at_the_limit) == ["remind", "overdue"]
    assert trail(wired, too_late) == ["overdue"]


def test_overdue_comes_after_the_grace_and_once(wired: Wired) -> None:
    one = add_follow_up(wired)
    wired.firing.due()
    wired.clock_hand.move(HOUR - timedelta(milliseconds=1))
    assert wired.firing.overdue() == 0
    wired.clock_hand.move(timedelta(milliseconds=1))
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(lambda _: another_clock(wired).overdue(), range(4))) == 1
    assert trail(wired, one) == ["remind", "overdue"]


def test_nothing_is_overdue_before_it_was_tried_to_remind_of_it(wired: Wired) -> None:
    """A clock that marks before it fires must not swallow reminders."""
    one = add_follow_up(wired, due_in=-2 * HOUR)
    assert wired.firing.overdue() == 0
    assert wired.firing.due() == 1
    assert wired.firing.overdue() == 1
    assert trail(wired, one) == ["remind", "overdue"]


#: Instants that calendars and clocks are bad at, as people would name them.
NEW_YORK, LONDON = ZoneInfo("America/New_York"), ZoneInfo("Europe/London")
ODD_TIMES = {
    "the hour that is skipped": datetime(2026, 3, 29, 1, 30, tzinfo=LONDON),
    "the hour that comes twice, first": datetime(2026, 10, 25, 1, 30, tzinfo=LONDON, fold=0),
    "the hour that comes twice, second": datetime(2026, 10, 25, 1, 30, tzinfo=LONDON, fold=1),
    "a leap day": datetime(2028, 2, 29, 23, 59, 59, 999000, tzinfo=NEW_YORK),
    "the last moment of a year": datetime(2027, 12, 31, 23, 59, 59, 999000, tzinfo=UTC),
}


@pytest.mark.parametrize("name", ODD_TIMES)
def test_it_fires_once_at_the_right_instant_whatever_the_calendar(wired: Wired, name: str) -> None:
    """FAULTS D5."""
    due = ODD_TIMES[name].astimezone(UTC)
    one = add_follow_ups(wired, [ODD_TIMES[name]])[0]
    assert follow_up(wired, one).scheduled_at == due
    wired.clock_hand._now = due - timedelta(milliseconds=1)
    assert wired.firing.due() == 0
    for _ in range(3):
        wired.clock_hand.move(timedelta(hours=1) if wired.firing.due() else timedelta(milliseconds=1))
    assert trail(wired, one) == ["remind"]


def test_a_clock_set_back_an_hour_fires_nothing_twice(wired: Wired) -> None:
    """FAULTS D5."""
    one = add_follow_up(wired)
    assert wired.firing.due() == 1
    wired.clock_hand.move(-HOUR)
    assert wired.firing.due() == 0
    wired.clock_hand.move(HOUR)
    assert wired.firing.due() == 0
    assert trail(wired, one) == ["remind"]


def test_emptying_redis_between_planning_and_due_changes_nothing(wired: Wired, redis_client: Redis) -> None:
    """FAULTS D6: nothing of a follow-up was ever there."""
    values = {"chat_id": "chat_1", "scheduled_at": wired.clock.now() + HOUR}
    one = wired.planning.plan(values, by=AMARA).id
    assert redis_client.keys("*") == []
    redis_client.flushall()
    wired.clock_hand.move(HOUR)
    assert wired.firing.due() == 1
    assert trail(wired, one) == ["create", "remind"]


def test_many_are_fired_in_transactions_of_bounded_size(wired: Wired) -> None:
    sizes = []

    class Measured(FollowUps):
        def fire(self, **values: Any) -> Fired:
            fired = super().fire(**values)
            sizes.append(len(fired))
            return fired

    add_follow_ups(wired, [wired.clock.now()] * 450)
    assert another_clock(wired, Measured(wired.store)).due() == 450
    assert sizes == [200, 200, 50]


def test_what_is_due_is_found_by_an_index_that_holds_only_what_waits(wired: Wired) -> None:
    add_follow_ups(wired, [wired.clock.now()] * 50, status=S.COMPLETED)
    add_follow_ups(wired, [wired.clock.now()] * 50, reminder_sent=True)
    add_follow_up(wired)
    query = {"isDeleted": False, "status": "pending", "reminderSent": False, "scheduledAt": {"$lte": wired.clock.now()}}
    found = wired.store.followups.find(query).sort([("scheduledAt", 1), ("id", 1)]).limit(200).explain()
    stats = found["executionStats"]
    assert (stats["nReturned"], stats["totalDocsExamined"]) == (1, 1)
    assert "SORT" not in str(found["queryPlanner"]["winningPlan"])


class TestTrail:
    def test_an_entry_stands_or_falls_with_its_reminder(self, wired: Wired) -> None:
        one = add_follow_up(wired)

        def entries(_: Fired) -> Sequence[AuditEntry]:
            raise Conflict("no room for entries")

        with pytest.raises(Conflict):
            wired.auditing.recorded(
                lambda session: wired.follow_ups.fire(
                    now=wired.clock.now(), since=wired.clock.now() - HOUR, limit=10, session=session
                ),
                entries,
            )
        assert not follow_up(wired, one).reminder_sent
