import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from benchmarks.contenders import Contender
from benchmarks.ingest import LedgerError, check_ledger
from benchmarks.load import ExhaustedError, Load, LoadError, generators, load
from benchmarks.selecting import whole_answer
from benchmarks.signing import write_requests

CONNECTIONS = 4
#: The server refuses one request in so many.
REFUSES = 10


class Server(ThreadingHTTPServer):
    """Remembers every body, and refuses some."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies: list[bytes] = []
        self.refused = 0
        self.lock = threading.Lock()

    def answer(self, body: bytes) -> int:
        with self.lock:
            self.bodies.append(body)
            refused = len(self.bodies) % REFUSES == 0
            self.refused += refused
        return 503 if refused else 200


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        status = self.server.answer(self.rfile.read(int(self.headers["Content-Length"])))
        self.wfile.write(f"HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\nok".encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it so
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


@pytest.fixture(params=["wrk", "python"])
def by(request: pytest.FixtureRequest) -> str:
    if request.param not in generators():
        pytest.skip("wrk is not installed")
    return str(request.param)


def bodies(count: int) -> Iterator[bytes]:
    return (b"number %d" % number for number in range(count))


def test_every_request_is_sent_once_and_every_answer_counted(server: Server, by: str, tmp_path: Path) -> None:
    write_requests(tmp_path / "requests", bodies(50_000), "secret")
    port = server.server_address[1]
    seen = load(port, tmp_path / "requests", connections=CONNECTIONS, window=0.5, by=by, drain=1)
    assert len(set(server.bodies)) == len(server.bodies) == seen.issued == seen.answered > 100
    assert (seen.refused, seen.unanswered, seen.broken) == (server.refused, 0, 0)
    assert seen.acknowledged == len(server.bodies) - server.refused
    assert seen.rate == (seen.acknowledged - CONNECTIONS) / 0.5
    assert 0 < seen.p50_ms <= seen.p99_ms <= seen.max_ms < 1000
    assert seen.cpu > 0


def test_too_few_requests_spoil_the_run(server: Server, by: str, tmp_path: Path) -> None:
    write_requests(tmp_path / "requests", bodies(20), "secret")
    with pytest.raises(ExhaustedError, match="too few"):
        load(server.server_address[1], tmp_path / "requests", connections=2, window=0.5, by=by, drain=1)


def test_a_generator_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="refused"):
        load(9, tmp_path / "absent", connections=1, window=0.5, by="python", drain=1)


def test_an_answer_is_read_only_when_whole() -> None:
    answer = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\nx: y\r\n\r\nbody"
    assert [whole_answer(answer[:end]) for end in (10, 40, len(answer) - 1)] == [None, None, None]
    assert whole_answer(answer) == 503


def seen(*, answered: int = 100, refused: int = 0, issued: int = 100) -> Load:
    some = {"broken": 0, "p50_ms": 1.0, "p99_ms": 2.0, "max_ms": 3.0, "cpu": 0.1}
    return Load(connections=4, window=1.0, issued=issued, answered=answered, refused=refused, **some)  # type: ignore[arg-type]


def stored(rows: int) -> Contender:
    return Contender("hookline", 0, None, lambda: None, lambda: rows)  # type: ignore[arg-type]


@pytest.mark.parametrize("rows", [99, 101])
def test_a_row_too_few_or_too_many_ends_the_benchmark(rows: int) -> None:
    with pytest.raises(LedgerError, match=f"100 acknowledged, .* but {rows} stored"):
        check_ledger(stored(rows), seen())


def test_only_requests_of_unknown_fate_may_or_may_not_be_stored() -> None:
    for rows in (97, 98, 99, 100):
        check_ledger(stored(rows), seen(answered=99, refused=2))
    with pytest.raises(LedgerError):
        check_ledger(stored(96), seen(answered=99, refused=2))
