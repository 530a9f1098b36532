"""Calling off and trying again: of many who ask at once one is heard, and the vendor takes one message."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from models.values import MessageStatus
from runtime.errors import Conflict, NotFound
from tests.support import meta_webhooks as meta
from tests.support import vendor as vendors
from tests.support.sending import AGENT, Desk


def failed(desk: Desk) -> tuple[str, str]:
    """A chat, and a message in it that failed."""
    chat_id = desk.chat()
    message = desk.write(chat_id)
    desk.vendor.answers(vendors.error(131026))
    desk.deliver()
    assert desk.message(message).status is MessageStatus.FAILED
    return chat_id, message.id


def outcome(desk: Desk, message_id: str) -> bool:
    try:
        desk.wired.steering.retry(message_id, by=AGENT)
    except Conflict:
        return False
    return True


def test_c8_a_failed_message_retried_by_many_at_once_is_sent_once(desk: Desk) -> None:
    chat_id, message_id = failed(desk)

    with ThreadPoolExecutor(12) as pool:
        retries = [pool.submit(outcome, desk, message_id) for _ in range(8)]
        sweeps = [pool.submit(desk.wired.restoring.stranded) for _ in range(2)]
        sends = [pool.submit(desk.deliver) for _ in range(2)]
    [one.result() for one in (*sweeps, *sends)]
    desk.deliver()

    assert sum(one.result() for one in retries) == 1
    assert desk.vendor.accepted(message_id) == 1
    known = desk.message(message_id)
    assert known.status is MessageStatus.ACCEPTED
    assert [one.outcome for one in known.attempts or []] == ["failed", "accepted"]
    assert known.failed_at is None
    assert desk.chat_row(chat_id)["lastMessage"]["status"] == "accepted"
    audited = list(desk.wired.store.auditentries.find({"entityId": message_id}))
    assert [(one["verb"], one["actorId"]) for one in audited] == [("retry", AGENT.agent_id)]


@pytest.mark.parametrize("state", ["queued", "accepted", "delivered", "canceled"])
def test_only_a_failed_or_unknown_message_is_tried_again(desk: Desk, state: str) -> None:
    message = desk.write(desk.chat())
    if state == "canceled":
        desk.wired.steering.cancel(message.id, by=AGENT)
    elif state != "queued":
        desk.deliver()
    if state == "delivered":
        desk.tell(desk.message(message).provider_message_id or "", "delivered")

    with pytest.raises(Conflict):
        desk.wired.steering.retry(message.id, by=AGENT)

    assert desk.message(message).status == state


def test_what_customers_wrote_and_what_is_not_there_is_not_tried_again(desk: Desk) -> None:
    chat_id = desk.chat()
    inbound = desk.wired.store.messages.find_one({"chatId": chat_id})
    assert inbound is not None
    with pytest.raises(Conflict):
        desk.wired.steering.retry(inbound["id"], by=AGENT)
    with pytest.raises(NotFound):
        desk.wired.steering.retry("msg_nobody", by=AGENT)


def test_a_retry_after_the_window_has_closed_is_refused(desk: Desk) -> None:
    _, message_id = failed(desk)
    desk.wired.clock_hand.move(timedelta(days=2))

    with pytest.raises(Conflict) as caught:
        desk.wired.steering.retry(message_id, by=AGENT)

    assert caught.value.code == "window_closed"


def test_a_message_is_called_off_or_sent_and_never_both(desk: Desk) -> None:
    messages = [desk.write(desk.chat(n)) for n in range(10)]

    def cancel(message_id: str) -> bool:
        try:
            desk.wired.steering.cancel(message_id, by=AGENT)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        sending = pool.submit(desk.deliver)
        canceled = list(pool.map(cancel, [one.id for one in messages]))
    sending.result()
    desk.deliver()

    for message, was_canceled in zip(messages, canceled, strict=True):
        expected = MessageStatus.CANCELED if was_canceled else MessageStatus.ACCEPTED
        assert desk.message(message).status is expected
        assert desk.vendor.accepted(message.id) == (0 if was_canceled else 1)
    assert desk.outboxes == 0


@pytest.mark.parametrize("later", [0, 5])
def test_the_failure_of_an_earlier_attempt_told_again_does_not_fail_the_next(desk: Desk, later: int) -> None:
    message = desk.write(desk.chat())
    desk.deliver()
    first = desk.message(message).provider_message_id or ""
    failure = meta.status(
        first, "failed", at=int(desk.wired.clock.now().timestamp()) + 1, errors=[{"code": 131026, "title": "No"}]
    )
    failure["statuses"][0]["biz_opaque_callback_data"] = message.id
    desk.wired.deliver(meta.envelope(failure))
    assert desk.message(message).status is MessageStatus.FAILED
    desk.wired.clock_hand.move(timedelta(seconds=later))
    desk.wired.steering.retry(message.id, by=AGENT)

    desk.wired.deliver(meta.envelope(failure) + b" ")
    assert desk.message(message).status is MessageStatus.QUEUED
    desk.deliver()
    desk.wired.deliver(meta.envelope(failure) + b"  ")

    known = desk.message(message)
    assert known.status is MessageStatus.ACCEPTED
    assert known.provider_message_id not in {None, first}
    assert [one.provider_message_id for one in known.attempts or []] == [first, None]
    desk.tell(first, "delivered", ref=message.id)
    assert desk.message(message).status is MessageStatus.DELIVERED, "the customer has it after all"


def test_an_unknown_message_found_sent_while_its_retry_waits_is_not_sent_again(desk: Desk) -> None:
    message = desk.write(desk.chat())
    desk.vendor.answers(vendors.TAKES_AND_CLOSES)
    desk.deliver()
    desk.wired.clock_hand.move(timedelta(seconds=5))
    desk.wired.steering.retry(message.id, by=AGENT)

    desk.tell(desk.vendor.books[0].provider_message_id, "sent", ref=message.id)
    desk.deliver()

    assert desk.message(message).status is MessageStatus.SENT
    assert desk.vendor.accepted(message.id) == 1
    assert desk.outboxes == 0


def test_an_echo_stored_before_the_answer_is_taken_into_its_message(desk: Desk) -> None:
    """Some vendors echo what the API sent; here the echo comes before the answer, under the same id."""
    chat_id = desk.chat()
    message = desk.write(chat_id, "once")

    def echo(booked: vendors.Booked) -> None:
        at = int(desk.wired.clock.now().timestamp())
        value = meta.echo("once", message_id=booked.provider_message_id, to=booked.to.lstrip("+"), at=at)
        desk.wired.deliver(meta.envelope(value, field="smb_message_echoes"))

    desk.vendor.on_taken = echo
    desk.deliver()

    known = desk.message(message)
    assert known.status is MessageStatus.SENT
    assert known.provider_message_id == desk.vendor.books[0].provider_message_id
    live = desk.wired.store.messages.count_documents({"chatId": chat_id, "direction": "outbound", "isDeleted": False})
    chat = desk.chat_row(chat_id)
    assert live == chat["agentMessages"] == 1
    assert chat["totalMessages"] == 2
    assert chat["lastMessage"]["id"] == message.id
    assert chat["lastMessage"]["status"] == "sent"


@pytest.mark.parametrize("whose", ["another send", "the customer's own"])
def test_a_vendor_that_gives_an_id_twice_costs_neither_message(desk: Desk, whose: str) -> None:
    """Only an echo is taken into the message it is an echo of; what else has the id is a message of its own."""
    chat_id = desk.chat()
    question = desk.wired.store.messages.find_one({"chatId": chat_id})
    assert question is not None
    same = "wamid.SAME" if whose == "another send" else question["providerMessageId"]
    body = f'{{"messaging_product": "whatsapp", "messages": [{{"id": "{same}"}}]}}'.encode()
    desk.vendor.answers(then=vendors.Answer(body=body))
    messages = [desk.write(chat_id, text) for text in ("first", "second")]
    desk.deliver()

    told = [desk.message(one) for one in messages]
    assert {one.status for one in told} == {MessageStatus.ACCEPTED}
    assert [one.attempts[-1].outcome for one in told if one.attempts] == ["accepted", "accepted"]
    assert [one.provider_message_id for one in told] == [same if whose == "another send" else None, None]
    assert desk.wired.store.messages.count_documents({"chatId": chat_id, "isDeleted": False}) == 3
    assert desk.chat_row(chat_id)["totalMessages"] == 3
    desk.tell("wamid.OTHER", "delivered", ref=messages[1].id)
    assert desk.message(messages[1]).status is MessageStatus.DELIVERED
