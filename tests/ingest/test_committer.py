"""Group commit against a real mongod: durable before its verdict, and poison fails alone."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pymongo import MongoClient

from ingest.committer import MAX_GROUP, Committer
from models.store import intake
from models.store.collections import Store
from models.store.intake import Intake, IntakeRow, Stored, intake_row
from runtime.clock import SystemClock
from runtime.errors import HooklineError, Unavailable
from tests.support.failing import failing
from tests.support.waiting import until

#: What MongoDB says of a document that its validator refuses: here it stands for what no test can bring about.
DOCUMENT_FAILED = 121


@pytest.fixture
def store(mongo_client: "MongoClient[dict[str, Any]]", indexed_database: str) -> Iterator[Store]:
    store = Store(mongo_client[indexed_database])
    store.webhookevents.delete_many({})
    yield store
    store.database.command("collMod", "webhookevents", validator={})


class Heard:
    """Writes down which groups were committed."""

    def __init__(self) -> None:
        self.groups: list[tuple[list[str], list[Stored]]] = []

    def __call__(self, rows: Sequence[IntakeRow], results: Sequence[Stored]) -> None:
        self.groups.append(([row.id for row in rows], list(results)))


def row(body: bytes, *, headers: dict[str, str] | None = None) -> IntakeRow:
    return intake_row(
        provider="meta-whatsapp",
        config_id="cfg_1",
        body=body,
        content_type="application/json",
        query="",
        headers=headers or {},
        received_at=SystemClock().now(),
    )


Open = Callable[..., Committer]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def opened(store: Store, heard: Heard) -> Open:
    def committer(*, limit: int = 1000, patience: float = 10, committed: Any = None, **bounds: int) -> Committer:
        intake = Intake(store.webhookevents)
        return Committer(intake, limit=limit, patience=patience, committed=committed or heard, **bounds)

    return committer


def all_at_once(committer: Committer, rows: Sequence[IntakeRow]) -> list[Any]:
    """Submit from as many threads; a refusal is returned, not raised."""

    def submit(one: IntakeRow) -> Any:
        try:
            return committer.submit(one)
        except HooklineError as error:
            return error

    with ThreadPoolExecutor(len(rows)) as pool:
        return list(pool.map(submit, rows))


def test_a_lone_row_is_stored_before_its_verdict(opened: Open, store: Store) -> None:
    assert opened().submit(row(b"one")) is Stored.NEW
    assert store.webhookevents.count_documents({"rawBody": b"one"}) == 1


def test_rows_that_arrive_during_a_commit_form_the_next_group(opened: Open, store: Store, heard: Heard) -> None:
    committer = opened()
    with failing(store.webhookevents, "insert", blockTimeMS=200):
        results = all_at_once(committer, [row(b"%d" % n) for n in range(50)])

    assert results == [Stored.NEW] * 50
    assert store.webhookevents.count_documents({}) == 50
    assert sum(len(ids) for ids, _ in heard.groups) == 50
    assert len(heard.groups) < 10


def test_a_group_is_bounded_in_rows_and_bytes(opened: Open, store: Store, heard: Heard) -> None:
    committer = opened()
    with failing(store.webhookevents, "insert", blockTimeMS=300):
        large = [row(b"%d" % n + b"x" * 3_000_000) for n in range(6)]
        results = all_at_once(committer, large + [row(b"%d" % n) for n in range(10)])

    assert results == [Stored.NEW] * 16
    assert max(len(ids) for ids, _ in heard.groups) <= MAX_GROUP
    size = {one.id: one.size for one in large}
    for ids, _ in heard.groups:
        # The last to join may carry a group beyond the bound, the next one does not.
        assert sum(size.get(one, 0) for one in ids[:-1]) < 12 * 1024 * 1024


def test_the_same_delivery_again_is_a_duplicate_and_stored_once(opened: Open, store: Store) -> None:
    committer = opened()

    results = all_at_once(committer, [row(b"same") for _ in range(20)])

    assert sorted(one.value for one in results) == ["duplicate"] * 19 + ["new"]
    assert store.webhookevents.count_documents({}) == 1


def test_a_row_the_database_refuses_fails_alone(opened: Open, store: Store, heard: Heard) -> None:
    store.database.command("collMod", "webhookevents", validator={"headers.x-poison": {"$exists": False}})
    committer = opened()
    rows = [row(b"%d" % n, headers={"x-poison": "1"} if n == 3 else {}) for n in range(10)]
    with failing(store.webhookevents, "insert", blockTimeMS=100):
        results = all_at_once(committer, [row(b"first"), *rows])

    assert [type(one) for one in results].count(HooklineError) == 1
    assert isinstance(results[4], HooklineError)
    assert not isinstance(results[4], Unavailable)
    assert results.count(Stored.NEW) == 10
    assert store.webhookevents.count_documents({}) == 10
    assert max(len(ids) for ids, _ in heard.groups) > 1


#: What a database in trouble answers, and whether it may hold the row all the same.
TROUBLES: dict[str, dict[str, Any]] = {
    "no primary": {"errorCode": 10107, "errorLabels": []},
    "connection lost": {"closeConnection": True},
    "out of time": {"errorCode": 50},
    "disk full": {"errorCode": 14031},
    "no majority": {"writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"}},
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_what_is_not_confirmed_is_never_promised_and_later_recognised(
    trouble: str, opened: Open, store: Store, heard: Heard
) -> None:
    committer = opened()
    one = row(b"troubled")
    with failing(store.webhookevents, "insert", **TROUBLES[trouble]), pytest.raises(Unavailable):
        committer.submit(one)

    assert heard.groups == []
    again = committer.submit(row(b"troubled"))
    assert again is (Stored.DUPLICATE if trouble == "no majority" else Stored.NEW)
    assert store.webhookevents.count_documents({}) == 1


def test_a_row_that_a_shard_without_a_primary_missed_is_not_refused_for_good(
    opened: Open, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "PASSING", {DOCUMENT_FAILED})
    store.database.command("collMod", "webhookevents", validator={"headers.x-poison": {"$exists": False}})

    with pytest.raises(Unavailable):
        opened().submit(row(b"missed", headers={"x-poison": "1"}))


def test_a_duplicate_of_what_no_majority_has_is_not_promised_either(opened: Open, store: Store) -> None:
    committer = opened()
    assert committer.submit(row(b"same")) is Stored.NEW

    with failing(store.webhookevents, "insert", **TROUBLES["no majority"]), pytest.raises(Unavailable):
        committer.submit(row(b"same"))


def test_too_many_waiting_are_turned_away_at_once(opened: Open, store: Store) -> None:
    committer = opened(limit=2)
    with failing(store.webhookevents, "insert", blockTimeMS=700) as begun, ThreadPoolExecutor(8) as pool:
        first = pool.submit(committer.submit, row(b"first"))
        begun()
        others = [pool.submit(committer.submit, row(b"%d" % n)) for n in range(2)]
        until(lambda: committer._queue.qsize() == 2, seconds=5, what="a full queue")

        began = time.perf_counter()
        with pytest.raises(Unavailable, match="too many"):
            committer.submit(row(b"one too many"))
        took = time.perf_counter() - began

        assert took < 0.1
        assert [one.result() for one in (first, *others)] == [Stored.NEW] * 3
    assert store.webhookevents.count_documents({}) == 3


def test_few_that_are_large_are_turned_away_at_once_too(opened: Open, store: Store) -> None:
    committer = opened(limit_bytes=1_000_000)
    large = [row(b"%d" % n + b"x" * 400_000) for n in range(3)]
    with failing(store.webhookevents, "insert", blockTimeMS=700) as begun, ThreadPoolExecutor(8) as pool:
        first = pool.submit(committer.submit, row(b"first" + b"x" * 900_000))
        begun()
        others = [pool.submit(committer.submit, one) for one in large[:2]]
        until(lambda: committer._queue.qsize() == 2, seconds=5, what="both to wait")

        with pytest.raises(Unavailable, match="too many"):
            committer.submit(large[2])
        small = pool.submit(committer.submit, row(b"small"))

        assert [one.result() for one in (first, *others, small)] == [Stored.NEW] * 4
    assert committer.submit(large[2]) is Stored.NEW, "what was committed waits no more"


def test_what_waited_in_vain_is_no_burden_for_ever(opened: Open, store: Store) -> None:
    committer = opened(limit_bytes=1_000_000)
    with failing(store.webhookevents, "insert", errorCode=10107, errorLabels=[]):
        for n in range(5):
            with pytest.raises(Unavailable, match="did not confirm"):
                committer.submit(row(b"%d" % n + b"x" * 400_000))

    assert committer._waiting_bytes == 0
    assert committer.submit(row(b"at last" + b"x" * 900_000)) is Stored.NEW


def test_nobody_waits_longer_than_the_vendor_would(opened: Open, store: Store) -> None:
    committer = opened(patience=0.1)
    with failing(store.webhookevents, "insert", blockTimeMS=600):
        began = time.perf_counter()
        with pytest.raises(Unavailable, match="in time"):
            committer.submit(row(b"late"))
        took = time.perf_counter() - began

    assert 0.1 <= took < 0.5
    until(lambda: store.webhookevents.count_documents({}), seconds=5, what="the late row")
    assert _patient(committer, row(b"late")) is Stored.DUPLICATE


def test_whatever_its_listener_does_the_committer_goes_on(opened: Open, store: Store) -> None:
    calls: list[int] = []

    def stumbles(rows: Sequence[IntakeRow], _results: Sequence[Stored]) -> None:
        calls.append(len(rows))
        raise RuntimeError

    committer = opened(committed=stumbles)

    assert [committer.submit(row(b"%d" % n)) for n in range(3)] == [Stored.NEW] * 3
    until(lambda: len(calls) == 3, seconds=5, what="the listener's calls")


def _patient(committer: Committer, one: IntakeRow) -> Stored:
    committer._patience = 5
    return committer.submit(one)
