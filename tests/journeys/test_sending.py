"""Every message an agent writes leaves at most once, and its fate is known, whatever the vendor or the machine does.

The simulated Meta is the accountant: it books a message before it answers. Our own reference in its books says how
often each message was really taken. All faults of FAULTS §2 C and D, where each is tested over real processes, and the
control that shows the same account not balancing once the mechanism is off ("row" is one of `test_sending_controls`):

    fault                               journey                                                        control
    C1  taken, no answer                here, test_c1_*                                                row C1
    C2  killed after it was taken       here, test_c2_*                                                row C2
    C3  killed before it connected      test_sending_failures, test_c3_*                               row C3
    C4  refused, no name, TLS           test_sending_failures, test_c4_*; 503: here                    row C4
    C5  throttled                       here, test_c5_*, test_a_crowd_*                                row C5
    C6  down for long                   test_sending_failures, test_c6_*                               row C6
    C7  131026, 131047; 190             test_sending_failures, test_c7_*                               rows C7
    C8  many ask again at once          here, test_c8_*                                                row C8; [1]
    C9  a status before the answer      here, test_c9_*                                                row C9
    C10 garbage, no id, 50 MB           here, test_c1_c10_*                                            row C10
    C11 budget spent                    test_sending_failures, test_c11_*                              row C11
    C12 token exchanged meanwhile       test_sending_failures, test_c12_*                              row C12
    C13 many due at once                here, test_c13_*                                               row C13; [2]
    D1  two clocks, 3,000 due           test_clocks, test_two_clocks_*                                 test_clocks, D1
    D2  clock killed while it fires     test_clocks, test_a_clock_that_is_killed_*,
                                        test_a_clock_killed_after_it_queued_*                          its control
    D3  a reply in the moment           test_clocks, test_a_reply_in_the_moment_*                      test_clocks, D3
    D4  away for two hours              test_clocks, test_a_clock_that_was_away_*                      test_clocks, D4
    D5  zones, DST, leap days           test_clocks, test_a_reminder_fires_at_*, test_days_and_*; [3]  test_clocks, D5
    D6  Redis emptied                   test_clocks, test_redis_emptied_*                              test_clocks, D6

[1] tests.services.sending.test_order, test_control_without_the_claim_*
[2] of a customer's pace: a number's, 80 a second, a process may be too slow to break; for that
    tests.services.sending.test_pace, test_control_without_a_limit_*
[3] tests.services.reminding.test_firing, ODD_TIMES the clock set back: the odd instants themselves, by a moved clock
"""

import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from itertools import chain
from typing import Any

import pytest

from tests.journeys.conftest import Desk
from tests.support.outbound import ARRIVED, all_of, assert_linked, assert_sound, let_pass
from tests.support.waiting import until

#: Seconds in which whatever would send again has had its chances: leases, sweeps and clocks are faster.
CHANCES = 10
#: Seconds after which a late status is told: long after the call was given up.
LATE = 9.0


def test_a_message_is_sent_delivered_and_read(desk: Desk) -> None:
    here, number = desk
    [(person, chat)] = here.customers(1).items()

    message = here.write(chat)

    here.wait_for(message, "read")
    row = here.row(message)
    assert number.accountant.sequence(person) == [message]
    assert_linked(here, number, message)
    assert row["sentAt"] <= row["deliveredAt"] <= row["readAt"]


def test_c1_taken_without_an_answer_is_unknown_until_a_late_status_and_never_sent_again(desk: Desk) -> None:
    here, number = desk
    [chat] = here.customers(1).values()
    number.accountant.statuses("late", LATE)
    number.accountant.fault("hang_after_accept", times=1)

    message = here.write(chat)

    here.wait_for(message, "unknown")
    assert number.accountant.accepts(message) == 1
    here.wait_for(message, "read", seconds=LATE + 20)
    assert number.accountant.accepts(message) == 1
    assert_linked(here, number, message)


