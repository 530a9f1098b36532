"""`hookline up`: one owner per directory, keys that stay, a note for other commands, and an end that leaves nothing.

The processes here are stand-ins that answer and obey; the journey with the real ones is told elsewhere.
"""

import fcntl
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from cryptography.fernet import Fernet

from runtime.errors import SettingsError
from runtime.settings import use_running
from sandbox import layout, run
from sandbox.announcing import Announcer, Greeting
from sandbox.datadir import AlreadyRunningError, DataDir, Keys, KeysDamagedError, new_keys
from sandbox.engines.pidfile import command_line
from sandbox.engines.ports import free_port, free_ports, remembered_port
from sandbox.processes import KILL_WAIT, PROCFILE, Process, procfile_commands
from sandbox.vendors import VENDORS
from tests.sandbox.leftovers import belonging
from tests.support.waiting import until
from workers.process import PATIENCE_S

HERE = "http://127.0.0.1:8000"
ROOT = Path(__file__).parents[2]

#: A process that answers on whatever port it is told, says which settings it sees, and can be told to misbehave.
STAND_IN = """
import http.server, json, os, signal, sys, time
behaviour = sys.argv[1]
if behaviour == "falls":
    sys.exit("cannot go on")
if behaviour == "slow":
    # Longer than honcho would wait by itself.
    def finish(*_):
        time.sleep(6)
        print("worker finished its work", flush=True)
        os._exit(0)
    signal.signal(signal.SIGTERM, finish)
bind = next(os.environ[n] for n in ("INGEST_BIND", "API_BIND", "METRICS_BIND") if n in os.environ)
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/fall":
            os._exit(7)
        body = json.dumps({"pid": os.getpid(), "environment": dict(os.environ)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
host, port = bind.split(":")
http.server.ThreadingHTTPServer((host, int(port)), Answer).serve_forever()
"""

#: `hookline up` with those instead of the Procfile's; login tokens are made by commands this test has no part in.
DRIVER = """
import signal, sys
from pathlib import Path
import sandbox.processes
from runtime.errors import HooklineError
from sandbox import demo, run
# A terminal that closes is a request to stop, even if these tests were started under nohup.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
sandbox.processes.PROCFILE = Path(sys.argv[3])
demo.login_token = lambda environment: "token-" + environment["MONGODB_DATABASE"]
try:
    sys.exit(run.run_up(Path(sys.argv[1]), port=int(sys.argv[2]), with_demo=False))
except HooklineError as error:
    sys.exit(f"hookline: {error}")
"""


