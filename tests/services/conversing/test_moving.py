"""Messages that follow into another chat: in pieces, once, and also when whoever ordered it has died."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from models.store import conversations, moves
from services.conversing.moving import PATIENCE
from tests.services.conversing.test_identity import NOON, OLD, OLD_ID, OTHER_ID, live, said
from tests.services.conversing.test_uniting import miscounted
from tests.support import meta_webhooks as meta
from tests.support.wired import Wired


@contextmanager
def dying_after_the_commit(wired: Wired) -> Iterator[None]:
    """Workers do nothing of what follows a commit."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(wired.receiving, "_settle", lambda *_: None)
        yield


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations, "MOVED_AT_ONCE", 3)
    monkeypatch.setattr(moves, "PIECE", 2)


def two_chats_of_one(wired: Wired) -> bytes:
    """Fill two chats of eight messages each; return the word that they are one person's."""
    wired.deliver(*(said(f"n{number}", at=NOON + number, phone=OLD) for number in range(8)))
    wired.deliver(*(said(f"i{number}", at=NOON + number, user_id=OLD_ID) for number in range(8)))
    return said("both", at=NOON + 20, phone=OLD, user_id=OLD_ID)


@pytest.mark.usefixtures("small_pieces")
def test_a_large_chat_follows_in_pieces(wired: Wired) -> None:
    word = two_chats_of_one(wired)

    wired.deliver(word)

    (chat,) = live(wired, "chats")
    assert wired.store.messages.count_documents({"chatId": chat["id"]}) == 17
    assert wired.store.messagemoves.count_documents({}) == 0
    assert miscounted(wired) == []
    assert chat["waitingSince"].timestamp() == NOON


@pytest.mark.usefixtures("small_pieces")
def test_the_newest_are_there_at_once_and_the_sweep_brings_the_rest(wired: Wired) -> None:
    word = two_chats_of_one(wired)
    with dying_after_the_commit(wired):
        wired.deliver(word)

    (chat,) = live(wired, "chats")
    here = {row["text"] for row in wired.store.messages.find({"chatId": chat["id"]})}
    assert len(here) == 8 + 1 + 3
    assert chat["totalMessages"] == 17
    assert wired.moving.sweep() == 0
    wired.clock_hand.move(PATIENCE + timedelta(seconds=1))
    assert wired.moving.sweep() == 1

    assert miscounted(wired) == []
    assert wired.store.messagemoves.count_documents({}) == 0
    assert wired.moving.sweep() == 0


def test_a_stretch_that_was_anothers_moves_by_the_sweep_too(wired: Wired) -> None:
    wired.deliver(said("a", at=NOON, phone=OLD, user_id=OLD_ID), said("by number", at=NOON + 30, phone=OLD))
    with dying_after_the_commit(wired):
        wired.deliver(said("b", at=NOON + 20, phone=OLD, user_id=OTHER_ID))
    wired.clock_hand.move(PATIENCE + timedelta(seconds=1))

    assert wired.moving.sweep() == 1

    chats = {chat["userId"]: chat["unreadCount"] for chat in live(wired, "chats")}
    assert chats == {OLD_ID: 1, OTHER_ID: 2}
    assert miscounted(wired) == []


def test_a_message_that_is_being_stored_while_the_cut_is_made_is_not_left_behind(
    wired: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    wired.deliver(said("b", at=NOON + 20, phone=OLD, user_id=OTHER_ID))
    late = wired.store_webhook(said("by number", at=NOON + 10, phone=OLD))
    other = Wired(wired.settings, application="test", clock=wired.clock)
    transact = other.conversations.transact
    folded: list[int] = []

    def interrupted(wanted: Any, fold: Any, **options: Any) -> None:
        def with_the_word_in_between(batch: Any) -> Any:
            closings = fold(batch)
            if not folded:
                wired.deliver(said("a", at=NOON, phone=OLD, user_id=OLD_ID))
            folded.append(1)
            return closings

        transact(wanted, with_the_word_in_between, **options)

    monkeypatch.setattr(other.conversations, "transact", interrupted)
    other.receiving.receive([late])

    assert len(folded) == 2
    assert {chat["userId"]: chat["totalMessages"] for chat in live(wired, "chats")} == {OLD_ID: 2, OTHER_ID: 1}
    assert miscounted(wired) == []
    other.store.client.close()


def test_what_was_read_stays_read_when_it_moves(wired: Wired) -> None:
    wired.deliver(said("a", at=NOON, phone=OLD, user_id=OLD_ID), said("by number", at=NOON + 30, phone=OLD))
    wired.store.messages.update_many({}, {"$set": {"status": "read"}})
    wired.store.chats.update_many({}, {"$set": {"unreadCount": 0}})

    wired.deliver(said("b", at=NOON + 20, phone=OLD, user_id=OTHER_ID))

    assert {chat["userId"]: chat["unreadCount"] for chat in live(wired, "chats")} == {OLD_ID: 0, OTHER_ID: 1}


def test_a_chat_that_nothing_is_left_of_ends(wired: Wired) -> None:
    """Somebody was known by a wish alone, and got the message of the one who had the number before."""
    wish = {"wa_id": OLD, "user_id": OTHER_ID, "category": "marketing_messages", "value": "stop"}
    wired.deliver(said("by number", at=NOON + 10, phone=OLD))
    wired.deliver(meta.envelope({"user_preferences": [{**wish, "timestamp": NOON + 20}]}, field="user_preferences"))
    wired.deliver(said("a", at=NOON, phone=OLD, user_id=OLD_ID))

    (chat,) = live(wired, "chats")
    assert (chat["userId"], chat["totalMessages"]) == (OLD_ID, 2)
    wired.deliver(said("b", at=NOON + 40, phone=OLD, user_id=OTHER_ID))
    assert {chat["userId"]: chat["totalMessages"] for chat in live(wired, "chats")} == {OLD_ID: 2, OTHER_ID: 1}
    assert miscounted(wired) == []