@pytest.mark.timeout(180)
def test_c1_c10_without_any_status_it_stays_unknown_until_a_person_asks(desk: Desk) -> None:
    here, number = desk
    faults = ("hang_after_accept", "close_after_accept", "garbage", "no_id", "big_body")
    people = here.customers(len(faults))
    number.accountant.statuses("none")
    for fault, person in zip(faults, people, strict=True):
        number.accountant.fault(fault, match={"recipient": person}, times=1)

    written = here.write_all(list(people.values()), 1)

    here.wait_for_all(all_of(written), "unknown")
    let_pass(CHANCES)
    here.wait_for_all(all_of(written), "unknown", seconds=0)
    assert_sound(number, people, written)
    # The control: a person does send again, and the books show it.
    assert {here.retry(message) for message in all_of(written)} == {202}
    here.wait_for_all(all_of(written), *ARRIVED)
    assert {number.accountant.accepts(message) for message in all_of(written)} == {2}


def test_c2_a_worker_killed_after_the_vendor_took_it_sends_nothing_again(desk: Desk) -> None:
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
    assert_linked(here, number, message)


def test_c4_a_vendor_that_cannot_be_reached_is_tried_again(desk: Desk) -> None:
    here, number = desk
    [chat] = here.customers(1).values()
    number.accountant.fault("error", status=503, times=2)

    message = here.write(chat)

    here.wait_for(message, "read", seconds=40)
    assert number.accountant.accepts(message) == 1


@pytest.mark.parametrize("retry_after", [None, "1", "date", "soon", "-5"])
def test_c5_throttling_costs_no_attempt_and_no_order(desk: Desk, retry_after: str | None) -> None:
    here, number = desk
    people = here.customers(4)
    told = formatdate(time.time() + 2, usegmt=True) if retry_after == "date" else retry_after
    before = number.accountant.sends["refused"].get("130429", 0)
    number.accountant.fault("throttle", times=6, retry_after=told)

    written = here.write_all(list(people.values()), 3)

    here.wait_for_all(all_of(written), "read")
    assert number.accountant.sends["refused"]["130429"] == before + 6
    assert_sound(number, people, written)
    assert here.tries(all_of(written)) == {1}


def test_c5_a_retry_after_beyond_reason_is_cut_short(desk: Desk) -> None:
    here, number = desk
    [chat] = here.customers(1).values()
    number.accountant.fault("throttle", times=1, retry_after="1000000000")

    message = here.write(chat)

    until(lambda: here.row(message).get("nextAttemptAt"), seconds=20, what="the message to be put off")
    put_off = here.row(message)["nextAttemptAt"].timestamp() - time.time()
    assert 0 < put_off <= 24 * 3600
    assert here.state(message) == "queued"
    here.post(f"messages/{message}/cancel", {})


def test_c8_many_who_ask_for_another_attempt_at_once_get_one(desk: Desk) -> None:
    here, number = desk
    [chat] = here.customers(1).values()
    number.accountant.fault("error", code="131009", times=1)
    message = here.write(chat)
    here.wait_for(message, "failed")
    assert number.accountant.accepts(message) == 0

    def ask(turn: int) -> int:
        """Ask as an agent, and now and then as the clock."""
        if turn % 4 == 3:
            here.system.services.restoring.stranded()
            return 0
        return here.retry(message)

    with ThreadPoolExecutor(12) as pool:
        answers = sorted(pool.map(ask, range(12)))

    assert answers == [0, 0, 0, 202, *[409] * 8]
    here.wait_for(message, "read")
    assert number.accountant.accepts(message) == 1


def test_c9_a_status_before_the_answer_is_kept(desk: Desk) -> None:
    here, number = desk
    [chat] = here.customers(1).values()
    number.accountant.statuses("before_answer")
    number.accountant.fault("delay", seconds=1.5, times=1)

    message = here.write(chat)

    until(lambda: number.accountant.accepts(message), seconds=20, what="the entry in the books")
    here.wait_for(message, "read")
    row = here.row(message)
    assert row["sentAt"] <= row["deliveredAt"] <= row["readAt"]
    assert number.accountant.accepts(message) == 1
    let_pass(2)
    assert here.state(message) == "read", "the answer must not take it back"
    assert_linked(here, number, message)


