"""Blocked senders: vendors with a list of their own are told, once and as long as that can help."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from models.blocked_number import BlockedNumber, PushState
from models.store.blocks import Blocks
from runtime.calls import HttpAnswer, NotSent, Unanswered
from services.blocking import LEASE, PAUSES, SETTLED_AFTER, Blocking
from tests.support import meta_webhooks as meta
from tests.support.blocking import DONE, PHONE, RUTH, another_process, chat, row
from tests.support.canned import CannedCalls
from tests.support.wired import Wired

FREED = HttpAnswer(status=200, body=b'{"block_users": {"removed_users": [{"input": "+447700900381"}]}}')


def refused(code: int, status: int = 400) -> HttpAnswer:
    error = {"code": code, "message": "no"}
    failed = {"block_users": {"failed_users": [{"input": PHONE, "errors": [error]}]}, "error": {"code": 139100}}
    return HttpAnswer(status=status, body=json.dumps(failed if code == 131047 else {"error": error}).encode())


@pytest.fixture
def calls() -> CannedCalls:
    return CannedCalls(DONE)


@pytest.fixture
def blocking(wired: Wired, calls: CannedCalls) -> Blocking:
    return another_process(wired, calls)


def settled(wired: Wired, blocking: Blocking) -> None:
    """Let blocks come to rest: nobody who opens a chat now was overlooked."""
    blocking.attend()
    wired.clock_hand.move(SETTLED_AFTER)
    blocking.attend()


class TestVendor:
    def test_it_is_told_who_is_blocked_and_when_that_ends(
        self, wired: Wired, blocking: Blocking, calls: CannedCalls
    ) -> None:
        wired.deliver(meta.envelope(meta.text("one")))
        block = blocking.block(phone_number=PHONE, by=RUTH)
        assert calls.requests == []
        blocking.attend()

        (request,) = calls.requests
        assert (request.method, request.url.rpartition("/")[2]) == ("POST", "block_users")
        assert json.loads(request.body)["block_users"] == [{"user": PHONE}]
        assert [one.state for one in row(wired, block).vendor_blocks] == [PushState.DONE]

        calls.answers = [FREED]
        blocking.unblock(block.id, by=RUTH)
        blocking.attend()
        assert [one.method for one in calls.requests] == ["POST", "DELETE"]
        assert [one.state for one in row(wired, block).vendor_blocks] == [PushState.DONE]

    def test_nobody_is_told_of_senders_they_do_not_know(
        self, wired: Wired, blocking: Blocking, calls: CannedCalls
    ) -> None:
        block = blocking.block(phone_number=PHONE, by=RUTH)
        blocking.attend()
        assert row(wired, block).vendor_blocks == []
        assert calls.requests == []

    def test_it_is_told_as_soon_as_a_sender_blocked_before_writes(
        self, wired: Wired, blocking: Blocking, calls: CannedCalls
    ) -> None:
        block = blocking.block(phone_number=PHONE, by=RUTH)
        settled(wired, blocking)
        assert row(wired, block).next_attempt_at is None

        wired.deliver(meta.envelope(meta.text("one")))
        assert blocking.attend() == 1

        (request,) = calls.requests
        assert (request.method, json.loads(request.body)["block_users"]) == ("POST", [{"user": PHONE}])
        assert [one.state for one in row(wired, block).vendor_blocks] == [PushState.DONE]
        wired.deliver(meta.envelope(meta.text("two", at=meta.NOON + 1)))
        assert blocking.attend() == 0

        calls.answers = [FREED]
        blocking.unblock(block.id, by=RUTH)
        blocking.attend()
        assert [one.method for one in calls.requests] == ["POST", "DELETE"]

    def test_of_senders_who_are_not_blocked_no_block_is_touched(self, wired: Wired, blocking: Blocking) -> None:
        block = blocking.block(phone_number=PHONE, by=RUTH)
        settled(wired, blocking)
        before = row(wired, block)
        wired.deliver(meta.envelope(meta.text("one", sender="447700900111")))
        assert row(wired, block) == before

    def test_who_writes_while_a_clock_looks_after_their_block_is_not_forgotten(
        self, wired: Wired, calls: CannedCalls
    ) -> None:
        """The clock has looked where they are known, and would write down that nothing is left to do."""

        class Slow(Blocks):
            arriving = True

            def finish(self, *args: Any, **kwargs: Any) -> bool:
                if self.arriving:
                    self.arriving = False
                    wired.deliver(meta.envelope(meta.text("one")))
                return super().finish(*args, **kwargs)

        blocking = another_process(wired, calls, blocks=Slow(wired.store))
        block = blocking.block(phone_number=PHONE, by=RUTH)
        wired.clock_hand.move(SETTLED_AFTER)
        assert (blocking.attend(), calls.requests) == (0, [])
        assert blocking.attend() == 1
        assert [one.state for one in row(wired, block).vendor_blocks] == [PushState.DONE]

    def test_unblocked_while_a_vendor_is_told_who_came_later_it_is_told_of_the_end_too(
        self, wired: Wired, blocking: Blocking, calls: CannedCalls
    ) -> None:
        block = blocking.block(phone_number=PHONE, by=RUTH)
        settled(wired, blocking)
        wired.deliver(meta.envelope(meta.text("one")))
        calls.meanwhile = lambda: blocking.unblock(block.id, by=RUTH)
        blocking.attend()
        calls.meanwhile = None
        calls.answers = [FREED]
        blocking.attend()
        assert [one.method for one in calls.requests] == ["POST", "DELETE"]
        assert [one.state for one in row(wired, block).vendor_blocks] == [PushState.DONE]

    def test_overtaken_before_it_is_told_it_is_left_to_whoever_came_later(
        self, wired: Wired, calls: CannedCalls
    ) -> None:
        class Slow(Blocks):
            def claim(self, *args: Any, **kwargs: Any) -> BlockedNumber | None:
                found = super().claim(*args, **kwargs)
                if found is not None and found.is_active:
                    process.unblock(found.id, by=RUTH)
                return found

        wired.deliver(meta.envelope(meta.text("one")))
        process = another_process(wired, calls, blocks=Slow(wired.store))
        process.block(phone_number=PHONE, by=RUTH)
        assert (process.attend(), calls.requests) == (0, [])
        calls.answers = [FREED]
        assert process.attend() == 1
        assert [one.method for one in calls.requests] == ["DELETE"]

    def test_what_it_will_never_take_is_not_asked_again(
        self, wired: Wired, blocking: Blocking, calls: CannedCalls
    ) -> None:
        """Meta blocks only who wrote within 24 hours; here they are blocked all the same."""
        calls.answers = [refused(131047)]
        wired.deliver(meta.envelope(meta.text("one")))
        block = blocking.block(phone_number=PHONE, by=RUTH)
        for _ in range(5):
            blocking.attend()
            wired.clock_hand.move(timedelta(days=1))
        assert len(calls.requests) == 1
        (one,) = row(wired, block).vendor_blocks
        assert one.state is PushState.FAILED
        assert one.error is not None
        assert one.error.startswith("131047")
        assert chat(wired)["blocked"] is True

    @pytest.mark.parametrize(
        "trouble", [NotSent("connect_refused"), Unanswered("timeout"), refused(131000, 500), HttpAnswer(status=502)]
    )
    def test_trouble_is_tried_again_ever_more_seldom_and_not_for_ever(
        self, wired: Wired, blocking: Blocking, calls: CannedCalls, trouble: HttpAnswer | Exception
    ) -> None:
        calls.answers = [trouble]
        wired.deliver(meta.envelope(meta.text("one")))
        block = blocking.block(phone_number=PHONE, by=RUTH)
        tried: list[int] = []
        for minute in range(int(sum(PAUSES, timedelta(hours=1)) / timedelta(minutes=1))):
            blocking.attend()
            tried += [minute] * (len(calls.requests) - len(tried))
            wired.clock_hand.move(timedelta(minutes=1))
        assert tried == [0, 1, 6, 21, 81, 321, 1041]
        (one,) = row(wired, block).vendor_blocks
        assert (one.state, one.next_attempt_at) == (PushState.FAILED, None)

    def test_trouble_that_passes_is_forgotten(self, wired: Wired, blocking: Blocking, calls: CannedCalls) -> None:
        calls.answers = [Unanswered("timeout"), DONE]
        wired.deliver(meta.envelope(meta.text("one")))
        block = blocking.block(phone_number=PHONE, by=RUTH)
        blocking.attend()
        wired.clock_hand.move(PAUSES[0])
        blocking.attend()
        (one,) = row(wired, block).vendor_blocks
        assert (one.state, one.error) == (PushState.DONE, None)

    def test_of_many_clocks_one_tells_it(self, wired: Wired, calls: CannedCalls) -> None:
        blocking = another_process(wired, calls)
        for n in range(5):
            wired.deliver(meta.envelope(meta.text("one", sender=f"44770090010{n}")))
            blocking.block(phone_number=f"+44770090010{n}", by=RUTH)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: another_process(wired, calls).attend(), range(4)))
        assert len(calls.requests) == 5

    def test_a_clock_that_dies_while_it_tells_is_followed_by_another_after_its_lease(
        self, wired: Wired, blocking: Blocking, calls: CannedCalls
    ) -> None:
        wired.deliver(meta.envelope(meta.text("one")))
        blocking.block(phone_number=PHONE, by=RUTH)
        calls.meanwhile = lambda: (_ for _ in ()).throw(SystemExit)
        with pytest.raises(SystemExit):
            blocking.attend()
        calls.meanwhile = None
        assert blocking.attend() == 0
        wired.clock_hand.move(LEASE)
        assert blocking.attend() == 1
        assert len(calls.requests) == 2

    def test_unblocked_while_it_is_told_the_last_word_is_the_last_call(
        self, wired: Wired, blocking: Blocking, calls: CannedCalls
    ) -> None:
        wired.deliver(meta.envelope(meta.text("one")))
        block = blocking.block(phone_number=PHONE, by=RUTH)
        calls.meanwhile = lambda: blocking.unblock(block.id, by=RUTH)
        blocking.attend()
        calls.meanwhile = None
        blocking.attend()
        assert [one.method for one in calls.requests] == ["POST", "DELETE"]

    def test_blocked_again_before_it_was_told_of_the_end_the_last_call_blocks(
        self, wired: Wired, blocking: Blocking, calls: CannedCalls
    ) -> None:
        wired.deliver(meta.envelope(meta.text("one")))
        first = blocking.block(phone_number=PHONE, by=RUTH)
        blocking.attend()
        blocking.unblock(first.id, by=RUTH)
        second = blocking.block(phone_number=PHONE, by=RUTH)
        for _ in range(3):
            blocking.attend()
            wired.clock_hand.move(SETTLED_AFTER)
        assert [one.method for one in calls.requests] == ["POST", "POST"]
        assert [one.state for one in row(wired, second).vendor_blocks] == [PushState.DONE]

    def test_a_vendor_without_a_list_is_not_asked(self, wired: Wired, calls: CannedCalls) -> None:
        wired.deliver(meta.envelope(meta.text("one")))
        silent = Blocking(
            Blocks(wired.store),
            wired.auditing,
            wired.clock,
            account=wired.directory.by_id,
            providers={},
            calls=calls,
            base_url=lambda _: "",
        )
        block = silent.block(phone_number=PHONE, by=RUTH)
        silent.attend()
        assert row(wired, block).vendor_blocks == []
        assert calls.requests == []
