"""Suspicions about sending, each tried on real engines: two calls for one attempt, lost order, waits without end."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pymongo.collection import Collection

from models.message import Content, Media, Message, MessageError
from models.store.batch import Batch, Wanted
from models.values import MessageStatus, MessageType
from providers.outbound import ErrorKind, Receipt, SendError
from runtime.errors import Invalid
from services.sending.orders import Order, TemplateChoice, text_order
from tests.support import vendor as vendors
from tests.support.sending import AGENT, Desk
from tests.support.wired import Wired


def again(desk: Desk) -> Wired:
    """The services as a process has them that has just started."""
    fresh = Wired(desk.wired.settings, application="again", clock=desk.wired.clock)
    fresh.directory.refresh(older_than=0)
    return fresh


# --- One attempt, one call ---


def slow_to_begin(desk: Desk, monkeypatch: pytest.MonkeyPatch, **by: float) -> None:
    """Let a worker stand still once, between the moment it has begun and its call."""
    begin = desk.wired.sends.begin
    stood: list[bool] = []

    def slowly(*args: Any, **kwargs: Any) -> bool:
        begun = begin(*args, **kwargs)
        if not stood:
            stood.append(True)
            desk.wired.clock_hand.move(timedelta(**by))
        return begun

    monkeypatch.setattr(desk.wired.sends, "begin", slowly)


def test_a_worker_that_stood_still_before_its_call_does_not_call_any_more(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = desk.write(desk.chat())
    slow_to_begin(desk, monkeypatch, seconds=20)
    (turn,) = desk.wired.delivering.claim(limit=1)
    desk.wired.delivering.work(turn)

    assert desk.vendor.requests(message.id) == 0, "its call would outlast its lease"
    waiting = desk.message(message)
    assert waiting.status is MessageStatus.QUEUED
    assert [one.outcome for one in waiting.attempts or []] == ["retry"]
    desk.pass_time(seconds=10)
    desk.deliver()
    assert desk.vendor.accepted(message.id) == 1


def test_a_worker_stopped_for_longer_than_its_lease_and_a_persons_retry_are_one_call(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = desk.write(desk.chat())
    begin = desk.wired.sends.begin
    other = again(desk)

    def stopped(*args: Any, **kwargs: Any) -> bool:
        begun = begin(*args, **kwargs)
        monkeypatch.setattr(desk.wired.sends, "begin", begin)
        desk.wired.clock_hand.move(timedelta(seconds=60))
        other.delivering.deliver()
        assert desk.message(message).status is MessageStatus.UNKNOWN
        other.steering.retry(message.id, by=AGENT)
        other.delivering.deliver()
        return begun

    monkeypatch.setattr(desk.wired.sends, "begin", stopped)
    (turn,) = desk.wired.delivering.claim(limit=1)
    desk.wired.delivering.work(turn)

    assert desk.vendor.accepted(message.id) == desk.vendor.requests(message.id) == 1
    assert desk.message(message).status is MessageStatus.ACCEPTED


def test_the_time_a_call_may_take_shrinks_with_its_lease(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.write(desk.chat())
    slow_to_begin(desk, monkeypatch, seconds=10)
    calling = desk.wired.delivering._calling
    call, deadlines = calling._call, []

    def called(request: Any, *, deadline: timedelta) -> Any:
        deadlines.append(deadline)
        return call(request, deadline=deadline)

    monkeypatch.setattr(calling, "_call", called)
    desk.deliver()

    (deadline,) = deadlines
    assert timedelta(seconds=10) + deadline < desk.wired.settings.lease


def test_a_failure_told_after_its_message_was_given_up_is_believed(desk: Desk) -> None:
    """A worker that stood still knows that the vendor refused: nobody needs to wonder any more."""
    message = desk.write(desk.chat())
    desk.vendor.answers(vendors.error(131026))
    desk.vendor.script = lambda _ref, _n: _lost_meanwhile(desk, message)

    (turn,) = desk.wired.delivering.claim(limit=1)
    desk.wired.delivering.work(turn)

    known = desk.message(message)
    assert known.status is MessageStatus.FAILED
    assert known.error is not None
    assert known.error.code == "131026"
    assert [one.outcome for one in known.attempts or []] == ["failed"]


def _lost_meanwhile(desk: Desk, message: Message) -> vendors.Answer:
    desk.wired.clock_hand.move(timedelta(seconds=60))
    again(desk).delivering.deliver()
    assert desk.message(message).status is MessageStatus.UNKNOWN
    return vendors.error(131026)


# --- Order, and chats that become one ---


def unite(desk: Desk, gone: str, kept: str) -> None:
    def fold(batch: Batch, _: object) -> None:
        batch.merge_chats(gone, kept)
        batch.chats[gone].set(is_deleted=True, merged_into=kept)

    desk.wired.conversations.change(Wanted(chats={kept, gone}), fold, now=desk.wired.clock.now())


def test_who_waits_behind_a_message_that_is_called_off_goes_on_at_once(desk: Desk) -> None:
    chat_id = desk.chat()
    first, behind = desk.write(chat_id, "first"), desk.write(chat_id, "behind")
    desk.vendor.answers(replace(vendors.error(131000, status=500), headers={"Retry-After": "600"}))
    desk.deliver()
    assert desk.message(first).status is MessageStatus.QUEUED

    desk.wired.steering.cancel(first.id, by=AGENT)
    desk.pass_time(seconds=1)
    desk.deliver()

    assert desk.message(behind).status is MessageStatus.ACCEPTED


def test_who_waits_behind_a_message_that_turns_out_to_be_sent_goes_on(desk: Desk) -> None:
    chat_id = desk.chat()
    first, behind = desk.write(chat_id, "first"), desk.write(chat_id, "behind")
    desk.vendor.answers(replace(vendors.error(131000, status=500), headers={"Retry-After": "600"}))
    desk.deliver()

    desk.tell("wamid.SENT-AFTER-ALL", "sent", ref=first.id)
    desk.wired.restoring.stranded()
    desk.pass_time(seconds=61)
    desk.deliver()

    assert desk.message(behind).status is MessageStatus.ACCEPTED


def test_a_chat_united_while_its_message_is_being_sent_shows_its_end(desk: Desk) -> None:
    kept, gone = desk.chat(1), desk.chat(2)
    desk.wired.clock_hand.move(timedelta(seconds=5))
    message = desk.write(gone)

    def meanwhile(_: object) -> None:
        unite(desk, gone, kept)
        shown = desk.chat_row(gone)["lastMessage"]
        desk.wired.store.chats.update_one({"id": kept}, {"$set": {"lastMessage": shown}})

    desk.vendor.on_taken = meanwhile
    desk.deliver()

    assert desk.message(message).chat_id == kept
    assert desk.message(message).status is MessageStatus.ACCEPTED
    assert desk.chat_row(kept)["lastMessage"]["status"] == "accepted"


def test_a_united_chat_keeps_its_place_in_time(desk: Desk) -> None:
    """What waits for a retry in ten minutes does not date what is written now."""
    kept, gone = desk.chat(1), desk.chat(2)
    desk.write(gone)
    desk.vendor.answers(replace(vendors.error(131000, status=500), headers={"Retry-After": "600"}))
    desk.deliver()
    unite(desk, gone, kept)

    written = desk.write(kept)

    assert written.timestamp - desk.wired.clock.now() < timedelta(seconds=1)


def test_a_united_chat_sends_what_was_queued_there_before_what_is_queued_now(desk: Desk) -> None:
    """The process that queued it had a clock ahead of the one that queues now."""
    kept, gone = desk.chat(1), desk.chat(2)
    desk.wired.clock_hand.move(timedelta(seconds=3))
    first = desk.write(gone, "first")
    unite(desk, gone, kept)
    desk.wired.clock_hand.move(timedelta(seconds=-2))
    second = desk.write(kept, "second")
    desk.wired.clock_hand.move(timedelta(seconds=10))

    desk.deliver()

    assert [one.ref for one in desk.vendor.books] == [first.id, second.id]


def test_a_restored_outbox_keeps_its_place_in_the_queue(desk: Desk) -> None:
    chat_id = desk.chat()
    desk.wired.clock_hand.move(timedelta(seconds=3))
    first = desk.write(chat_id, "first")
    desk.wired.store.outboxes.delete_many({})
    desk.wired.restoring.stranded()
    desk.wired.clock_hand.move(timedelta(seconds=-2))
    second = desk.write(chat_id, "second")
    desk.wired.clock_hand.move(timedelta(seconds=10))

    desk.deliver()

    assert [one.ref for one in desk.vendor.books] == [first.id, second.id]


# --- Nothing waits for ever ---


def test_a_token_found_expired_by_an_upload_pauses_the_account(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vendor is not asked again and again before anybody has looked."""
    message = desk.write(desk.chat())
    asked: list[str] = []

    def refused(one: Message, _: object) -> SendError:
        asked.append(one.id)
        error = MessageError(code="190", title="expired", kind=ErrorKind.OURS)
        return SendError(kind=ErrorKind.OURS, error=error, health="auth_error")

    monkeypatch.setattr(desk.wired.delivering._calling, "_lend", refused)
    (turn,) = desk.wired.delivering.claim(limit=1)
    desk.wired.delivering.work(turn)
    assert len(asked) == 1
    assert desk.wired.store.sendpauses.count_documents({"id": desk.wired.account.id}) == 1
    assert desk.wired.delivering.claim(limit=1) == []
    assert desk.message(message).status is MessageStatus.QUEUED


