"""Numbers that pass from person to person: who has what is the same in whatever order the words come.

A message that tells nothing but a number belongs to whoever had the number at its time, also where that is learnt
after it came.
"""

import itertools
import random
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.store.collections import COLLECTIONS
from tests.services.conversing.test_identity import (
    NEW,
    NEW_ID,
    NOON,
    OLD,
    OLD_ID,
    OTHER_ID,
    changed_number,
    live,
    said,
)
from tests.services.conversing.test_uniting import a_number_with_a_past, miscounted
from tests.support.picture import differences, picture
from tests.support.wired import Wired


def who_said_what(wired: Wired) -> list[set[str]]:
    """The texts of each live chat."""
    chats = live(wired, "chats")
    found = [
        {row["text"] for row in wired.store.messages.find({"chatId": chat["id"], "type": "text"})} for chat in chats
    ]
    return sorted(found, key=sorted)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_what_tells_only_a_number_belongs_to_its_holder_at_that_time(wired: Wired, order: tuple[int, ...]) -> None:
    words = [
        said("a", at=NOON, phone=OLD, user_id=OLD_ID),
        said("a by number", at=NOON + 10, phone=OLD),
        said("b", at=NOON + 20, phone=OLD, user_id=OTHER_ID),
        said("b by number", at=NOON + 30, phone=OLD),
    ]

    for place in order:
        wired.deliver(words[place])

    assert who_said_what(wired) == [{"a", "a by number"}, {"b", "b by number"}]
    assert miscounted(wired) == []
    shown = {chat["userId"]: chat["lastMessage"]["text"] for chat in live(wired, "chats")}
    assert shown == {OLD_ID: "a by number", OTHER_ID: "b by number"}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_of_two_at_the_same_second_what_they_say_decides(wired: Wired, order: tuple[int, ...]) -> None:
    words = [
        said("a", at=NOON, phone=OLD, user_id=OLD_ID),
        said("b", at=NOON, phone=OLD, user_id=OTHER_ID),
        said("by number", at=NOON + 5, phone=OLD),
    ]

    for place in order:
        wired.deliver(words[place])

    assert who_said_what(wired) == [{"a"}, {"b", "by number"}]


def clean(wired: Wired) -> None:
    for collection in COLLECTIONS.values():
        if collection != "whatsappconfigs":
            wired.store.database[collection].delete_many({})


def left_by(wired: Wired, deliveries: list[bytes], *, batch: int = 1, workers: int = 1) -> dict[str, list[Any]]:
    """What deliveries leave in an empty database."""
    clean(wired)
    ids = [wired.store_webhook(body) for body in deliveries]
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(wired.receiving.receive, [ids[start : start + batch] for start in range(0, len(ids), batch)]))
    assert [event["error"] for event in wired.store.webhookevents.find({"status": {"$ne": "processed"}})] == []
    return picture(wired.store)


@cache
def in_order(wired: Wired) -> dict[str, list[Any]]:
    """What the past leaves when it comes as it happened."""
    return left_by(wired, a_number_with_a_past())


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10**6), batch=st.sampled_from([1, 3, 40]), workers=st.sampled_from([1, 4]))
def test_a_number_with_a_past_has_the_same_in_any_order(wired: Wired, seed: int, batch: int, workers: int) -> None:
    expected = in_order(wired)
    deliveries = a_number_with_a_past()
    random.Random(seed).shuffle(deliveries)

    assert differences(expected, left_by(wired, deliveries, batch=batch, workers=workers)) == []
    assert miscounted(wired) == []


def test_the_past_in_order_is_what_happened(wired: Wired) -> None:
    left_by(wired, a_number_with_a_past())

    assert who_said_what(wired) == [{"b1", "i1", "n1", "n2", "n3", "p1"}, {"s1", "s2", "s3"}]
    assert {customer["phoneNumber"] for customer in live(wired, "customers")} == {f"+{OLD}", f"+{NEW}"}
    assert {customer["userId"] for customer in live(wired, "customers")} == {NEW_ID, OTHER_ID}


def without_ids() -> list[bytes]:
    """As before there were user ids: a number is given up, and a stranger gets it."""
    body = changed_number(at=NOON + 100).decode()
    for told in (f', "from_user_id": "{OLD_ID}"', f', "user_id": "{NEW_ID}"', f', "previous_user_id": "{OLD_ID}"'):
        body = body.replace(told, "")
    return [
        said("before", at=NOON, phone=OLD),
        body.encode(),
        said("after", at=NOON + 200, phone=NEW),
        said("a stranger", at=NOON + 900, phone=OLD),
        said("whoever had the new one", at=NOON - 900, phone=NEW),
    ]


@pytest.mark.parametrize("order", list(itertools.permutations(range(5))))
def test_numbers_alone_pass_on_in_any_order(wired: Wired, order: tuple[int, ...]) -> None:
    words = without_ids()

    for place in order:
        wired.deliver(words[place])

    assert who_said_what(wired) == [{"a stranger"}, {"after", "before"}, {"whoever had the new one"}]
    assert miscounted(wired) == []
