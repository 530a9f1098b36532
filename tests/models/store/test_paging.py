import base64
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.collection import Collection

from models.ids import new_id
from models.store.collections import Store
from models.store.paging import DEFAULT_LIMIT, MAX_LIMIT, Page, page, read_cursor, sort_keys, write_cursor
from runtime.errors import Invalid

Documents = Collection[dict[str, Any]]
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SORTS = ["a b", "-a -b", "-a b", "a -b", "-a", "b", "id", "-id", "-a -b id"]
#: Few distinct values, so that ties and absent values are the rule.
A = st.none() | st.integers(0, 3).map(lambda s: NOON + timedelta(seconds=s))
B = st.none() | st.integers(0, 2) | st.just(0.5)
ROWS = st.lists(st.fixed_dictionaries({}, optional={"a": A, "b": B}), max_size=25)
LAX = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def rows(store: Store) -> Documents:
    return store.database["chats"]


def fill(rows: Documents, contents: list[dict[str, Any]]) -> None:
    rows.delete_many({})
    if contents:
        rows.insert_many([chat(content) for content in contents])


def chat(content: dict[str, Any]) -> dict[str, Any]:
    return {"id": new_id("chat"), "addressId": new_id("adr"), "isDeleted": False, **content}


def ids(found: Page) -> list[str]:
    return [row["id"] for row in found.items]


def all_ids(rows: Documents, sort: str, limit: int) -> list[str]:
    """Walk through all pages."""
    found = page(rows, {}, sort=sort, limit=limit)
    walked = ids(found)
    while found.next_cursor:
        found = page(rows, {}, sort=sort, limit=limit, cursor=found.next_cursor)
        assert set(ids(found)).isdisjoint(walked)
        walked += ids(found)
    return walked


def in_order(rows: Documents, sort: str) -> list[str]:
    """What MongoDB itself gives without pages."""
    order = [(key.field, -1 if key.descending else 1) for key in sort_keys(sort)]
    return [row["id"] for row in rows.find().sort(order)]


@LAX
@given(contents=ROWS, sort=st.sampled_from(SORTS), limit=st.integers(1, 7))
def test_pages_joined_are_the_whole_list(
    rows: Documents, contents: list[dict[str, Any]], sort: str, limit: int
) -> None:
    fill(rows, contents)
    assert all_ids(rows, sort, limit) == in_order(rows, sort)


@LAX
@given(contents=ROWS, late=st.lists(ROWS, max_size=6), sort=st.sampled_from(SORTS), limit=st.integers(1, 5))
def test_rows_that_come_in_meanwhile_move_nothing(
    rows: Documents, contents: list[dict[str, Any]], late: list[list[dict[str, Any]]], sort: str, limit: int
) -> None:
    fill(rows, contents)
    original = in_order(rows, sort)
    found = page(rows, {}, sort=sort, limit=limit)
    walked = ids(found)
    arrivals = iter(late)
    while found.next_cursor:
        for content in next(arrivals, []):
            rows.insert_one(chat(content))
        found = page(rows, {}, sort=sort, limit=limit, cursor=found.next_cursor)
        assert set(ids(found)).isdisjoint(walked)
        walked += ids(found)
    assert [one for one in walked if one in set(original)] == original


@LAX
@given(contents=ROWS, gone=st.sets(st.integers(0, 24)), sort=st.sampled_from(SORTS))
def test_rows_that_go_meanwhile_hide_no_others(
    rows: Documents, contents: list[dict[str, Any]], gone: set[int], sort: str
) -> None:
    fill(rows, contents)
    first = page(rows, {}, sort=sort, limit=3)
    removed = {one for place, one in enumerate(in_order(rows, sort)) if place in gone}
    rows.delete_many({"id": {"$in": list(removed)}})
    rest = page(rows, {}, sort=sort, cursor=first.next_cursor).items if first.next_cursor else []
    left = in_order(rows, sort)
    assert [row["id"] for row in rest] == [one for one in left if one not in ids(first)]


def test_the_query_holds_on_every_page(rows: Documents) -> None:
    fill(rows, [{"b": n % 2} for n in range(10)])
    first = page(rows, {"b": 1}, sort="-id", limit=3)
    second = page(rows, {"b": 1}, sort="-id", limit=3, cursor=first.next_cursor)
    assert {row["b"] for row in first.items + second.items} == {1}
    assert len(first.items + second.items) == 5
    assert second.next_cursor is None


def test_a_full_last_page_is_the_last(rows: Documents) -> None:
    fill(rows, [{}] * 4)
    assert page(rows, {}, sort="id", limit=4).next_cursor is None


@pytest.mark.parametrize(
    ("asked", "given_out"), [(None, DEFAULT_LIMIT), (0, 1), (-5, 1), (200, 200), (10**9, MAX_LIMIT)]
)
def test_limits_are_clamped(rows: Documents, asked: int | None, given_out: int) -> None:
    fill(rows, [{}] * (MAX_LIMIT + 1))
    assert len(page(rows, {}, sort="id", limit=asked).items) == given_out


