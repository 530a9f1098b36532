"""Two real clock processes on the same due rows: wasteful, never wrong; and one that comes late to them.

FAULTS §2 D with its controls; all rows are in the table of `test_sending`.
"""

import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta, timezone
from datetime import time as clock_time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests
from redis import Redis

from models.agent import Role
from models.follow_up import FollowUpStatus, ReminderTemplate
from models.ids import new_id
from tests.api.rows import add_chat
from tests.services.reminding.rows import add_follow_up, add_follow_ups, fired_times, trail
from tests.support import meta_webhooks as meta
from tests.support.outbound import let_pass
from tests.support.sabotage import PLAN
from tests.support.system import Process, System, running
from tests.support.waiting import until

#: How many reminders are due at once.
MANY = 3_000
#: An address at which no Redis answers: without its lock every clock works.
NO_REDIS = "redis://127.0.0.1:1/0"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(tmp_path_factory.mktemp("clocks")) as system:
        yield system


@pytest.fixture(autouse=True)
def empty(system: System) -> Iterator[None]:
    """Begin with no follow-ups and no entries, and end with no clocks."""
    system.store.followups.delete_many({})
    system.store.auditentries.delete_many({})
    yield
    for process in system.processes:
        process.kill()


def clocks(system: System, count: int, **settings: str) -> list[Process]:
    return [system.start("clock", **settings) for _ in range(count)]


def due_now(system: System, count: int = MANY, *, ago: timedelta = timedelta(0)) -> list[str]:
    """Store follow-ups that were due so long ago, one after another."""
    last = system.services.clock.now() - ago
    return add_follow_ups(system.services, [last - timedelta(milliseconds=count - n) for n in range(count)])


def in_seconds(system: System, seconds: float) -> datetime:
    return system.services.clock.now() + timedelta(seconds=seconds)


def fired(system: System) -> int:
    return system.store.followups.count_documents({"reminderSent": True})


@pytest.mark.parametrize("lock", ["with the lock", "without it"])
def test_two_clocks_fire_thousands_of_reminders_each_once(system: System, lock: str) -> None:
    """FAULTS D1: with Redis one of them works at a time, without it both do, on the same rows."""
    ids = due_now(system)
    clocks(system, 2, **({} if lock == "with the lock" else {"REDIS_URL": NO_REDIS}))

    until(lambda: fired(system) == MANY, seconds=60, what="all reminders to fire")

    assert fired_times(system.services, ids) == [1] * MANY
    assert all(process.alive for process in system.processes[-2:])


def test_a_clock_that_is_killed_while_it_fires_leaves_the_rest_to_the_other(system: System) -> None:
    """FAULTS D2: nothing of what it had begun is half done."""
    ids = due_now(system)
    first, _ = clocks(system, 2, REDIS_URL=NO_REDIS)
    until(lambda: fired(system) > 0, seconds=60, what="the first reminders to fire")

    first.send(signal.SIGKILL)

    until(lambda: fired(system) == MANY, seconds=60, what="all reminders to fire")
    assert fired_times(system.services, ids) == [1] * MANY


def test_control_two_clocks_that_fire_what_they_have_read_remind_twice(system: System) -> None:
    """FAULTS D1: the moment between reading and marking lasts until both have read."""
    ids = due_now(system, 100)
    clocks(system, 2, without="what was read is fired", REDIS_URL=NO_REDIS)
    until(lambda: sum(fired_times(system.services, ids)) == 200, seconds=60, what="each to fire twice")
    assert fired_times(system.services, ids) == [2] * 100


@pytest.mark.parametrize(
    ("death", "messages"),
    [("dies before it writes down", 1), ("dies before it writes down, and has no key", 2)],
    ids=["with its key", "control, without"],
)
def test_a_clock_killed_after_it_queued_a_reminders_message(system: System, death: str, messages: int) -> None:
    """FAULTS D2: the next clock queues it again, which its key makes the same message; the control has no key."""
    template = {"id": new_id("tpl"), "configId": system.services.account.id, "name": f"still_{messages}"}
    approved = {"status": "approved", "language": "en", "isActive": True, "isDeleted": False}
    system.store.templates.insert_one({**template, **approved, "components": [{"type": "BODY", "text": "Hello?"}]})
    street, person, since = Street(system), f"4477009400{messages:02d}", in_seconds(system, -60)
    street.write(person)
    chat = street.heard([person], since)[person]
    one = add_follow_up(system.services, chat_id=chat, template=ReminderTemplate(name=template["name"]))

    [dying] = clocks(system, 1, without=death, REDIS_URL=NO_REDIS)
    until(lambda: not dying.alive, seconds=60, what="the clock to die")
    outbound = {"chatId": chat, "direction": "outbound"}
    assert system.store.messages.count_documents(outbound) == 1
    # Its lease need not be waited for.
    system.store.followups.update_one({"id": one}, {"$set": {"templateDueAt": system.services.clock.now()}})
    clocks(system, 1, REDIS_URL=NO_REDIS)

    done = {"id": one, "template.state": "queued"}
    until(lambda: system.store.followups.count_documents(done), seconds=60, what="the message to be written down")
    assert system.store.messages.count_documents(outbound) == messages
    assert fired_times(system.services, [one]) == [1]


