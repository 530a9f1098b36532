"""Starting processes: the database is made ready first, and what dies is replaced or told."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import requests
from pymongo import MongoClient

from cli import indexes
from cli.indexes import apply_indexes
from models.store.indexes import missing
from runtime.errors import HooklineError
from sandbox.engines.ports import free_port
from tests.support.street import settings_on
from tests.support.system import Process
from tests.support.waiting import until


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz", timeout=2).ok
    except requests.RequestException:
        return False


def test_a_receiver_makes_its_indexes_and_outlives_the_death_of_its_worker(
    told: dict[str, str], database_name: str, mongo_client: "MongoClient[dict[str, Any]]", tmp_path: Path
) -> None:
    bind = f"127.0.0.1:{free_port()}"
    environment = {**told, "MONGODB_DATABASE": database_name, "INGEST_BIND": bind, "INGEST_WORKERS": "1"}
    process = Process("ingest", environment, tmp_path / "ingest.log")
    try:
        until(lambda: not process.alive or answers(f"http://{bind}"), seconds=30, what="the receiver to start")
        assert missing(mongo_client[database_name]) == []

        (worker,) = (pid for pid in children(process._process.pid) if _is_worker(pid))
        os.kill(worker, signal.SIGKILL)

        until(lambda: worker not in children(process._process.pid), seconds=10, what="the death to be noticed")
        until(lambda: answers(f"http://{bind}"), seconds=30, what="another worker")
        assert process.alive
    finally:
        process.kill()


def _is_worker(pid: int) -> bool:
    """Multiprocessing starts helpers of its own besides the workers."""
    command = Path(f"/proc/{pid}/cmdline").read_bytes()
    return b"resource_tracker" not in command


def test_a_starting_process_waits_for_the_database_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexes, "START_PATIENCE_S", 0.1)
    dead = settings_on("mongodb://127.0.0.1:1/", "redis://127.0.0.1:1/0", "none")

    with pytest.raises(HooklineError, match=r"^MONGODB_URI: MongoDB does not answer"):
        apply_indexes(dead, patience=True)


def test_a_database_that_is_no_replica_set_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without one nothing can be promised: no majority, no journal of another machine, no transaction."""
    from sandbox.engines import MongoEngine

    class Alone(MongoEngine):
        def _arguments(self, port: int) -> list[str]:
            found = super()._arguments(port)
            at = found.index("--replSet")
            return found[:at] + found[at + 2 :]

        def _open(self) -> None:
            """It needs no seat of its own."""

    engine = Alone(tmp_path / "mongo", oplog_mb=64)
    try:
        settings = settings_on(engine.start(), "redis://127.0.0.1:1/0", "none")
        with pytest.raises(HooklineError, match="is not a replica set; start it with --replSet"):
            apply_indexes(settings)
    finally:
        engine.kill()
