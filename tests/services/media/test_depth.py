"""How many files are still to be fetched, and for how long, as a scrape shows it."""

from datetime import timedelta

from prometheus_client import CollectorRegistry, generate_latest

from models.store.depth import DepthCollector
from tests.support import meta_webhooks as meta
from tests.support.wired import Wired


def scrape(wired: Wired) -> str:
    registry = CollectorRegistry()
    registry.register(DepthCollector(wired.store, wired.clock))
    return generate_latest(registry).decode()


def test_files_that_wait_are_counted_with_their_age(wired: Wired) -> None:
    assert "hookline_media_waiting 0.0" in scrape(wired)

    wired.deliver(meta.envelope(meta.image(), meta.image(), meta.text()))
    wired.clock_hand.move(timedelta(minutes=5))

    text = scrape(wired)
    assert "hookline_media_waiting 2.0" in text
    assert "hookline_media_oldest_seconds 300.0" in text


def test_a_file_that_is_due_later_has_no_age(wired: Wired) -> None:
    wired.deliver(meta.envelope(meta.image()))
    later = wired.clock.now() + timedelta(minutes=1)
    wired.store.messages.update_many({"fetch": {"$exists": True}}, {"$set": {"fetch.dueAt": later}})

    text = scrape(wired)
    assert "hookline_media_waiting 1.0" in text
    assert "hookline_media_oldest_seconds 0.0" in text