def test_a_clock_that_was_away_for_two_hours_fires_what_it_missed_in_order(system: System) -> None:
    """FAULTS D4: late ones within the limit once and then overdue, later ones overdue without a reminder."""
    late = due_now(system, 50, ago=timedelta(hours=2))
    too_late = due_now(system, 5, ago=timedelta(hours=4))
    settings = {"FOLLOW_UP_LATE_HOURS": "3", "FOLLOW_UP_GRACE_MINUTES": "30", "REDIS_URL": NO_REDIS}

    clocks(system, 2, **settings)

    overdue = {"status": FollowUpStatus.OVERDUE.value}
    # The clock marks what is overdue every 30 s, and first when it starts.
    until(lambda: system.store.followups.count_documents(overdue) == 55, seconds=60, what="all to be overdue")
    assert fired_times(system.services, late) == [1] * 50
    assert fired_times(system.services, too_late) == [0] * 5
    order = [row["entityId"] for row in system.store.auditentries.find({"verb": "remind"}).sort("id", 1)]
    assert order == late


def test_redis_emptied_between_planning_and_due_changes_nothing(system: System) -> None:
    """FAULTS D6."""
    now = system.services.clock.now()
    ids = add_follow_ups(system.services, [now + timedelta(seconds=3)] * 20)
    clocks(system, 2)
    with Redis.from_url(system.valkey.uri) as client:
        client.flushall()

    until(lambda: fired(system) == 20, seconds=60, what="all reminders to fire")

    assert fired_times(system.services, ids) == [1] * 20
    assert system.store.followups.count_documents({"reminderSentAt": {"$lt": now + timedelta(seconds=3)}}) == 0


def test_control_without_a_limit_what_is_too_late_fires_as_well(system: System) -> None:
    """FAULTS D4."""
    too_late = due_now(system, 5, ago=timedelta(hours=4))
    clocks(system, 1, without="late is never too late", FOLLOW_UP_LATE_HOURS="3", REDIS_URL=NO_REDIS)
    until(lambda: fired_times(system.services, too_late) == [1] * 5, seconds=30, what="a flood of stale reminders")


def test_control_a_plan_that_is_in_redis_is_gone_with_it(system: System) -> None:
    """FAULTS D6."""
    ids = add_follow_ups(system.services, [in_seconds(system, 4)] * 3)
    with Redis.from_url(system.valkey.uri) as client:
        clocks(system, 1, without="the plan is in Redis")
        until(lambda: client.exists(PLAN), seconds=30, what="the plan")
        client.flushall()
    let_pass(8)
    assert fired_times(system.services, ids) == [0] * 3


class Street:
    """Customers who write to a running receiver, and their chats."""

    def __init__(self, system: System) -> None:
        self._system = system
        system.start("worker")
        self._url = f"{system.start_receiver()}/api/whatsapp/webhooks/meta"

    def write(self, person: str, *, ago: float = 0) -> None:
        body = meta.envelope(meta.text("Hello?", sender=person, at=int(time.time() - ago)))
        assert requests.post(self._url, data=body, headers=meta.headers(body), timeout=10).status_code == 200

    def heard(self, people: Sequence[str], since: datetime) -> dict[str, str]:
        """Wait until these have been heard since a moment; return their chats."""
        numbers = [f"+{person}" for person in people]
        query = {"phoneNumber": {"$in": numbers}, "lastInboundAt": {"$gte": since}}
        chats = self._system.store.chats
        until(lambda: chats.count_documents(query) == len(people), seconds=60, what="all to be heard")
        return {row["phoneNumber"].lstrip("+"): row["id"] for row in chats.find(query)}


def test_a_reply_in_the_moment_of_firing_comes_in_time_or_too_late_and_never_both(system: System) -> None:
    """FAULTS D3: some replied before, some reply all around the moment, some never do."""
    street = Street(system)
    before, meanwhile, never = ([f"44770090{group}{n:03d}" for n in range(30)] for group in (1, 2, 3))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda person: street.write(person, ago=2 * 3600), [*before, *meanwhile, *never]))
        chats = street.heard([*before, *meanwhile, *never], in_seconds(system, -3 * 3600))
        hour_ago = in_seconds(system, -3600)
        list(pool.map(street.write, before))
        street.heard(before, hour_ago)
        due = in_seconds(system, 3)
        ids = {
            person: add_follow_ups(system.services, [due], chat_id=chat, cancel_on_reply=True)[0]
            for person, chat in chats.items()
        }
        clocks(system, 2, REDIS_URL=NO_REDIS)
        for person in meanwhile:
            pool.submit(street.write, person)
            let_pass(0.2)
    street.heard(meanwhile, hour_ago)
    undecided = {"id": {"$in": list(ids.values())}, "status": "pending", "reminderSent": False}
    until(lambda: not system.store.followups.count_documents(undecided), seconds=60, what="all to be decided")

    assert {ended(system, ids[person]) for person in before} == {("cancel",)}
    assert {ended(system, ids[person]) for person in never} == {("remind",)}
    assert {ended(system, ids[person]) for person in meanwhile} <= {("cancel",), ("remind",)}


