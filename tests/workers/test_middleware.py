"""What surrounds a job: its context in the logs, its metrics, and a quiet end for failures."""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from typing import Any

import dramatiq
import pytest
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import Retries, SkipMessage
from dramatiq.worker import Worker
from prometheus_client import REGISTRY

from runtime.broker import ring
from runtime.jobs import RECEIVE
from runtime.logs import bound_contextvars, configure_logs, logger
from tests.support.quiet import quiet
from workers.middleware import Observed

CANARY = "canary-31f0"
_log = logger(__name__)


class Bench:
    """A worker on an in-memory queue, surrounded as in the product."""

    def __init__(self) -> None:
        self.broker = StubBroker(middleware=[Retries(max_retries=0), Observed()])
        self.broker.emit_after("process_boot")
        self.job: Callable[[list[str]], None] = lambda _: None
        dramatiq.actor(actor_name=RECEIVE.name, queue_name=RECEIVE.queue, broker=self.broker)(self._run)
        self.worker = Worker(self.broker, worker_threads=1, worker_timeout=10)
        self.worker.start()

    def _run(self, ids: list[str]) -> None:
        self.job(ids)

    def run(self, *ids: str) -> None:
        ring(self.broker, RECEIVE, ids)
        self.finish()

    def finish(self) -> None:
        """Wait until the queue is empty and its last job over."""
        self.broker.join(RECEIVE.queue, fail_fast=False)
        self.worker.join()


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.worker.stop()


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    told = io.StringIO()
    with redirect_stderr(told):
        configure_logs(level="INFO", style="json")
    yield told
    quiet()


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("hookline_jobs_total", {"job": RECEIVE.name, "outcome": outcome}) or 0


def test_the_ringers_context_stands_in_the_jobs_logs(bench: Bench, written: io.StringIO) -> None:
    bench.job = lambda ids: _log.info("worked", count=len(ids))

    with bound_contextvars(request_id="req_1", phone=CANARY):
        bench.run("evt_1")
    bench.run("evt_2")

    first, second = (line for line in lines(written) if line["event"] == "worked")
    assert (first["job"], first["request_id"]) == ("receive", "req_1")
    assert second["job"] == "receive"
    assert "request_id" not in second
    assert CANARY not in written.getvalue()


@pytest.mark.parametrize(
    "context", [None, [1], "x", {"job": "other", "event": CANARY, "level": "x", "request_id": "r"}]
)
def test_a_strange_context_is_nobodys_trouble(context: Any, bench: Bench, written: io.StringIO) -> None:
    bench.job = lambda _: _log.info("worked")
    message = dramatiq.Message[Any](RECEIVE.queue, RECEIVE.name, (["evt_1"],), {}, {"context": context})

    bench.broker.enqueue(message)
    bench.finish()

    (worked,) = (line for line in lines(written) if line["event"] == "worked")
    assert worked["job"] == "receive"
    assert CANARY not in written.getvalue()


def test_a_failing_job_is_counted_told_once_and_not_repeated(bench: Bench, written: io.StringIO) -> None:
    calls = []

    def fail(ids: list[str]) -> None:
        calls.append(ids)
        raise RuntimeError(CANARY)

    bench.job = fail
    before = [counted("failed"), counted("done")]

    with bound_contextvars(request_id="req_1"):
        bench.run("evt_1")

    assert [counted("failed") - before[0], counted("done") - before[1]] == [1, 0]
    assert calls == [["evt_1"]]
    (told,) = (line for line in lines(written) if line["event"] == "job_failed")
    assert (told["error"], told["request_id"], told["level"]) == ("RuntimeError", "req_1", "error")
    assert "test_middleware.py" in told["exception"]
    assert CANARY not in written.getvalue()


def test_a_job_is_counted_and_timed(bench: Bench) -> None:
    def timed() -> float:
        return REGISTRY.get_sample_value("hookline_job_seconds_count", {"job": RECEIVE.name}) or 0

    before = [counted("done"), timed()]

    bench.run("evt_1")
    bench.run("evt_2")

    assert [counted("done") - before[0], timed() - before[1]] == [2, 2]


def test_a_skipped_job_leaves_no_context_to_the_next(bench: Bench, written: io.StringIO) -> None:
    def skip(_: list[str]) -> None:
        raise SkipMessage

    bench.job = skip
    with bound_contextvars(request_id="req_1"):
        bench.run("evt_1")

    bench.job = lambda _: _log.info("worked")
    bench.run("evt_2")

    (worked,) = (line for line in lines(written) if line["event"] == "worked")
    assert "request_id" not in worked
