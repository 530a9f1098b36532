"""Windows that close while a customer waits: one follow-up for the assignee, once per window."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from models.store.follow_ups import FollowUps
from models.values import ChatStatus
from services.reminding.firing import BATCH
from services.reminding.windows import WindowReminding
from tests.api.rows import add_chat
from tests.services.reminding.rows import follow_up, trail
from tests.support import meta_webhooks as meta
from tests.support.wired import Wired

HOUR = timedelta(hours=1)
DAY = timedelta(hours=24)


@pytest.fixture
def reminding(wired: Wired) -> WindowReminding:
    return another_clock(wired)


def another_clock(wired: Wired, before: timedelta = HOUR) -> WindowReminding:
    return WindowReminding(FollowUps(wired.store), wired.auditing, wired.clock, before=before)


def waiting_chat(wired: Wired, *, closes_in: timedelta = timedelta(minutes=30), **values: Any) -> str:
    """A chat whose customer wrote and waits, and whose window closes so long from now."""
    wrote = wired.clock.now() + closes_in - DAY
    told = {"last_inbound_at": wrote, "window_expires_at": wrote + DAY, "waiting_since": wrote}
    return add_chat(wired.store, at=wrote, **{**told, **values})


def made(wired: Wired) -> list[str]:
    return [row["chatId"] for row in wired.store.followups.find().sort("id", 1)]


def test_the_assignee_is_reminded_of_a_customer_who_waits(wired: Wired, reminding: WindowReminding) -> None:
    chat_id = waiting_chat(wired, assigned_to="agt_amara")

    assert reminding.remind() == 1
    assert wired.firing.due() == 1

    row = wired.store.followups.find_one()
    assert row is not None
    found = follow_up(wired, row["id"])
    assert (found.chat_id, found.agent_id, found.priority) == (chat_id, "agt_amara", "high")
    assert (found.scheduled_at, found.reminder_sent) == (wired.clock.now(), True)
    assert trail(wired) == ["create", "remind"]


def test_of_a_chat_that_nobody_has_all_are_reminded(wired: Wired, reminding: WindowReminding) -> None:
    waiting_chat(wired)
    assert reminding.remind() == 1
    assert wired.store.followups.find_one({"agentId": {"$exists": True}}) is None


def test_it_is_off_unless_somebody_says_how_long_before(wired: Wired) -> None:
    waiting_chat(wired)
    assert wired.window_reminding.remind() == 0
    assert made(wired) == []


NOT_MEANT: dict[str, dict[str, Any]] = {
    "answered": {"waiting_since": None},
    "still open for long": {"closes_in": HOUR + timedelta(seconds=1)},
    "closed": {"closes_in": timedelta(0)},
    "no window": {"window_expires_at": None},
    "blocked": {"blocked": True},
    "resolved": {"status": ChatStatus.RESOLVED},
    "deleted": {"is_deleted": True},
}


@pytest.mark.parametrize("name", NOT_MEANT)
def test_others_are_left_alone(wired: Wired, reminding: WindowReminding, name: str) -> None:
    waiting_chat(wired, **NOT_MEANT[name])
    assert reminding.remind() == 0


def test_the_last_moment_counts(wired: Wired, reminding: WindowReminding) -> None:
    waiting_chat(wired, closes_in=HOUR)
    waiting_chat(wired, closes_in=timedelta(milliseconds=1))
    assert reminding.remind() == 2


def test_many_clocks_make_one_for_each_window(wired: Wired) -> None:
    chats = [waiting_chat(wired, closes_in=timedelta(minutes=n + 1)) for n in range(40)]
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda _: another_clock(wired).remind(), range(8)))
    assert sum(counts) == 40
    assert sorted(made(wired)) == sorted(chats)


def test_without_the_unique_origin_two_clocks_would_make_two(wired: Wired, reminding: WindowReminding) -> None:
    """The negative control: the same rows without what makes them one."""
    waiting_chat(wired)
    reminding.remind()
    wired.store.followups.update_many({}, {"$unset": {"origin": ""}})
    reminding.remind()
    assert len(made(wired)) == 2


def test_completed_it_is_not_made_again_for_the_same_window(wired: Wired, reminding: WindowReminding) -> None:
    waiting_chat(wired)
    reminding.remind()
    wired.store.followups.update_many({}, {"$set": {"status": "completed"}})
    assert reminding.remind() == 0


def test_the_next_window_has_its_own(wired: Wired, reminding: WindowReminding) -> None:
    """Over the real way in: the customer's next message opens another window."""
    at = meta.NOON
    wired.clock_hand._now = wired.clock.now().fromtimestamp(at, tz=wired.clock.now().tzinfo) + timedelta(minutes=1)
    wired.deliver(meta.envelope(meta.text("first", at=at)))
    wired.clock_hand.move(DAY - HOUR)
    assert reminding.remind() == 1
    wired.deliver(meta.envelope(meta.text("anybody there?", at=at + int((DAY - HOUR).total_seconds()))))
    assert reminding.remind() == 0
    wired.clock_hand.move(DAY - HOUR)
    assert reminding.remind() == 1
    assert len(set(made(wired))) == 1


def test_when_the_customer_was_answered_it_ends_by_itself(wired: Wired, reminding: WindowReminding) -> None:
    chat_id = waiting_chat(wired)
    still = waiting_chat(wired, closes_in=timedelta(minutes=10))
    reminding.remind()
    wired.firing.due()
    wired.store.chats.update_one({"id": chat_id}, {"$unset": {"waitingSince": ""}})
    reminding.remind()
    states = {row["chatId"]: row["status"] for row in wired.store.followups.find()}
    assert states == {chat_id: "completed", still: "pending"}
    assert trail(wired).count("complete") == 1


def test_those_who_still_wait_do_not_hide_who_was_answered(wired: Wired, reminding: WindowReminding) -> None:
    """More of them than one transaction ends, and made before."""
    chats = [waiting_chat(wired, closes_in=timedelta(minutes=10)) for _ in range(BATCH)]
    reminding.remind()
    wired.clock_hand.move(timedelta(seconds=1))
    answered = waiting_chat(wired, closes_in=timedelta(minutes=10))
    reminding.remind()
    wired.firing.due()
    wired.store.chats.update_one({"id": answered}, {"$unset": {"waitingSince": ""}})

    reminding.remind()

    ended = wired.store.followups.find({"status": "completed"})
    assert [row["chatId"] for row in ended] == [answered]
    assert wired.store.followups.count_documents({"status": "pending"}) == len(chats)
