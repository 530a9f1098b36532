"""The small port: health, readiness and metrics of a process without an API."""

import socket
from collections.abc import Iterator

import pytest
import requests

from runtime.metrics import FENCED_WRITES
from sandbox.engines.ports import free_port
from workers.metrics_port import serve_metrics


class State:
    """What the process says of itself."""

    problem: str | None = None


@pytest.fixture
def state() -> State:
    return State()


@pytest.fixture
def url(state: State) -> Iterator[str]:
    bind = f"127.0.0.1:{free_port()}"
    port = serve_metrics(bind, lambda: state.problem)
    yield f"http://{bind}"
    port.close()


def test_alive_while_it_runs(url: str) -> None:
    answer = requests.get(f"{url}/healthz", timeout=5)

    assert (answer.status_code, answer.text) == (200, "ok\n")


def test_ready_unless_it_says_why_not(url: str, state: State) -> None:
    assert requests.get(f"{url}/readyz", timeout=5).text == "ready\n"

    state.problem = "MongoDB does not answer"

    answer = requests.get(f"{url}/readyz", timeout=5)
    assert (answer.status_code, answer.text) == (503, "MongoDB does not answer\n")


def test_metrics_in_the_words_of_prometheus(url: str) -> None:
    FENCED_WRITES.inc()

    for path in ("/metrics", "/metrics?name[]=x"):
        answer = requests.get(url + path, timeout=5)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        assert "hookline_fenced_writes_total" in answer.text


@pytest.mark.parametrize("path", ["/", "/metrics/", "/../etc/passwd", "/debug"])
def test_nothing_else_is_there(path: str, url: str) -> None:
    assert requests.get(url + path, timeout=5).status_code == 404


def test_nothing_can_be_changed(url: str) -> None:
    assert requests.post(f"{url}/metrics", timeout=5).status_code == 501


def test_a_client_that_says_nothing_holds_up_nobody(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    idle = [socket.create_connection((host, int(port))) for _ in range(20)]

    assert requests.get(f"{url}/healthz", timeout=5).ok

    for one in idle:
        one.close()


def test_a_second_process_on_the_same_port_runs_without_one(url: str) -> None:
    second = serve_metrics(url.removeprefix("http://"))

    second.close()

    assert requests.get(f"{url}/healthz", timeout=5).ok


def test_any_other_trouble_with_the_port_stops_the_start() -> None:
    with pytest.raises(OSError, match=r"assign|address"):
        serve_metrics("203.0.113.1:9191")


def test_an_address_of_the_sixth_kind() -> None:
    bind = f"[::1]:{free_port()}"
    port = serve_metrics(bind)
    try:
        assert requests.get(f"http://{bind}/healthz", timeout=5).ok
    finally:
        port.close()


def test_after_closing_the_port_is_free() -> None:
    bind = f"127.0.0.1:{free_port()}"

    serve_metrics(bind).close()
    serve_metrics(bind).close()

    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://{bind}/healthz", timeout=5)
