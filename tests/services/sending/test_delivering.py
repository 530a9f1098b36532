"""From queued to accepted: each message once, in its order, and its fate known."""

from models.values import MessageStatus
from tests.support.sending import Desk


def test_a_text_is_queued_sent_and_its_statuses_follow(desk: Desk) -> None:
    chat_id = desk.chat()
    queued = desk.write(chat_id, "on its way")
    assert queued.status is MessageStatus.QUEUED
    assert desk.chat_row(chat_id)["lastMessage"]["text"] == "on its way"
    assert desk.outboxes == 1

    desk.deliver()

    sent = desk.message(queued)
    assert sent.status is MessageStatus.ACCEPTED
    assert desk.vendor.accepted(queued.id) == 1
    assert sent.provider_message_id == desk.vendor.books[0].provider_message_id
    assert [one.outcome for one in sent.attempts or []] == ["accepted"]
    assert desk.chat_row(chat_id)["lastMessage"]["status"] == "accepted"
    assert desk.outboxes == 0

    desk.tell(sent.provider_message_id or "", "delivered", ref=queued.id)
    assert desk.message(queued).status is MessageStatus.DELIVERED
    assert desk.chat_row(chat_id)["lastMessage"]["status"] == "delivered"
