"""The embedded engines, on real processes: they answer, keep their data and never outlive their owner."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern
from redis import Redis

from sandbox.engines import (
    EngineStartError,
    MissingLibraryError,
    MongoEngine,
    NoEngineError,
    ValkeyEngine,
)
from sandbox.engines.engine import Engine
from sandbox.engines.pidfile import PidFile, command_line
from tests.support.waiting import until

MAJORITY = WriteConcern("majority", j=True)


@pytest.fixture
def kept() -> Iterator[list[Engine]]:
    """Engines (and nothing else) to kill when the test ends, however it ends."""
    engines: list[Engine] = []
    yield engines
    for engine in engines:
        engine.kill()


@pytest.fixture
def mongo(tmp_path: Path, kept: list[Engine]) -> MongoEngine:
    engine = MongoEngine(tmp_path / "mongo", oplog_mb=64)
    kept.append(engine)
    return engine


@pytest.fixture
def valkey(tmp_path: Path, kept: list[Engine]) -> ValkeyEngine:
    engine = ValkeyEngine(tmp_path / "valkey")
    kept.append(engine)
    return engine


def write_mongo(uri: str, key: int) -> None:
    with MongoClient[dict[str, Any]](uri) as client:
        client.shop.get_collection("things", write_concern=MAJORITY).insert_one({"_id": key})


def read_mongo(uri: str) -> list[int]:
    with MongoClient[dict[str, Any]](uri) as client:
        things = client.shop.get_collection("things", read_concern=ReadConcern("majority"))
        return sorted(document["_id"] for document in things.find())


def is_gone(pid: int) -> bool:
    return not command_line(pid) or command_line(pid) == [""]


def script(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_mongo_offers_transactions_change_streams_and_majority_writes(mongo: MongoEngine) -> None:
    with MongoClient[dict[str, Any]](mongo.start()) as client, client.shop.things.watch() as stream:
        with client.start_session() as session, session.start_transaction():
            client.shop.things.insert_one({"_id": 1}, session=session)
            client.shop.others.insert_one({"_id": 2}, session=session)
        assert next(stream)["documentKey"] == {"_id": 1}
    assert read_mongo(mongo.uri) == [1]


@pytest.mark.parametrize("end", [Engine.stop, Engine.kill])
def test_mongo_keeps_data_and_port_over_a_restart(mongo: MongoEngine, end: Callable[[Engine], None]) -> None:
    first = mongo.start()
    write_mongo(first, 1)
    end(mongo)
    assert mongo.pid is None

    assert mongo.start() == first
    write_mongo(first, 2)
    assert read_mongo(first) == [1, 2]


@pytest.mark.parametrize("end", [Engine.stop, Engine.kill])
def test_valkey_keeps_data_and_port_over_a_restart(valkey: ValkeyEngine, end: Callable[[Engine], None]) -> None:
    first = valkey.start()
    with Redis.from_url(first) as client:
        client.rpush("queue", "a", "b")
    end(valkey)
    assert valkey.pid is None

    assert valkey.start() == first
    with Redis.from_url(first) as client:
        assert client.lrange("queue", 0, -1) == [b"a", b"b"]
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("save") == {"save": ""}


def test_both_listen_on_loopback_only(mongo: MongoEngine, valkey: ValkeyEngine) -> None:
    mongo.start()
    valkey.start()
    ports = {int(engine.uri.split(":")[2].split("/")[0]) for engine in (mongo, valkey)}
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    addresses = [row[1] for row in listening if row[3] == "0A" and int(row[1].split(":")[1], 16) in ports]
    assert {address.split(":")[0] for address in addresses} == {"0100007F"}
    assert len(addresses) == 2


def test_start_twice_is_one_engine(valkey: ValkeyEngine) -> None:
    valkey.start()
    pid = valkey.pid
    valkey.start()
    assert valkey.pid == pid


@pytest.mark.parametrize("end", [Engine.stop, Engine.kill])
def test_mongo_moves_when_its_port_was_taken_and_loses_nothing(
    mongo: MongoEngine, end: Callable[[Engine], None]
) -> None:
    first = mongo.start()
    write_mongo(first, 1)
    end(mongo)
    with socket.create_server(("127.0.0.1", int(first.split(":")[2].split("/")[0]))):
        moved = mongo.start()
        assert moved != first
        write_mongo(moved, 2)
        assert read_mongo(moved) == [1, 2]
        with MongoClient[dict[str, Any]](moved) as client:
            assert client.admin.command("hello")["hosts"] == [moved.split("/")[2]]


def test_valkey_moves_when_its_port_was_taken(valkey: ValkeyEngine) -> None:
    first = valkey.start()
    valkey.stop()
    with socket.create_server(("127.0.0.1", int(first.split(":")[2].split("/")[0]))):
        assert valkey.start() != first


@pytest.mark.parametrize("make", [MongoEngine, ValkeyEngine])
def test_a_port_lost_between_looking_and_starting_is_no_error(
    make: Callable[[Path], Engine], tmp_path: Path, kept: list[Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make(tmp_path / "engine")
    kept.append(engine)
    with socket.create_server(("127.0.0.1", 0)) as rival:
        taken: int = rival.getsockname()[1]
        # The look said "free", the rival came first: the remembered port is taken when the engine binds.
        monkeypatch.setattr("sandbox.engines.ports.is_free", lambda port: True)
        (tmp_path / "engine").mkdir()
        (tmp_path / "engine" / f"{engine.name}.port").write_text(str(taken))
        assert f":{taken}/" not in engine.start()


OWNER = """
import sys
from pathlib import Path
from sandbox.engines import MongoEngine, ValkeyEngine
engines = [MongoEngine(Path(sys.argv[1]) / "mongo", oplog_mb=64), ValkeyEngine(Path(sys.argv[1]) / "valkey")]
for engine in engines:
    engine.start()
