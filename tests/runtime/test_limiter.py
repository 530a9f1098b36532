"""Buckets shared by processes: rates are kept, those that wait are told how long, and a lost Redis costs speed only."""

import math
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import redis

from runtime import limiter as limiters
from runtime.connections import connect_redis_briefly
from runtime.crypto import Secret
from runtime.limiter import Bucket, Limiter

NOW = timedelta(0)
SLOW = Bucket("number:cfg_1", seconds=10, fits=3)


@pytest.fixture
def limiter(redis_client: redis.Redis) -> Limiter:
    return Limiter(redis_client)


@pytest.fixture
def alone() -> Limiter:
    """Return a limiter whose Redis is not there."""
    return Limiter(connect_redis_briefly(Secret("redis://127.0.0.1:1/0")))


def taken(limiter: Limiter, bucket: Bucket, times: int) -> int:
    return sum(not limiter.take([bucket], patience=NOW) for _ in range(times))


def test_as_many_as_fit_are_given_at_once_and_then_the_wait_is_told(limiter: Limiter) -> None:
    assert taken(limiter, SLOW, 3) == 3

    wait = limiter.take([SLOW], patience=NOW)

    assert timedelta(seconds=9) < wait.length <= timedelta(seconds=10)
    assert wait.bucket == SLOW
    assert limiter.take([SLOW], patience=NOW).length <= wait.length, "nothing was taken while there was none"


def test_who_waits_has_taken_and_the_next_waits_longer(limiter: Limiter) -> None:
    assert taken(limiter, SLOW, 3) == 3

    waits = [limiter.take([SLOW], patience=timedelta(minutes=1)).length.total_seconds() for _ in range(3)]

    assert waits == pytest.approx([10, 20, 30], abs=1)


def test_of_several_buckets_all_are_taken_or_none(limiter: Limiter) -> None:
    full, empty = Bucket("full", seconds=10, fits=5), Bucket("empty", seconds=10, fits=1)
    assert taken(limiter, empty, 1) == 1

    assert limiter.take([full, empty], patience=NOW).bucket == empty

    assert taken(limiter, full, 10) == 5


def test_many_processes_share_one_bucket(redis_uri: str, redis_client: redis.Redis) -> None:
    processes = [Limiter(redis.Redis.from_url(redis_uri)) for _ in range(4)]
    bucket = Bucket("shared", seconds=3600, fits=20)

    with ThreadPoolExecutor(8) as pool:
        given = sum(pool.map(lambda n: taken(processes[n % 4], bucket, 10), range(8)))

    assert given == 20


def test_a_held_bucket_gives_nothing_and_others_give(limiter: Limiter) -> None:
    assert limiter.hold(SLOW, timedelta(seconds=7)) == timedelta(seconds=7)

    assert timedelta(seconds=6) < limiter.take([SLOW], patience=NOW).length <= timedelta(seconds=7)
    assert taken(limiter, Bucket("other", seconds=1), 1) == 1


def test_holds_that_nobody_named_the_length_of_grow(limiter: Limiter, redis_client: redis.Redis) -> None:
    held = []
    for _ in range(5):
        held.append(limiter.hold(SLOW).total_seconds())
        redis_client.delete(SLOW.key + ":hold")

    assert held == [1, 2, 4, 8, 16]


def test_after_each_hold_tokens_come_slower_until_a_bound(limiter: Limiter, redis_client: redis.Redis) -> None:
    spacing = []
    for _ in range(9):
        limiter.hold(SLOW)
        redis_client.delete(f"{SLOW.key}:hold", SLOW.key)
        assert taken(limiter, SLOW, 3) == 3
        spacing.append(limiter.take([SLOW], patience=NOW).length.total_seconds())

    assert spacing[:3] == pytest.approx([15, 22.5, 33.75], abs=1)
    assert spacing[-1] == pytest.approx(160, abs=1)


