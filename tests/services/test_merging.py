"""Customers merged by people: what moves, what stays where it was, and that all of it can be taken back."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from runtime.errors import Conflict, Invalid, NotFound
from tests.services.conversing.test_identity import NEW, NOON, OLD, OLD_ID, live, said
from tests.services.conversing.test_uniting import miscounted
from tests.support import meta_webhooks as meta
from tests.support.picture import differences, picture
from tests.support.wired import Wired, add_meta_account


def customer_of(wired: Wired, text: str) -> str:
    message = wired.store.messages.find_one({"text": text})
    assert message is not None
    chat = wired.store.chats.find_one({"id": message["chatId"]})
    assert chat is not None
    return str(chat["customerId"])


@pytest.fixture
def two(wired: Wired) -> tuple[str, str]:
    """A person with two telephones, known as two customers."""
    wired.deliver(said("at home", at=NOON, phone=OLD), said("at work", at=NOON + 50, phone=NEW))
    return customer_of(wired, "at home"), customer_of(wired, "at work")


def test_chats_and_addresses_move_and_answers_go_where_they_went(wired: Wired, two: tuple[str, str]) -> None:
    home, work = two
    before = {chat["id"]: chat["addressId"] for chat in live(wired, "chats")}

    wired.merging.merge(work, home, by=None, reason="she said so")

    (customer,) = live(wired, "customers")
    assert customer["id"] == home
    assert (customer["totalChats"], customer["totalMessages"]) == (2, 2)
    assert {chat["id"]: chat["addressId"] for chat in live(wired, "chats")} == before
    assert {chat["customerId"] for chat in live(wired, "chats")} == {home}
    assert {row["customerId"] for row in wired.store.addresses.find()} == {home}
    assert miscounted(wired) == []
    (entry,) = wired.store.auditentries.find({"verb": "merge"})
    assert (entry["entityId"], entry["after"]["customerId"], entry["reason"]) == (work, home, "she said so")
    assert not {OLD, NEW} & set(str(entry["after"]).split("'"))


def test_what_comes_after_a_merge_goes_to_its_own_chat(wired: Wired, two: tuple[str, str]) -> None:
    home, work = two
    wired.merging.merge(work, home, by=None)

    wired.deliver(said("home again", at=NOON + 90, phone=OLD), said("work again", at=NOON + 95, phone=NEW))

    chats = {chat["phoneNumber"]: chat["totalMessages"] for chat in live(wired, "chats")}
    assert chats == {f"+{OLD}": 2, f"+{NEW}": 2}
    assert customer_of(wired, "work again") == customer_of(wired, "home again") == home
    assert miscounted(wired) == []


def test_the_vendors_word_on_one_chat_leaves_the_persons_other_chat_alone(wired: Wired, two: tuple[str, str]) -> None:
    """Who is known by two numbers has two chats, and keeps them when a user id turns up (complaint 9)."""
    home, work = two
    wired.merging.merge(work, home, by=None)
    wired.deliver(said("by id", at=NOON + 60, user_id=OLD_ID))

    wired.deliver(said("by both", at=NOON + 70, phone=OLD, user_id=OLD_ID))

    texts = [set(wired.store.messages.distinct("text", {"chatId": chat["id"]})) for chat in live(wired, "chats")]
    assert sorted(texts, key=sorted) == [{"at home", "by both", "by id"}, {"at work"}]
    assert len(live(wired, "customers")) == 1
    assert miscounted(wired) == []


def test_a_merge_taken_back_leaves_what_was(wired: Wired, two: tuple[str, str]) -> None:
    home, work = two
    before = picture(wired.store)

    wired.merging.merge(work, home, by=None)
    assert differences(before, picture(wired.store)) != []
    wired.merging.undo(work, by=None, reason="it was her sister")

    assert differences(before, picture(wired.store)) == []
    verbs = [row["verb"] for row in wired.store.auditentries.find({"entity": "customer"}).sort("id", 1)]
    assert verbs == ["merge", "unmerge"]


def test_what_was_written_since_stays_in_its_chat(wired: Wired, two: tuple[str, str]) -> None:
    home, work = two
    wired.merging.merge(work, home, by=None)
    wired.deliver(said("since", at=NOON + 90, phone=NEW))

    wired.merging.undo(work, by=None)

    assert (customer_of(wired, "since"), customer_of(wired, "at work")) == (work, work)
    assert customer_of(wired, "at home") == home
    assert miscounted(wired) == []


def test_both_may_be_done_twice(wired: Wired, two: tuple[str, str]) -> None:
    home, work = two
    for _ in range(2):
        wired.merging.merge(work, home, by=None)
    merged = picture(wired.store)
    for _ in range(2):
        wired.merging.undo(work, by=None)

    assert wired.store.auditentries.count_documents({"entity": "customer"}) == 2
    wired.merging.merge(work, home, by=None)
    assert differences(merged, picture(wired.store)) == []


def test_the_one_who_stays_takes_over_what_it_did_not_know(wired: Wired) -> None:
    wired.deliver(said("by number", at=NOON, phone=OLD), said("by id", at=NOON + 5, user_id=OLD_ID))
    number, user = customer_of(wired, "by number"), customer_of(wired, "by id")

    wired.merging.merge(number, user, by=None)
    (customer,) = live(wired, "customers")
    assert (customer["phoneNumber"], customer["userId"]) == (f"+{OLD}", OLD_ID)

    wired.merging.undo(number, by=None)
    assert {(row.get("phoneNumber"), row.get("userId")) for row in live(wired, "customers")} == {
        (f"+{OLD}", None),
        (None, OLD_ID),
    }


def test_a_merge_in_the_middle_of_others_can_be_taken_back(wired: Wired, two: tuple[str, str]) -> None:
    home, work = two
    wired.deliver(said("on holiday", at=NOON + 60, phone="447700900203"))
    holiday = customer_of(wired, "on holiday")
    wired.merging.merge(work, home, by=None)
    wired.merging.merge(home, holiday, by=None)

    wired.merging.undo(work, by=None)
    assert (customer_of(wired, "at work"), customer_of(wired, "at home")) == (work, holiday)
    wired.merging.undo(home, by=None)

    assert [customer_of(wired, text) for text in ("at work", "at home", "on holiday")] == [work, home, holiday]
    assert miscounted(wired) == []


def test_at_different_accounts_no_chat_is_touched(wired: Wired) -> None:
    other = add_meta_account(wired, number_id="888000111222333")
    wired.directory.refresh(older_than=0)
    there = said("there", at=NOON, user_id="GB.9999").replace(meta.NUMBER_ID.encode(), b"888000111222333")
    wired.deliver(said("here", at=NOON, phone=OLD), there)
    chats = {chat["id"]: chat["configId"] for chat in live(wired, "chats")}

    wired.merging.merge(customer_of(wired, "there"), customer_of(wired, "here"), by=None)

    assert {chat["id"]: chat["configId"] for chat in live(wired, "chats")} == chats
    assert set(chats.values()) == {wired.account.id, other.id}
    assert miscounted(wired) == []


def test_who_was_united_by_the_vendors_word_stays_so(wired: Wired) -> None:
    wired.deliver(said("by number", at=NOON, phone=OLD))
    number = customer_of(wired, "by number")
    wired.deliver(said("by id", at=NOON + 5, user_id=OLD_ID))
    user = customer_of(wired, "by id")
    wired.deliver(said("by both", at=NOON + 9, phone=OLD, user_id=OLD_ID))

    with pytest.raises(Conflict):
        wired.merging.undo(max(number, user), by=None)
    wired.deliver(said("a stranger", at=NOON, phone=NEW))
    with pytest.raises(Conflict):
        wired.merging.merge(max(number, user), customer_of(wired, "a stranger"), by=None)


def test_nobody_is_merged_with_nobody_or_oneself(wired: Wired, two: tuple[str, str]) -> None:
    home, _ = two
    with pytest.raises(NotFound):
        wired.merging.merge("cus_nobody", home, by=None)
    with pytest.raises(NotFound):
        wired.merging.undo("cus_nobody", by=None)
    with pytest.raises(Invalid):
        wired.merging.merge(home, home, by=None)
    wired.merging.undo(home, by=None)
    assert wired.store.auditentries.count_documents({"entity": "customer"}) == 0


def test_messages_that_come_at_that_very_moment_are_counted_once(wired: Wired, two: tuple[str, str]) -> None:
    home, work = two
    ids = [wired.store_webhook(said(f"m{number}", at=NOON + 100 + number, phone=NEW)) for number in range(40)]
    other = Wired(wired.settings, application="test", clock=wired.clock)

    def turn(number: int) -> None:
        if number % 2:
            wired.merging.merge(work, home, by=None)
        else:
            wired.merging.undo(work, by=None)

    with ThreadPoolExecutor(2) as pool:
        merged = pool.submit(lambda: list(map(turn, range(10))))
        for start in range(0, 40, 5):
            other.receiving.receive(ids[start : start + 5])
        merged.result(60)

    assert wired.store.messages.count_documents({}) == 42
    assert miscounted(wired) == []