def test_a_projection_never_hides_what_the_cursor_needs(rows: Documents) -> None:
    fill(rows, [{"a": NOON, "b": n} for n in range(4)])
    first = page(rows, {}, sort="-a b", limit=2, projection={"addressId": 1})
    assert set(first.items[0]) == {"addressId", "a", "b", "id"}
    second = page(rows, {}, sort="-a b", limit=2, projection={"addressId": 1}, cursor=first.next_cursor)
    assert [row["b"] for row in first.items + second.items] == [0, 1, 2, 3]


def test_a_projection_may_leave_out(rows: Documents) -> None:
    fill(rows, [{"b": 1}])
    (row,) = page(rows, {}, sort="id", projection={"b": 0}).items
    assert set(row) == {"id", "addressId", "isDeleted"}


@given(
    st.fixed_dictionaries(
        {
            "a": st.none()
            | st.booleans()
            | st.integers(-(2**63), 2**63 - 1)
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(st.characters(codec="utf-8"), max_size=20)
            | A,
            "id": st.text(st.characters(codec="utf-8"), max_size=40),
        }
    )
)
def test_a_cursor_remembers_values_and_their_types(row: dict[str, Any]) -> None:
    keys = sort_keys("-a")
    read = read_cursor(write_cursor(row, keys), keys)
    assert read == [row["a"], row["id"]]
    assert [type(value) for value in read] == [type(row["a"]), str]


def test_a_cursor_is_safe_in_a_url() -> None:
    cursor = write_cursor({"a": "ÿþ?>~" * 3, "id": "ÿ"}, sort_keys("a"))
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_a_list_is_not_sorted_by_what_has_no_order() -> None:
    with pytest.raises(TypeError, match="dict"):
        write_cursor({"a": {}, "id": "1"}, sort_keys("a"))


def forged(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


FORGED = [
    "",
    "!",
    "ÿ",
    "AAAA",
    "a" * 3_000,
    forged([]),
    forged(None),
    forged("[" * 500),
    base64.urlsafe_b64encode(b"[" * 1_400).decode(),
    base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    forged({"sort": "-a -id"}),
    forged({"sort": "-a -id", "row": "ab"}),
    forged({"sort": "-a -id", "row": [1]}),
    forged({"sort": "-a -id", "row": [1, "x", 2]}),
    forged({"sort": "-a -id", "row": [{"$gt": ""}, "x"]}),
    forged({"sort": "-a -id", "row": [{"at": "x"}, "x"]}),
    forged({"sort": "-a -id", "row": [{"at": True}, "x"]}),
    forged({"sort": "-a -id", "row": [{"at": 10**30}, "x"]}),
    forged({"sort": "-a -id", "row": [{"at": 1, "$where": "1"}, "x"]}),
    forged({"sort": "-a -id", "row": [[1], "x"]}),
    forged({"sort": "-a -id", "row": [2**64, "x"]}),
    forged({"sort": "-a -id", "row": [float("nan"), "x"]}),
    forged({"sort": "-a -id", "row": ["\ud800", "x"]}),
    forged({"sort": "a id", "row": [1, "x"]}),
    forged({"sort": 1, "row": [1, "x"]}),
]


@pytest.mark.parametrize("cursor", FORGED)
def test_a_forged_cursor_is_refused_by_name(rows: Documents, cursor: str) -> None:
    with pytest.raises(Invalid) as refusal:
        page(rows, {}, sort="-a", cursor=cursor)
    assert list(refusal.value.fields) == ["cursor"]


@LAX
@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_any_other_text_is_no_cursor(cursor: str) -> None:
    with pytest.raises(Invalid):
        read_cursor(cursor, sort_keys("-a"))


@LAX
@given(values=st.tuples(*[st.none() | st.booleans() | st.integers() | st.floats() | st.text()] * 2))
def test_a_well_formed_cursor_never_breaks_the_list(rows: Documents, values: tuple[Any, Any]) -> None:
    with suppress(Invalid):
        page(rows, {}, sort="-a", cursor=forged({"sort": "-a -id", "row": values}))


def test_a_page_deep_in_a_list_reads_only_its_own_rows(store: Store) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    store.messages.insert_many(
        {
            "id": new_id("msg"),
            "chatId": "chat_1",
            "timestamp": start + timedelta(seconds=n),
            "receivedAt": start,
            "isDeleted": False,
        }
        for n in range(2_000)
    )
    sort = "-timestamp -receivedAt -id"
    messages, chat_1 = store.messages, {"chatId": "chat_1", "isDeleted": False}
    row = store.messages.find_one({"timestamp": start + timedelta(seconds=500)})
    assert row
    cursor = write_cursor(row, sort_keys(sort))
    store.database.command("profile", 2, filter={"op": "query", "ns": messages.full_name})
    try:
        page(messages, chat_1, sort=sort, limit=10, cursor=cursor)
    finally:
        store.database.command("profile", 0)
    (profiled,) = store.database["system.profile"].find()
    assert profiled["nreturned"] == 11
    assert profiled["keysExamined"] < 40
    assert not profiled.get("hasSortStage")
