"""The guarantee behind the rings: what was left behind is found, by one sweep or by several at once."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY
from redis import Redis

from models.values import EventStatus
from services.sweeping import ENOUGH_RINGS, RING_SIZE, Sweeping
from tests.support import meta_webhooks as meta
from tests.support.wired import Wired

AFTER = timedelta(seconds=5)
LEASE = timedelta(seconds=20)


class Bell:
    """Writes down its rings, and refuses when told to."""

    def __init__(self) -> None:
        self.rings: list[list[str]] = []
        self.broken = False

    def __call__(self, ids: Sequence[str]) -> None:
        if self.broken:
            raise ConnectionError
        self.rings.append(list(ids))

    @property
    def rung(self) -> list[str]:
        return [one for ids in self.rings for one in ids]


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
def sweeping(wired: Wired, bell: Bell) -> Sweeping:
    return Sweeping(wired.events, wired.clock, ring=bell, after=AFTER)


def stored(wired: Wired, count: int = 1) -> list[str]:
    return [wired.store_webhook(meta.envelope(meta.text(f"n{n}"))) for n in range(count)]


def claimed(wired: Wired, ids: list[str]) -> None:
    now = wired.clock.now()
    assert len(wired.events.claim(ids, now=now, until=now + LEASE)) == len(ids)


def test_a_row_that_waits_a_moment_is_left_to_its_ring(wired: Wired, sweeping: Sweeping, bell: Bell) -> None:
    stored(wired)
    wired.clock_hand.move(AFTER - timedelta(seconds=1))

    assert sweeping.stranded() == 0
    assert bell.rings == []


def test_a_row_that_waits_too_long_is_rung_for_oldest_first(wired: Wired, sweeping: Sweeping, bell: Bell) -> None:
    ids = stored(wired, 3)
    wired.clock_hand.move(AFTER + timedelta(seconds=1))

    assert sweeping.stranded() == 3
    assert bell.rings == [ids]


def test_it_is_rung_for_again_until_somebody_comes(wired: Wired, sweeping: Sweeping, bell: Bell) -> None:
    ids = stored(wired)
    wired.clock_hand.move(AFTER * 2)

    sweeping.stranded()
    sweeping.stranded()

    assert bell.rung == ids * 2


def test_many_are_rung_for_in_rings_of_bounded_size(wired: Wired, sweeping: Sweeping, bell: Bell) -> None:
    ids = stored(wired, RING_SIZE + 10)
    wired.clock_hand.move(AFTER * 2)

    assert sweeping.stranded() == RING_SIZE + 10

    assert [len(one) for one in bell.rings] == [RING_SIZE, 10]
    assert bell.rung == ids


def test_what_a_dead_worker_held_comes_back_when_its_lease_is_over(
    wired: Wired, sweeping: Sweeping, bell: Bell
) -> None:
    ids = stored(wired)
    claimed(wired, ids)

    wired.clock_hand.move(LEASE - timedelta(seconds=1))
    assert sweeping.stranded() == 0
    assert wired.events.get(ids[0]).claim is not None

    wired.clock_hand.move(timedelta(seconds=2))
    assert sweeping.stranded() == 1

    event = wired.events.get(ids[0])
    assert event.status is EventStatus.PENDING
    assert (event.claim, event.lease_until) == (None, None)
    assert bell.rung == ids


def test_rows_at_their_end_are_none_of_its_business(wired: Wired, sweeping: Sweeping, bell: Bell) -> None:
    ids = stored(wired, 3)
    wired.receiving.receive(ids)
    wired.clock_hand.move(LEASE * 10)

    assert sweeping.stranded() == 0
    assert bell.rings == []
    assert {wired.events.get(one).status for one in ids} == {EventStatus.PROCESSED}


def test_ten_sweeps_at_once_change_nothing_more_than_one(wired: Wired, sweeping: Sweeping, bell: Bell) -> None:
    held = stored(wired, 5)
    claimed(wired, held)
    waiting = stored(wired, 5)
    wired.clock_hand.move(LEASE * 2)
    before = [wired.events.get(one) for one in held]

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda _: sweeping.stranded(), range(10)))

    for one, was in zip(held, before, strict=True):
        event = wired.events.get(one)
        assert event.status is EventStatus.PENDING
        assert (event.generation, event.attempts) == (was.generation, was.attempts)
    assert set(bell.rung) == {*held, *waiting}
    assert wired.receiving.receive(bell.rung) == 10
    assert wired.store.messages.count_documents({}) == 10


def test_a_row_taken_again_meanwhile_is_not_taken_from_its_new_holder(wired: Wired, sweeping: Sweeping) -> None:
    ids = stored(wired)
    claimed(wired, ids)
    wired.clock_hand.move(LEASE * 2)
    sweeping.stranded()
    claimed(wired, ids)

    sweeping.stranded()

    event = wired.events.get(ids[0])
    assert event.claim is not None
    assert event.generation == 2


def test_with_the_queue_away_what_was_held_is_handed_back_all_the_same(
    wired: Wired, sweeping: Sweeping, bell: Bell
) -> None:
    ids = stored(wired)
    claimed(wired, ids)
    wired.clock_hand.move(LEASE * 2)
    bell.broken = True

    with pytest.raises(ConnectionError):
        sweeping.stranded()
    assert wired.events.get(ids[0]).status is EventStatus.PENDING

    bell.broken = False
    assert sweeping.stranded() == 1
    assert bell.rung == ids


def test_what_it_finds_is_counted_by_why(wired: Wired, sweeping: Sweeping) -> None:
    def counted(state: str) -> float:
        return REGISTRY.get_sample_value("hookline_swept_total", {"state": state}) or 0

    claimed(wired, stored(wired, 2))
    stored(wired, 3)
    wired.clock_hand.move(LEASE * 2)
    before = [counted("lease_expired"), counted("not_rung")]

    sweeping.stranded()

    assert [counted("lease_expired") - before[0], counted("not_rung") - before[1]] == [2, 5]


def test_while_enough_rings_wait_for_workers_no_more_are_made(wired: Wired, bell: Bell) -> None:
    ids = stored(wired)
    wired.clock_hand.move(AFTER * 2)
    waiting = ENOUGH_RINGS
    sweeping = Sweeping(wired.events, wired.clock, ring=bell, after=AFTER, rings_waiting=lambda: waiting)

    assert sweeping.stranded() == 0
    waiting -= 1
    assert sweeping.stranded() == 1
    assert bell.rung == ids


def test_a_night_without_workers_fills_the_queue_no_further(wired: Wired, redis_client: Redis) -> None:
    wired.settings = replace(wired.settings, sweep_after=timedelta(seconds=1))
    stored(wired)
    wired.clock_hand.move(AFTER)
    for _ in range(ENOUGH_RINGS + 20):
        wired.sweeping.stranded()

    assert redis_client.llen("hookline:inbound") == ENOUGH_RINGS
