"""How much waits, as a scrape shows it: whole while it can be counted in time, and never missing beyond that."""

from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from models.store import depth
from models.store.depth import DepthCollector
from tests.support import meta_webhooks as meta
from tests.support.wired import Wired

WAITING = 30
HELD = 4


@pytest.fixture
def backlog(wired: Wired) -> Wired:
    """Many webhooks wait, the oldest in a worker's hands, and time has passed."""
    ids = [wired.store_webhook(meta.envelope(meta.text(message_id=f"wamid.{n}"))) for n in range(WAITING)]
    now = wired.clock.now()
    wired.events.claim(ids[:HELD], now=now, until=now + timedelta(seconds=20))
    wired.clock_hand.move(timedelta(minutes=5))
    return wired


def gauges(wired: Wired) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(DepthCollector(wired.store, wired.clock))
    lines = [line for line in generate_latest(registry).decode().splitlines() if line.startswith("hookline_")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_what_waits_and_what_is_in_hand_are_told_apart(backlog: Wired) -> None:
    told = gauges(backlog)

    assert told['hookline_events_waiting{state="pending"}'] == WAITING - HELD
    assert told['hookline_events_waiting{state="processing"}'] == HELD
    assert told['hookline_events_oldest_seconds{state="pending"}'] >= 300
    assert told['hookline_events_oldest_seconds{state="processing"}'] >= 300


def test_of_many_only_the_oldest_are_looked_at_and_all_are_counted(
    backlog: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(depth, "HELD_AMONG", 10)

    told = gauges(backlog)

    assert told['hookline_events_waiting{state="pending"}'] == WAITING - HELD
    assert told['hookline_events_waiting{state="processing"}'] == HELD


def test_beyond_what_can_be_counted_the_gauges_say_so_much_or_more(
    backlog: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(depth, "HELD_AMONG", 10)
    monkeypatch.setattr(depth, "COUNTED", 20)

    told = gauges(backlog)

    assert told['hookline_events_waiting{state="pending"}'] == 20 - HELD
    assert told['hookline_events_oldest_seconds{state="pending"}'] >= 300
    assert told["hookline_depth_query_failed"] == 0
