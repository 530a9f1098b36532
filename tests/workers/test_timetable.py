"""The timetable: every entry may run twice, and in two processes at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from models.store.collections import COLLECTIONS
from tests.support import meta_webhooks as meta
from tests.support.wired import Wired
from workers.timetable import TIMETABLE, Entry


def contents(wired: Wired) -> dict[str, list[Any]]:
    """All documents, without the moments of their changes."""
    return {
        name: [
            {key: value for key, value in row.items() if key != "updatedAt"}
            for row in wired.store.database[name].find().sort("id", 1)
        ]
        for name in sorted(COLLECTIONS.values())
    }


def test_entries_have_names_of_their_own_and_sensible_periods() -> None:
    assert len({entry.name for entry in TIMETABLE}) == len(TIMETABLE) > 0
    assert all(1 <= entry.every <= 86_400 for entry in TIMETABLE)


@pytest.mark.parametrize("entry", TIMETABLE, ids=lambda entry: entry.name)
def test_an_entry_run_by_many_at_once_changes_what_it_changes_run_once(entry: Entry, wired: Wired) -> None:
    wired.deliver(meta.envelope(meta.text("applied")), meta.envelope(meta.status("wamid.UNKNOWN", "read")))
    held = [wired.store_webhook(meta.envelope(meta.text(f"held {n}"))) for n in range(3)]
    now = wired.clock.now()
    wired.events.claim(held, now=now, until=now)
    wired.clock_hand.move(timedelta(minutes=5))

    entry.run(wired)
    once = contents(wired)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: entry.run(wired), range(8)))

    assert contents(wired) == once


@pytest.mark.parametrize("entry", TIMETABLE, ids=lambda entry: entry.name)
def test_an_entry_with_nothing_to_do_does_nothing(entry: Entry, wired: Wired) -> None:
    before = contents(wired)

    entry.run(wired)

    assert contents(wired) == before
