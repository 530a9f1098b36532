"""`hookline indexes apply`: once makes them, twice changes nothing, and many at once do no harm."""

import os
import subprocess
import sys
from typing import Any

import pytest
from pymongo import MongoClient

from models.store.indexes import missing
from tests.cli.conftest import Hookline
from tests.support.system import ROOT


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
    monkeypatch.setenv("MONGODB_URI", "mongodb://user:canary@127.0.0.1:1/?serverSelectionTimeoutMS=100")

    outcome = hookline("indexes", "apply")

    assert outcome.code == 1
    assert outcome.complaint == "MONGODB_URI: MongoDB does not answer (ServerSelectionTimeoutError)"


def test_rows_that_forbid_an_index_are_one_line_without_their_values(
    hookline: Hookline, database_name: str, mongo_client: "MongoClient[dict[str, Any]]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONGODB_DATABASE", database_name)
    mongo_client[database_name].webhookevents.insert_many([{"deliveryKey": "canary"}] * 1 + [{"deliveryKey": "canary"}])

    outcome = hookline("indexes", "apply")

    assert outcome.code == 1
    assert "deliveryKey" in outcome.complaint or "id" in outcome.complaint
    assert "canary" not in outcome.err


def test_processes_that_start_together_do_not_disturb_one_another(
    told: dict[str, str], database_name: str, mongo_client: "MongoClient[dict[str, Any]]"
) -> None:
    environment = {**os.environ, **told, "MONGODB_DATABASE": database_name}
    command = [sys.executable, "-m", "cli.main", "indexes", "apply"]
    started = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for _ in range(4)
    ]

    outcomes = [(process.communicate(timeout=60)[1], process.returncode) for process in started]

    assert outcomes == [(b"", 0)] * 4
    assert missing(mongo_client[database_name]) == []
