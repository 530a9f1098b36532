"""Every message an agent writes leaves at most once, and its fate is known, whatever the vendor or the machine does.

The simulated Meta is the accountant: it books a message before it answers. Our own reference in its books says how
often each message was really taken.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path

import pytest

from tests.support.outbound import ARRIVED, Number, Office, another_number, office
from tests.support.waiting import until

#: Seconds in which whatever would send again has had its chances: leases, sweeps and clocks are faster.
CHANCES = 10
#: Seconds after which a late status is told; long after the call was given up.
LATE = 9.0


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[tuple[Office, Number]]:
    with office(tmp_path) as opened:
        opened[0].open()
        yield opened


def let_pass(seconds: float) -> None:
    """Here time itself is the condition."""
    end = time.monotonic() + seconds
    until(lambda: time.monotonic() >= end, seconds=seconds + 5, what="time to pass")


def test_a_message_is_sent_delivered_and_read(desk: tuple[Office, Number]) -> None:
    here, number = desk
    [(person, chat)] = here.customers(1).items()

    message = here.write(chat)

    here.wait_for(message, "read")
    row = here.row(message)
    assert number.accountant.sequence(person) == [message]
    assert row["providerMessageId"] == number.accountant.sends["byReference"][message]["vendorIds"][0]
    assert [row[name] for name in ("sentAt", "deliveredAt", "readAt")] == sorted(
        row[name] for name in ("sentAt", "deliveredAt", "readAt")
    )


def test_c1_taken_without_an_answer_is_unknown_until_a_late_status_and_never_sent_again(
    desk: tuple[Office, Number],
) -> None:
    here, number = desk
    [chat] = here.customers(1).values()
    number.accountant.statuses("late", LATE)
    number.accountant.fault("hang_after_accept", times=1)

    message = here.write(chat)

    here.wait_for(message, "unknown")
    assert number.accountant.accepts(message) == 1
    here.wait_for(message, "read", seconds=LATE + 20)
    assert number.accountant.accepts(message) == 1
    assert here.row(message)["providerMessageId"] == number.accountant.sends["byReference"][message]["vendorIds"][0]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("fault", ["hang_after_accept", "close_after_accept", "garbage", "no_id"])
def test_c1_c10_without_any_status_it_stays_unknown_until_a_person_asks(
    desk: tuple[Office, Number], fault: str
) -> None:
    here, number = desk
    [chat] = here.customers(1).values()
    number.accountant.statuses("none")
    number.accountant.fault(fault, times=1)

    message = here.write(chat)

    here.wait_for(message, "unknown")
    let_pass(CHANCES)
    assert here.state(message) == "unknown"
    assert number.accountant.accepts(message) == 1
    # The control: somebody does send again, and the books show it.
    number.accountant.recover()
    assert here.retry(message) in {200, 202}
    here.wait_for(message, *ARRIVED)
    assert number.accountant.accepts(message) == 2


def test_c2_a_worker_killed_after_the_vendor_took_it_sends_nothing_again(desk: tuple[Office, Number]) -> None:
    here, number = desk
    [chat] = here.customers(1).values()
    number.accountant.statuses("late", LATE)
    number.accountant.fault("delay", seconds=2.5, times=1)

    message = here.write(chat)
    until(lambda: number.accountant.accepts(message), seconds=20, what="the entry in the books")
    here.kill_workers()
    assert here.state(message) == "sending"
    here.hire(2)

    here.wait_for(message, "unknown")
    here.wait_for(message, "read", seconds=LATE + 20)
    let_pass(3)
    assert number.accountant.accepts(message) == 1


@pytest.mark.parametrize(
    "retry_after", [None, "1", "date", "soon", "-5"], ids=["none", "seconds", "date", "garbage", "negative"]
)
def test_c5_throttling_costs_no_attempt_and_no_order(desk: tuple[Office, Number], retry_after: str | None) -> None:
    here, number = desk
    chats = here.customers(4)
    told = formatdate(time.time() + 2, usegmt=True) if retry_after == "date" else retry_after
    number.accountant.fault("throttle", times=6, retry_after=told)

    written = here.write_all(list(chats.values()), 3)

    ids = [message for messages in written.values() for message in messages]
    until(lambda: here.count("read") == len(ids), seconds=60, what="all messages to be read")
    assert number.accountant.sends["refused"]["130429"] == 6
    for person, chat in chats.items():
        assert number.accountant.sequence(person) == written[chat]
    for message in ids:
        assert here.row(message).get("tries", 1) == 1


def test_c5_a_retry_after_beyond_reason_is_cut_short(desk: tuple[Office, Number]) -> None:
    here, number = desk
    [chat] = here.customers(1).values()
    number.accountant.fault("throttle", times=1, retry_after="1000000000")

    message = here.write(chat)

    until(lambda: here.row(message).get("nextAttemptAt"), seconds=20, what="the message to be put off")
    put_off = here.row(message)["nextAttemptAt"].timestamp() - time.time()
    assert 0 < put_off <= 24 * 3600


def test_c8_many_who_ask_for_another_attempt_at_once_get_one(desk: tuple[Office, Number]) -> None:
    here, number = desk
    [chat] = here.customers(1).values()
    number.accountant.fault("error", code="131009", times=1)
    message = here.write(chat)
    here.wait_for(message, "failed")
    assert number.accountant.accepts(message) == 0

    def ask(turn: int) -> int:
        if turn % 4 == 3:
            here.system.services.restoring.stranded()
            return 0
        return here.retry(message)

    with ThreadPoolExecutor(12) as pool:
        answers = sorted(pool.map(ask, range(12)))

    assert len([answer for answer in answers if answer in {200, 202}]) == 1, answers
    assert set(answers) <= {0, 200, 202, 409}
    here.wait_for(message, "read")
    assert number.accountant.accepts(message) == 1


def test_c9_a_status_before_the_answer_is_kept(desk: tuple[Office, Number]) -> None:
    here, number = desk
    [chat] = here.customers(1).values()
    number.accountant.statuses("before_answer")
    number.accountant.fault("delay", seconds=1.5, times=1)

    message = here.write(chat)

    until(lambda: number.accountant.accepts(message), seconds=20, what="the entry in the books")
    here.wait_for(message, "read")
    row = here.row(message)
    assert row["providerMessageId"] == number.accountant.sends["byReference"][message]["vendorIds"][0]
    assert row["sentAt"] <= row["deliveredAt"] <= row["readAt"]
    assert number.accountant.accepts(message) == 1
    let_pass(2)
    assert here.state(message) == "read", "the answer must not take it back"


def test_statuses_doubled_and_shuffled_end_the_same(desk: tuple[Office, Number]) -> None:
    here, number = desk
    [chat] = here.customers(1).values()
    ids = []
    for mode in ("doubled", "shuffled"):
        number.accountant.statuses(mode)
        ids += [here.write(chat, f"{mode} {serial}") for serial in range(5)]
    until(lambda: here.count("read") == 10, seconds=60, what="all messages to be read")
    assert [number.accountant.accepts(message) for message in ids] == [1] * 10


@pytest.mark.timeout(240)
def test_c13_many_due_at_once_leave_at_the_numbers_pace(tmp_path: Path) -> None:
    with office(tmp_path) as (here, number):
        here.open(workers=1)
        chats = here.customers(60)
        here.kill_workers()
        number.accountant.statuses("none")
        number.accountant.limit(80, burst=30)
        written = here.write_all(list(chats.values()), 5)
        assert here.count("queued") == 300

        here.hire(2)

        until(lambda: here.count(*ARRIVED) == 300, seconds=90, what="all messages")
        books = number.accountant.sends
        assert {row["accepts"] for row in books["byReference"].values()} == {1}
        assert set(books["byReference"]) == {message for messages in written.values() for message in messages}
        assert busiest_second(books) <= 80 + 30
        for person, chat in chats.items():
            assert number.accountant.sequence(person) == written[chat]
        assert books["refused"].get("130429", 0) <= 5, "the pace was kept without being told"


def busiest_second(books: dict[str, dict[str, list[dict[str, float]]]]) -> int:
    """The most messages taken within any one second."""
    times = sorted(row["at"] for rows in books["byRecipient"].values() for row in rows)
    return max(sum(1 for at in times[i:] if at < began + 1) for i, began in enumerate(times))


@pytest.mark.timeout(300)
def test_a_crowd_on_one_number_with_a_storm_in_the_middle(tmp_path: Path) -> None:
    with office(tmp_path) as (here, number), another_number(here, "555000111222333", "15550192755") as other:
        here.open()
        crowd, few = here.customers(40), here.customers(5, number="555000111222333", prefix="44770091")
        number.accountant.limit(80, burst=80)
        number.accountant.fault("throttle", match={"nth": 60})
        number.accountant.fault("throttle", match={"share": 0.5}, times=60)

        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(here.write_all, list(crowd.values()), 8)
            until(lambda: number.accountant.sends["refused"].get("130429"), seconds=60, what="the storm")
            began = time.monotonic()
            quick = here.write_all(list(few.values()), 2)
            until(lambda: len(other.accountant.sends["byReference"]) == 10, seconds=20, what="the other number")
            assert time.monotonic() - began < 15
            written = writing.result()

        until(lambda: here.count("read") == 330, seconds=120, what="all messages to be read")
        assert_none_lost_none_doubled_in_order(number, crowd, written)
        assert_none_lost_none_doubled_in_order(other, few, quick)
        assert other.accountant.sends["refused"] == {}
        ids = [message for messages in written.values() for message in messages]
        assert {here.row(message).get("tries", 1) for message in ids} == {1}, "throttling costs no attempt"


def assert_none_lost_none_doubled_in_order(
    number: Number, people: dict[str, str], written: dict[str, list[str]]
) -> None:
    books = number.accountant.sends
    ids = [message for messages in written.values() for message in messages]
    assert {reference: row["accepts"] for reference, row in books["byReference"].items()} == dict.fromkeys(ids, 1)
    for person, chat in people.items():
        assert [row["reference"] for row in books["byRecipient"][person]] == written[chat]
