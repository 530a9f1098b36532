"""Taking messages: what is stored with them, what is refused, and that a repetition is the same message."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from models.ids import new_id
from models.message import Content, Location
from models.response_clock import counted, turn_of
from models.values import MessageStatus, MessageType, SenderType
from runtime.errors import Conflict, Invalid, NotFound
from services.sending.orders import Order, split, text_order
from tests.support import meta_webhooks as meta
from tests.support import vendor as vendors
from tests.support.sending import AGENT, Desk


def test_a_message_its_counters_and_its_outbox_are_stored_together(desk: Desk) -> None:
    chat_id = desk.chat()
    desk.wired.clock_hand.move(timedelta(minutes=2))

    message = desk.write(chat_id, "hello")

    assert (message.sender_type, message.sender_id) == (SenderType.AGENT, AGENT.agent_id)
    assert message.client_ref == message.id
    chat = desk.chat_row(chat_id)
    assert (chat["totalMessages"], chat["agentMessages"], chat["customerMessages"]) == (2, 1, 1)
    assert chat["lastMessage"]["id"] == message.id
    assert chat["firstResponseTime"] == pytest.approx(120, abs=2)
    assert "waitingSince" not in chat
    assert desk.wired.store.customers.find_one({"id": chat["customerId"]})["totalMessages"] == 2  # type: ignore[index]
    outbox = desk.wired.store.outboxes.find_one({"id": chat_id})
    assert outbox is not None
    assert (outbox["configId"], outbox["version"]) == (chat["configId"], 1)


def recounted(desk: Desk, chat_id: str) -> dict[str, object]:
    ids = [row["id"] for row in desk.wired.store.messages.find({"chatId": chat_id})]
    messages = [desk.message(one) for one in ids]
    bubbles = [one for one in messages if one.type is not MessageType.REACTION and not one.is_deleted]
    clock = counted(turn for one in messages if (turn := turn_of(one)))
    return {"totalMessages": len(bubbles), "firstResponseTime": clock["first_response_time"]}


@pytest.mark.parametrize("end", ["accepted", "failed", "canceled", "unknown"])
def test_counters_and_clock_equal_a_recount_whatever_becomes_of_the_message(desk: Desk, end: str) -> None:
    chat_id = desk.chat()
    desk.wired.clock_hand.move(timedelta(minutes=2))
    message = desk.write(chat_id)
    desk.vendor.answers({"failed": vendors.error(131026), "unknown": vendors.GARBAGE}.get(end, vendors.OK))
    if end == "canceled":
        desk.wired.steering.cancel(message.id, by=AGENT)
    desk.deliver()

    assert desk.message(message).status == end
    chat, expected = desk.chat_row(chat_id), recounted(desk, chat_id)
    assert {name: chat.get(name) for name in expected} == expected
    assert ("waitingSince" in chat) == (end in {"failed", "canceled"}), "who got no answer still waits"


def test_twenty_requests_under_one_key_at_once_are_one_message(desk: Desk) -> None:
    chat_id = desk.chat()

    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(lambda _: desk.write(chat_id, "once", idempotency_key="k1"), range(20)))

    assert len({one.id for one in found}) == 1
    assert desk.wired.store.messages.count_documents({"text": "once"}) == 1
    assert desk.chat_row(chat_id)["agentMessages"] == 1
    desk.deliver()
    assert desk.vendor.accepted(found[0].id) == 1


def test_control_without_a_key_they_are_twenty(desk: Desk) -> None:
    chat_id = desk.chat()
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda _: desk.write(chat_id, "often"), range(20)))

    assert desk.wired.store.messages.count_documents({"text": "often"}) == 20
    assert desk.chat_row(chat_id)["agentMessages"] == 20


def test_the_pieces_of_a_text_keep_their_order_while_others_make_ids(desk: Desk) -> None:
    """Ids are counted upwards within a moment, as long as nobody makes one for another moment in between."""
    chat_id, done = desk.chat(), threading.Event()

    def make_ids() -> None:
        moment = desk.wired.clock.now()
        while not done.is_set():
            moment += timedelta(milliseconds=1)
            new_id("msg", moment)

    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(make_ids)
            words = [" ".join(f"{n:02d}" + "x" * 4000 for n in range(20)) for _ in range(3)]
            orders = [Order(content=Content(type=MessageType.TEXT, text=text), split=True) for text in words]
            taken = [desk.wired.queueing.take(chat_id, order, by=AGENT).messages for order in orders]
            done.set()
    finally:
        sys.setswitchinterval(usual)

    for pieces in taken:
        assert [one.text[:2] for one in sorted(pieces, key=lambda one: one.id) if one.text] == [
            f"{n:02d}" for n in range(20)
        ]


def test_a_key_with_another_request_is_a_conflict(desk: Desk) -> None:
    chat_id = desk.chat()
    desk.write(chat_id, "one", idempotency_key="k1")

    with pytest.raises(Conflict) as caught:
        desk.write(chat_id, "other", idempotency_key="k1")

    assert caught.value.code == "idempotency_conflict"


def test_a_key_is_the_callers_own_and_lasts_a_day(desk: Desk) -> None:
    chat_id = desk.chat()
    first = desk.write(chat_id, "one", idempotency_key="k1")
    of_another = desk.wired.queueing.queue(chat_id, text_order("one"), idempotency_key="k1")
    desk.wired.clock_hand.move(timedelta(hours=23))
    assert desk.write(chat_id, "one", idempotency_key="k1").id == first.id
    desk.wired.clock_hand.move(timedelta(hours=2))
    desk.chat()
    later = desk.write(chat_id, "one", idempotency_key="k1")

    assert len({first.id, of_another.id, later.id}) == 3


def test_a_repetition_is_answered_although_the_window_has_closed_meanwhile(desk: Desk) -> None:
    chat_id = desk.chat()
    first = desk.write(chat_id, "one", idempotency_key="k1")
    desk.wired.clock_hand.move(timedelta(hours=23, minutes=59, seconds=50))

    assert desk.write(chat_id, "one", idempotency_key="k1").id == first.id


def test_a_request_that_was_refused_leaves_nothing_and_its_key_is_free(desk: Desk) -> None:
    chat_id = desk.chat()
    with pytest.raises(Invalid):
        desk.write(chat_id, "x" * 5000, idempotency_key="k1")
    assert desk.outboxes == 0
    assert desk.wired.store.idempotencykeys.count_documents({}) == 0

    assert desk.write(chat_id, "short", idempotency_key="k1").text == "short"


@pytest.mark.parametrize("gone", [timedelta(hours=24), timedelta(hours=23, minutes=59, seconds=45)])
def test_outside_the_window_only_templates_may_be_sent(desk: Desk, gone: timedelta) -> None:
    chat_id = desk.chat()
    desk.wired.store.templates.insert_many(
        [
            {"id": f"tpl_{status}", "configId": desk.wired.account.id, "name": status, "language": "en"}
            | {"status": status, "isActive": True, "isDeleted": False, "components": []}
            for status in ("approved", "paused")
        ]
    )
    desk.wired.clock_hand.move(gone)

    with pytest.raises(Conflict) as caught:
        desk.write(chat_id)

    assert caught.value.code == "window_closed"
    templates = caught.value.details["templates"]
    assert templates == [{"name": "approved", "language": "en"}]
    assert desk.outboxes == 0


def test_a_window_that_was_never_open_is_closed(desk: Desk) -> None:
    chat_id = desk.chat()
    desk.wired.store.chats.update_one({"id": chat_id}, {"$unset": {"windowExpiresAt": 1}})

    with pytest.raises(Conflict, match="window"):
        desk.write(chat_id)


def test_nothing_is_sent_to_the_blocked(desk: Desk) -> None:
    chat_id, other = desk.chat(1), desk.chat(2)
    desk.wired.store.chats.update_one({"id": chat_id}, {"$set": {"blocked": True}})
    phone = desk.chat_row(other)["phoneNumber"]
    desk.wired.store.blockednumbers.insert_one(
        {"id": "blk_1", "phoneNumber": phone, "isActive": True, "isDeleted": False}
    )

    for one in (chat_id, other):
        with pytest.raises(Conflict) as caught:
            desk.write(one)
        assert caught.value.code == "blocked"


@pytest.mark.parametrize("spelling", ["551187654321", "5511987654321"])
def test_whoever_is_blocked_is_so_in_every_spelling_of_the_number(desk: Desk, spelling: str) -> None:
    at = int(desk.wired.clock.now().timestamp())
    (event,) = desk.wired.deliver(meta.envelope(meta.text("a question", sender=spelling, at=at)))
    chat_id = event.items[0].chat_id or ""
    desk.write(chat_id)
    desk.wired.store.blockednumbers.insert_one(
        {"id": "blk_1", "phoneNumber": "+5511987654321", "isActive": True, "isDeleted": False}
    )

    with pytest.raises(Conflict) as caught:
        desk.write(chat_id)
    assert caught.value.code == "blocked"


def test_a_message_goes_to_the_chats_own_address_and_never_to_the_customers_phone(desk: Desk) -> None:
    chat_id = desk.chat()
    chat = desk.chat_row(chat_id)
    desk.wired.store.customers.update_one({"id": chat["customerId"]}, {"$set": {"phoneNumber": "+447700900999"}})

    message = desk.write(chat_id)
    desk.deliver()

    assert message.to == chat["phoneNumber"]
    assert desk.vendor.books[0].to == chat["phoneNumber"]


def test_a_chat_whose_number_passed_to_somebody_else_cannot_be_written_to(desk: Desk) -> None:
    chat_id = desk.chat()
    desk.wired.store.addresses.update_many({"chatId": chat_id}, {"$set": {"chatId": "chat_of_somebody_else"}})

    with pytest.raises(Conflict) as caught:
        desk.write(chat_id)

    assert caught.value.code == "no_address"


def test_an_account_switched_off_is_told_at_once(desk: Desk) -> None:
    chat_id = desk.chat()
    desk.wired.configs.change(desk.wired.account.id, {"is_active": False}, desk.wired.clock)
    desk.wired.directory.refresh(older_than=0)

    with pytest.raises(Conflict) as caught:
        desk.write(chat_id)

    assert caught.value.code == "account_inactive"


def test_there_is_no_such_chat(desk: Desk) -> None:
    with pytest.raises(NotFound):
        desk.write("chat_nobody")


def test_a_text_that_is_too_long_is_refused_or_split_as_ordered(desk: Desk) -> None:
    chat_id = desk.chat()
    text = " ".join(f"word{n}" for n in range(1500))
    with pytest.raises(Invalid) as caught:
        desk.write(chat_id, text)
    assert "text" in caught.value.fields

    taken = desk.wired.queueing.take(
        chat_id, Order(content=Content(text=text), split=True), by=AGENT, idempotency_key="k"
    )
    again = desk.wired.queueing.take(
        chat_id, Order(content=Content(text=text), split=True), by=AGENT, idempotency_key="k"
    )
    desk.deliver()

    assert len(taken.messages) > 1
    assert again.again
    assert [one.id for one in again.messages] == [one.id for one in taken.messages]
    assert " ".join(booked.body["text"]["body"] for booked in desk.vendor.books) == text
    assert desk.chat_row(chat_id)["agentMessages"] == len(taken.messages)


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("short", 10, ["short"]),
        ("one two three", 8, ["one two", "three"]),
        ("aaaa\n\nbbbb cc", 10, ["aaaa", "bbbb cc"]),
        ("x" * 25, 10, ["x" * 10, "x" * 10, "x" * 5]),
        ("First one. Second", 14, ["First one.", "Second"]),
    ],
)
def test_a_text_is_cut_at_the_best_place(text: str, limit: int, expected: list[str]) -> None:
    assert list(split(text, limit)) == expected


def test_an_answer_quotes_by_the_vendors_id(desk: Desk) -> None:
    chat_id = desk.chat()
    asked = desk.wired.store.messages.find_one({"chatId": chat_id})
    assert asked is not None

    desk.order(chat_id, text_order("yes", reply_to=asked["id"]))
    desk.deliver()

    assert desk.vendor.books[0].body["context"] == {"message_id": asked["providerMessageId"]}
    with pytest.raises(Invalid):
        desk.order(chat_id, text_order("yes", reply_to="msg_of_another_chat"))


def test_a_reaction_is_no_bubble_and_stands_on_its_target_once_accepted(desk: Desk) -> None:
    chat_id = desk.chat()
    target = desk.wired.store.messages.find_one({"chatId": chat_id})
    assert target is not None
    before = desk.chat_row(chat_id)
    reaction = Content(type=MessageType.REACTION)

    queued = desk.order(chat_id, Order(content=reaction, target_id=target["id"], emoji="👍"))
    assert desk.message(target["id"]).reactions is None
    desk.deliver()

    assert desk.message(queued).status is MessageStatus.ACCEPTED
    assert [(one.from_, one.emoji) for one in desk.message(target["id"]).reactions or []] == [("business", "👍")]
    after = desk.chat_row(chat_id)
    names = ("totalMessages", "agentMessages", "lastMessage", "waitingSince")
    assert {name: after.get(name) for name in names} == {name: before.get(name) for name in names}
    desk.order(chat_id, Order(content=reaction, target_id=target["id"]))
    desk.deliver()
    assert desk.message(target["id"]).reactions == []


def test_what_the_vendor_would_refuse_is_refused_by_field(desk: Desk) -> None:
    with pytest.raises(Invalid) as caught:
        desk.order(desk.chat(), Order(content=Content(type=MessageType.LOCATION, location=Location(latitude=91))))

    assert any(path.startswith("location") for path in caught.value.fields)
