"""A send that was answered with a number and no id: its acks repeat the number, and tell the id."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from models.values import MessageStatus
from services.conversing.messages import OWN_SEND
from tests.providers.chatapi_bodies import CHAT, OWN_ID, ack, echo
from tests.services.conversing.test_own_sends import OTHER_ID, WORDS, WRITTEN, Desk, desk

__all__ = ["desk"]

NUMBER = 101


def test_an_ack_names_the_message_by_its_number_and_tells_its_id(desk: Desk) -> None:
    other, sent = desk.sending(), desk.sending()
    desk.answer(other, None, queueNumber=NUMBER + 1)
    desk.answer(sent, None, queueNumber=NUMBER)

    assert desk.hear(ack=[ack("sent", queueNumber=NUMBER), ack("viewed", queueNumber=NUMBER)]) == [
        ("applied", None),
        ("applied", None),
    ]
    first, second = desk.shown()
    assert (first.provider_message_id, first.status) == (None, MessageStatus.ACCEPTED)
    assert (second.provider_message_id, second.status) == (OWN_ID, MessageStatus.READ)
    assert desk.wired.store.pendingupdates.count_documents({}) == 0

    assert desk.hear(messages=[echo(body="spelled otherwise", self=1)]) == [("duplicate", None)]
    assert len(desk.shown()) == 2


def test_an_echo_that_was_stored_apart_becomes_the_message_its_number_means(desk: Desk) -> None:
    sent = desk.sending(began=WRITTEN + timedelta(seconds=1))
    assert desk.hear(messages=[echo(body="spelled otherwise", self=1)]) == [("applied", None)]
    desk.answer(sent, None, queueNumber=NUMBER)
    assert desk.counts() == (3, 2, 3)

    assert desk.hear(ack=[ack("sent", queueNumber=NUMBER), ack("delivered", queueNumber=NUMBER)])[0][0] == "applied"

    (known,) = desk.shown()
    assert (known.id, known.text, known.provider_message_id) == (sent.id, WORDS, OWN_ID)
    assert known.status is MessageStatus.DELIVERED
    assert desk.counts() == (2, 1, 2)
    chat = desk.wired.store.chats.find_one({"id": desk.chat_id})
    assert chat is not None
    assert (chat["lastMessage"]["id"], chat["lastMessage"]["status"]) == (sent.id, "delivered")
    assert (chat["unreadCount"], chat["lastMessageId"]) == (1, OWN_ID)


def test_an_ack_before_the_answer_is_applied_with_it(desk: Desk) -> None:
    sent = desk.sending()
    assert desk.hear(ack=[ack("delivered", queueNumber=NUMBER)]) == [("applied", "waits_for_message")]

    desk.answer(sent, None, queueNumber=NUMBER)

    (known,) = desk.shown()
    assert (known.provider_message_id, known.status) == (OWN_ID, MessageStatus.DELIVERED)
    assert desk.wired.store.pendingupdates.count_documents({}) == 0


def test_ack_and_answer_at_once_find_each_other(desk: Desk) -> None:
    for round_ in range(12):
        own_id = f"true_{CHAT}_3EB0AB0FD361FDE5{round_:04d}"
        sent = desk.sending()
        with ThreadPoolExecutor(2) as both:
            told = both.submit(desk.hear, ack=[ack("delivered", id=own_id, queueNumber=round_)])
            answered = both.submit(desk.answer, sent, None, queueNumber=round_)
        assert (told.exception(), answered.exception()) == (None, None)
        (known,) = (one for one in desk.shown() if one.id == sent.id)
        assert (known.provider_message_id, known.status) == (own_id, MessageStatus.DELIVERED)


def test_acks_without_an_id_move_the_message_and_leave_its_echo_to_name_it(desk: Desk) -> None:
    sent = desk.sending()
    desk.answer(sent, None, queueNumber=NUMBER)

    for word in ("sent", "viewed", "delivered"):
        desk.hear(ack=[ack(word, id=None, queueNumber=str(NUMBER))])
    (known,) = desk.shown()
    assert (known.provider_message_id, known.status) == (None, MessageStatus.READ)
    assert known.delivered_at is not None

    assert desk.hear(messages=[echo(body=WORDS, self=1)]) == [("applied", OWN_SEND)]
    (known,) = desk.shown()
    assert (known.id, known.provider_message_id, known.status) == (sent.id, OWN_ID, MessageStatus.READ)


@pytest.mark.parametrize(
    "changes",
    [{"provider_message_id": OTHER_ID}, {"config_id": "cfg_other"}, {"began": WRITTEN - timedelta(hours=25)}],
)
def test_a_number_means_no_message_with_an_id_of_another_account_or_of_yesterday(
    desk: Desk, changes: dict[str, object]
) -> None:
    desk.sending(status=MessageStatus.ACCEPTED, metadata={"queueNumber": NUMBER}, **changes)  # type: ignore[arg-type]

    assert desk.hear(ack=[ack("delivered", queueNumber=NUMBER)]) == [("applied", "waits_for_message")]
    assert [one.status for one in desk.shown()] == [MessageStatus.ACCEPTED]


def test_of_a_number_given_twice_the_later_message_is_meant(desk: Desk) -> None:
    """The vendor counts anew when its queue was cleared."""
    for hours in (5, 2):
        began = WRITTEN - timedelta(hours=hours)
        desk.sending(began=began, status=MessageStatus.ACCEPTED, metadata={"queueNumber": NUMBER})

    desk.hear(ack=[ack("delivered", queueNumber=NUMBER)])

    assert [one.status for one in desk.shown()] == [MessageStatus.ACCEPTED, MessageStatus.DELIVERED]


def test_an_ack_with_neither_id_nor_number_is_of_nothing(desk: Desk) -> None:
    assert desk.hear(ack=[ack("delivered", id=None)]) == [("failed", "status_without_id")]
