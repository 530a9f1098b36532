"""Who is who: numbers and user ids of the same person, in whatever order the vendor tells."""

import itertools
from typing import Any

import pytest

from tests.support import meta_webhooks as meta
from tests.support.wired import Wired

OLD, NEW = "447700900201", "447700900202"
OLD_ID, NEW_ID, OTHER_ID = "GB.1111", "GB.2222", "GB.3333"
NOON = meta.NOON


def said(text: str, *, at: int, phone: str | None = None, user_id: str | None = None) -> bytes:
    """A text of somebody of whom the vendor discloses a number, a user id, or both."""
    contact = {"profile": {"name": "Priya Raman"}, "wa_id": phone, "user_id": user_id}
    message = {"from": phone, "from_user_id": user_id, "id": f"wamid.{text}", "timestamp": str(at), "type": "text"}
    value = {
        "contacts": [{name: one for name, one in contact.items() if one}],
        "messages": [{**{name: one for name, one in message.items() if one}, "text": {"body": text}}],
    }
    return meta.envelope(value)


def changed_number(*, at: int) -> bytes:
    """The vendor's word that a person has a new number, and with it a new user id."""
    system = {
        "type": "user_changed_number",
        "body": "User changed",
        "wa_id": NEW,
        "user_id": NEW_ID,
        "previous_user_id": OLD_ID,
    }
    message = {"from": OLD, "from_user_id": OLD_ID, "id": "wamid.CHANGED", "timestamp": str(at), "type": "system"}
    return meta.envelope({"messages": [{**message, "system": system}]})


def live(wired: Wired, collection: str) -> list[dict[str, Any]]:
    return list(wired.store.database[collection].find({"isDeleted": False}))


def texts_of(wired: Wired) -> dict[str | None, set[str]]:
    """The texts in each live chat, by the number it shows."""
    return {
        chat.get("phoneNumber", chat.get("userId")): {
            row["text"] for row in wired.store.messages.find({"chatId": chat["id"], "type": "text"})
        }
        for chat in live(wired, "chats")
    }


def test_somebody_known_by_user_id_only_is_received_and_shown(wired: Wired) -> None:
    wired.deliver(said("hello", at=NOON, user_id=OLD_ID))

    (chat,) = live(wired, "chats")
    assert "phoneNumber" not in chat
    assert (chat["userId"], chat["unreadCount"], chat["customerName"]) == (OLD_ID, 1, "Priya Raman")


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_number_and_a_user_id_shown_to_belong_together_are_one_chat(wired: Wired, order: tuple[int, ...]) -> None:
    words = [
        said("by number", at=NOON, phone=OLD),
        said("by id", at=NOON + 10, user_id=OLD_ID),
        said("by both", at=NOON + 20, phone=OLD, user_id=OLD_ID),
    ]

    for place in order:
        wired.deliver(words[place])

    assert texts_of(wired) == {f"+{OLD}": {"by number", "by id", "by both"}}
    (customer,) = live(wired, "customers")
    (chat,) = live(wired, "chats")
    assert (customer["phoneNumber"], customer["userId"]) == (f"+{OLD}", OLD_ID)
    assert customer["totalMessages"] == chat["totalMessages"] == chat["unreadCount"] == 3
    assert customer["totalChats"] == 1
    assert chat["customerId"] == customer["id"]
    assert chat["lastMessage"]["text"] == "by both"
    assert chat["waitingSince"].timestamp() == NOON


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_changed_number_leads_to_the_same_chat_in_any_order(wired: Wired, order: tuple[int, ...]) -> None:
    words = [
        said("before", at=NOON, phone=OLD, user_id=OLD_ID),
        changed_number(at=NOON + 100),
        said("after", at=NOON + 200, phone=NEW, user_id=NEW_ID),
    ]

    for place in order:
        wired.deliver(words[place])

    assert texts_of(wired) == {f"+{NEW}": {"before", "after"}}
    (customer,) = live(wired, "customers")
    assert (customer["phoneNumber"], customer["userId"]) == (f"+{NEW}", NEW_ID)


@pytest.mark.parametrize("with_id", [True, False])
def test_a_number_that_was_given_up_may_belong_to_somebody_else(wired: Wired, *, with_id: bool) -> None:
    wired.deliver(said("before", at=NOON, phone=OLD, user_id=OLD_ID), changed_number(at=NOON + 100))

    wired.deliver(said("a stranger", at=NOON + 900, phone=OLD, user_id=OTHER_ID if with_id else None))
    wired.deliver(said("late", at=NOON + 50, phone=OLD, user_id=OLD_ID))

    assert texts_of(wired) == {f"+{NEW}": {"before", "late"}, f"+{OLD}": {"a stranger"}}
    assert len(live(wired, "customers")) == 2


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_same_number_with_another_user_id_is_another_person(wired: Wired, order: tuple[int, ...]) -> None:
    words = [
        said("first", at=NOON, phone=OLD, user_id=OLD_ID),
        said("second", at=NOON + 500, phone=OLD, user_id=OTHER_ID),
    ]

    for place in order:
        wired.deliver(words[place])

    chats = {chat["userId"]: chat["totalMessages"] for chat in live(wired, "chats")}
    assert chats == {OLD_ID: 1, OTHER_ID: 1}


def test_uniting_is_written_down_and_replaying_changes_nothing(wired: Wired) -> None:
    words = [said("n", at=NOON, phone=OLD), said("i", at=NOON + 10, user_id=OLD_ID)]
    words += [said("b", at=NOON + 20, phone=OLD, user_id=OLD_ID), changed_number(at=NOON + 100)]
    events = [event for word in words for event in wired.deliver(word)]
    entries = [(row["verb"], row["entity"]) for row in wired.store.auditentries.find().sort("id", 1)]
    before = texts_of(wired)

    for event in events:
        wired.events.reopen(event.id, now=wired.clock.now())
    wired.receiving.receive([event.id for event in events])

    assert sorted(entries) == [("merge", "chat"), ("merge", "customer")]
    assert wired.store.auditentries.count_documents({}) == 2
    assert texts_of(wired) == before
    (customer,) = live(wired, "customers")
    assert customer["totalMessages"] == 4


def test_brazilian_spellings_are_one_person_answered_at_the_last_used(wired: Wired) -> None:
    wired.deliver(
        said("without the nine", at=NOON, phone="552188880103"), said("with it", at=NOON + 9, phone="5521988880103")
    )

    (chat,) = live(wired, "chats")
    assert (chat["phoneNumber"], chat["totalMessages"]) == ("+5521988880103", 2)
    (address,) = wired.store.addresses.find()
    assert set(address["aliases"]) == {"+552188880103", "+5521988880103"}


def test_somebody_without_a_name_is_shown_by_the_present_number(wired: Wired) -> None:
    wired.deliver(said("before", at=NOON, phone=OLD, user_id=OLD_ID).replace(b"Priya Raman", b""))
    assert [chat["customerName"] for chat in live(wired, "chats")] == [f"+{OLD}"]

    wired.deliver(changed_number(at=NOON + 10))

    assert [chat["customerName"] for chat in live(wired, "chats")] == [f"+{NEW}"]


def test_a_name_outlives_the_number(wired: Wired) -> None:
    wired.deliver(said("before", at=NOON, phone=OLD, user_id=OLD_ID), changed_number(at=NOON + 10))

    assert [chat["customerName"] for chat in live(wired, "chats")] == ["Priya Raman"]