def test_a_message_of_an_account_that_was_deleted_fails_and_says_why(desk: Desk) -> None:
    message = desk.write(desk.chat())
    desk.wired.store.whatsappconfigs.update_one({"id": desk.wired.account.id}, {"$set": {"isDeleted": True}})
    desk.wired.directory.refresh(older_than=0)

    desk.deliver()

    failed = desk.message(message)
    assert failed.status is MessageStatus.FAILED
    assert failed.error is not None
    assert failed.error.code == "account_deleted"
    assert desk.outboxes == 0


def test_a_message_of_an_account_that_is_switched_off_waits_and_says_why(desk: Desk) -> None:
    message = desk.write(desk.chat())
    desk.wired.configs.change(desk.wired.account.id, {"is_active": False}, desk.wired.clock)
    desk.wired.directory.refresh(older_than=0)

    desk.deliver()
    waiting = desk.message(message)
    assert waiting.status is MessageStatus.QUEUED
    assert waiting.error is not None
    assert waiting.error.code == "account_inactive"

    desk.wired.configs.change(desk.wired.account.id, {"is_active": True}, desk.wired.clock)
    desk.wired.directory.refresh(older_than=0)
    desk.pass_time(seconds=61)
    desk.deliver()
    sent = desk.message(message)
    assert sent.status is MessageStatus.ACCEPTED
    assert sent.error is None


