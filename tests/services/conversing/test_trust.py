"""What a vendor's word may not do: reach another account's message, outlast every later word, revive the deleted."""

from typing import Any

from tests.support import meta_webhooks as meta
from tests.support.wired import Wired, add_meta_account

#: A year in which no vendor's clock can be, in Unix seconds.
FAR_AHEAD = 4_000_000_000


def only(rows: Any) -> dict[str, Any]:
    (row,) = list(rows)
    return dict(row)


def test_a_status_that_carries_the_id_of_another_accounts_message_does_not_reach_it(wired: Wired) -> None:
    (event,) = wired.deliver(meta.envelope(meta.echo(message_id="wamid.OURS"), field="smb_message_echoes"))
    stranger = add_meta_account(wired, number_id="888000111222333", secret="f" * 32, business_id="1")
    wired.directory.refresh(older_than=0)
    forged = meta.status("wamid.FORGED", "failed", biz_opaque_callback_data=event.message_id)

    wired.deliver(meta.envelope(forged, number_id="888000111222333"), config=stranger)

    message = only(wired.store.messages.find())
    assert (message["status"], message["providerMessageId"]) == ("sent", "wamid.OURS")


def later(wired: Wired) -> int:
    """A moment after all that was received so far, in Unix seconds."""
    return int(wired.clock.now().timestamp()) + 5


def test_a_time_far_ahead_does_not_outlast_later_words(wired: Wired) -> None:
    wired.deliver(meta.envelope(meta.text(message_id="wamid.A", name="Wrong", at=FAR_AHEAD)))
    wired.deliver(meta.envelope(meta.reaction("wamid.A", "👍", at=FAR_AHEAD)))
    at = later(wired)
    wired.deliver(meta.envelope(meta.text(message_id="wamid.B", name="Right", at=at)))
    wired.deliver(meta.envelope(meta.reaction("wamid.A", "🎉", at=at)))

    assert only(wired.store.chats.find())["customerName"] == "Right"
    assert only(wired.store.customers.find())["name"] == "Right"
    reacted = only(wired.store.messages.find({"providerMessageId": "wamid.A"}))
    assert [mark["emoji"] for mark in reacted["reactions"]] == ["🎉"]


def test_an_edit_dated_far_ahead_gives_way_to_the_next(wired: Wired) -> None:
    def edited(text: str, at: int, name: str) -> bytes:
        part = {"original_message_id": "wamid.A", "message": {"type": "text", "text": {"body": text}}}
        return meta.envelope(meta.message({"type": "edit", "edit": part}, message_id=name, at=at))

    wired.deliver(meta.envelope(meta.text("first", message_id="wamid.A")))
    wired.deliver(edited("second", FAR_AHEAD, "wamid.E1"))
    wired.deliver(edited("third", later(wired), "wamid.E2"))

    assert only(wired.store.messages.find())["text"] == "third"


def test_the_chat_of_a_deleted_customer_belongs_to_whoever_writes_in_it_now(wired: Wired) -> None:
    for number in range(3):
        value = meta.text(message_id=f"wamid.{number}")
        value["messages"][0]["from_user_id"] = value["contacts"][0]["user_id"] = "GB.4821TEST"
        wired.deliver(meta.envelope(value))
        if number == 0:
            wired.store.customers.update_one({}, {"$set": {"isDeleted": True}})

    customer = only(wired.store.customers.find({"isDeleted": False}))
    assert only(wired.store.chats.find())["customerId"] == customer["id"]
    assert (customer["totalChats"], customer["totalMessages"]) == (1, 2)
