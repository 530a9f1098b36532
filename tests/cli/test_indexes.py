"""`hookline indexes apply`: once makes them, twice changes nothing."""

from typing import Any

import pytest
from pymongo import MongoClient

from models.store.indexes import missing
from tests.cli.conftest import Hookline


def test_what_is_missing_is_made_and_named_and_then_there_is_nothing_to_do(
    hookline: Hookline, database_name: str, mongo_client: "MongoClient[dict[str, Any]]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONGODB_DATABASE", database_name)

    first = hookline("indexes", "apply")
    second = hookline("indexes", "apply")

    assert (first.code, second.code) == (0, 0)
    assert "webhookevents.deliveryKey_1" in first.out.splitlines()
    assert second.out == "all indexes are in place\n"
    assert missing(mongo_client[database_name]) == []


def test_a_dead_database_is_one_line(hookline: Hookline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGODB_URI", "mongodb://user:canary@127.0.0.1:1/")

    outcome = hookline("indexes", "apply")

    assert outcome.code == 1
    assert outcome.complaint == "MONGODB_URI: MongoDB does not answer (ServerSelectionTimeoutError)"


def test_rows_that_forbid_an_index_are_one_line_without_their_values(
    hookline: Hookline, database_name: str, mongo_client: "MongoClient[dict[str, Any]]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONGODB_DATABASE", database_name)
    mongo_client[database_name].webhookevents.insert_many([{"deliveryKey": "canary"}, {"deliveryKey": "canary"}])

    outcome = hookline("indexes", "apply")

    assert outcome.code == 1
    assert "webhookevents: rows repeat a value" in outcome.complaint
    assert "canary" not in outcome.err
