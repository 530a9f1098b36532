"""A day of Meta, Twilio and ChatAPI together: the same database in any order, repeated, cut, by one worker or four.

HOOKLINE_EXAMPLES=200 tries more of them.
"""

import os
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from models.store.collections import COLLECTIONS
from tests.support.picture import differences
from tests.support.three_vendors import House, again, the_day
from tests.support.wired import add_meta_account, wire

#: Orders that are tried; each takes a second or two.
EXAMPLES = int(os.environ.get("HOOKLINE_EXAMPLES", "10"))


class Day:
    """A house, and what the day leaves when it comes in order, once, one by one."""

    def __init__(self, house: House, expected: dict[str, list[Any]]) -> None:
        self.house = house
        self.expected = expected


@pytest.fixture(scope="module")
def day(mongo_uri: str, redis_uri: str, indexed_database: str) -> Iterator[Day]:
    """The day, in a database of accounts only."""
    wired = wire(mongo_uri, redis_uri, indexed_database)
    for collection in COLLECTIONS.values():
        wired.store.database[collection].delete_many({})
    wired.account = add_meta_account(wired)
    house = House(wired)
    yield Day(house, house.apply(the_day(), batch=1, workers=1))
    for worker in house.workers:
        worker.store.client.close()


def test_the_day_in_order_is_what_people_saw(day: Day) -> None:
    expected = day.expected
    chats = {(row["provider"], row.get("phoneNumber")): row for row in expected["chats"]}

    assert len(expected["chats"]) == len(chats) == 10
    assert chats["twilio", "+447700900105"]["totalMessages"] == 3
    assert chats["chatapi", "+447700900101"]["firstResponseTime"] == 30
    assert len(expected["customers"]) == 7
    assert [row["status"] for row in expected["templates"]] == ["paused", "paused"]  # one for each number
    assert len(expected["pendingupdates"]) == 3
    assert expected["messagemoves"] == []


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # Looking for a smaller example of a race takes minutes and finds none.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
@given(seed=st.integers(0, 10**6), batch=st.sampled_from([1, 4, 60]), workers=st.sampled_from([1, 4]))
def test_any_order_repetition_and_cut_leaves_the_same(day: Day, seed: int, batch: int, workers: int) -> None:
    chance = random.Random(seed)
    posts = the_day()
    posts += [again(post) for post in chance.sample(posts, k=chance.randrange(20))]
    chance.shuffle(posts)

    assert differences(day.expected, day.house.apply(posts, batch=batch, workers=workers)) == []


def test_a_full_replay_leaves_the_same(day: Day) -> None:
    assert differences(day.expected, day.house.apply(the_day(), batch=7, workers=4)) == []

    assert differences(day.expected, day.house.replay()) == []
