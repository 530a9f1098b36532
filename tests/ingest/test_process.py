"""The receiver as it runs: `hookline ingest` on granian, spoken to over sockets, over a database that dies."""

import re
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.support import meta_webhooks as meta
from tests.support.street import PATH
from tests.support.system import System, running
from tests.support.waiting import until

LIMIT = 4 * 1024 * 1024
#: What a socket's buffers on both sides may swallow beyond what is read from them.
BUFFERS = 12 * 1024 * 1024


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(tmp_path_factory.mktemp("receiver"), INTAKE_TIMEOUT_SECONDS="1", INGEST_THREADS="8") as system:
        system.url = system.start_receiver()  # type: ignore[attr-defined]
        yield system


@pytest.fixture
def url(system: System) -> str:
    system.store.webhookevents.delete_many({})
    return str(system.url)  # type: ignore[attr-defined]


class Line:
    """One connection, spoken to in raw bytes."""

    def __init__(self, url: str, *, patience: float = 5) -> None:
        host, port = url.removeprefix("http://").split(":")
        self._socket = socket.create_connection((host, int(port)), timeout=patience)

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def say(self, data: bytes) -> "Line":
        self._socket.sendall(data)
        return self

    def hang_up(self) -> "Line":
        self._socket.shutdown(socket.SHUT_WR)
        return self

    def answer(self) -> int:
        """The status of the next answer; 0 where the connection ends without one."""
        head = b""
        while b"\r\n\r\n" not in head:
            try:
                found = self._socket.recv(65536)
            except ConnectionResetError:
                return 0
            if not found:
                return 0
            head += found
        return int(re.match(rb"HTTP/1.1 (\d+)", head)[1])  # type: ignore[index]


def head(body: bytes, *framing: str, signature: str | None = None, path: str = PATH) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: hookline.example",
        "Content-Type: application/json",
        f"X-Hub-Signature-256: {signature or meta.signature(body)}",
        *framing,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def chunked(body: bytes, size: int = 1000) -> bytes:
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def length(body: bytes) -> str:
    return f"Content-Length: {len(body)}"


def bodies(system: System) -> list[bytes]:
    return [row["rawBody"] for row in system.store.webhookevents.find({})]


def a_body(text: str = "over a socket") -> bytes:
    return meta.envelope(meta.text(text))


def test_a_body_of_announced_length_is_stored(system: System, url: str) -> None:
    body = a_body()
    with Line(url) as line:
        assert line.say(head(body, length(body)) + body).answer() == 200

    assert bodies(system) == [body]


def test_a_chunked_body_is_stored_whole(system: System, url: str) -> None:
    body = a_body("x" * 5000)
    with Line(url) as line:
        assert line.say(head(body, "Transfer-Encoding: chunked") + chunked(body)).answer() == 200

    assert bodies(system) == [body]


def test_a_body_of_exactly_the_limit_is_stored_whole(system: System, url: str) -> None:
    body = b"[" + b" " * (LIMIT - 2) + b"]"
    for framing, sent in ((length(body), body), ("Transfer-Encoding: chunked", chunked(body, 65536))):
        with Line(url) as line:
            assert line.say(head(body, framing) + sent).answer() == 200

    assert bodies(system) == [body]


def test_a_body_announced_too_long_is_413_before_any_of_it_is_sent(system: System, url: str) -> None:
    with Line(url) as line:
        assert line.say(head(b"", f"Content-Length: {LIMIT + 1}")).answer() == 413

    assert bodies(system) == []


def test_an_endless_body_is_413_and_not_read_on(system: System, url: str) -> None:
    sent = 0
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    with Line(url) as line:
        line.say(head(b"", "Transfer-Encoding: chunked"))
        try:
            while sent < 10 * BUFFERS:
                line.say(chunk)
                sent += len(chunk)
        except OSError:
            pass
        else:
            pytest.fail("the receiver read on for ever")

    assert sent < LIMIT + BUFFERS
    assert bodies(system) == []


def test_one_byte_too_many_in_chunks_is_413(system: System, url: str) -> None:
    body = b"x" * (LIMIT + 1)
    with Line(url) as line:
        assert line.say(head(body, "Transfer-Encoding: chunked") + chunked(body, 65536)).answer() == 413

    assert bodies(system) == []


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("announced", [4, 10_000])
def test_a_body_framed_in_two_ways_is_refused_or_read_as_it_was_signed(
    order: int, announced: int, system: System, url: str
) -> None:
    body = a_body()
    framing = [f"Content-Length: {announced}", "Transfer-Encoding: chunked"]
    with Line(url) as line:
        status = line.say(head(body, *(framing if order else framing[::-1])) + chunked(body)).answer()

    assert status in {200, 400}
    assert bodies(system) == ([body] if status == 200 else [])


def test_what_is_hidden_behind_a_doubly_framed_body_is_no_request_of_its_own(system: System, url: str) -> None:
    """By its length the body ends behind the hidden part, by its chunks before it; only what is signed counts."""
    body, hidden = a_body("genuine"), b'{"hidden": true}'
    smuggled = head(hidden, length(hidden), signature="sha256=" + "0" * 64) + hidden
    ended = b"0\r\n\r\n" + smuggled
    with Line(url) as line:
        line.say(head(body, length(ended), "Transfer-Encoding: chunked", signature="sha256=" + "1" * 64) + ended)
        assert line.answer() in {400, 401}

    assert bodies(system) == []


