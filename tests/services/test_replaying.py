"""Replaying many webhooks by one order: nothing happens twice, whatever is replayed and however often."""

from datetime import timedelta

import pytest

from models.store.webhook_events import Stretch
from models.values import EventStatus
from runtime.errors import NotFound
from tests.support import meta_webhooks as meta
from tests.support.picture import differences, picture
from tests.support.three_vendors import MORNING, House, the_day
from tests.support.wired import Wired


@pytest.fixture
def rung(wired: Wired, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The webhooks that workers are rung for, instead of a queue."""
    ids: list[str] = []
    monkeypatch.setattr(wired.replaying, "_ring", ids.extend)
    return ids


def carried_out(wired: Wired, stretch: Stretch, *, limit: int = 10) -> list[str]:
    order = wired.replaying.order(stretch, by=None, reason="a test")
    ids: list[str] = []
    while piece := wired.replaying.carry_out(order, after=ids[-1] if ids else "", limit=limit):
        ids += piece
    return ids


def test_a_day_of_three_vendors_once_more_changes_nothing(wired: Wired, rung: list[str]) -> None:
    house = House(wired)
    expected = house.apply(the_day(), batch=5, workers=1)
    audited = wired.store.auditentries.count_documents({})

    ids = carried_out(wired, Stretch(since=MORNING, until=MORNING + timedelta(days=1)))
    assert len(ids) == len(set(ids)) == len(the_day())
    assert sorted(rung) == sorted(ids)
    assert wired.store.webhookevents.count_documents({"status": "pending"}) == len(ids)
    wired.receiving.receive(ids)

    assert differences(expected, picture(wired.store)) == []
    assert wired.store.webhookevents.count_documents({"status": "processed"}) == len(ids)
    assert wired.store.auditentries.count_documents({}) == audited + 1


def test_only_what_matches_is_replayed(wired: Wired, rung: list[str]) -> None:
    good, bad, ignored = wired.deliver(meta.envelope(meta.text("x")), b"{", meta.envelope(meta.text(), number_id="777"))

    assert carried_out(wired, Stretch(status=EventStatus.FAILED)) == [bad.id]
    assert carried_out(wired, Stretch(provider="twilio")) == []
    assert carried_out(wired, Stretch(until=good.received_at)) == []
    assert carried_out(wired, Stretch(since=ignored.received_at)) == [ignored.id]
    assert rung == [bad.id, ignored.id]


def test_an_order_that_was_broken_off_is_taken_up_where_it_was(wired: Wired, rung: list[str]) -> None:
    events = wired.deliver(*(meta.envelope(meta.text(str(number))) for number in range(7)))
    order = wired.replaying.order(Stretch(provider="meta-whatsapp"), by=None)
    first = wired.replaying.carry_out(order, limit=3)
    wired.clock_hand.move(timedelta(minutes=1))
    # The workers were faster: what was replayed is at an end again.
    wired.receiving.receive(first)

    again = wired.replaying.ordered(order.id)
    assert wired.replaying.size(again.stretch, before=again.at) == 4
    assert wired.replaying.carry_out(again) == [event.id for event in events[3:]]
    assert wired.replaying.carry_out(again) == []
    with pytest.raises(NotFound):
        wired.replaying.ordered("aud_nobody")


def test_what_is_being_processed_is_left_alone(wired: Wired, rung: list[str]) -> None:
    event_id = wired.store_webhook(meta.envelope(meta.text()))

    assert carried_out(wired, Stretch(provider="meta-whatsapp")) == []
    assert wired.receiving.receive([event_id]) == 1


def test_of_999_applied_and_one_failed_only_that_one_takes_effect(wired: Wired, rung: list[str]) -> None:
    statuses = [meta.status("wamid.OUT", "delivered", at=meta.NOON + n)["statuses"][0] for n in range(999)]
    statuses.insert(400, {"status": "read", "timestamp": str(meta.NOON)})
    wired.deliver(
        meta.envelope(meta.echo(message_id="wamid.OUT", at=meta.NOON), field="smb_message_echoes"),
        meta.envelope({"statuses": statuses}),
    )
    row = wired.store.webhookevents.find_one({"status": "failed"})
    assert row is not None
    assert sum(item["outcome"] == "failed" for item in row["items"]) == 1
    before = picture(wired.store)

    assert carried_out(wired, Stretch(status=EventStatus.FAILED)) == [row["id"]]
    wired.receiving.receive([row["id"]])

    assert differences(before, picture(wired.store)) == []
    again = wired.store.webhookevents.find_one({"id": row["id"]})
    assert again is not None
    assert [item["outcome"] for item in again["items"]] == [item["outcome"] for item in row["items"]]