def ended(system: System, follow_up_id: str) -> tuple[str, ...]:
    """What the trail says of a follow-up; the row says the same."""
    row = system.store.followups.find_one({"id": follow_up_id})
    verbs = tuple(trail(system.services, follow_up_id))
    assert row is not None
    assert row["reminderSent"] == ("remind" in verbs)
    assert (row["status"] == "cancelled") == ("cancel" in verbs)
    return verbs


def test_control_who_does_not_look_for_replies_reminds_of_those_who_replied(system: System) -> None:
    """FAULTS D3."""
    now = system.services.clock.now()
    chat = add_chat(system.store, at=now, last_inbound_at=now)
    one = add_follow_up(system.services, chat_id=chat, cancel_on_reply=True)
    clocks(system, 1, without="replies are not looked at", REDIS_URL=NO_REDIS)
    until(lambda: trail(system.services, one), seconds=30, what="a decision")
    assert ended(system, one) == ("remind",)


class Desk:
    """Somebody who plans over the API."""

    def __init__(self, system: System, *, without: str | None = None) -> None:
        self._url = f"{system.start_api(without=without)}/api/whatsapp/followups"
        token = system.services.tokens.create(name="planner", role=Role.ADMIN).clear.reveal()
        self._headers = {"Authorization": f"Bearer {token}"}
        self._chat = add_chat(system.store, at=system.services.clock.now())

    def plan(self, moment: str) -> requests.Response:
        body = {"chatId": self._chat, "scheduledAt": moment}
        return requests.post(self._url, json=body, headers=self._headers, timeout=30)

    def planned(self, moment: datetime) -> dict[str, Any]:
        answer = self.plan(moment.isoformat(timespec="milliseconds"))
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found


HALF_PAST_ONE = clock_time(1, 30)
#: The same moment as clocks show it in Nepal, on the Marquesas, in Delhi, and here.
ZONES = [timezone(timedelta(hours=hours, minutes=minutes)) for hours, minutes in ((5, 45), (-9, -30), (5, 30), (0, 0))]


def test_a_reminder_fires_at_its_instant_in_whichever_zone_it_was_planned_and_the_clocks_live(system: System) -> None:
    """FAULTS D5; at the odd instants themselves: `tests.services.reminding.test_firing`."""
    desk = Desk(system)
    for zone in ("America/New_York", "Australia/Lord_Howe"):
        clocks(system, 1, REDIS_URL=NO_REDIS, TZ=zone)
    due = in_seconds(system, 4).replace(microsecond=0)

    ids = [desk.planned(due.astimezone(zone))["id"] for zone in ZONES]

    until(lambda: fired(system) == len(ids), seconds=30, what="all reminders to fire")
    let_pass(3)
    assert fired_times(system.services, ids) == [1] * len(ids)
    for row in system.store.followups.find({"id": {"$in": ids}}):
        assert timedelta(0) <= row["reminderSentAt"] - due < timedelta(seconds=10)


def test_days_and_hours_that_calendars_are_bad_at_are_planned_as_they_were_meant(system: System) -> None:
    """FAULTS D5: the hour that comes twice, and a leap day; a day that is not there is refused."""
    desk, london = Desk(system), ZoneInfo("Europe/London")
    year = system.services.clock.now().year
    leap = next(one for one in range(year + 1, year + 9) if one % 4 == 0)
    last = date(year + 1, 10, 31)
    sunday = last - timedelta(days=(last.weekday() + 1) % 7)
    twice = [datetime.combine(sunday, HALF_PAST_ONE.replace(fold=fold), london) for fold in (0, 1)]
    leap_night = datetime(leap, 2, 29, 23, 59, 59, 999000, tzinfo=ZoneInfo("America/New_York"))

    ids = [desk.planned(moment)["id"] for moment in (*twice, leap_night)]

    stored = [system.store.followups.find_one({"id": one}) or {} for one in ids]
    first, second, night = (row["scheduledAt"] for row in stored)
    assert second - first == timedelta(hours=1)
    assert night == datetime(leap, 3, 1, 4, 59, 59, 999000, tzinfo=UTC)
    assert desk.plan(f"{leap + 1}-02-29T12:00:00Z").status_code in {400, 422}
    assert desk.plan(f"{sunday}T{HALF_PAST_ONE}").status_code in {400, 422}, "which of the two?"


def test_control_where_zones_do_not_matter_it_fires_when_nobody_meant_it(system: System) -> None:
    """FAULTS D5."""
    desk = Desk(system, without="zones do not matter")
    due = in_seconds(system, 3600).replace(microsecond=0)
    one = desk.planned(due.astimezone(timezone(-timedelta(hours=1))))["id"]
    clocks(system, 1, REDIS_URL=NO_REDIS)
    until(lambda: fired_times(system.services, [one]) == [1], seconds=30, what="it to fire an hour early")