print(*(engine.pid for engine in engines), flush=True)
sys.stdin.read()
"""


def test_no_engine_outlives_an_owner_killed_with_9(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdout is not None
        pids = [int(word) for word in owner.stdout.readline().split()]
        assert len(pids) == 2
        assert not any(is_gone(pid) for pid in pids)
        owner.send_signal(signal.SIGKILL)
        until(lambda: all(is_gone(pid) for pid in pids), seconds=10, what="both engines' end")


def test_a_stale_engine_of_a_former_run_is_stopped_first(tmp_path: Path, kept: list[Engine]) -> None:
    former, latter = ValkeyEngine(tmp_path / "valkey"), ValkeyEngine(tmp_path / "valkey")
    kept += [former, latter]
    former.start()
    stale = former.pid
    assert stale is not None

    latter.start()
    assert former.pid is None
    assert latter.pid != stale
    with Redis.from_url(latter.uri) as client:
        assert client.ping()


def test_a_stranger_with_the_remembered_pid_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        remembered = PidFile(tmp_path / "valkey.pid", tmp_path)
        remembered.write(stranger.pid)
        remembered.end_stale()
        assert stranger.poll() is None
        assert not (tmp_path / "valkey.pid").exists()
        stranger.kill()


def test_no_wheel_says_what_else_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MongoEngine, "wheel", "no-such-wheel")
    with pytest.raises(NoEngineError, match=r"MONGODB_URI and REDIS_URL .* `docker compose up`"):
        MongoEngine(tmp_path).start()


@pytest.mark.parametrize(
    ("complaint", "library", "remedy"),
    [
        (
            "mongod: error while loading shared libraries: libcurl.so.4: cannot open shared object file",
            "libcurl.so.4",
            "apt-get install libcurl4 libssl3",
        ),
        (
            "mongod: /lib/libcrypto.so.3: version `OPENSSL_3.0.0' not found",
            "libcrypto.so.3",
            "apt-get install libcurl4 libssl3",
        ),
        (
            "mongod: error while loading shared libraries: liblzma.so.5: cannot open shared object file",
            "liblzma.so.5",
            "apt-get install liblzma5",
        ),
    ],
)
def test_a_missing_library_names_the_package(tmp_path: Path, complaint: str, library: str, remedy: str) -> None:
    fake = script(tmp_path / "mongod", f'echo "{complaint.replace("`", chr(92) + "`")}" >&2; exit 127')
    with pytest.raises(MissingLibraryError, match=remedy) as caught:
        MongoEngine(tmp_path / "data", binary=fake).start()
    assert caught.value.library == library


def test_a_failed_start_shows_the_last_words(tmp_path: Path) -> None:
    fake = script(tmp_path / "valkey-server", "echo first; echo 'Fatal error: no room'; exit 3")
    with pytest.raises(EngineStartError, match=r"exited with 3\nfirst\nFatal error: no room") as caught:
        ValkeyEngine(tmp_path / "data", binary=fake).start()
    assert "valkey did not start" in str(caught.value)


def test_a_failed_mongod_shows_its_errors_not_its_chatter(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "storage.bson").write_bytes(b"not bson")
    with pytest.raises(EngineStartError, match=r'"s":"[EF]"') as caught:
        MongoEngine(tmp_path / "data").start()
    assert '"s":"I"' not in str(caught.value)


def test_words_of_an_earlier_run_are_not_taken_for_this_ones(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "valkey.log").write_text("error while loading shared libraries: libcurl.so.4: gone\n")
    fake = script(tmp_path / "valkey-server", "echo 'other trouble'; exit 1")
    with pytest.raises(EngineStartError, match="other trouble"):
        ValkeyEngine(data, binary=fake).start()


def test_an_engine_sees_none_of_our_secrets(valkey: ValkeyEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCRYPTION_KEYS", "not-for-engines")
    valkey.start()
    assert b"not-for-engines" not in Path(f"/proc/{valkey.pid}/environ").read_bytes()
    assert os.environ["ENCRYPTION_KEYS"] == "not-for-engines"


def test_a_large_log_is_set_aside(tmp_path: Path, kept: list[Engine], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.engines.log.KEPT_BYTES", 10)
    (tmp_path / "valkey.log").write_text("x" * 11)
    engine = ValkeyEngine(tmp_path)
    kept.append(engine)
    engine.start()
    assert (tmp_path / "valkey.log.1").read_text() == "x" * 11
    assert "x" * 11 not in (tmp_path / "valkey.log").read_text()