def test_what_is_learned_is_forgotten_by_halves(limiter: Limiter, redis_client: redis.Redis) -> None:
    spacing = []
    for since in (0, 1, 2, 10):
        redis_client.flushdb()
        limiter.hold(SLOW)
        redis_client.delete(f"{SLOW.key}:hold")
        long_ago = time.time() - since * limiters.HALF_FORGOTTEN_S
        redis_client.set(f"{SLOW.key}:slow", f"8:{long_ago * 1000:.0f}")
        for _ in range(SLOW.fits):
            # Their tokens come faster from moment to moment: the last may be due in a moment only.
            assert limiter.take([SLOW], patience=timedelta(seconds=2)).length < timedelta(seconds=2)
        spacing.append(limiter.take([SLOW], patience=NOW).length.total_seconds())

    assert spacing == pytest.approx([80, 40, 20, 10], abs=2)


def test_a_hold_upon_what_is_half_forgotten_begins_there(limiter: Limiter, redis_client: redis.Redis) -> None:
    redis_client.set(f"{SLOW.key}:slow", f"8:{(time.time() - limiters.HALF_FORGOTTEN_S) * 1000:.0f}")
    limiter.hold(SLOW)

    factor, at = str(redis_client.get(f"{SLOW.key}:slow"), "ascii").split(":")  # type: ignore[arg-type]
    assert float(factor) == pytest.approx(6, abs=0.1)
    assert float(at) / 1000 == pytest.approx(time.time() + limiters.FIRST_HOLD_S, abs=1)
    # When nothing is left to forget the key goes.
    kept = limiters.FIRST_HOLD_S + limiters.HALF_FORGOTTEN_S * math.log2(6)
    assert redis_client.pttl(f"{SLOW.key}:slow") / 1000 == pytest.approx(kept, abs=1)


def test_many_that_meet_the_same_wall_make_it_no_higher(limiter: Limiter) -> None:
    first = limiter.hold(SLOW)

    assert all(limiter.hold(SLOW) <= first for _ in range(10))
    assert limiter.hold(SLOW, timedelta(seconds=30)) == timedelta(seconds=30), "what was asked for is kept"


def test_a_bucket_without_a_rate_can_only_be_held(limiter: Limiter) -> None:
    bucket = Bucket("account", seconds=0)
    assert taken(limiter, bucket, 50) == 50

    limiter.hold(bucket, timedelta(seconds=5))

    assert limiter.take([bucket], patience=NOW)


def test_a_lost_redis_makes_it_slower_and_nothing_else(limiter: Limiter, redis_client: redis.Redis) -> None:
    assert taken(limiter, SLOW, 5) == 3
    redis_client.flushall()
    assert taken(limiter, SLOW, 5) == 3


def test_without_redis_a_process_goes_by_narrower_buckets_of_its_own(
    alone: Limiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = [100.0]
    monkeypatch.setattr(alone, "_counted", lambda: moment[0])
    monkeypatch.setattr(alone._own, "_counted", lambda: moment[0])
    bucket = Bucket("number", seconds=1, fits=80)

    assert taken(alone, bucket, 10) == 1
    moment[0] += 1 / limiters.SHARE_ALONE
    assert taken(alone, bucket, 10) == 1
    alone.hold(bucket, timedelta(seconds=60))
    moment[0] += 30
    assert taken(alone, bucket, 10) == 0, "a vendor's word is kept without Redis too"


def test_nothing_in_redis_tells_a_name(limiter: Limiter, redis_client: redis.Redis) -> None:
    limiter.take([Bucket("pair:+447700900123", seconds=6)], patience=NOW)
    limiter.hold(Bucket("pair:+447700900123", seconds=6))

    for key in redis_client.scan_iter():
        assert b"447700900123" not in key
        assert b"447700900123" not in (redis_client.get(key) or b"")
        assert redis_client.pttl(key) > 0, "what nobody uses any more is forgotten"
