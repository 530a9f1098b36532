"""Two real clock processes on the same due rows: wasteful, never wrong; and one that comes late to them."""

import signal
from collections.abc import Iterator
from datetime import timedelta

import pytest

from models.follow_up import FollowUpStatus
from tests.services.reminding.rows import add_follow_ups, fired_times
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
    from redis import Redis

    now = system.services.clock.now()
    ids = add_follow_ups(system.services, [now + timedelta(seconds=3)] * 20)
    clocks(system, 2)
    with Redis.from_url(system.valkey.uri) as client:
        client.flushall()

    until(lambda: fired(system) == 20, seconds=60, what="all reminders to fire")

    assert fired_times(system.services, ids) == [1] * 20
    assert system.store.followups.count_documents({"reminderSentAt": {"$lt": now + timedelta(seconds=3)}}) == 0
