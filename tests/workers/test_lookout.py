"""A worker that nobody rings for looks for itself, and leaves it to the rings while they come."""

import time
from datetime import timedelta

import pytest

from tests.support import meta_webhooks as meta
from tests.support.failing import failing
from tests.support.waiting import until
from tests.support.wired import Wired
from workers import lookout as lookouts
from workers.lookout import Lookout

AFTER = 5.0


@pytest.fixture
def lookout(wired: Wired) -> Lookout:
    """A lookout in a worker that nobody has rung for for a while."""
    wired.receiving.answered_at = time.monotonic() - 2 * AFTER
    return Lookout(wired.receiving, wired.sweeping, after=AFTER)


def overdue(wired: Wired, count: int = 3) -> list[str]:
    ids = [wired.store_webhook(meta.envelope(meta.text(message_id=f"wamid.{n}"))) for n in range(count)]
    wired.clock_hand.move(wired.settings.sweep_after + timedelta(seconds=1))
    return ids


def test_what_nobody_rings_for_is_received(wired: Wired, lookout: Lookout) -> None:
    ids = overdue(wired)

    lookout._look()

    assert wired.outcomes(ids) == ["applied"] * 3


def test_while_rings_come_they_are_enough(wired: Wired, lookout: Lookout) -> None:
    wired.receiving.receive([wired.store_webhook(meta.envelope(meta.text()))])
    ids = overdue(wired)

    lookout._look()

    assert {wired.events.get(event_id).status.value for event_id in ids} == {"pending"}


def test_what_may_still_be_rung_for_is_left_to_its_ring(wired: Wired, lookout: Lookout) -> None:
    event_id = wired.store_webhook(meta.envelope(meta.text()))

    lookout._look()

    assert wired.events.get(event_id).status == "pending"


def test_it_outlives_an_outage_and_ends_when_told_to(
    wired: Wired, lookout: Lookout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookouts, "LOOK_EVERY_S", 0.02)
    ids = overdue(wired)
    with failing(wired.store.webhookevents, "find", errorCode=11601) as begun:
        lookout.start()
        begun()
    until(lambda: wired.store.messages.count_documents({}) == 3, seconds=10, what="the rows to be received")

    assert lookout.is_alive
    lookout.stop()
    assert not lookout.is_alive
    assert wired.outcomes(ids) == ["applied"] * 3
