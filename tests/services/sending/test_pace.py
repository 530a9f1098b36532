"""How fast: rates are kept by all workers together, waiting costs nothing, and one probe is one probe."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from models.store.depth import DepthCollector
from models.values import MessageStatus
from providers.outbound import Rates
from runtime.clock import SystemClock
from services.sending.schedule import FIRST_WAIT, LONGEST_WAIT, MAX_TRIES, is_worth_another, wait_after
from tests.support import vendor as vendors
from tests.support.sending import Desk
from tests.support.waiting import until
from tests.support.wired import Wired
from workers.courier import Courier


@pytest.fixture
def rate(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let a test say how fast its vendor is."""
    sender = type(desk.wired.reader.provider(desk.wired.account.provider).sender)

    def put(**rates: float) -> None:
        found = {"number_per_second": 100_000, "number_burst": 100_000, **rates}
        monkeypatch.setattr(sender, "rates", Rates(**found))  # type: ignore[arg-type]

    return put


@contextmanager
def sending(desk: Desk) -> Iterator[None]:
    """Let two workers send, by a clock that goes on by itself."""
    workers = [Wired(desk.wired.settings, application=f"w{n}", clock=SystemClock()) for n in range(2)]
    for one in workers:
        one.directory.refresh(older_than=0)
    couriers = [Courier(one.delivering, one.bell, threads=6) for one in workers]
    for courier in couriers:
        courier.start()
    try:
        yield
    finally:
        for courier in couriers:
            courier.stop()


def test_c13_many_due_at_once_leave_at_the_numbers_pace_whoever_sends(desk: Desk, rate: Callable[..., None]) -> None:
    rate(number_per_second=20, number_burst=1)
    messages = [desk.write(desk.chat(n)) for n in range(30)]
    desk.redis.flushall()

    began = time.monotonic()
    with sending(desk):
        until(lambda: len(desk.vendor.books) == 30, seconds=30, what="all messages to be sent")
    took = time.monotonic() - began

    assert took >= 29 / 20 * 0.9, "thirty at twenty a second"
    assert {desk.message(one).tries for one in messages} == {1}
    assert {len(desk.message(one).attempts or []) for one in messages} == {1}


def test_control_without_a_limit_they_leave_at_once(desk: Desk, rate: Callable[..., None]) -> None:
    rate()
    for n in range(30):
        desk.write(desk.chat(n))
    began = time.monotonic()
    waits: list[float] = []
    desk.wired.delivering._sleep = waits.append

    desk.deliver()

    assert waits == []
    assert len(desk.vendor.books) == 30
    assert time.monotonic() > began


def test_a_pair_at_its_limit_waits_untouched_and_others_go_on(desk: Desk, rate: Callable[..., None]) -> None:
    rate(pair_seconds=6, pair_burst=2)
    chatty, other = desk.chat(1), desk.chat(2)
    messages = [desk.write(chatty, f"n{n}") for n in range(4)]
    free = desk.write(other)

    desk.deliver()

    assert [desk.message(one).status.value for one in messages] == ["accepted", "accepted", "queued", "queued"]
    assert desk.message(messages[2]).attempts is None
    assert desk.message(free).status is MessageStatus.ACCEPTED
    outbox = desk.wired.store.outboxes.find_one({"id": chatty})
    assert outbox is not None
    assert timedelta(seconds=4) < outbox["nextAt"] - desk.wired.clock.now() <= timedelta(seconds=6)


def test_of_many_workers_one_takes_the_probe(desk: Desk) -> None:
    for n in range(6):
        desk.write(desk.chat(n))
    desk.vendor.answers(then=vendors.EXPIRED)
    desk.deliver()
    asked = len(desk.vendor.asked)
    desk.pass_time(seconds=10)
    workers = [Wired(desk.wired.settings, application=f"w{n}", clock=desk.wired.clock) for n in range(4)]
    for one in workers:
        one.directory.refresh(older_than=0)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda one: one.delivering.deliver(), workers))

    assert len(desk.vendor.asked) == asked + 1


def test_waits_double_up_to_the_longest_and_chance_only_adds() -> None:
    bare = [wait_after(tries, chance=0) for tries in range(1, MAX_TRIES + 4)]

    assert bare[:4] == [FIRST_WAIT, FIRST_WAIT * 2, FIRST_WAIT * 4, FIRST_WAIT * 8]
    assert bare == sorted(bare)
    assert bare[-1] == LONGEST_WAIT
    assert all(wait_after(tries) >= least for tries, least in enumerate(bare, 1))
    assert wait_after(1, asked=timedelta(minutes=30)) >= timedelta(minutes=30)


@pytest.mark.parametrize(("limit", "tries"), [(None, MAX_TRIES), (2, 2), (100, MAX_TRIES)])
def test_tries_are_limited_by_the_schedule_and_by_the_code(limit: int | None, tries: int) -> None:
    assert is_worth_another(tries - 1, limit)
    assert not is_worth_another(tries, limit)


def test_what_waits_is_shown_to_operators(desk: Desk) -> None:
    chat_id = desk.chat(1)
    desk.write(chat_id, "one")
    desk.vendor.answers(vendors.GARBAGE, then=vendors.EXPIRED)
    desk.deliver()
    desk.write(chat_id, "two")
    desk.write(desk.chat(2), "three")
    desk.deliver()
    desk.wired.clock_hand.move(timedelta(seconds=42))
    registry = CollectorRegistry()
    registry.register(DepthCollector(desk.wired.store, desk.wired.clock))

    text = generate_latest(registry).decode()

    assert 'hookline_messages_waiting{state="queued"} 2.0' in text
    assert 'hookline_messages_waiting{state="unknown"} 1.0' in text
    assert "hookline_messages_oldest_seconds 42." in text
    assert "hookline_accounts_paused 1.0" in text


def test_a_queued_message_whose_outbox_was_lost_is_found(desk: Desk) -> None:
    message = desk.write(desk.chat())
    desk.wired.store.outboxes.delete_many({})
    assert desk.deliver() == 0

    assert desk.wired.restoring.stranded() == 1
    assert desk.wired.restoring.stranded() == 0, "not yet long due"
    desk.deliver()

    assert desk.vendor.accepted(message.id) == 1


def test_a_probe_that_another_has_taken_is_not_taken_again(desk: Desk) -> None:
    desk.write(desk.chat())
    desk.vendor.answers(then=vendors.EXPIRED)
    desk.deliver()
    desk.pass_time(seconds=10)
    (seen,) = desk.wired.delivering._pausing.known().values()

    assert desk.wired.delivering._pausing.take_probe(seen) is not None
    assert desk.wired.delivering._pausing.take_probe(seen) is None


def test_the_trouble_of_an_account_is_known_before_its_message_waits_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.write(desk.chat(1))
    desk.vendor.answers(then=vendors.EXPIRED)
    known: list[int] = []
    put_back = desk.wired.delivering._recording.put_back

    def looking(*args: Any, **kwargs: Any) -> None:
        known.append(desk.wired.store.sendpauses.count_documents({"pausedUntil": {"$exists": True}}))
        put_back(*args, **kwargs)

    monkeypatch.setattr(desk.wired.delivering._recording, "put_back", looking)
    desk.deliver()

    assert known == [1]