def test_statuses_doubled_and_shuffled_end_the_same(desk: Desk) -> None:
    here, number = desk
    [chat] = here.customers(1).values()
    ids = []
    for mode in ("doubled", "shuffled"):
        number.accountant.statuses(mode)
        ids += [here.write(chat, f"{mode} {serial}") for serial in range(5)]
        here.wait_for_all(ids, "read")
    assert [number.accountant.accepts(message) for message in ids] == [1] * 10


@pytest.mark.timeout(240)
def test_c13_many_due_at_once_leave_at_the_numbers_pace(desk: Desk) -> None:
    here, number = desk
    people = here.customers(60)
    here.kill_workers()
    number.accountant.statuses("none")
    number.accountant.limit(80, burst=30)
    written = here.write_all(list(people.values()), 5)
    before = number.accountant.sends
    assert before["byReference"].keys().isdisjoint(all_of(written))

    here.hire(2)

    here.wait_for_all(all_of(written), *ARRIVED, seconds=90)
    books = number.accountant.sends
    assert_sound(number, people, written)
    assert busiest_second(books, people) <= 80 + 30
    throttled = books["refused"].get("130429", 0) - before["refused"].get("130429", 0)
    assert throttled <= 5, "the pace is kept without being told"


def test_c13_many_due_to_one_customer_leave_at_the_pairs_pace(desk: Desk) -> None:
    here, number = desk
    [(person, chat)] = here.customers(1).items()
    here.kill_workers()
    number.accountant.statuses("none")
    number.accountant.limit(1 / 6, per="pair", burst=45)
    [written] = here.write_all([chat], 60).values()
    before = number.accountant.sends["refused"].get("131056", 0)

    here.hire(2)

    until(lambda: len(number.accountant.sequence(person)) >= 45, seconds=60, what="the burst")
    let_pass(CHANCES)
    taken = number.accountant.sequence(person)
    assert 46 <= len(taken) < 60, "one more every six seconds"
    assert taken == written[: len(taken)]
    assert number.accountant.sends["refused"].get("131056", 0) == before, "the pace is kept without being told"


def busiest_second(books: dict[str, Any], people: dict[str, str]) -> int:
    """The most messages taken within any one second."""
    times = sorted(row["at"] for person in people for row in books["byRecipient"][person])
    return max(sum(1 for at in times[i:] if at < began + 1) for i, began in enumerate(times))


@pytest.mark.timeout(300)
def test_a_crowd_on_one_number_with_a_storm_in_the_middle(desk: Desk) -> None:
    """The same in full size, with figures: `python -m benchmarks.sending`."""
    here, number = desk
    other = here.other
    crowd, few = here.customers(40), here.customers(5, number=other.number_id)
    here.kill_workers()
    number.accountant.limit(80, burst=30)
    written = here.write_all(list(crowd.values()), 8)
    already = number.accountant.sends["accepted"]
    here.hire(2)
    until(lambda: number.accountant.sends["accepted"] >= already + 100, seconds=60, what="a third of it")

    number.accountant.fault("throttle")
    began = time.monotonic()
    quick = here.write_all(list(few.values()), 2)
    here.wait_for_all(all_of(quick), *ARRIVED, seconds=20)
    unaffected = time.monotonic() - began
    let_pass(max(0.0, 3 - unaffected))
    number.accountant.ask("DELETE", "/faults")

    here.wait_for_all(chain(all_of(written), all_of(quick)), "read", seconds=120)
    assert number.accountant.sends["refused"]["130429"] > 0
    assert_sound(number, crowd, written)
    assert_sound(other, few, quick)
    assert other.accountant.sends["refused"] == {}
    assert here.tries(all_of(written)) == {1}, "throttling costs no attempt"
    assert unaffected < 10
