"""Which errors are worth another try, which say that the database is away, and that no try goes on for ever."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.errors import AutoReconnect, DuplicateKeyError, PyMongoError

from models.store import transactions
from models.store.collections import Store
from models.store.transactions import MAX_DUPLICATE_TRIES, is_away, is_outage, transact

Client = MongoClient[dict[str, Any]]


@contextmanager
def failing(client: Client, command: str, *, times: int | None = 1, **how: Any) -> Iterator[None]:
    """Let a command fail in the server so many times, or until the end."""
    mode: Any = "alwaysOn" if times is None else {"times": times}
    data = {"failCommands": [command], **how}
    client.admin.command("configureFailPoint", "failCommand", mode=mode, data=data)
    try:
        yield
    finally:
        client.admin.command("configureFailPoint", "failCommand", mode="off")


def add_label(store: Store, name: str = "a") -> str:
    def work(session: ClientSession) -> str:
        store.labels.insert_many([{"id": name, "name": name, "isDeleted": False}], session=session)
        return "done"

    return transact(store.client, work)


@pytest.mark.parametrize(
    ("command", "how"),
    [
        ("insert", {"closeConnection": True}),
        ("commitTransaction", {"closeConnection": True}),
        ("commitTransaction", {"errorCode": 251, "errorLabels": ["TransientTransactionError"]}),
        ("commitTransaction", {"errorCode": 50}),
    ],
)
def test_what_may_be_repeated_is_repeated_and_done_once(
    store: Store, mongo_client: Client, command: str, how: dict[str, Any]
) -> None:
    with failing(mongo_client, command, **how):
        assert add_label(store) == "done"

    assert store.labels.count_documents({}) == 1


@pytest.mark.parametrize("code", [13, 133, 290, 11601, 14031])
def test_what_is_not_the_works_fault_is_an_outage(store: Store, mongo_client: Client, code: int) -> None:
    with failing(mongo_client, "insert", errorCode=code), pytest.raises(PyMongoError) as found:
        add_label(store)

    assert is_outage(found.value)


@pytest.mark.parametrize("code", [64, 100])
def test_a_majority_that_does_not_confirm_is_an_outage(store: Store, mongo_client: Client, code: int) -> None:
    unconfirmed = {"code": code, "errmsg": "waiting for replication timed out", "errInfo": {"wtimeout": code == 64}}
    with (
        failing(mongo_client, "commitTransaction", writeConcernError=unconfirmed),
        pytest.raises(PyMongoError) as found,
    ):
        add_label(store)

    assert is_outage(found.value)
    assert is_away(found.value)


def test_a_call_that_took_too_long_may_have_been_too_heavy(store: Store, mongo_client: Client) -> None:
    with failing(mongo_client, "insert", errorCode=50), pytest.raises(PyMongoError) as found:
        add_label(store)

    assert is_outage(found.value)
    assert not is_away(found.value)


def test_a_commit_that_is_never_answered_ends_in_an_error(
    store: Store, mongo_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "MAX_TRIES", 3)
    with (
        failing(mongo_client, "commitTransaction", times=None, closeConnection=True),
        pytest.raises(AutoReconnect),
    ):
        add_label(store)


def test_a_key_that_is_taken_for_good_is_tried_few_times(store: Store) -> None:
    runs = 0

    def work(session: ClientSession) -> None:
        nonlocal runs
        runs += 1
        store.labels.insert_one({"id": f"b{runs}", "name": "taken", "isDeleted": False}, session=session)

    store.labels.insert_one({"id": "a", "name": "taken", "isDeleted": False})
    with pytest.raises(DuplicateKeyError) as found:
        transact(store.client, work)

    assert runs == MAX_DUPLICATE_TRIES
    assert not is_outage(found.value)
