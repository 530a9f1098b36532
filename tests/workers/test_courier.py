"""The threads that send: they look for themselves, leave room for others, and end in order."""

import signal
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import redis

from models.values import MessageStatus
from sandbox.engines import ValkeyEngine
from services.sending.orders import text_order
from tests.support import vendor as vendors
from tests.support.sending import AGENT, Desk
from tests.support.system import Process
from tests.support.vendor import Vendor
from tests.support.waiting import until
from tests.support.wired import Wired
from tests.workers.test_clock import environment
from workers.courier import Courier


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    started = Vendor()
    yield started
    started.close()


@pytest.fixture
def desk(wired: Wired, vendor: Vendor, redis_client: redis.Redis) -> Iterator[Desk]:
    wired.configs.change(wired.account.id, {"api_base_url": vendor.url}, wired.clock)
    wired.directory.refresh(older_than=0)
    yield Desk(wired, vendor, redis_client)
    wired.broker.close()


@pytest.fixture
def courier(desk: Desk) -> Iterator[Courier]:
    started = Courier(desk.wired.delivering, desk.wired.bell, threads=4)
    started.start()
    yield started
    started.stop()


def test_nobody_rings_and_it_is_sent_all_the_same(desk: Desk, courier: Courier) -> None:
    message = desk.write(desk.chat())

    until(lambda: desk.message(message).status is MessageStatus.ACCEPTED, seconds=5, what="the message to be sent")


def test_an_account_whose_vendor_hangs_leaves_threads_for_the_others(desk: Desk) -> None:
    number = "441000000000001"
    other = desk.account(number)
    hanging = {desk.write(desk.chat(n)).id for n in range(8)}
    desk.vendor.script = lambda ref, _: vendors.TAKES_AND_HANGS if ref in hanging else vendors.OK
    courier = Courier(desk.wired.delivering, desk.wired.bell, threads=4)
    courier.start()
    until(lambda: len(desk.vendor.asked) >= 3, seconds=5, what="the vendor to hang")

    free = desk.write(desk.chat(20, config=other, number_id=number))

    until(lambda: desk.message(free).status is MessageStatus.ACCEPTED, seconds=5, what="the other account's message")
    assert len(desk.vendor.asked) == 4, "three threads hang, one is free"
    desk.vendor.release.set()
    courier.stop()


def test_it_ends_what_it_has_begun_and_begins_nothing_more(desk: Desk) -> None:
    courier = Courier(desk.wired.delivering, desk.wired.bell, threads=1)
    first, then = desk.write(desk.chat(1)), desk.write(desk.chat(2))
    desk.vendor.on_taken = lambda _: time.sleep(0.3)
    courier.start()
    until(lambda: len(desk.vendor.books) == 1, seconds=5, what="the first to be under way")

    courier.stop()

    assert desk.message(first).status is MessageStatus.ACCEPTED
    assert desk.message(then).status is MessageStatus.QUEUED
    assert desk.vendor.accepted(then.id) == 0


def test_of_a_chat_in_hand_it_begins_no_further_message(desk: Desk) -> None:
    """With a slow vendor all of them would take longer than a process may take to end, and the last be in doubt."""
    courier = Courier(desk.wired.delivering, desk.wired.bell, threads=1)
    chat_id = desk.chat()
    messages = [desk.write(chat_id, f"n{n}") for n in range(5)]
    desk.vendor.on_taken = lambda _: time.sleep(0.3)
    courier.start()
    until(lambda: len(desk.vendor.books) == 1, seconds=5, what="the first to be under way")

    courier.stop()

    assert [desk.message(one).status.value for one in messages] == ["accepted", *["queued"] * 4]
    desk.deliver()
    assert [booked.ref for booked in desk.vendor.books] == [one.id for one in messages]


def test_a_chat_in_hand_for_longer_than_its_lease_stays_in_hand(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.courier.RENEW_EVERY_S", 0.1)
    desk.write(desk.chat())
    desk.vendor.answers(vendors.TAKES_AND_HANGS)
    courier = Courier(desk.wired.delivering, desk.wired.bell, threads=1)
    courier.start()
    until(lambda: desk.vendor.asked, seconds=5, what="the message to be under way")
    desk.wired.clock_hand.move(timedelta(seconds=15))
    until(
        lambda: (
            desk.wired.store.outboxes.find_one({})["leaseUntil"]  # type: ignore[index]
            > desk.wired.clock.now() + timedelta(seconds=15)
        ),
        seconds=5,
        what="the lease to be renewed",
    )
    desk.vendor.release.set()
    courier.stop()


@pytest.fixture
def worker(desk: Desk, tmp_path: Path) -> Iterator[Process]:
    process = Process("worker", environment(desk.wired), tmp_path / "worker.log")
    until(lambda: "worker_started" in process.said(), seconds=30, what="the worker to start")
    yield process
    process.kill()


def now_by_the_wall(desk: Desk) -> None:
    """Let the test's own clock show what the processes' does."""
    from runtime.clock import SystemClock

    desk.wired.clock_hand._now = SystemClock().now()


def test_a_worker_process_sends_and_told_to_stop_ends_in_order(desk: Desk, worker: Process) -> None:
    now_by_the_wall(desk)
    messages = [desk.write(desk.chat(n)) for n in range(20)]
    until(lambda: len(desk.vendor.books) >= 5, seconds=20, what="messages to be sent")

    worker.send(signal.SIGTERM)
    assert worker.stop() == 0, worker.said()

    states = [desk.message(one).status for one in messages]
    assert set(states) <= {MessageStatus.ACCEPTED, MessageStatus.QUEUED}, states
    assert desk.wired.store.outboxes.count_documents({"leaseUntil": {"$exists": True}}) == 0
    assert all(desk.vendor.accepted(one.id) <= 1 for one in messages)


@pytest.mark.fault
def test_a_worker_killed_in_mid_send_costs_no_message_and_doubles_none(desk: Desk, worker: Process) -> None:
    now_by_the_wall(desk)
    desk.vendor.script = lambda _, __: vendors.TAKES_AND_HANGS
    messages = [desk.write(desk.chat(n)) for n in range(20)]
    until(lambda: len(desk.vendor.books) >= 3, seconds=20, what="messages to be under way")

    worker.kill()
    desk.vendor.script = lambda _, __: vendors.OK
    desk.vendor.release.set()
    now_by_the_wall(desk)
    desk.pass_time(seconds=60)
    while desk.deliver():
        desk.pass_time(seconds=30)

    states = [desk.message(one).status for one in messages]
    assert states.count(MessageStatus.UNKNOWN) >= 3
    assert set(states) == {MessageStatus.UNKNOWN, MessageStatus.ACCEPTED}
    for one in messages:
        assert desk.vendor.accepted(one.id) == 1


@pytest.mark.fault
def test_a_worker_whose_redis_is_dead_still_sends(desk: Desk, tmp_path: Path) -> None:
    valkey = ValkeyEngine(tmp_path / "valkey")
    told = environment(desk.wired, REDIS_URL=valkey.start())
    process = Process("worker", told, tmp_path / "worker.log")
    try:
        until(lambda: "worker_started" in process.said(), seconds=30, what="the worker to start")
        valkey.kill()
        now_by_the_wall(desk)
        message = desk.wired.queueing.queue(desk.chat(), text_order("without redis"), by=AGENT)
        until(lambda: desk.message(message).status is MessageStatus.ACCEPTED, seconds=10, what="it to be sent")
    finally:
        process.kill()
        valkey.kill()
