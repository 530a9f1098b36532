"""Order within a chat, and many workers at once: whoever sends, each message once and none before its predecessor."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from models.store.sending import Sends
from models.values import MessageStatus
from providers.outbound import Rates
from services.wiring import Services
from tests.support import vendor as vendors
from tests.support.sending import Desk
from tests.support.waiting import until
from tests.support.wired import Wired
from workers.courier import Courier

FAST = Rates(number_per_second=100_000, number_burst=100_000)


@pytest.fixture(autouse=True)
def unlimited(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send as fast as we can; the buckets have tests of their own."""
    sender = type(desk.wired.reader.provider(desk.wired.account.provider).sender)
    monkeypatch.setattr(sender, "rates", FAST)


def second(desk: Desk) -> Wired:
    """Another worker process of the same system, as far as it can be had in this one."""
    other = Wired(desk.wired.settings, application="other", clock=desk.wired.clock)
    other.directory.refresh(older_than=0)
    return other


def in_order(desk: Desk, chats: list[list[str]]) -> bool:
    sent = [booked.ref for booked in desk.vendor.books]
    return all([one for one in sent if one in set(chat)] == chat for chat in chats)


def test_messages_leave_in_the_order_of_their_queueing(desk: Desk) -> None:
    chat_id = desk.chat()
    written = [desk.write(chat_id, f"n{n}").id for n in range(12)]

    desk.deliver()

    assert [booked.ref for booked in desk.vendor.books] == written


def test_one_that_waits_for_its_retry_keeps_those_behind_it(desk: Desk) -> None:
    chat_id = desk.chat()
    first, *others = [desk.write(chat_id, f"n{n}") for n in range(4)]
    desk.vendor.answers(vendors.error(131000, status=500))

    desk.deliver()
    assert desk.vendor.asked == [first.id]
    desk.pass_time(seconds=1)
    desk.deliver()
    assert desk.vendor.asked == [first.id]
    desk.pass_time(seconds=3)
    desk.deliver()

    assert [booked.ref for booked in desk.vendor.books] == [first.id, *(one.id for one in others)]


@pytest.mark.parametrize("what", ["failed", "unknown", "canceled"])
def test_one_at_its_end_keeps_nobody_waiting(desk: Desk, what: str) -> None:
    chat_id = desk.chat()
    first, then = desk.write(chat_id, "first"), desk.write(chat_id, "then")
    if what == "canceled":
        desk.wired.steering.cancel(first.id, by=None)
    desk.vendor.script = lambda ref, _: (
        {"failed": vendors.error(131026), "unknown": vendors.TAKES_AND_CLOSES}[what] if ref == first.id else vendors.OK
    )

    desk.deliver()

    assert desk.message(first).status == what
    assert desk.message(then).status is MessageStatus.ACCEPTED


def test_messages_queued_by_processes_whose_clocks_differ_keep_their_order(desk: Desk) -> None:
    chat_id = desk.chat()
    ahead = desk.write(chat_id, "first, by a clock that is ahead")
    desk.wired.clock_hand.move(timedelta(milliseconds=-200))
    behind = desk.write(chat_id, "then, by a clock that is behind")
    desk.wired.clock_hand.move(timedelta(seconds=1))

    desk.deliver()

    assert [booked.ref for booked in desk.vendor.books] == [ahead.id, behind.id]


def test_one_queued_while_its_chat_is_worked_on_is_not_left_behind(desk: Desk) -> None:
    chat_id = desk.chat()
    first = desk.write(chat_id, "first")
    late: list[str] = []

    def write(_: object) -> None:
        if not late:
            late.append(desk.write(chat_id, "late").id)

    desk.vendor.on_taken = write
    (turn,) = desk.wired.delivering.claim(limit=1)
    desk.wired.delivering.work(turn)
    assert desk.outboxes == 1, "something was queued since"
    desk.deliver()

    assert [booked.ref for booked in desk.vendor.books] == [first.id, *late]
    assert desk.outboxes == 0


def test_two_workers_on_fifty_chats_send_each_message_once_and_in_order(desk: Desk) -> None:
    chat_ids = [desk.chat(n) for n in range(50)]
    chats = [[desk.write(chat_id, f"n{n}").id for n in range(4)] for chat_id in chat_ids]
    workers = [desk.wired, second(desk)]
    couriers = [Courier(one.delivering, one.bell, threads=6) for one in workers]

    for courier in couriers:
        courier.start()
    try:
        until(lambda: desk.outboxes == 0, seconds=60, what="all outboxes to empty")
    finally:
        for courier in couriers:
            courier.stop()

    refs = [booked.ref for booked in desk.vendor.books]
    assert sorted(refs) == sorted(one for chat in chats for one in chat)
    assert in_order(desk, chats)
    assert {desk.message(one).status for one in refs} == {MessageStatus.ACCEPTED}


def many_on_one_chat(desk: Desk, workers: list[Services]) -> None:
    """Let many threads work on one chat as if each had its outbox: as after leases that ended too early."""
    (turn,) = desk.wired.delivering.claim(limit=1)
    barrier = threading.Barrier(8)

    def work(number: int) -> None:
        barrier.wait()
        workers[number % len(workers)].delivering.work(replace(turn))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))


def test_many_workers_on_one_chat_at_once_send_each_message_once(desk: Desk) -> None:
    """The outbox's lease is thrift: what counts is the message's own state."""
    chat_id = desk.chat()
    written = [desk.write(chat_id, f"n{n}").id for n in range(10)]

    many_on_one_chat(desk, [desk.wired, second(desk)])
    desk.pass_time(seconds=60)
    desk.deliver()

    assert [booked.ref for booked in desk.vendor.books] == written


def test_control_without_the_claim_on_the_message_they_send_it_more_than_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sends, "begin", lambda *_args, **_kwargs: True)
    chat_id = desk.chat()
    written = desk.write(chat_id).id

    many_on_one_chat(desk, [desk.wired, second(desk)])

    assert desk.vendor.accepted(written) > 1


def test_chats_united_while_something_is_queued_lose_nothing(desk: Desk) -> None:
    kept, gone = desk.chat(1), desk.chat(2)
    message = desk.write(gone)
    from models.store.batch import Batch, Wanted

    def fold(batch: Batch, _: object) -> None:
        batch.merged_chats[gone] = kept

    desk.wired.conversations.change(Wanted(chats={kept, gone}), fold, now=desk.wired.clock.now())

    desk.deliver()

    assert desk.vendor.accepted(message.id) == 1
    assert desk.outboxes == 0


def test_one_queued_in_the_moment_its_outbox_is_cleared_away_is_not_left_behind(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat_id = desk.chat()
    desk.write(chat_id, "first")
    head = desk.wired.sends.head
    late: list[str] = []

    def found(chat: str) -> object:
        message, is_all = head(chat)
        if is_all and not late:
            late.append(desk.write(chat_id, "late").id)
        return message, is_all

    monkeypatch.setattr(desk.wired.sends, "head", found)
    (turn,) = desk.wired.delivering.claim(limit=1)
    desk.wired.delivering.work(turn)
    assert desk.outboxes == 1
    desk.deliver()

    assert desk.vendor.accepted(late[0]) == 1
