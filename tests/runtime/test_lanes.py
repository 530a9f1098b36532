"""Lanes shared by processes: one at a time, in turn, and never a reason for work not to be done."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
import redis

from runtime import lanes as lanes_module
from runtime.crypto import Secret
from runtime.lanes import Lanes, connect_lanes
from tests.support.waiting import until

PATIENT_S = 30


@pytest.fixture
def ours(redis_client: redis.Redis) -> Lanes:
    return Lanes(2, redis_client)


@pytest.fixture
def theirs(redis_client: redis.Redis) -> Lanes:
    """The lanes of another process."""
    return Lanes(2, redis_client)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as threads:
        yield threads


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody go on beside another while a test looks."""
    monkeypatch.setattr(lanes_module, "PATIENCE_S", PATIENT_S)


def entered(lanes: Lanes, lane: int | None, *, shared: bool = True) -> bool:
    with lanes.turn(lane, shared=shared):
        return True


def blocked(redis_client: redis.Redis, number: int) -> None:
    until(lambda: redis_client.info("clients")["blocked_clients"] == number, seconds=10, what=f"{number} to wait")


@pytest.mark.usefixtures("patient")
def test_another_process_waits_and_is_woken(
    ours: Lanes, theirs: Lanes, pool: ThreadPoolExecutor, redis_client: redis.Redis
) -> None:
    with ours.turn(0):
        waiting = pool.submit(entered, theirs, 0)
        blocked(redis_client, 1)
        assert not waiting.done()

    assert waiting.result(timeout=10)


@pytest.mark.usefixtures("patient")
def test_who_asks_again_is_behind_who_waits(
    ours: Lanes, theirs: Lanes, pool: ThreadPoolExecutor, redis_client: redis.Redis
) -> None:
    order: list[str] = []

    def enter(lanes: Lanes, name: str) -> None:
        with lanes.turn(0):
            order.append(name)

    with ours.turn(0):
        waiting = pool.submit(enter, theirs, "waited")
        blocked(redis_client, 1)
    enter(ours, "came again")

    waiting.result(timeout=10)
    assert order == ["waited", "came again"]


@pytest.mark.usefixtures("patient")
def test_lanes_do_not_wait_for_each_other_and_all_of_them_for_each(
    ours: Lanes, theirs: Lanes, pool: ThreadPoolExecutor, redis_client: redis.Redis
) -> None:
    with ours.turn(0):
        assert entered(theirs, 1)
        waiting: Future[bool] = pool.submit(entered, theirs, None)
        blocked(redis_client, 1)
        assert not waiting.done()

    assert waiting.result(timeout=10)


def test_in_one_process_threads_wait_without_redis(pool: ThreadPoolExecutor) -> None:
    alone = Lanes(1)
    with alone.turn(0):
        waiting = pool.submit(entered, alone, 0)
        assert alone._locks[0].locked()
        assert not waiting.done()

    assert waiting.result(timeout=10)


def test_who_waited_too_long_works_beside_the_other(
    ours: Lanes, theirs: Lanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes_module, "PATIENCE_S", 0.01)
    with ours.turn(0):
        assert entered(theirs, 0)


def test_a_lane_whose_holder_died_is_free_again(ours: Lanes, theirs: Lanes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes_module, "FORGOTTEN_MS", 50)
    monkeypatch.setattr(lanes_module, "PATIENCE_S", 0.01)
    assert ours._take(0)

    assert theirs._take(0) is None, "the first who waits lets its time begin to run"
    until(lambda: theirs._take(0), seconds=10, what="the lane to be free")


def test_an_overtaken_holder_does_not_put_a_second_token_back(
    ours: Lanes, theirs: Lanes, redis_client: redis.Redis
) -> None:
    late = ours._take(0)
    redis_client.flushall()
    taken = theirs._take(0)
    assert late
    assert taken

    ours._give_back(0, late)
    assert not redis_client.exists(lanes_module._keys(0)[0])

    theirs._give_back(0, taken)
    assert redis_client.llen(lanes_module._keys(0)[0]) == 1


def test_small_work_does_not_ask_redis(ours: Lanes, redis_client: redis.Redis) -> None:
    assert entered(ours, None, shared=False)

    assert not redis_client.keys("*")


def test_what_goes_wrong_in_a_lane_leaves_it_free(ours: Lanes, theirs: Lanes) -> None:
    with pytest.raises(ValueError, match="in a lane"), ours.turn(None):
        raise ValueError("in a lane")

    assert theirs._take(0)
    assert theirs._take(1)


def test_without_redis_work_is_done_and_redis_left_in_peace_for_a_while() -> None:
    lanes = connect_lanes(2, Secret("redis://127.0.0.1:1/0"))

    assert entered(lanes, None)

    assert lanes._alone_until > time.monotonic()


def test_the_oldest_redis_we_promise_knows_every_command(ours: Lanes, redis_client: redis.Redis) -> None:
    redis_client.config_resetstat()
    assert entered(ours, None)

    used = {name.removeprefix("cmdstat_") for name in redis_client.info("commandstats")} - {"config|resetstat", "info"}
    told = redis_client.eval("return redis.call('COMMAND', 'DOCS', unpack(ARGV))", 0, *used)
    described = dict(zip(told[::2], told[1::2], strict=True))
    since = {name: facts[facts.index(b"since") + 1] for name, facts in described.items()}
    assert len(since) == len(used) > 3
    assert all(tuple(map(int, version.split(b"."))) <= (6, 0, 0) for version in since.values()), since
