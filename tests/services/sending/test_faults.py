"""What goes wrong on the way: each message is accepted at most once per attempt, and its fate is told."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from models.message import Attempt, Message
from models.values import MessageStatus
from providers.outbound import Receipt
from services.sending.schedule import MAX_TRIES
from tests.support import vendor as vendors
from tests.support.sending import Desk
from tests.support.vendor import Answer, Booked
from tests.support.wired import Wired

LONG_AGO = timedelta(minutes=5)


def outcomes(message: Message) -> list[str | None]:
    return [one.outcome for one in message.attempts or []]


def begun(desk: Desk, message: Message) -> Message:
    """What a worker leaves behind that dies after it wrote down that it sends, and before it does."""
    now = desk.wired.clock.now()
    attempt = Attempt(n=1, at=now)
    assert desk.wired.sends.begin(message, attempt, until=now + desk.wired.settings.lease)
    return replace(message, status=MessageStatus.SENDING, generation=1, tries=1, attempts=[attempt])


@pytest.mark.parametrize(
    "answer",
    [vendors.TAKES_AND_CLOSES, vendors.GARBAGE, vendors.NO_ID, vendors.ENORMOUS],
    ids=["C1 closed", "C10 garbage", "C10 no id", "C10 50 MB"],
)
def test_taken_and_not_said_so_it_is_unknown_and_never_repeated(desk: Desk, answer: Answer) -> None:
    chat_id = desk.chat()
    message = desk.write(chat_id)
    desk.vendor.answers(answer)

    desk.deliver()
    desk.pass_time(hours=5)
    desk.deliver()

    unknown = desk.message(message)
    assert unknown.status is MessageStatus.UNKNOWN
    assert outcomes(unknown) == ["unknown"]
    assert unknown.error is not None
    assert desk.chat_row(chat_id)["lastMessage"]["status"] == "unknown"
    assert desk.vendor.accepted(message.id) == desk.vendor.requests(message.id) == 1
    assert desk.outboxes == 0


def test_taken_and_answered_too_late_it_is_unknown(desk: Desk) -> None:
    desk.wired.settings = replace(desk.wired.settings, lease=timedelta(seconds=1))
    message = desk.write(desk.chat())
    desk.vendor.answers(vendors.TAKES_AND_HANGS)

    desk.deliver()

    assert desk.message(message).status is MessageStatus.UNKNOWN
    assert desk.vendor.accepted(message.id) == 1


def test_an_unknown_fate_is_settled_by_a_status_that_carries_our_id(desk: Desk) -> None:
    message = desk.write(desk.chat())
    desk.vendor.answers(vendors.TAKES_AND_CLOSES)
    desk.deliver()

    desk.tell(desk.vendor.books[0].provider_message_id, "delivered", ref=message.id)

    settled = desk.message(message)
    assert settled.status is MessageStatus.DELIVERED
    assert settled.provider_message_id == desk.vendor.books[0].provider_message_id
    assert outcomes(settled) == ["accepted"]


def test_c2_a_worker_that_died_after_the_vendor_took_it_leaves_an_unknown_message(desk: Desk) -> None:
    message = desk.write(desk.chat())

    def die(_: Booked) -> None:
        raise SystemExit

    desk.wired.delivering._calling.patiently = die  # type: ignore[assignment, method-assign]
    (turn,) = desk.wired.delivering.claim(limit=1)
    with pytest.raises(SystemExit):
        desk.wired.delivering.work(turn)
    del desk.wired.__dict__["delivering"]
    assert desk.message(message).status is MessageStatus.SENDING

    desk.deliver()
    assert desk.message(message).status is MessageStatus.SENDING, "its lease has not ended"
    desk.pass_time(seconds=60)
    desk.deliver()

    assert desk.message(message).status is MessageStatus.UNKNOWN
    assert desk.vendor.accepted(message.id) == desk.vendor.requests(message.id) == 1
    assert desk.outboxes == 0


def test_c3_a_worker_that_died_before_it_called_leaves_an_unknown_message_and_those_behind_it_go_on(
    desk: Desk,
) -> None:
    chat_id = desk.chat()
    message, other = desk.write(chat_id, "first"), desk.write(chat_id, "second")
    begun(desk, message)

    desk.deliver()
    assert desk.vendor.asked == [], "the second waits while the first may be under way"
    desk.pass_time(seconds=60)
    desk.deliver()

    lost = desk.message(message)
    assert lost.status is MessageStatus.UNKNOWN
    assert lost.error is not None
    assert lost.error.code == "worker_lost"
    assert desk.message(other).status is MessageStatus.ACCEPTED
    assert desk.vendor.requests(message.id) == 0


def test_a_paused_worker_that_wakes_up_late_tells_what_it_knows(desk: Desk) -> None:
    """Its message was given up as unknown meanwhile; the receipt is the truth."""
    message = desk.write(desk.chat())
    held = begun(desk, message)
    desk.pass_time(seconds=60)
    desk.deliver()
    assert desk.message(message).status is MessageStatus.UNKNOWN

    desk.wired.delivering._recording.accepted(held, Receipt(provider_message_id="wamid.LATE"))

    known = desk.message(message)
    assert (known.status, known.provider_message_id) == (MessageStatus.ACCEPTED, "wamid.LATE")
    assert outcomes(known) == ["accepted"]


def test_c4_a_vendor_that_cannot_be_reached_is_tried_again_on_schedule(desk: Desk) -> None:
    message = desk.write(desk.chat())
    desk.vendor.close()

    desk.deliver()
    waiting = desk.message(message)
    assert waiting.status is MessageStatus.QUEUED
    assert outcomes(waiting) == ["retry"]
    assert waiting.next_attempt_at is not None
    wait = (waiting.next_attempt_at - desk.wired.clock.now()).total_seconds()
    assert 2 <= wait <= 2.5

    desk.deliver()
    assert outcomes(desk.message(message)) == ["retry"], "not before its time"
    desk.vendor.open()
    desk.pass_time(seconds=3)
    desk.deliver()

    sent = desk.message(message)
    assert sent.status is MessageStatus.ACCEPTED
    assert outcomes(sent) == ["retry", "accepted"]
    assert [one.n for one in sent.attempts or []] == [1, 2]


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [("7", 7, 9), (None, 1, 2), ("soon", 1, 2), ("1000000000", 3600, 3600)],
    ids=["seconds", "nothing", "garbage", "far away"],
)
def test_c5_a_throttle_slows_the_number_and_costs_no_attempt(
    desk: Desk, said: str | None, least: float, most: float
) -> None:
    message = desk.write(desk.chat(1))
    neighbour = desk.write(desk.chat(2))
    headers = {"Retry-After": said} if said else {}
    desk.vendor.answers(replace(vendors.THROTTLED, headers=headers), then=replace(vendors.THROTTLED, headers=headers))

    desk.deliver()

    waiting = desk.message(message)
    assert waiting.status is MessageStatus.QUEUED
    assert waiting.tries == 0
    assert outcomes(waiting) == ["throttled"]
    assert waiting.next_attempt_at is not None
    assert least <= (waiting.next_attempt_at - desk.wired.clock.now()).total_seconds() <= most
    assert desk.vendor.requests(neighbour.id) == 0, "everybody behind the same number waits"
    assert desk.message(neighbour).attempts is None

    desk.vendor.answers()
    desk.pass_time(hours=2)
    desk.deliver()
    assert desk.message(message).status is desk.message(neighbour).status is MessageStatus.ACCEPTED


def test_c5_other_numbers_are_not_slowed(desk: Desk) -> None:
    number = "441000000000001"
    config = desk.account(number)
    slowed = desk.write(desk.chat(1))
    free = desk.write(desk.chat(2, config=config, number_id=number))
    desk.vendor.script = lambda ref, _: vendors.THROTTLED if ref == slowed.id else vendors.OK

    desk.deliver()

    assert desk.message(slowed).status is MessageStatus.QUEUED
    assert desk.message(free).status is MessageStatus.ACCEPTED


def test_c5_a_hundred_throttles_spend_nothing_and_leave_a_short_record(desk: Desk) -> None:
    message = desk.write(desk.chat())
    desk.vendor.answers(then=vendors.THROTTLED)
    for _ in range(30):
        desk.deliver()
        desk.pass_time(minutes=10)

    waiting = desk.message(message)
    assert desk.vendor.requests(message.id) == 30
    assert waiting.status is MessageStatus.QUEUED
    assert waiting.tries == 0
    assert len(waiting.attempts or []) <= 3


def test_a_throttled_pair_holds_back_its_chat_alone(desk: Desk) -> None:
    slowed, free = desk.write(desk.chat(1)), desk.write(desk.chat(2))
    desk.vendor.script = lambda ref, _: vendors.PAIR_THROTTLED if ref == slowed.id else vendors.OK

    desk.deliver()

    assert desk.message(slowed).status is MessageStatus.QUEUED
    assert desk.message(free).status is MessageStatus.ACCEPTED


def test_c6_a_vendor_that_is_down_is_probed_by_one_message_at_a_time(desk: Desk) -> None:
    messages = [desk.write(desk.chat(n)) for n in range(25)]
    desk.vendor.answers(then=vendors.DOWN)

    desk.deliver()

    (pause,) = desk.wired.store.sendpauses.find()
    assert pause["reason"] == "vendor_down"
    before = len(desk.vendor.asked)
    assert before < len(messages), "the rest waits untouched"
    for _ in range(20):
        desk.pass_time(seconds=1)
        desk.deliver()
    probes = len(desk.vendor.asked) - before
    assert 1 <= probes <= 4, "probes come 2, 4, 8 … seconds apart"
    assert desk.wired.configs.get(desk.wired.account.id).health.state == "paused"

    desk.vendor.answers()
    for _ in range(40):
        desk.pass_time(seconds=20)
        desk.deliver()

    assert {desk.message(one).status for one in messages} == {MessageStatus.ACCEPTED}
    assert {desk.vendor.accepted(one.id) for one in messages} == {1}
    assert desk.wired.store.sendpauses.count_documents({}) == 0
    assert desk.wired.configs.get(desk.wired.account.id).health.state == "ok"
    verbs = [entry["verb"] for entry in desk.wired.store.auditentries.find({"entity": "whatsappConfig"}).sort("at", 1)]
    assert verbs == ["pause", "resume"]


def test_c7_a_final_refusal_is_not_repeated_and_gives_its_reason(desk: Desk) -> None:
    chat_id = desk.chat()
    message, behind = desk.write(chat_id), desk.write(chat_id, "next")
    desk.vendor.answers(vendors.error(131026, details="Message undeliverable"))

    desk.deliver()

    failed = desk.message(message)
    assert failed.status is MessageStatus.FAILED
    assert failed.error is not None
    assert (failed.error.code, failed.error.kind, failed.error.retryable) == ("131026", "final", False)
    assert failed.failed_at is not None
    assert desk.message(behind).status is MessageStatus.ACCEPTED, "what failed keeps nobody waiting"
    assert desk.vendor.requests(message.id) == 1


def test_c7_a_closed_window_corrects_our_view(desk: Desk) -> None:
    chat_id = desk.chat()
    message = desk.write(chat_id)
    desk.vendor.answers(vendors.error(131047, details="Re-engagement message"))

    desk.deliver()

    assert desk.message(message).status is MessageStatus.FAILED
    assert desk.chat_row(chat_id)["windowExpiresAt"] <= desk.wired.clock.now()


def test_c7_a_window_closed_told_later_by_a_status_corrects_our_view_too(desk: Desk) -> None:
    chat_id = desk.chat()
    message = desk.write(chat_id)
    desk.deliver()
    accepted = desk.message(message)
    assert accepted.provider_message_id

    desk.tell(accepted.provider_message_id, "failed", ref=message.id, errors=[{"code": 131047, "title": "Re-engage"}])

    assert desk.message(message).status is MessageStatus.FAILED
    assert desk.chat_row(chat_id)["windowExpiresAt"] <= desk.wired.clock.now()
    desk.wired.clock_hand.move(timedelta(minutes=1))
    desk.chat()
    assert desk.chat_row(chat_id)["windowExpiresAt"] > desk.wired.clock.now(), "the customer has written again"


def test_c7_an_expired_token_pauses_the_account_and_fails_no_message(desk: Desk) -> None:
    messages = [desk.write(desk.chat(n)) for n in range(5)]
    desk.vendor.answers(then=vendors.EXPIRED)

    desk.deliver()

    assert len(desk.vendor.asked) == 1
    assert {desk.message(one).status for one in messages} == {MessageStatus.QUEUED}
    assert {desk.message(one).tries or 0 for one in messages} == {0}
    assert desk.wired.configs.get(desk.wired.account.id).health.state == "ok", "one may be a whim"
    desk.pass_time(seconds=3)
    desk.deliver()
    assert desk.wired.configs.get(desk.wired.account.id).health.state == "auth_error"
    for _ in range(60):
        desk.pass_time(seconds=1)
        desk.deliver()
    assert len(desk.vendor.asked) < 10

    desk.vendor.answers()
    for _ in range(5):
        desk.pass_time(minutes=2)
        desk.deliver()
    assert {desk.message(one).status for one in messages} == {MessageStatus.ACCEPTED}
    assert desk.wired.configs.get(desk.wired.account.id).health.state == "ok"


def test_c12_a_token_rotated_meanwhile_is_the_one_used(desk: Desk) -> None:
    message = desk.write(desk.chat())
    desk.vendor.answers(then=vendors.EXPIRED)
    desk.deliver()

    provider = desk.wired.reader.provider(desk.wired.account.provider)
    desk.wired.connecting.rotate(desk.wired.account.id, provider, {"accessToken": "EAAfresh"})
    desk.wired.directory.refresh(older_than=0)
    desk.vendor.script = lambda _ref, _n: vendors.OK if desk.vendor.tokens[-1] == "EAAfresh" else vendors.EXPIRED
    desk.pass_time(seconds=10)
    desk.deliver()

    assert desk.vendor.tokens[-1] == "EAAfresh"
    assert desk.message(message).status is MessageStatus.ACCEPTED


def test_c9_a_status_that_comes_before_the_answer_is_not_undone_by_it(desk: Desk) -> None:
    message = desk.write(desk.chat())
    seen: list[MessageStatus] = []

    def tell(booked: Booked) -> None:
        desk.tell(booked.provider_message_id, "delivered", ref=message.id)
        seen.append(desk.message(message).status)

    desk.vendor.on_taken = tell
    desk.deliver()

    assert seen == [MessageStatus.DELIVERED]
    known = desk.message(message)
    assert known.status is MessageStatus.DELIVERED
    assert known.provider_message_id == desk.vendor.books[0].provider_message_id
    assert outcomes(known) == ["accepted"]
    assert known.lease_until is None
    assert desk.outboxes == 0


def test_c9_a_status_without_our_id_waits_and_is_applied_with_the_answer(desk: Desk) -> None:
    message = desk.write(desk.chat())
    desk.vendor.on_taken = lambda booked: desk.tell(booked.provider_message_id, "read")

    desk.deliver()

    assert desk.message(message).status is MessageStatus.READ
    assert desk.wired.store.pendingupdates.count_documents({}) == 0


def test_c11_a_spent_budget_fails_and_a_person_may_ask_again(desk: Desk) -> None:
    message = desk.write(desk.chat())
    desk.vendor.answers(then=vendors.error(131000, status=500))
    for _ in range(40):
        desk.deliver()
        desk.pass_time(minutes=15)

    failed = desk.message(message)
    assert failed.status is MessageStatus.FAILED
    assert failed.error is not None
    assert failed.error.retryable
    assert desk.vendor.requests(message.id) == failed.tries
    assert 1 < (failed.tries or 0) <= MAX_TRIES

    # The window would have closed in all this time.
    desk.chat()
    desk.vendor.answers()
    desk.wired.steering.retry(message.id, by=None, reason="test")
    desk.deliver()
    assert desk.message(message).status is MessageStatus.ACCEPTED
    assert desk.vendor.accepted(message.id) == 1


def test_an_outage_of_the_database_after_the_call_does_not_make_the_fate_unknown(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pymongo.errors import AutoReconnect

    message = desk.write(desk.chat())
    sends = desk.wired.sends
    accept: Callable[..., Any] = sends.accept
    failures = [AutoReconnect("primary is gone"), AutoReconnect("no primary yet")]

    def unsteady(*args: Any, **kwargs: Any) -> None:
        if failures:
            raise failures.pop()
        accept(*args, **kwargs)

    monkeypatch.setattr(sends, "accept", unsteady)
    desk.deliver()

    assert desk.message(message).status is MessageStatus.ACCEPTED


def test_an_outage_that_outlasts_the_lease_does_not_either(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute without a database: meanwhile another worker may have called the message unknown."""
    from pymongo.errors import ServerSelectionTimeoutError

    message, now = desk.write(desk.chat()), [0.0]
    steady = SimpleNamespace(monotonic=lambda: now[0], perf_counter=time.perf_counter, sleep=lambda _: None)
    monkeypatch.setattr("services.sending.calling.time", steady)
    accept: Callable[..., Any] = desk.wired.sends.accept

    def away(*args: Any, **kwargs: Any) -> None:
        now[0] += 15
        if now[0] < 60:
            raise ServerSelectionTimeoutError("no primary")
        desk.wired.clock_hand.move(timedelta(minutes=1))
        Wired(desk.wired.settings, application="other", clock=desk.wired.clock).delivering.deliver()
        assert desk.message(message).status is MessageStatus.UNKNOWN
        accept(*args, **kwargs)

    monkeypatch.setattr(desk.wired.sends, "accept", away)
    desk.deliver()

    known = desk.message(message)
    assert (known.status, known.provider_message_id) == (
        MessageStatus.ACCEPTED,
        desk.vendor.books[0].provider_message_id,
    )
    assert desk.vendor.accepted(message.id) == 1