class Up:
    """One `hookline up` in a process of its own."""

    def __init__(self, data: Path, *, port: int | None = None, falling: str = "", slow: str = "") -> None:
        self.data = data
        self.port = port or free_port()
        data.parent.mkdir(exist_ok=True)
        stand_in = data.parent / "stand_in.py"
        stand_in.write_text(STAND_IN)
        procfile = data.parent / f"Procfile-{self.port}"
        names = ("ingest", "api", "worker", "clock")
        behaviour = dict.fromkeys(names, "serves") | {falling: "falls", slow: "slow"}
        lines = [f"{name}: {sys.executable} {stand_in} {behaviour[name]}" for name in names]
        procfile.write_text("\n".join(lines))
        self.log = data.parent / f"up-{self.port}.log"
        given = {name: value for name, value in os.environ.items() if not name.endswith(("_URI", "_URL"))}
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", DRIVER, str(data), str(self.port), str(procfile)],
                cwd=data.parent,
                env={**given, "PYTHONPATH": str(ROOT)},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_ready(self) -> None:
        until(lambda: "Ctrl-C" in self.said() or not self.alive, seconds=60, what="the greeting")
        assert self.alive, self.said()

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal only the command itself, as a terminal or a service manager does."""
        self.process.send_signal(number)
        return self.process.wait(40)

    def own(self) -> list[int]:
        """Return every live process that belongs to this run."""
        return belonging(self.data)


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "run" / "data"
    for pid in belonging(tmp_path / "run" / "data"):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def started(data: Path) -> Iterator[Up]:
    up = Up(data)
    up.wait_ready()
    yield up
    if up.alive:
        up.end()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- the directory ---------------------------------------------------------------------------------------------


def test_keys_are_drawn_once_and_only_the_owner_may_read_them(tmp_path: Path) -> None:
    directory = DataDir(tmp_path / "data")
    with directory.lock():
        keys = directory.keys()
        assert DataDir(tmp_path / "data").keys() == keys
        Fernet(keys.encryption_keys)
        assert keys != new_keys()
    assert mode(tmp_path / "data") == 0o700
    assert mode(tmp_path / "data" / "keys.json") == 0o600
    assert keys.demo_app_secret not in repr(keys)
    assert keys.encryption_keys not in repr(keys)


def test_damaged_keys_stop_the_start_instead_of_being_replaced(tmp_path: Path) -> None:
    directory = DataDir(tmp_path / "data")
    with directory.lock():
        directory.keys()
        kept = (tmp_path / "data" / "keys.json").read_text()
        for damaged in ("", kept[:40], '{"encryption_keys": "x"}'):
            (tmp_path / "data" / "keys.json").write_text(damaged)
            with pytest.raises(KeysDamagedError, match=r"keys\.json is damaged"):
                directory.keys()
            assert (tmp_path / "data" / "keys.json").read_text() == damaged


def test_keys_that_are_new_since_the_first_start_are_drawn_once(tmp_path: Path) -> None:
    directory = DataDir(tmp_path / "data")
    with directory.lock():
        directory.keys()
        path = tmp_path / "data" / "keys.json"
        former = json.loads(path.read_text())
        added = {name for name in former if name.startswith(("demo_twilio", "demo_chatapi"))}
        path.write_text(json.dumps({name: value for name, value in former.items() if name not in added}))
        keys = directory.keys()
        assert (keys.encryption_keys, keys.demo_app_secret) == (former["encryption_keys"], former["demo_app_secret"])
        assert keys.demo_twilio_auth_token
        assert directory.keys() == keys
        assert mode(path) == 0o600


def test_a_login_token_is_made_once_per_database(tmp_path: Path) -> None:
    directory = DataDir(tmp_path / "data")
    with directory.lock():
        made = iter(["first", "second"])
        assert [directory.login_token(name, lambda: next(made)) for name in ("a", "b", "a")] == [
            "first",
            "second",
            "first",
        ]
        assert directory.keys().encryption_keys == DataDir(tmp_path / "data").keys().encryption_keys


def test_a_directory_has_one_owner_at_a_time(tmp_path: Path) -> None:
    with DataDir(tmp_path / "data").lock():
        with (
            pytest.raises(AlreadyRunningError, match=rf"already runs on .*data \(process {os.getpid()}\): stop it"),
            DataDir(tmp_path / "data").lock(),
        ):
            pytest.fail("two owners")
        with DataDir(tmp_path / "other").lock():
            pass
    with DataDir(tmp_path / "data").lock():
        pass


def test_the_note_leads_other_commands_to_the_engines_while_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONGODB_URI", "mongodb://elsewhere")
    directory = DataDir(tmp_path / "data")
    with directory.lock():
        with directory.announced(environment={"MONGODB_URI": "mongodb://here"}, url="http://127.0.0.1:8000"):
            assert mode(tmp_path / "data" / "run.json") == 0o600
            use_running(tmp_path / "data")
            assert os.environ["MONGODB_URI"] == "mongodb://here"
        assert not (tmp_path / "data" / "run.json").exists()


def test_the_note_of_a_killed_owner_is_removed_by_the_next(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "run.json").write_text('{"environment": {"MONGODB_URI": "mongodb://dead"}}')
    with DataDir(tmp_path / "data").lock():
        assert not (tmp_path / "data" / "run.json").exists()


def test_the_note_of_a_killed_owner_leads_nobody_to_dead_engines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONGODB_URI", "mongodb://elsewhere")
    directory = DataDir(tmp_path / "data")
    with directory.lock(), directory.announced(environment={"MONGODB_URI": "mongodb://dead"}, url="http://x"):
        left = (tmp_path / "data" / "run.json").read_text()
    (tmp_path / "data" / "run.json").write_text(left)
    with pytest.raises(SettingsError, match=r"no `hookline up --data .*data` is running; the last one was killed"):
        use_running(tmp_path / "data")
    # Others who ask at the same moment are not taken for somebody who runs.
    with (tmp_path / "data" / "lock").open("rb") as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)
        with pytest.raises(SettingsError):
            use_running(tmp_path / "data")
    assert os.environ["MONGODB_URI"] == "mongodb://elsewhere"
    with directory.lock():
        (tmp_path / "data" / "run.json").write_text(left)
        use_running(tmp_path / "data")


# --- who runs --------------------------------------------------------------------------------------------------


def test_up_runs_exactly_the_processes_of_the_procfile() -> None:
    lines = [line.partition(":") for line in PROCFILE.read_text().splitlines() if line.strip()]
    written = {name: command.strip() for name, _, command in lines}
    assert {"ingest", "api", "worker", "clock"} <= set(written)
    ports = layout.choose_ports(8000)
    assert {p.name: p.command for p in layout.production(ports, {})} == written == procfile_commands()


def test_every_process_gets_a_port_of_its_own() -> None:
    ports = layout.choose_ports(8000)
    processes = layout.production(ports, {"LOG_LEVEL": "INFO"})
    binds = {p.name: {n: v for n, v in p.environment.items() if n.endswith("_BIND")} for p in processes}
    assert {name: set(bind) for name, bind in binds.items()} == {
        "ingest": {"INGEST_BIND"},
        "api": {"API_BIND"},
        "worker": {"METRICS_BIND"},
        "clock": {"METRICS_BIND"},
    }
    every = [value for bind in binds.values() for value in bind.values()]
    assert len(set(every)) == len(every)
    assert all(value.startswith("127.0.0.1:") for value in every)
    assert all(p.environment["LOG_LEVEL"] == "INFO" for p in processes)


def simulators(environment: dict[str, str], **former: int) -> tuple[Keys, dict[str, Process]]:
    keys = replace(new_keys(), login_tokens={"x": "canary-token"})
    ports = layout.choose_ports(8000, former=former)
    ids = {vendor.slug: f"cfg_{vendor.slug}" for vendor in VENDORS}
    told = {"PUBLIC_URL": "https://hooks.example", **environment, "ENCRYPTION_KEYS": keys.encryption_keys}
    made = layout.simulators(ports, keys, config_ids=ids, environment=told)
    return keys, {process.name: process for process in made}


def test_a_simulator_sees_its_own_secrets_and_none_of_ours_or_of_the_others() -> None:
    keys, made = simulators({"PATH": "/bin", "MONGODB_URI": "mongodb://canary"})
    assert set(made) == {"meta", "twilio", "chatapi"}
    every = {secret.of(keys): vendor.slug for vendor in VENDORS for secret in vendor.secrets}
    assert len(every) == 6
    for name, process in made.items():
        seen = json.dumps(dict(process.environment))
        assert not [word for word in (keys.encryption_keys, "canary") if word in seen + process.command]
        assert {secret for secret in every if secret in seen} == {one for one, owner in every.items() if owner == name}
        assert not [secret for secret in every if secret in process.command + repr(process)]


def test_simulators_deliver_through_the_front_door_from_their_former_ports() -> None:
    _, made = simulators({}, meta=4711, chatapi=4712)
    for name, process in made.items():
        assert f"--webhook http://127.0.0.1:8000/api/whatsapp/webhooks/{name}/cfg_{name}" in process.command
    assert made["meta"].ready_url == "http://127.0.0.1:4711/ledger"
    assert made["chatapi"].ready_url == "http://127.0.0.1:4712/ledger"
    assert "https://hooks.example/api/whatsapp/webhooks/twilio/cfg_twilio#rc=3&rp=all" in made["twilio"].command


def test_a_remembered_port_counts_only_while_it_is_free(tmp_path: Path) -> None:
    note = tmp_path / "port"
    assert remembered_port(note) is None
    for wrong in ("", "x", "0", "70000"):
        note.write_text(wrong)
        assert remembered_port(note) is None
    port = free_port()
    note.write_text(f"{port}\n")
    assert remembered_port(note) == port
    with socket.create_server(("127.0.0.1", port)):
        assert remembered_port(note) is None


def test_free_ports_differ() -> None:
    assert len(set(free_ports(20))) == 20


# --- the greeting ----------------------------------------------------------------------------------------------


def test_the_greeting_waits_for_everybody_and_names_who_is_missing() -> None:
    missing: list[str] = []
    nobody = {name: f"http://127.0.0.1:{free_port()}/" for name in ("worker", "api")}
    announcer = Announcer(
        nobody,
        ready=lambda: pytest.fail("nobody was ready"),
        late=missing.extend,
        patience=timedelta(milliseconds=300),
    )
    announcer.run()
    assert missing == ["api", "worker"]


def test_the_greeting_shows_a_command_that_works_as_it_stands() -> None:
    told = Greeting(url=HERE, public_url="https://hooks.example", token="tok", data="/d", demo=True).text()
    assert f'curl -H "Authorization: Bearer tok" {HERE}/api/whatsapp/chats' in told
    assert "https://hooks.example/api/whatsapp/webhooks/<" in told


def test_commands_beside_it_are_told_whom_it_calls() -> None:
    told = {"META_API_URL": "http://127.0.0.1:9", "MEDIA_URL": "s3://files"}
    assert run.shared({**told, "LOG_LEVEL": "DEBUG", "HOOKLINE_AUTH_TOKEN": "canary"}) == told


def test_the_greeting_says_how_to_answer_only_where_somebody_listens() -> None:
    told = {"url": HERE, "public_url": HERE, "token": "tok", "data": "/d"}
    assert "/api/whatsapp/chats/$CHAT/messages" in Greeting(demo=True, **told).text()
    assert "$CHAT" not in Greeting(demo=False, **told).text()


# --- the run ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_stop_leaves_no_process_and_no_note(data: Path, number: signal.Signals) -> None:
    up = Up(data)
    up.wait_ready()
    assert len(up.own()) >= 8, "engines, four processes, the front door and the command itself"
    assert up.end(number) == 0
    assert up.own() == []
    assert not (data / "run.json").exists()
    assert '"Shutting down","attr":{"exitCode":0}' in (data / "mongo" / "mongod.log").read_text()
    assert "ready to exit" in (data / "valkey" / "valkey.log").read_text()
    with DataDir(data).lock():
        pass


def test_a_second_start_resumes_with_the_same_keys_token_and_engines(data: Path) -> None:
    notes, greetings = [], []
    port = free_port()
    for _ in range(2):
        up = Up(data, port=port)
        up.wait_ready()
        notes.append(json.loads((data / "run.json").read_text()))
        greetings.append(up.said())
        assert up.end() == 0
        up.log.unlink()
    assert notes[0]["environment"] == notes[1]["environment"]
    assert "token-hookline" in greetings[0]
    assert "token-hookline" in greetings[1]


def test_a_second_up_on_the_same_directory_is_refused_in_one_line(started: Up) -> None:
    second = Up(started.data)
    assert second.process.wait(30) == 1
    assert second.said().count("\n") == 1
    assert f"already runs on {started.data}" in second.said()
    assert started.alive


def test_a_taken_port_is_refused_before_anything_starts(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        up = Up(data, port=taken.getsockname()[1])
        assert up.process.wait(30) == 1
    assert "choose another with --port" in up.said()
    assert not (data / "mongo").exists()


def test_all_processes_share_engines_keys_and_a_fresh_metrics_directory(data: Path) -> None:
    stale = data / "metrics" / "counter_1.db"
    stale.parent.mkdir(parents=True)
    stale.write_text("of a former run")
    up = Up(data)
    up.wait_ready()
    told = requests.get(f"http://127.0.0.1:{up.port}/healthz", timeout=5).json()["environment"]
    webhook = f"http://127.0.0.1:{up.port}/api/whatsapp/webhooks/meta"
    received = requests.get(webhook, timeout=5).json()["environment"]
    note = json.loads((data / "run.json").read_text())["environment"]
    assert up.end() == 0
    shared = ("MONGODB_URI", "REDIS_URL", "ENCRYPTION_KEYS", "PUBLIC_URL", "MONGODB_DATABASE")
    for name in shared:
        assert told[name] == received[name] == note[name]
    assert told["PROMETHEUS_MULTIPROC_DIR"] == told["dramatiq_prom_db"] == str(data / "metrics")
    assert not stale.exists()
    assert told["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)


def test_a_process_that_cannot_start_ends_the_run_with_its_name(data: Path) -> None:
    up = Up(data, falling="worker")
    assert up.process.wait(60) == 1
    assert "hookline: worker ended with exit code 1" in up.said()
    assert "cannot go on" in up.said(), "its own words should be shown"
    assert up.own() == []


def test_a_process_that_dies_later_ends_the_run_with_its_name(started: Up) -> None:
    with pytest.raises(requests.exceptions.RequestException):
        requests.get(f"http://127.0.0.1:{started.port}/fall", timeout=5).raise_for_status()
    assert started.process.wait(60) == 1
    assert "hookline: api ended with exit code 7" in started.said()
    assert started.own() == []


def test_a_process_may_take_its_time_to_finish_its_work(data: Path) -> None:
    assert KILL_WAIT > PATIENCE_S
    up = Up(data, slow="worker")
    up.wait_ready()
    assert up.end() == 0
    assert "worker finished its work" in up.said()
    assert "SIGKILL" not in up.said()


def test_nothing_outlives_a_command_killed_with_9(data: Path) -> None:
    up = Up(data)
    up.wait_ready()
    assert len(up.own()) >= 8
    up.end(signal.SIGKILL)
    until(lambda: not up.own(), seconds=15, what=f"the end of everybody {data}")
    again = Up(data)
    again.wait_ready()
    assert again.end() == 0


def test_a_stop_while_the_engines_start_is_orderly(data: Path) -> None:
    up = Up(data)
    until((data / "mongo" / "mongod.pid").exists, seconds=30, what="the first engine")
    assert up.end(signal.SIGINT) == 0
    assert up.own() == []


def test_a_stop_while_the_processes_start_is_orderly(data: Path) -> None:
    up = Up(data)
    until(lambda: "started (pid=" in up.said(), seconds=60, what="the first process")
    began = time.monotonic()
    assert up.end(signal.SIGINT) == 0
    assert time.monotonic() - began < 20
    assert up.own() == []


def test_engines_of_your_own_are_used_and_left_alone(
    data: Path, redis_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data.parent).mkdir()
    (data.parent / ".env").write_text(f"REDIS_URL={redis_uri}\n")
    up = Up(data)
    up.wait_ready()
    assert json.loads((data / "run.json").read_text())["environment"]["REDIS_URL"] == redis_uri
    assert not (data / "valkey").exists()
    assert up.end() == 0
    assert command_line(up.process.pid) in ([], [""])