@pytest.mark.parametrize(
    "framing",
    [
        ("Content-Length: 10", "Content-Length: 11"),
        ("Content-Length: +10",),
        ("Content-Length: 10, 11",),
        ("Content-Length: -1",),
        ("Transfer-Encoding: gzip",),
        ("Transfer-Encoding: chunked, identity",),
    ],
)
def test_framing_nobody_can_be_sure_of_is_refused(framing: tuple[str, ...], system: System, url: str) -> None:
    body = b"0123456789"
    with Line(url) as line:
        assert line.say(head(body, *framing) + body).hang_up().answer() in {0, 400, 501}

    assert bodies(system) == []


def test_a_body_that_breaks_off_is_never_stored(system: System, url: str) -> None:
    body = a_body()
    half = body[: len(body) // 2]
    cut = [(length(body), half), ("Transfer-Encoding: chunked", chunked(body, 10)[: len(body)])]
    for framing, sent in cut:
        for signed in (body, half):
            with Line(url) as line:
                assert line.say(head(signed, framing) + sent).hang_up().answer() in {0, 400, 401}

    assert bodies(system) == []


def test_a_signature_said_twice_is_401(system: System, url: str) -> None:
    body = a_body()
    twice = [length(body), f"X-Hub-Signature-256: {meta.signature(body, '0' * 32)}"]
    with Line(url) as line:
        assert line.say(head(body, *twice) + body).answer() == 401
    raw = head(body, length(body)).replace(meta.signature(body).encode(), b"sha256=\xff\xfe")
    with Line(url) as line:
        assert line.say(raw + body).answer() == 401

    assert bodies(system) == []


def test_several_webhooks_on_one_connection_are_each_answered(system: System, url: str) -> None:
    with Line(url) as line:
        for n in range(5):
            body = a_body(f"n{n}")
            assert line.say(head(body, length(body)) + body).answer() == 200

    assert len(bodies(system)) == 5


@pytest.mark.parametrize("begun", [b"", b"PRI * HTT", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", head(b"")[:-4]])
def test_who_never_says_what_he_wants_is_shown_out(begun: bytes, url: str) -> None:
    """Each of these would otherwise take a place for ever, of the thousand that there are."""
    with Line(url, patience=15) as line:
        assert line.say(begun).answer() == 0


def test_slow_bodies_do_not_hold_up_the_others_while_a_thread_is_left(system: System, url: str) -> None:
    """With as many slow ones as threads they would: that is the buffering proxy's business (docs, deploy/Caddyfile)."""
    body = a_body()
    slow = [Line(url).say(head(body, length(body)) + body[:10]) for _ in range(6)]

    began = time.perf_counter()
    quick = [requests.post(f"{url}{PATH}", data=body, headers=meta.headers(body), timeout=5) for _ in range(5)]
    took = time.perf_counter() - began

    assert [one.status_code for one in quick] == [200] * 5
    assert took < 2
    assert [line.say(body[10:]).answer() for line in slow] == [200] * 6
    for line in slow:
        line.__exit__()


def deliver(url: str, body: bytes, secret: str = meta.SECRET) -> requests.Response:
    return requests.post(f"{url}{PATH}", data=body, headers=meta.headers(body, secret), timeout=15)


def test_what_was_answered_200_outlives_the_sudden_death_of_the_database(system: System, url: str) -> None:
    acknowledged = []
    for n in range(2):
        with ThreadPoolExecutor(8) as pool:
            batch = [a_body(f"{n} {m}") for m in range(8)]
            answers = pool.map(lambda one: deliver(url, one).ok, batch)
            acknowledged += [one for one, ok in zip(batch, answers, strict=True) if ok]
        system.mongo.kill()
        system.mongo.start()
        until(lambda: deliver(url, a_body("again")).ok, seconds=20, what="the receiver to store again")

    assert len(acknowledged) >= 8
    assert set(acknowledged) <= set(bodies(system))


def test_with_the_database_away_nothing_is_promised_and_nobody_forgotten(system: System, url: str) -> None:
    assert deliver(url, a_body("before")).status_code == 200
    system.mongo.kill()
    try:
        with ThreadPoolExecutor(8) as pool:
            forging = pool.submit(deliver, url, a_body("forged"), "0" * 32)
            asking = pool.submit(requests.get, f"{url}/readyz", timeout=5)
            valid = list(pool.map(lambda n: deliver(url, a_body(f"lost {n}")), range(4)))
            alive = requests.get(f"{url}/healthz", timeout=1)
            metrics = requests.get(f"{url}/metrics", timeout=1)
            forged, ready = forging.result(), asking.result()
    finally:
        system.mongo.start()

    assert {one.status_code for one in valid} == {503}
    assert {one.headers["Retry-After"] for one in valid} == {"2"}
    assert forged.status_code == 401
    assert (ready.status_code, alive.status_code, metrics.status_code) == (503, 200, 200)
    assert ready.text.startswith("MongoDB does not answer")
    for answer in (*valid, forged, ready):
        assert meta.SECRET not in answer.text
        assert "127.0.0.1" not in answer.text
        assert "Traceback" not in answer.text
    until(lambda: deliver(url, a_body("after")).ok, seconds=20, what="the receiver to store again")
    until(lambda: requests.get(f"{url}/readyz", timeout=5).ok, seconds=10, what="readiness")


def test_told_to_stop_it_answers_what_it_has_begun_and_ends(system: System) -> None:
    url = system.start_receiver()
    process = system.processes[-1]
    body = a_body("the last")
    with Line(url) as line:
        line.say(head(body, length(body), "Expect: 100-continue"))
        assert line.answer() == 100
        process.send(signal.SIGTERM)
        line.say(body)
        assert line.answer() == 200
    assert process.stop() == 0, process.said()
    assert system.store.webhookevents.count_documents({"rawBody": body}) == 1
