"""Blocked senders: chats old and new are flagged, nobody is disturbed, vendors are told as long as that can help."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY

from models.agent import Role, permissions_of
from models.blocked_number import BlockedNumber, PushState
from models.caller import Caller
from models.store.blocks import Blocks
from models.values import Outcome
from providers import registry
from runtime.calls import HttpAnswer, NotSent, Unanswered
from runtime.errors import Conflict, Invalid, NotFound
from services.blocking import LEASE, PAUSES, SETTLED_AFTER, Blocking
from tests.support import meta_webhooks as meta
from tests.support.canned import CannedCalls
from tests.support.wired import Wired

RUTH = Caller(
    token_id="tok_1",
    name="Ruth",
    agent_id="agt_ruth",
    role=Role.SUPERVISOR,
    permissions=permissions_of(Role.SUPERVISOR),
)
PHONE = f"+{meta.PHONE}"
DONE = HttpAnswer(status=200, body=b'{"block_users": {"added_users": [{"input": "+447700900381"}]}}')
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


def another_process(wired: Wired, calls: CannedCalls, *, blocks: Blocks | None = None) -> Blocking:
    return Blocking(
        blocks or Blocks(wired.store),
        wired.auditing,
        wired.clock,
        account=wired.directory.by_id,
        providers=registry.by_names(),
        calls=calls,
        base_url=lambda _: "https://graph.example",
    )


def chat(wired: Wired, **query: Any) -> dict[str, Any]:
    found = wired.store.chats.find_one({"isDeleted": False, **query})
    assert found is not None
    return found


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0


def settled(wired: Wired, blocking: Blocking) -> None:
    """Let blocks come to rest: nobody who opens a chat now was overlooked."""
    blocking.attend()
    wired.clock_hand.move(SETTLED_AFTER)
    blocking.attend()


def row(wired: Wired, block: BlockedNumber) -> BlockedNumber:
    return Blocks(wired.store).get(block.id)


def test_their_chat_is_flagged_and_what_they_write_disturbs_nobody(wired: Wired, blocking: Blocking) -> None:
    wired.deliver(meta.envelope(meta.text("before")))
    blocking.block(phone_number=PHONE, by=RUTH)
    before = counted("hookline_blocked_messages_total", provider="meta-whatsapp")

    (event,) = wired.deliver(meta.envelope(meta.text("after", at=meta.NOON + 60)))

    found = chat(wired)
    assert (found["blocked"], found["unreadCount"], found["totalMessages"]) == (True, 1, 2)
    message = wired.store.messages.find_one({"text": "after"})
    assert message is not None
    assert message["blocked"] is True
    assert [(item.outcome, item.reason) for item in event.items] == [(Outcome.APPLIED, "blocked_sender")]
    assert counted("hookline_blocked_messages_total", provider="meta-whatsapp") - before == 1


@pytest.mark.parametrize("together", [True, False])
def test_a_sender_blocked_before_they_ever_wrote_is_flagged_from_the_first_word(
    wired: Wired, blocking: Blocking, together: bool
) -> None:
    blocking.block(phone_number=PHONE, by=RUTH)
    bodies = [meta.envelope(meta.text(f"n{n}", at=meta.NOON + n)) for n in range(3)]
    if together:
        wired.deliver(*bodies)
    else:
        for body in bodies:
            wired.deliver(body)
    wired.deliver(meta.envelope(meta.text("somebody else", sender="447700900111")))

    found = chat(wired, phoneNumber=PHONE)
    assert (found["blocked"], found["unreadCount"], found["totalMessages"]) == (True, 0, 3)
    assert "waitingSince" not in found
    assert wired.store.messages.count_documents({"blocked": True}) == 3
    other = chat(wired, phoneNumber="+447700900111")
    assert (other["blocked"], other["unreadCount"]) == (False, 1)


SPELLINGS = {
    "Brazil, blocked with the ninth digit": ("+5511987654321", "551187654321"),
    "Brazil, blocked without it": ("+551187654321", "5511987654321"),
    "Mexico, blocked in the old spelling": ("+5215512345678", "525512345678"),
    "Mexico, blocked in the new one": ("+525512345678", "5215512345678"),
    "Argentina": ("+541123456789", "5491123456789"),
}


@pytest.mark.parametrize("name", SPELLINGS)
@pytest.mark.parametrize("known", [True, False])
def test_another_spelling_of_the_number_is_the_same_sender(
    wired: Wired, blocking: Blocking, name: str, known: bool
) -> None:
    blocked, writes = SPELLINGS[name]
    if known:
        wired.deliver(meta.envelope(meta.text("before", sender=writes)))
    blocking.block(phone_number=blocked, by=RUTH)
    wired.deliver(meta.envelope(meta.text("after", sender=writes, at=meta.NOON + 60)))
    assert chat(wired)["blocked"] is True
    assert chat(wired)["unreadCount"] == int(known)
    with pytest.raises(Conflict):
        blocking.block(phone_number=f"+{writes}", by=RUTH)


def from_user(body: str, user_id: str, *, phone: str | None = None, at: int = meta.NOON) -> bytes:
    """A text of somebody with a user id, whose number may be hidden."""
    told = {"profile": {"name": "Priya"}, "user_id": user_id, **({"wa_id": phone} if phone else {})}
    said = {"from_user_id": user_id, "id": meta.wamid(), "timestamp": str(at), "type": "text", "text": {"body": body}}
    return meta.envelope({"contacts": [told], "messages": [said | ({"from": phone} if phone else {})]})


def test_who_hides_their_number_is_blocked_by_user_id(wired: Wired, blocking: Blocking) -> None:
    wired.deliver(from_user("one", "GB.4821"))
    blocking.block(user_id="GB.4821", by=RUTH)
    blocking.block(user_id="GB.9999", by=RUTH)
    wired.deliver(from_user("two", "GB.4821", at=meta.NOON + 1), from_user("new", "GB.9999"))
    assert [one["blocked"] for one in wired.store.chats.find()] == [True, True]
    assert sum(one["unreadCount"] for one in wired.store.chats.find()) == 1


def test_a_chat_known_by_user_id_is_flagged_once_its_blocked_number_shows(wired: Wired, blocking: Blocking) -> None:
    blocking.block(phone_number=PHONE, by=RUTH)
    wired.deliver(from_user("hidden", "GB.4821"))
    assert chat(wired)["blocked"] is False
    wired.deliver(from_user("shown", "GB.4821", phone=meta.PHONE, at=meta.NOON + 1))
    assert (chat(wired)["blocked"], chat(wired)["unreadCount"]) == (True, 1)


def test_unblocked_they_are_heard_again(wired: Wired, blocking: Blocking) -> None:
    wired.deliver(meta.envelope(meta.text("one")))
    block = blocking.block(phone_number=PHONE, by=RUTH)
    wired.deliver(meta.envelope(meta.text("two", at=meta.NOON + 1)))
    blocking.unblock(block.id, by=RUTH)
    wired.deliver(meta.envelope(meta.text("three", at=meta.NOON + 2)))

    assert (chat(wired)["blocked"], chat(wired)["unreadCount"]) == (False, 2)
    ended = row(wired, block)
    assert (ended.is_active, ended.unblocked_by, ended.unblocked_at) == (
        False,
        "agt_ruth",
        wired.clock.now() - timedelta(milliseconds=1),
    )


def test_a_chat_that_another_block_is_about_stays_flagged(wired: Wired, blocking: Blocking) -> None:
    wired.deliver(from_user("hello", "GB.4821", phone=meta.PHONE))
    by_number = blocking.block(phone_number=PHONE, by=RUTH)
    by_user = blocking.block(user_id="GB.4821", by=RUTH)
    blocking.unblock(by_number.id, by=RUTH)
    assert chat(wired)["blocked"] is True
    blocking.unblock(by_user.id, by=RUTH)
    assert chat(wired)["blocked"] is False


def test_it_is_audited_and_ended_once(wired: Wired, blocking: Blocking) -> None:
    block = blocking.block(phone_number=PHONE, reason="spam", notes="again and again", by=RUTH)
    for _ in range(2):
        blocking.unblock(block.id, by=RUTH)
    entries = list(wired.store.auditentries.find({"entityId": block.id}).sort("id", 1))
    assert [(one["verb"], one["actorId"]) for one in entries] == [("block", "agt_ruth"), ("unblock", "agt_ruth")]
    assert PHONE not in str(entries)


def test_nobody_is_blocked_twice_at_once_and_anybody_again(wired: Wired, blocking: Blocking) -> None:
    first = blocking.block(phone_number=PHONE, user_id="GB.1", by=RUTH)
    for again in ({"phone_number": PHONE}, {"user_id": "GB.1"}, {"phone_number": "+447700900111", "user_id": "GB.1"}):
        with pytest.raises(Conflict) as refusal:
            blocking.block(**again, by=RUTH)
        assert refusal.value.code == "already_blocked"
    blocking.unblock(first.id, by=RUTH)
    assert blocking.block(phone_number=PHONE, by=RUTH).id != first.id


def test_of_many_at_once_one_blocks(wired: Wired, blocking: Blocking) -> None:
    wired.deliver(meta.envelope(meta.text("one")))

    def block(_: int) -> bool:
        try:
            blocking.block(phone_number=PHONE, by=RUTH)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(block, range(6))) == 1
    assert wired.store.blockednumbers.count_documents({}) == 1
    assert wired.store.auditentries.count_documents({"verb": "block"}) == 1


def test_nobody_named_is_refused_and_nobody_known_is_not_found(wired: Wired, blocking: Blocking) -> None:
    with pytest.raises(Invalid):
        blocking.block(by=RUTH)
    with pytest.raises(NotFound):
        blocking.unblock("blk_never", by=RUTH)


def test_whoever_asks_is_told_by_any_spelling(wired: Wired, blocking: Blocking) -> None:
    blocking.block(phone_number="+551187654321", by=RUTH)
    blocking.block(user_id="GB.1", by=RUTH)
    assert blocking.is_blocked(phone="+5511987654321")
    assert blocking.is_blocked(user_id="GB.1")
    assert not blocking.is_blocked(phone="+447700900111", user_id="GB.2")
    assert not blocking.is_blocked()


class TestSameMoment:
    """A block and a chat that are made in the same moment see nothing of each other; a second look does."""

    def unseen(self, wired: Wired, *, blocked: bool) -> str:
        wired.store.blockednumbers.update_many({}, {"$set": {"isDeleted": True}})
        wired.deliver(meta.envelope(meta.text("one")))
        wired.store.blockednumbers.update_many({}, {"$set": {"isDeleted": False}})
        found = chat(wired)
        wired.store.chats.update_one({"id": found["id"]}, {"$set": {"blocked": blocked}})
        return str(found["id"])

    def test_a_chat_that_the_block_did_not_see_is_flagged_later(self, wired: Wired, blocking: Blocking) -> None:
        blocking.block(phone_number=PHONE, by=RUTH)
        self.unseen(wired, blocked=False)
        blocking.attend()
        assert chat(wired)["blocked"] is True

    def test_it_is_looked_for_until_no_transaction_of_that_moment_can_live(
        self, wired: Wired, blocking: Blocking
    ) -> None:
        block = blocking.block(phone_number=PHONE, by=RUTH)
        assert blocking.attend() == 1
        self.unseen(wired, blocked=False)
        assert blocking.attend() == 0
        wired.clock_hand.move(SETTLED_AFTER)
        assert blocking.attend() == 1
        assert chat(wired)["blocked"] is True
        assert row(wired, block).next_attempt_at is None
        wired.clock_hand.move(timedelta(days=1))
        assert blocking.attend() == 0

    def test_the_same_when_a_block_ends(self, wired: Wired, blocking: Blocking) -> None:
        block = blocking.block(phone_number=PHONE, by=RUTH)
        blocking.unblock(block.id, by=RUTH)
        self.unseen(wired, blocked=True)
        blocking.attend()
        assert chat(wired)["blocked"] is False

    def test_blocking_while_messages_come_in_leaves_no_chat_unflagged(self, wired: Wired, blocking: Blocking) -> None:
        senders = [f"4477009{n:05}" for n in range(20)]
        ids = [[wired.store_webhook(meta.envelope(meta.text("hi", sender=one)))] for one in senders]
        with ThreadPoolExecutor(4) as pool:
            jobs: list[Callable[[], object]] = []
            for sender, events in zip(senders, ids, strict=True):
                jobs.append(lambda events=events: wired.receiving.receive(events))  # type: ignore[misc]
                jobs.append(lambda sender=sender: blocking.block(phone_number=f"+{sender}", by=RUTH))  # type: ignore[misc]
            for done in [pool.submit(job) for job in jobs]:
                done.result()
        blocking.attend()
        assert wired.store.chats.count_documents({"blocked": True}) == 20


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
