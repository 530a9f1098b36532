"""Every simulated vendor as accountant: it books what it takes, goes wrong as ordered, and tells what becomes of it."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
import requests

from tests.sandbox.business import ALL, Business, Desk, open_desk
from tests.support.waiting import until

SOON = 15
_serial = count(1)


@pytest.fixture(scope="module", params=ALL, ids=lambda business: business.vendor.slug)
def opened(request: pytest.FixtureRequest) -> Iterator[Desk]:
    business: Business = request.param
    with open_desk(business) as desk:
        yield desk


@pytest.fixture
def desk(opened: Desk) -> Desk:
    opened.accountant.recover()
    return opened


@pytest.fixture
def to() -> str:
    """A number that no other test writes to."""
    return f"4477009{next(_serial):05d}"


@pytest.fixture
def reference() -> str:
    return f"msg_{next(_serial):06d}"


# --- books -------------------------------------------------------------------------------------------------------


def test_a_message_is_booked_with_its_reference_its_place_and_what_it_says(desk: Desk, to: str, reference: str) -> None:
    first = desk.sent(to, "one", reference)
    desk.sent(to, "two")
    rows = desk.accountant.sends["byRecipient"][to]
    assert rows[0]["vendorId"] == first
    assert rows[0]["order"] < rows[1]["order"]
    assert rows[0]["at"] <= rows[1]["at"] <= time.time()
    assert rows[0]["digest"] != rows[1]["digest"]
    if desk.business.carries_reference:
        assert [row["reference"] for row in rows] == [reference, None]
        assert desk.accountant.accepts(reference) == 1
    else:
        assert [row["reference"] for row in rows] == [None, None]


def test_the_same_message_twice_is_two_entries_with_one_digest(desk: Desk, to: str, reference: str) -> None:
    ids = {desk.sent(to, "again", reference) for _ in range(2)}
    rows = desk.accountant.sends["byRecipient"][to]
    assert len(ids) == 2
    assert len({row["digest"] for row in rows}) == 1
    if desk.business.carries_reference:
        assert desk.accountant.accepts(reference) == 2


def test_the_reference_is_no_part_of_the_digest(desk: Desk, to: str, reference: str) -> None:
    for one in (reference, f"{reference}b"):
        desk.sent(to, "same", one)
    assert len({row["digest"] for row in desk.accountant.sends["byRecipient"][to]}) == 1


def test_many_at_once_are_booked_once_each_in_one_order(desk: Desk, to: str) -> None:
    before = desk.accountant.sends["accepted"]
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda number: desk.sent(to, f"{number}"), range(60)))
    books = desk.accountant.sends
    rows = books["byRecipient"][to]
    orders = [row["order"] for row in rows]
    assert books["accepted"] == before + 60
    assert {row["vendorId"] for row in rows} == set(ids)
    assert orders == sorted(set(orders))


# --- faults ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["close_after_accept", "hang_after_accept"])
def test_what_was_taken_without_an_answer_is_in_the_books(desk: Desk, to: str, fault: str) -> None:
    desk.accountant.fault(fault, match={"recipient": f"+{to}"}, seconds=30)
    with pytest.raises((requests.ConnectionError, requests.Timeout)):
        desk.send(to, timeout=2)
    assert desk.taken(to) == 1


def test_a_connection_closed_before_leaves_nothing_in_the_books(desk: Desk, to: str) -> None:
    desk.accountant.fault("close_before", match={"recipient": to})
    with pytest.raises(requests.ConnectionError):
        desk.send(to)
    assert desk.taken(to) == 0
    assert desk.refused("close_before") >= 1


def test_a_hang_ends_with_a_closed_connection(desk: Desk, to: str) -> None:
    desk.accountant.fault("hang_after_accept", match={"recipient": to}, seconds=0.5)
    began = time.monotonic()
    with pytest.raises(requests.ConnectionError):
        desk.send(to)
    assert 0.5 <= time.monotonic() - began < 10


def test_a_delay_answers_late_what_is_booked_at_once(desk: Desk, to: str) -> None:
    desk.accountant.fault("delay", match={"recipient": to}, seconds=1.5)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(desk.send, to)
        until(lambda: desk.taken(to), seconds=1.4, what="the entry, before the answer")
        assert not answer.done()
        assert answer.result().ok


@pytest.mark.parametrize("told", ["7", "Sun, 22 Nov 2026 15:04:05 GMT", "soon"])
def test_a_throttle_is_the_vendors_own_and_says_when_to_come_back(desk: Desk, to: str, told: str) -> None:
    status, words = desk.business.throttle
    desk.accountant.fault("throttle", match={"recipient": to}, retry_after=told)
    answer = desk.send(to)
    assert answer.status_code == status
    assert words in answer.text
    assert answer.headers["Retry-After"] == told
    assert desk.taken(to) == 0


def test_an_edge_that_is_down_answers_no_json(desk: Desk, to: str) -> None:
    desk.accountant.fault("error", match={"recipient": to}, status=502)
    answer = desk.send(to)
    assert (answer.status_code, answer.headers["Content-Type"]) == (502, "text/html")
    assert desk.taken(to) == 0


def test_garbage_is_booked_and_cannot_be_read(desk: Desk, to: str) -> None:
    desk.accountant.fault("garbage", match={"recipient": to})
    answer = desk.send(to)
    assert answer.status_code == 200
    with pytest.raises(ValueError):
        answer.json()
    assert desk.taken(to) == 1


def test_an_answer_without_an_id_is_booked(desk: Desk, to: str) -> None:
    desk.accountant.fault("no_id", match={"recipient": to})
    answer = desk.send(to)
    assert answer.ok
    assert desk.business.vendor_id(answer.json()) is None
    assert desk.taken(to) == 1


def test_a_body_may_be_far_too_big(desk: Desk, to: str) -> None:
    desk.accountant.fault("big_body", match={"recipient": to})
    assert len(desk.send(to, timeout=60).content) > 40_000_000
    assert desk.taken(to) == 1


def test_faults_strike_whom_they_are_for_and_as_often_as_ordered(desk: Desk, to: str) -> None:
    other = f"{to}9"
    desk.accountant.fault("throttle", match={"recipient": to, "nth": 2})
    desk.accountant.fault("error", match={"recipient": other}, status=503, times=2)
    assert [desk.send(to).ok for _ in range(3)] == [True, False, True]
    assert [desk.send(other).ok for _ in range(3)] == [False, False, True]
    assert [one["struck"] for one in desk.accountant.ask("GET", "/faults")["faults"]] == [1, 2]


def test_a_fault_may_be_for_one_message_of_ours(desk: Desk, to: str, reference: str) -> None:
    if not desk.business.carries_reference:
        pytest.skip("this vendor carries no reference")
    desk.accountant.fault("throttle", match={"reference": [reference]})
    assert not desk.send(to, "one", reference).ok
    assert desk.send(to, "two", f"{reference}x").ok


def test_a_share_is_struck(desk: Desk, to: str) -> None:
    desk.accountant.fault("throttle", match={"recipient": to, "share": 0.5})
    fine = sum(desk.send(to).ok for _ in range(60))
    assert 10 < fine < 50


def test_what_is_not_understood_is_refused(desk: Desk) -> None:
    for wish in ({"do": "explode"}, {"do": "delay", "match": {"weather": "bad"}}, {}):
        answer = requests.post(f"{desk.url}/faults", json=wish, timeout=5)
        assert answer.status_code == 400
    assert requests.post(f"{desk.url}/limits", json={"per": "number"}, timeout=5).status_code == 400
    assert requests.post(f"{desk.url}/statuses", json={"mode": "never"}, timeout=5).status_code == 400
    assert desk.accountant.ask("GET", "/faults")["faults"] == []


# --- limits ------------------------------------------------------------------------------------------------------


def test_a_number_that_is_too_fast_is_throttled_and_nothing_of_that_is_booked(desk: Desk, to: str) -> None:
    status, words = desk.business.throttle
    desk.accountant.limit(1, burst=5)
    answers = [desk.send(to) for _ in range(12)]
    refused = [answer for answer in answers if not answer.ok]
    assert len(answers) - len(refused) == desk.taken(to)
    assert 5 <= desk.taken(to) < 12
    assert {answer.status_code for answer in refused} == {status}
    assert all(words in answer.text for answer in refused)


def test_a_pair_that_is_too_fast_holds_up_nobody_else(desk: Desk, to: str) -> None:
    desk.accountant.limit(0.01, per="pair", burst=2)
    assert [desk.send(to).ok for _ in range(3)] == [True, True, False]
    assert desk.send(f"{to}8").ok


# --- what becomes of it ------------------------------------------------------------------------------------------


def usual(desk: Desk) -> list[str]:
    return list(desk.business.vendor.scribe().fates[0])


def all_told(desk: Desk, vendor_id: str) -> list[str]:
    until(lambda: len(desk.told(vendor_id)) >= len(usual(desk)), seconds=SOON, what="all states")
    return desk.told(vendor_id)


def test_a_message_is_sent_delivered_and_read(desk: Desk, to: str, reference: str) -> None:
    assert all_told(desk, desk.sent(to, "hello", reference)) == usual(desk)


def test_doubled_is_told_twice(desk: Desk, to: str) -> None:
    desk.accountant.statuses("doubled")
    sent = desk.sent(to)
    until(lambda: len(desk.told(sent)) == 2 * len(usual(desk)), seconds=SOON, what="all states twice")
    assert sorted(desk.told(sent)) == sorted(2 * usual(desk))


def test_shuffled_is_told_in_another_order(desk: Desk, to: str) -> None:
    desk.accountant.statuses("shuffled")
    sent = [desk.sent(to) for _ in range(12)]
    orders = [all_told(desk, one) for one in sent]
    assert all(sorted(one) == sorted(usual(desk)) for one in orders)
    assert any(one != usual(desk) for one in orders)


def test_none_is_never_told_and_late_later(desk: Desk, to: str) -> None:
    desk.accountant.statuses("none")
    silent = desk.sent(to)
    desk.accountant.statuses("late", 2)
    late = desk.sent(to)
    sent_at = time.monotonic()
    until(lambda: desk.told(late), seconds=SOON, what="the late states")
    assert time.monotonic() - sent_at > 1.5
    assert desk.told(silent) == []


def test_a_status_may_be_told_before_the_answer(desk: Desk, to: str) -> None:
    desk.accountant.statuses("before_answer")
    desk.accountant.fault("delay", match={"recipient": to}, seconds=3)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(desk.sent, to)
        until(lambda: desk.taken(to), seconds=2, what="the entry")
        taken = desk.accountant.sends["byRecipient"][to][0]["vendorId"]
        until(lambda: desk.told(taken) or said_itself(desk, taken), seconds=2, what="the first word, before the answer")
        assert not answer.done()
        assert answer.result() == taken


def said_itself(desk: Desk, vendor_id: str) -> bool:
    """ChatAPI tells the message itself first."""
    return any(vendor_id.encode() in one.body for one in desk.endpoint.received)


def test_the_books_of_deliveries_are_as_before(desk: Desk, to: str) -> None:
    sent = desk.sent(to)
    all_told(desk, sent)
    items = desk.accountant.ask("GET", "/ledger")["items"]
    told = [item for item in items if item["id"] == sent and item["kind"] == "status"]
    assert [item["what"] for item in told] == usual(desk)
    until(lambda: acknowledged(desk, sent), seconds=SOON, what="the acknowledgements")


def acknowledged(desk: Desk, vendor_id: str) -> bool:
    items = desk.accountant.ask("GET", "/ledger")["items"]
    return all(item["acknowledged"] == 1 for item in items if item["id"] == vendor_id)
