"""The shared clock: it follows its reference, outlives it, and never keeps anybody waiting."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import pytest
from pymongo import MongoClient

from runtime import clock as clocks
from runtime.clock import SharedClock, SystemClock, truncated
from runtime.connections import connect_mongo, mongo_time
from runtime.crypto import Secret
from tests.support.waiting import until

HOUR = timedelta(hours=1)
#: How far two looks at a clock may lie apart on a busy machine.
MOMENT = timedelta(seconds=1)


def machine() -> datetime:
    return datetime.now(UTC)


def off_by(offset: timedelta) -> Callable[[], datetime]:
    return lambda: machine() + offset


def dead() -> datetime:
    raise ConnectionError("the reference is away")


def one_after_another(*references: Callable[[], datetime]) -> Callable[[], datetime]:
    """A reference that answers differently each time, and as the last time ever after."""
    left = list(references)

    def answer() -> datetime:
        reference = left.pop(0) if len(left) > 1 else left[0]
        return reference()

    return answer


def near(one: datetime, other: datetime) -> bool:
    return abs(one - other) < MOMENT


@pytest.mark.parametrize("offset", [HOUR, -HOUR, timedelta(seconds=2), timedelta(days=-400)])
def test_it_tells_the_references_time_not_the_machines(offset: timedelta) -> None:
    clock = SharedClock(off_by(offset))

    assert clock.resync()

    assert near(clock.now(), machine() + offset)
    assert abs(clock.offset - offset) < MOMENT


def test_before_the_first_measurement_it_tells_the_machines_time() -> None:
    assert near(SharedClock(dead).now(), machine())


def test_what_the_network_costs_is_taken_for_no_offset() -> None:
    clock = SharedClock(off_by(clocks.NEGLIGIBLE_OFFSET / 2))

    assert clock.resync()

    assert abs(clock.offset) < timedelta(milliseconds=50)


def test_half_of_the_way_is_allowed_for() -> None:
    def slow_reference() -> datetime:
        asked = machine()
        until(lambda: machine() - asked > timedelta(milliseconds=800), seconds=5, what="a slow answer")
        return asked + timedelta(milliseconds=400) + HOUR

    clock = SharedClock(slow_reference)

    assert clock.resync()

    assert abs(clock.offset - HOUR) < timedelta(milliseconds=200)


def test_a_dead_reference_changes_nothing() -> None:
    clock = SharedClock(one_after_another(off_by(HOUR), dead))

    assert [clock.resync(), clock.resync(), clock.resync()] == [True, False, False]

    assert near(clock.now(), machine() + HOUR)


def test_an_answer_that_took_too_long_says_nothing_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "LONGEST_MEASUREMENT", timedelta(milliseconds=20))

    def hung() -> datetime:
        stopped = machine() + HOUR
        until(lambda: machine() + HOUR - stopped > timedelta(milliseconds=60), seconds=5, what="a hung answer")
        return stopped

    clock = SharedClock(hung)

    assert not clock.resync()
    assert near(clock.now(), machine())


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_setting_the_machines_clock_moves_nothing(jump: timedelta, monkeypatch: pytest.MonkeyPatch) -> None:
    class Set(datetime):
        """The machine's clock after somebody has set it."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Set":
            return cls.fromtimestamp((machine() + jump).timestamp(), tz)

    clock = SharedClock(machine)
    clock.resync()
    before = clock.now()

    monkeypatch.setattr(clocks, "datetime", Set)

    assert timedelta(0) <= clock.now() - before < MOMENT
    assert abs(clock.offset + jump) < MOMENT


def test_now_never_waits_for_the_reference() -> None:
    released, asked = threading.Event(), threading.Event()

    def hangs() -> datetime:
        asked.set()
        released.wait(10)
        return machine()

    clock = SharedClock(hangs)
    measuring = threading.Thread(target=clock.resync)
    measuring.start()
    assert asked.wait(5)

    began = time.perf_counter()
    for _ in range(1000):
        clock.now()
    took = time.perf_counter() - began

    released.set()
    measuring.join()
    assert took < 1


def test_it_measures_again_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "RESYNC_EVERY", timedelta(milliseconds=10))
    monkeypatch.setattr(clocks, "RETRY_AFTER", timedelta(milliseconds=10))
    clock = SharedClock(one_after_another(dead, off_by(HOUR), dead, off_by(2 * HOUR)))

    clock.keep_in_sync()

    until(lambda: near(clock.now(), machine() + 2 * HOUR), seconds=5, what="another measurement")


@pytest.mark.parametrize("clock", [SystemClock(), SharedClock(machine)])
def test_moments_are_aware_utc_of_what_mongodb_keeps(clock: Any) -> None:
    for _ in range(20):
        now = clock.now()
        assert now.tzinfo is UTC
        assert now.microsecond % 1000 == 0


def test_truncating_cuts_and_never_rounds_up() -> None:
    moment = datetime(2026, 1, 1, 0, 0, 0, 999_999, UTC)

    assert truncated(moment) == datetime(2026, 1, 1, 0, 0, 0, 999_000, UTC)


def test_mongodbs_time_is_a_reference(mongo_uri: str) -> None:
    client: MongoClient[dict[str, Any]] = connect_mongo(Secret(mongo_uri), application="test")
    try:
        told = mongo_time(client)()
    finally:
        client.close()

    assert told.tzinfo is not None
    assert near(told, machine())
