"""Between the commit of a webhook's effects and its closing: nobody takes the row, and the sweep closes it."""

from datetime import timedelta
from typing import Any

import pytest

from models.store import conversations
from models.store.chat_list import enlist
from models.values import EventStatus, Outcome
from services.sweeping import Sweeping
from tests.support import meta_webhooks as meta
from tests.support.failing import failing
from tests.support.wired import Wired

LEASE = timedelta(seconds=20)


@pytest.fixture
def decided(wired: Wired, monkeypatch: pytest.MonkeyPatch) -> str:
    """A row whose worker died right after the commit."""
    event_id = wired.store_webhook(meta.envelope(meta.text("once")))
    with monkeypatch.context() as dying:
        dying.setattr(wired.conversations._events, "close", lambda ids: 0)
        assert wired.receiving.receive([event_id]) == 1
    return event_id


def raw(wired: Wired, event_id: str) -> dict[str, Any]:
    row = wired.store.webhookevents.find_one({"id": event_id})
    assert row is not None
    return row


def test_its_effects_stand_and_nobody_takes_it(wired: Wired, decided: str) -> None:
    now = wired.clock.now()

    assert wired.store.messages.count_documents({"text": "once"}) == 1
    assert raw(wired, decided)["status"] == "pending"
    assert wired.events.claim([decided], now=now, until=now + LEASE) == []
    assert wired.events.waiting(now=now, limit=10) == []
    assert wired.receiving.receive([decided]) == 0


def test_it_is_not_given_back(wired: Wired, decided: str) -> None:
    held = wired.events.get(decided)

    wired.events.give_back([held], now=wired.clock.now())

    assert "leaseUntil" in raw(wired, decided)
    assert wired.events.waiting(now=wired.clock.now(), limit=10) == []


def test_it_is_closed_though_the_server_is_lost_half_way(wired: Wired, decided: str) -> None:
    with failing(wired.store.webhookevents, "update", times=1, closeConnection=True):
        assert wired.events.close([decided]) == 1

    assert wired.events.get(decided).status is EventStatus.PROCESSED


def test_a_chat_gets_its_place_though_the_server_is_lost_half_way(
    wired: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as dying:
        dying.setattr(conversations, "enlist", lambda *_: None)
        wired.deliver(meta.envelope(meta.text("first")), meta.envelope(meta.text("second", at=meta.NOON + 60)))
    (chat,) = wired.store.chats.find()

    with failing(wired.store.chats, "update", times=1, closeConnection=True):
        enlist(wired.store.chats, [chat["_id"]])

    (chat,) = wired.store.chats.find()
    assert chat["lastMessageTime"] == chat["lastMessage"]["timestamp"]


def test_the_sweep_closes_it_when_its_lease_ends(wired: Wired, decided: str) -> None:
    rung: list[str] = []
    wired.clock_hand.move(LEASE + timedelta(minutes=1))

    Sweeping(wired.events, wired.clock, ring=rung.extend, after=timedelta(seconds=5)).stranded()

    event = wired.events.get(decided)
    assert event.status is EventStatus.PROCESSED
    assert [item.outcome for item in event.items] == [Outcome.APPLIED]
    assert event.chat_id
    assert event.event_type == "message"
    assert event.expires_at
    assert not {"ending", "claim", "leaseUntil", "nextAttemptAt"} & set(raw(wired, decided))
    assert rung == []
    assert wired.store.messages.count_documents({}) == 1


def test_the_sweep_gives_the_chat_its_place_first(wired: Wired, monkeypatch: pytest.MonkeyPatch) -> None:
    wired.deliver(meta.envelope(meta.text("first", at=meta.NOON)))
    event_id = wired.store_webhook(meta.envelope(meta.text("second", at=meta.NOON + 60)))
    with monkeypatch.context() as dying:
        dying.setattr(conversations, "enlist", lambda *_: None)
        dying.setattr(wired.conversations._events, "close", lambda ids: 0)
        wired.receiving.receive([event_id])
    (chat,) = wired.store.chats.find()
    assert chat["lastMessage"]["text"] == "second"
    assert chat["lastMessageTime"] < chat["lastMessage"]["timestamp"]

    wired.clock_hand.move(LEASE + timedelta(minutes=1))
    Sweeping(wired.events, wired.clock, ring=lambda _: None, after=timedelta(seconds=5)).stranded()

    (chat,) = wired.store.chats.find()
    assert chat["lastMessageTime"] == chat["lastMessage"]["timestamp"]
    assert wired.events.get(event_id).status is EventStatus.PROCESSED


def test_an_overtaken_worker_decides_nothing(wired: Wired) -> None:
    event_id = wired.store_webhook(meta.envelope(meta.text("late")))
    now = wired.clock.now()
    (held,) = wired.events.claim([event_id], now=now, until=now + LEASE)
    wired.store.webhookevents.update_one({"id": event_id}, {"$inc": {"generation": 1}})

    wired.receiving._apply_batch([wired.reader.read(held)])

    assert wired.store.messages.count_documents({}) == 0
    assert "ending" not in raw(wired, event_id)
