"""From queued to accepted: each message once, in its order, and its fate known."""

import json

import pytest

from models.values import MessageStatus
from providers.outbound import Sender, Sending
from runtime.calls import HttpRequest
from tests.services.conversing.test_identity import OLD, OLD_ID, said
from tests.support import meta_webhooks as meta
from tests.support.sending import Desk
from tests.support.vendor import Answer


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


def test_a_form_of_the_recipient_that_the_vendor_discloses_leads_to_the_chat_from_then_on(desk: Desk) -> None:
    chat_id = desk.chat()
    message = desk.write(chat_id)
    contact = {"input": "x", "wa_id": "447700900000", "user_id": "GB.48210021"}
    receipt = {"messaging_product": "whatsapp", "contacts": [contact], "messages": [{"id": "wamid.DISCLOSED"}]}
    desk.vendor.answers(Answer(body=json.dumps(receipt).encode()))

    desk.deliver()

    assert desk.message(message).status is MessageStatus.ACCEPTED
    address = desk.wired.store.addresses.find_one({"kind": "bsuid", "value": "GB.48210021"})
    assert address is not None
    assert address["chatId"] == chat_id
    assert address["customerId"] == desk.chat_row(chat_id)["customerId"]
    assert desk.wired.store.chats.count_documents({}) == 1


def test_one_who_hides_the_number_is_answered_and_later_linked_in_the_same_chat(desk: Desk) -> None:
    wired = desk.wired
    now = int(wired.clock.now().timestamp())
    wired.deliver(said("hello from nobody", at=now, user_id=OLD_ID))
    chat = wired.store.chats.find_one({})
    assert chat is not None
    desk.write(chat["id"], "whom do I have the pleasure")

    desk.deliver()
    wired.deliver(said("it is me", at=now + 10, phone=OLD, user_id=OLD_ID))
    desk.write(chat["id"], "good to hear")
    desk.deliver()

    first, second = (booked.body for booked in desk.vendor.books)
    assert (first.get("recipient"), first.get("to")) == (OLD_ID, None)
    assert second.get("to") == f"+{OLD}"
    assert wired.store.chats.count_documents({}) == 1


def test_what_is_answered_to_a_group_goes_to_the_group_and_not_to_the_member_who_wrote(desk: Desk) -> None:
    at = int(desk.wired.clock.now().timestamp())
    private = desk.chat(7)
    for number, text in ((7, "Tuesday?"), (8, "Fine with me")):
        value = meta.text(text, sender=f"4477009{number:05d}", at=at)
        value["messages"][0]["group_id"] = "Y2FwaQ"
        (event,) = desk.wired.deliver(meta.envelope(value))
    chat_id = event.items[0].chat_id
    assert chat_id is not None

    desk.write(chat_id, "Tuesday it is")
    desk.deliver()

    assert [row["unreadCount"] for row in (desk.chat_row(chat_id), desk.chat_row(private))] == [2, 1]
    (booked,) = desk.vendor.books
    assert (booked.body["recipient_type"], booked.body["to"]) == ("group", "Y2FwaQ")


def test_a_message_of_which_no_request_can_be_made_fails_and_lets_the_others_pass(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dialect's own mistake: tried for ever it would keep all that is behind it waiting for ever."""
    chat_id = desk.chat()
    account = desk.wired.directory.by_id(desk.wired.account.id)
    assert account is not None
    _, _, sender = desk.wired.gate.account(account.id)
    usual = type(sender).request

    def mistaken(self: Sender, sending: Sending) -> HttpRequest:
        if sending.message.text == "poison":
            raise KeyError("text")
        return usual(self, sending)

    monkeypatch.setattr(type(sender), "request", mistaken)
    poisoned, behind = desk.write(chat_id, "poison"), desk.write(chat_id, "behind")

    desk.deliver()

    told = desk.message(poisoned)
    assert (told.status, told.error and told.error.code) == (MessageStatus.FAILED, "not_built")
    assert desk.message(behind).status is MessageStatus.ACCEPTED
    assert desk.wired.store.sendpauses.count_documents({}) == 0
