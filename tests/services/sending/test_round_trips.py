"""What one message costs the database, statement by statement: what is not needed is not asked.

Counted by MongoDB's own profiler. A figure here is no promise; it is to be raised by somebody who knows what for.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from models.values import MessageStatus
from tests.support.sending import Desk
from tests.support.waiting import until
from workers.courier import Courier


@contextmanager
def counting(desk: Desk) -> Iterator[Counter[str]]:
    """Count statements by what they do and to which collection; the accounts are kept fresh by a thread of its own."""
    database, counted = desk.wired.store.database, Counter[str]()
    database.command("profile", 0)
    database.drop_collection("system.profile")
    database.create_collection("system.profile", capped=True, size=4_000_000)
    database.command("profile", 2, slowms=0)
    yield counted
    database.command("profile", 0)
    for row in database["system.profile"].find({"ns": {"$not": {"$regex": "system.profile|whatsappconfigs|\\$cmd"}}}):
        counted[f"{row['op']} {row['ns'].partition('.')[2]}"] += 1


def test_a_look_when_nothing_is_due_is_one_statement(desk: Desk) -> None:
    desk.wired.delivering.claim(limit=6)
    with counting(desk) as counted:
        for _ in range(5):
            desk.wired.clock_hand.move(desk.wired.settings.lease)
            assert desk.wired.delivering.claim(limit=6) == []
    assert counted == {"query outboxes": 5}


def test_queueing_a_text_reads_nothing_twice(desk: Desk) -> None:
    chat_id = desk.chat()
    desk.write(chat_id)
    with counting(desk) as counted:
        desk.write(chat_id)
    assert counted == {
        # Once for its account, and again in the transaction that everything is judged in.
        "query chats": 2,
        "query customers": 1,
        "query addresses": 1,
        "query blockednumbers": 1,
        "command outboxes": 1,
        "update customers": 1,
        "update chats": 1,
        "insert messages": 1,
    }


def test_sending_one_text_takes_this_and_no_more(desk: Desk) -> None:
    chat_id = desk.chat()
    desk.wired.pausing.known()
    courier = Courier(desk.wired.delivering, desk.wired.bell, threads=4)
    message = desk.write(chat_id)
    with counting(desk) as counted:
        courier._look()
        courier._pool.shutdown(wait=True)
    assert desk.message(message).status is MessageStatus.ACCEPTED
    assert not desk.wired.bell.is_set(), "nothing is left to look for"
    assert counted == {
        "query outboxes": 1,
        "update outboxes": 1,
        "query messages": 1,
        "query chats": 1,
        "query addresses": 1,
        "update messages": 2,
        "update chats": 1,
        "query pendingupdates": 1,
        "remove outboxes": 1,
    }


@pytest.mark.parametrize("word", ["sent", "delivered", "read"])
def test_a_status_asks_for_nobody_it_does_not_change(desk: Desk, word: str) -> None:
    message = desk.write(desk.chat())
    desk.deliver()
    told = desk.message(message).provider_message_id or ""
    with counting(desk) as counted:
        desk.tell(told, word, ref=message.id)
    assert {name: count for name, count in counted.items() if "webhookevents" not in name} == {
        "query messages": 1,
        "query chats": 1,
        "update chats": 1,
        "update messages": 1,
    }


def test_what_was_queued_while_its_chat_was_in_hand_is_looked_for_at_once(desk: Desk) -> None:
    """A ring that comes while the chat is in hand finds nothing to claim; whoever has it looks again."""
    chat_id = desk.chat()
    courier = Courier(desk.wired.delivering, desk.wired.bell, threads=4)
    first, later = desk.write(chat_id, "first"), []
    desk.vendor.on_taken = lambda booked: later.append(desk.write(chat_id, "later")) if booked.ref == first.id else None

    courier._look()
    until(lambda: not courier._in_hand, seconds=5, what="the chat to be let go")

    assert desk.wired.bell.is_set()
    courier._look()
    courier._pool.shutdown(wait=True)
    assert desk.message(later[0]).status is MessageStatus.ACCEPTED
