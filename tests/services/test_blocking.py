"""Blocked senders: chats old and new are flagged, and nobody is disturbed; what vendors are told has its own file."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from models.values import Outcome
from runtime.errors import Conflict, Invalid, NotFound
from services.blocking import SETTLED_AFTER, Blocking
from tests.support import meta_webhooks as meta
from tests.support.blocking import DONE, PHONE, RUTH, another_process, chat, row
from tests.support.canned import CannedCalls
from tests.support.wired import Wired


@pytest.fixture
def blocking(wired: Wired) -> Blocking:
    return another_process(wired, CannedCalls(DONE))


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0


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