def test_a_message_whose_chat_was_deleted_fails_and_says_why(desk: Desk) -> None:
    chat_id = desk.chat()
    message = desk.write(chat_id)
    desk.wired.store.chats.update_one({"id": chat_id}, {"$set": {"isDeleted": True}})

    desk.deliver()

    failed = desk.message(message)
    assert failed.status is MessageStatus.FAILED
    assert failed.error is not None
    assert failed.error.code == "chat_deleted"
    assert desk.outboxes == 0


def test_a_message_left_in_a_chat_that_was_united_with_another_is_sent_once_it_has_followed(desk: Desk) -> None:
    kept, gone = desk.chat(1), desk.chat(2)
    message = desk.write(gone)
    desk.wired.store.chats.update_one({"id": gone}, {"$set": {"isDeleted": True, "mergedInto": kept}})

    desk.deliver()
    assert desk.message(message).status is MessageStatus.QUEUED

    desk.wired.store.messages.update_one({"id": message.id}, {"$set": {"chatId": kept}})
    desk.pass_time(seconds=61)
    desk.deliver()
    desk.wired.restoring.stranded()
    desk.deliver()
    assert desk.vendor.accepted(message.id) == 1


def test_nothing_more_is_sent_to_somebody_who_was_blocked_meanwhile(desk: Desk) -> None:
    chat_id = desk.chat()
    message = desk.write(chat_id)
    desk.wired.store.chats.update_one({"id": chat_id}, {"$set": {"blocked": True}})

    desk.deliver()

    failed = desk.message(message)
    assert (failed.status, desk.vendor.requests(message.id)) == (MessageStatus.FAILED, 0)
    assert failed.error is not None
    assert failed.error.code == "blocked"


