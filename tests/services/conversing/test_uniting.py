"""After people were united, parted or re-numbered: every message has its chat, every count is what a recount gives.

Where a message ends up may depend on what was known when it came; that it takes effect, and is counted, may not.
"""

import random
from concurrent.futures import ThreadPoolExecutor
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
    texts_of,
)
from tests.support.wired import Wired


def a_number_with_a_past() -> list[bytes]:
    """One person is known by number, by id and by both, changes the number, and a stranger gets the old one."""
    return [
        said("p1", at=NOON, phone=OLD),
        said("i1", at=NOON + 10, user_id=OLD_ID),
        said("b1", at=NOON + 20, phone=OLD, user_id=OLD_ID),
        changed_number(at=NOON + 100),
        said("n1", at=NOON + 200, phone=NEW, user_id=NEW_ID),
        said("n2", at=NOON + 210, phone=NEW),
        said("n3", at=NOON + 220, user_id=NEW_ID),
        said("s1", at=NOON + 900, phone=OLD, user_id=OTHER_ID),
        said("s2", at=NOON + 910, user_id=OTHER_ID),
        said("s3", at=NOON + 920, phone=OLD),
    ]


def miscounted(wired: Wired) -> list[Any]:
    """What differs from a recount, and what points to something that is not there."""
    messages = list(wired.store.messages.find())
    chats = {chat["id"]: chat for chat in live(wired, "chats")}
    customers = {customer["id"]: customer for customer in live(wired, "customers")}
    wrong: list[Any] = [row["text"] for row in messages if row["chatId"] not in chats]
    for chat in chats.values():
        own = [row for row in messages if row["chatId"] == chat["id"]]
        spoken = [row for row in own if row["senderType"] == "customer"]
        if (chat["totalMessages"], chat["unreadCount"]) != (len(own), len(spoken)):
            wrong.append(("chat", chat["totalMessages"], chat["unreadCount"], len(own), len(spoken)))
    for customer in customers.values():
        theirs = [chat for chat in chats.values() if chat["customerId"] == customer["id"]]
        own = [row for row in messages if row["chatId"] in {chat["id"] for chat in theirs}]
        if (customer["totalMessages"], customer["totalChats"]) != (len(own), len(theirs)):
            wrong.append(("customer", customer["totalMessages"], customer["totalChats"], len(own), len(theirs)))
    for address in wired.store.addresses.find():
        ended = {chat["id"] for chat in wired.store.chats.find({"isDeleted": True, "mergedInto": {"$exists": False}})}
        if address.get("customerId", None) not in {None, *customers} or address.get("chatId") in ended:
            wrong.append(("address", address["value"]))
    return wrong


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10**6), batch=st.sampled_from([1, 3, 40]), workers=st.sampled_from([1, 4]))
def test_whatever_the_order_everything_takes_effect_and_is_counted(
    wired: Wired, seed: int, batch: int, workers: int
) -> None:
    for collection in COLLECTIONS.values():
        if collection != "whatsappconfigs":
            wired.store.database[collection].delete_many({})
    deliveries = a_number_with_a_past()
    random.Random(seed).shuffle(deliveries)

    ids = [wired.store_webhook(body) for body in deliveries]
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(wired.receiving.receive, [ids[start : start + batch] for start in range(0, len(ids), batch)]))

    assert [event["error"] for event in wired.store.webhookevents.find({"status": {"$ne": "processed"}})] == []
    assert wired.store.messages.count_documents({}) == len(deliveries)
    assert miscounted(wired) == []


@pytest.mark.parametrize("together", [True, False])
def test_the_next_holder_of_a_number_has_a_chat_of_his_own(wired: Wired, *, together: bool) -> None:
    """Also where the chat of the one before was opened under that very number."""
    words = [
        said("before", at=NOON, phone=OLD),
        changed_number(at=NOON + 100),
        said("a stranger", at=NOON + 900, phone=OLD),
    ]
    for some in [words] if together else [[word] for word in words]:
        events = wired.deliver(*some)
        assert [event.error for event in events] == [None] * len(events)

    assert texts_of(wired) == {f"+{NEW}": {"before"}, f"+{OLD}": {"a stranger"}}


def test_after_a_changed_number_answers_go_to_the_new_one(wired: Wired) -> None:
    wired.deliver(said("before", at=NOON, phone=OLD), changed_number(at=NOON + 100))

    (chat,) = live(wired, "chats")
    address = wired.store.addresses.find_one({"id": chat["addressId"]})
    assert address is not None
    assert address["value"] in {f"+{NEW}", NEW_ID}