def test_a_lost_outbox_is_found_behind_however_many_that_are_there(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.store.outboxes.SWEEP_LIMIT", 2)
    messages = [desk.write(desk.chat(n)) for n in range(6)]
    desk.wired.store.outboxes.delete_many({"id": messages[-1].chat_id})

    for _ in range(6):
        desk.wired.restoring.stranded()

    assert desk.outboxes == 6


# --- What is told later ---


@pytest.mark.parametrize("word", ["failed", "delivered"])
def test_what_the_vendor_says_of_an_unknown_message_replaces_what_we_thought(desk: Desk, word: str) -> None:
    message = desk.write(desk.chat())
    desk.vendor.answers(vendors.TAKES_AND_CLOSES)
    desk.deliver()

    errors: dict[str, Any] = {"errors": [{"code": 131026, "title": "Undeliverable"}]} if word == "failed" else {}
    desk.tell(desk.vendor.books[0].provider_message_id, word, ref=message.id, **errors)

    error = desk.message(message).error
    assert (error.code if error else None) == ("131026" if word == "failed" else None)


def test_a_second_attempt_begins_with_a_clean_record(desk: Desk) -> None:
    message = desk.write(desk.chat())
    desk.deliver()
    first = desk.message(message).provider_message_id or ""
    desk.tell(first, "sent", ref=message.id)
    desk.wired.clock_hand.move(timedelta(seconds=2))
    desk.tell(first, "failed", ref=message.id, errors=[{"code": 131026, "title": "Undeliverable"}])
    desk.wired.steering.retry(message.id, by=AGENT)
    desk.deliver()

    known = desk.message(message)
    assert known.status is MessageStatus.ACCEPTED
    assert known.sent_at is None
    assert known.provider_status != "failed"


def trouble(desk: Desk, message: Message, code: int = 131042) -> None:
    known = desk.message(message)
    desk.tell(known.provider_message_id or "", "failed", ref=message.id, errors=[{"code": code, "title": "Payment"}])


def test_trouble_of_the_account_told_by_a_status_pauses_it(desk: Desk) -> None:
    messages = [desk.write(desk.chat(n)) for n in range(2)]
    desk.deliver()
    for one in messages:
        trouble(desk, one)
    waiting = [desk.write(desk.chat(n)) for n in range(5, 10)]
    desk.deliver()

    assert {desk.message(one).status for one in waiting} == {MessageStatus.QUEUED}
    assert desk.wired.configs.get(desk.wired.account.id).health.state != "ok"


def test_an_account_whose_trouble_came_late_is_not_believed_by_a_receipt_alone(desk: Desk) -> None:
    """The vendor takes its messages, and says only later that it does not send them."""
    messages = [desk.write(desk.chat(n)) for n in range(2)]
    desk.deliver()
    for one in messages:
        trouble(desk, one)
    waiting = [desk.write(desk.chat(n)) for n in range(5, 15)]
    for _ in range(3):
        desk.pass_time(seconds=61)
        desk.deliver()
        for one in waiting:
            if desk.message(one).status is MessageStatus.ACCEPTED:
                trouble(desk, one)
    assert sum(desk.vendor.requests(one.id) for one in waiting) <= 3

    for _ in range(6):
        desk.pass_time(seconds=61)
        desk.deliver()
    assert sum(desk.vendor.requests(one.id) for one in waiting) == 10
    assert desk.wired.store.sendpauses.count_documents({}) == 0
    assert desk.wired.configs.get(desk.wired.account.id).health.state == "ok"


def test_a_crash_between_an_acceptance_and_the_statuses_that_waited_for_it_is_healed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = desk.write(desk.chat())
    desk.vendor.on_taken = lambda booked: desk.tell(booked.provider_message_id, "read")

    def crash(*_: object, **__: object) -> None:
        raise SystemExit

    monkeypatch.setattr(desk.wired.conversations, "reconcilable", crash)
    (turn,) = desk.wired.delivering.claim(limit=1)
    with pytest.raises(SystemExit):
        desk.wired.delivering.work(turn)
    monkeypatch.undo()
    assert desk.message(message).status is MessageStatus.ACCEPTED
    assert desk.wired.store.pendingupdates.count_documents({}) == 1

    again(desk).reconciling.sweep()

    assert desk.message(message).status is MessageStatus.READ
    assert desk.wired.store.pendingupdates.count_documents({}) == 0


# --- Files, templates, keys ---


def test_a_file_that_the_caller_may_not_see_cannot_be_sent(desk: Desk) -> None:
    elsewhere = desk.chat(1)
    seen_there = desk.wired.store.messages.find_one({"chatId": elsewhere})
    assert seen_there is not None
    row = {"state": "stored", "sha256": "0" * 64, "size": 3, "mimeType": "image/png", "key": "k", "isDeleted": False}
    file = {"id": "med_secret", "messageIds": [seen_there["id"]], **row}
    desk.wired.store.mediafiles.insert_one(file)
    mine = desk.chat(2)
    order = Order(content=Content(type=MessageType.IMAGE, media=Media(media_id="med_secret")))

    desk.wired.store.chats.update_one(
        {"id": elsewhere}, {"$set": {"status": "assigned", "assignedTo": "agt_somebody_else"}}
    )
    with pytest.raises(Invalid) as caught:
        desk.order(mine, order)
    assert "media.mediaId" in caught.value.fields

    desk.wired.store.chats.update_one({"id": elsewhere}, {"$set": {"assignedTo": AGENT.agent_id}})
    desk.order(mine, order)
    desk.wired.store.mediafiles.update_one({"id": "med_secret"}, {"$set": {"messageIds": []}})
    with pytest.raises(Invalid):
        desk.order(mine, order)
    desk.wired.store.mediafiles.update_one({"id": "med_secret"}, {"$set": {"uploadedBy": AGENT.agent_id}})
    desk.order(mine, order)


@pytest.fixture
def template(desk: Desk) -> Callable[[], int]:
    """Give the account a template; return what tells how often it was used."""
    desk.wired.store.templates.insert_one(
        {"id": "tpl_1", "configId": desk.wired.account.id, "name": "hello", "language": "en", "status": "approved"}
        | {"isActive": True, "isDeleted": False, "components": [{"type": "BODY", "text": "Hello"}], "usageCount": 0}
    )

    def used() -> int:
        desk.wired.templates.count_uses(now=desk.wired.clock.now())
        found = desk.wired.store.templates.find_one({"id": "tpl_1"}) or {}
        return int(found["usageCount"])

    return used


def templated(desk: Desk, number: int = 0) -> Message:
    return desk.order(desk.chat(number), Order(template=TemplateChoice(name="hello", language="en")))


def test_a_use_is_counted_when_it_is_accepted(desk: Desk, template: Callable[[], int]) -> None:
    templated(desk)
    assert template() == 0
    desk.deliver()
    assert template() == 1
    assert template() == 1


def test_a_use_that_was_unknown_is_counted_once_a_status_settles_it(desk: Desk, template: Callable[[], int]) -> None:
    message = templated(desk)
    desk.vendor.answers(vendors.TAKES_AND_CLOSES)
    desk.deliver()
    assert template() == 0

    for word in ("sent", "delivered", "read"):
        desk.tell(desk.vendor.books[0].provider_message_id, word, ref=message.id)

    assert template() == 1


def test_a_use_that_was_accepted_twice_is_counted_once(desk: Desk, template: Callable[[], int]) -> None:
    message = templated(desk)
    desk.deliver()
    first = desk.message(message).provider_message_id or ""
    desk.tell(first, "failed", ref=message.id, errors=[{"code": 131026, "title": "Undeliverable"}])
    desk.wired.steering.retry(message.id, by=AGENT)
    desk.deliver()

    assert desk.message(message).status is MessageStatus.ACCEPTED
    assert template() == 1


def test_a_status_faster_than_the_answer_counts_the_use_once(desk: Desk, template: Callable[[], int]) -> None:
    message = templated(desk)
    desk.vendor.on_taken = lambda booked: desk.tell(booked.provider_message_id, "delivered", ref=message.id)
    desk.deliver()

    assert template() == 1


def test_a_use_that_failed_at_once_is_none(desk: Desk, template: Callable[[], int]) -> None:
    templated(desk)
    desk.vendor.answers(vendors.error(131026))
    desk.deliver()

    assert template() == 0


def test_a_key_that_has_just_expired_makes_one_message_of_two_requests(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both find the expired key; the slower must not throw away what the faster has put in its place."""
    chat_id = desk.chat()
    desk.write(chat_id, "once", idempotency_key="k1")
    desk.wired.clock_hand.move(timedelta(hours=25))
    desk.chat()
    remove = Collection.delete_one
    faster: list[Message] = []

    def late(rows: Any, *args: Any, **kwargs: Any) -> Any:
        """Let another request come in between what this one has seen and what it does about it, once."""
        monkeypatch.setattr(Collection, "delete_one", remove)
        faster.append(again(desk).queueing.queue(chat_id, text_order("once"), by=AGENT, idempotency_key="k1"))
        return remove(rows, *args, **kwargs)

    monkeypatch.setattr(Collection, "delete_one", late)
    slower = desk.write(chat_id, "once", idempotency_key="k1")

    assert slower.id == faster[0].id


@pytest.mark.parametrize("key", ["ключ-1", "k" * 255, "\ud800", "a b"])
def test_any_key_serves(desk: Desk, key: str) -> None:
    chat_id = desk.chat()

    assert desk.write(chat_id, "once", idempotency_key=key).id == desk.write(chat_id, "once", idempotency_key=key).id


def test_a_repetition_is_answered_although_its_chat_is_gone(desk: Desk) -> None:
    kept, chat_id = desk.chat(1), desk.chat(2)
    first = desk.write(chat_id, "once", idempotency_key="k1")
    unite(desk, chat_id, kept)

    assert desk.write(chat_id, "once", idempotency_key="k1").id == first.id


def test_the_receipt_of_an_attempt_that_nobody_waits_for_any_more_calls_its_repetition_off(desk: Desk) -> None:
    message = desk.write(desk.chat())
    desk.vendor.answers(vendors.TAKES_AND_CLOSES)
    desk.deliver()
    desk.wired.steering.retry(message.id, by=AGENT)
    late = replace(desk.message(message), status=MessageStatus.SENDING)

    desk.wired.delivering._recording.accepted(late, Receipt(provider_message_id="wamid.LATE"))
    desk.deliver()

    assert desk.vendor.requests(message.id) == 1
    assert desk.message(message).provider_message_id == "wamid.LATE"
