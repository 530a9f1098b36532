"""The broker against a real Valkey that refuses, hangs, forgets and is fed junk: latency, and never a dead thread.

The jobs are hints about rows, so a lost one is no failure here; that the workers live on and run the next one is
the promise.
"""

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import dramatiq
import pytest
import redis
from dramatiq import worker as dramatiq_worker
from dramatiq.message import Message
from dramatiq.middleware import Middleware, Retries
from dramatiq.worker import Worker

from runtime.broker import NAMESPACE, SteadyConsumer, ring, ringing_broker, worker_broker
from runtime.connections import connect_redis
from runtime.crypto import Secret
from runtime.jobs import QUEUES, RECEIVE, Job
from runtime.logs import bound_contextvars
from tests.support.waiting import until

QUEUE = RECEIVE.queue
LIST, MESSAGES = f"{NAMESPACE}:{QUEUE}", f"{NAMESPACE}:{QUEUE}.msgs"
DEAD = f"{NAMESPACE}:{QUEUE}.XQ"
CANARY = "canary-5d1c"


class Bench:
    """A worker of the product's own broker that writes down what it was rung for."""

    def __init__(self, url: str, middleware: list[Middleware] | None = None) -> None:
        self.url = Secret(url)
        self.ran: list[str] = []
        self.broker = worker_broker(self.url, middleware or [])
        dramatiq.actor(actor_name=RECEIVE.name, queue_name=QUEUE, broker=self.broker)(self._run)
        self.worker = Worker(self.broker, worker_threads=2, worker_timeout=10)
        self.worker.queue_prefetch = 16
        self.on_run: Callable[[str], None] = lambda _: None

    def _run(self, ids: list[str]) -> None:
        for one in ids:
            self.on_run(one)
            self.ran.append(one)

    def ring(self, *ids: str) -> None:
        ring(ringing_broker(self.url), RECEIVE, ids)

    def has_run(self, *ids: str) -> bool:
        return set(ids) <= set(self.ran)

    @property
    def threads(self) -> list[threading.Thread]:
        return [*self.worker.workers, *self.worker.consumers.values()]

    def assert_whole(self) -> None:
        """All threads live, and a job rung now runs."""
        self.ring("after")
        until(lambda: self.has_run("after"), seconds=15, what="a job after the trouble")
        assert [thread.name for thread in self.threads if not thread.is_alive()] == []
        assert len(self.threads) == 2 + len(QUEUES)


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dramatiq's own pauses, shortened: how long it waits is not what is tested."""
    monkeypatch.setattr(dramatiq_worker, "CONSUMER_RESTART_DELAY_SECS", 0.1)
    monkeypatch.setattr(dramatiq_worker, "POST_PROCESS_MESSAGE_RETRY_DELAY_SECS", 0.1)


@pytest.fixture
def bench(redis_client: redis.Redis, redis_uri: str) -> Iterator[Bench]:
    bench = Bench(redis_uri)
    bench.worker.start()
    yield bench
    bench.worker.stop(timeout=10_000)
    bench.broker.close()


@pytest.fixture
def refusing(redis_client: redis.Redis) -> Iterator[Callable[..., None]]:
    """Make Valkey refuse by configuration; afterwards it is as before."""
    before: dict[str, str] = {}

    def refuse(**settings: str) -> None:
        for name, value in settings.items():
            key = name.replace("_", "-")
            before.setdefault(key, str(redis_client.config_get(key)[key]))
            redis_client.config_set(key, value)

    def relent() -> None:
        for key, value in before.items():
            redis_client.config_set(key, value)

    refuse.relent = relent  # type: ignore[attr-defined]
    yield refuse
    relent()


def test_a_rung_job_runs_with_its_ids(bench: Bench) -> None:
    bench.ring("evt_1", "evt_2")

    until(lambda: bench.has_run("evt_1", "evt_2"), seconds=5, what="the job")
    bench.assert_whole()


#: How Valkey may refuse, by the error its clients see.
REFUSALS = {
    "NOREPLICAS": {"min_replicas_to_write": "1"},
    "OOM": {"maxmemory": "1"},
}


@pytest.mark.parametrize("error", REFUSALS)
def test_a_queue_that_refuses_writes_kills_no_thread(
    error: str, bench: Bench, refusing: Any, redis_client: redis.Redis
) -> None:
    refusing(**REFUSALS[error])
    with pytest.raises(redis.ResponseError):
        redis_client.set("x", "x" * 100)

    until(lambda: _stumbled(bench), seconds=10, what="the consumers to meet the refusal")
    refusing.relent()

    bench.assert_whole()


def test_a_job_whose_end_is_refused_ends_when_the_queue_relents(
    bench: Bench, refusing: Any, redis_client: redis.Redis
) -> None:
    bench.on_run = lambda one: refusing(min_replicas_to_write="1") if one == "evt_1" else None

    bench.ring("evt_1")
    until(lambda: bench.has_run("evt_1"), seconds=5, what="the job")
    assert redis_client.hlen(MESSAGES) == 1
    refusing.relent()

    until(lambda: redis_client.hlen(MESSAGES) == 0, seconds=10, what="the acknowledgement")
    assert bench.ran == ["evt_1"]
    bench.assert_whole()


def test_a_demoted_queue_kills_no_thread(bench: Bench, redis_client: redis.Redis) -> None:
    """READONLY, as after a failover that left us with the old primary."""
    try:
        redis_client.replicaof("127.0.0.1", "1")
        until(lambda: _stumbled(bench), seconds=10, what="the consumers to meet the demotion")
    finally:
        redis_client.replicaof("NO", "ONE")

    bench.assert_whole()


def test_a_queue_that_hangs_kills_no_thread(redis_client: redis.Redis, redis_uri: str) -> None:
    bench = Bench(redis_uri)
    client = bench.broker.client  # type: ignore[attr-defined]
    client.connection_pool.connection_kwargs |= {"socket_timeout": 0.1, "retry": None, "retry_on_error": []}
    bench.worker.start()
    try:
        bench.ring("evt_1")
        until(lambda: bench.has_run("evt_1"), seconds=5, what="a first job")

        redis_client.client_pause(700)

        until(lambda: _stumbled(bench), seconds=10, what="the consumers to run out of patience")
        until(redis_client.ping, seconds=5, what="the queue to answer again")
        bench.assert_whole()
    finally:
        bench.worker.stop(timeout=10_000)


def test_a_queue_that_loses_every_connection_and_every_job_kills_no_thread(
    bench: Bench, redis_client: redis.Redis
) -> None:
    bench.ring("evt_1")
    redis_client.flushall()
    redis_client.script_flush()
    redis_client.client_kill_filter(_type="normal", skipme=True)

    bench.assert_whole()


def _stored(redis_client: redis.Redis, data: bytes, name: str) -> None:
    """Put bytes where a job stands, past everything of ours."""
    redis_client.hset(MESSAGES, name, data)
    redis_client.rpush(LIST, name)


def _job(**changed: Any) -> bytes:
    message: Message[Any] = Message(QUEUE, RECEIVE.name, (["junk"],), {}, {"redis_message_id": "junk"})
    return json.dumps({**message.asdict(), **changed}).encode()


JUNK: dict[str, bytes] = {
    "empty": b"",
    "no utf-8": b"\xff\xfe\x00",
    "no json": b"{",
    "null": b"null",
    "list": b"[]",
    "number": b"3",
    "object of nothing": b"{}",
    "deep": b"[" * 100_000,
    "unknown field": _job(extra=1),
    "options null": _job(options=None),
    "options list": _job(options=[1]),
    "options without id": _job(options={}),
    "options with an id that is none": _job(options={"redis_message_id": ["x"]}),
    "message id list": _job(message_id=["x"]),
    "message id null": _job(message_id=None),
    "actor list": _job(actor_name=["receive"]),
    "kwargs list": _job(kwargs=[1]),
    "args null": _job(args=None),
    "another queue": _job(queue_name="nowhere"),
    "pickle": b"\x80\x04\x95\x0c\x00\x00\x00\x00\x00\x00\x00\x8c\x08",
}


@pytest.mark.parametrize("kind", JUNK)
def test_junk_in_the_queue_is_put_aside_and_starves_nobody(
    kind: str, redis_uri: str, redis_client: redis.Redis
) -> None:
    bench = Bench(redis_uri)
    for n in range(3):
        bench.ring(f"before_{n}")
    _stored(redis_client, JUNK[kind], "junk")
    for n in range(3):
        bench.ring(f"behind_{n}")
    bench.worker.start()
    try:
        others = [f"{place}_{n}" for place in ("before", "behind") for n in range(3)]
        until(lambda: bench.has_run(*others), seconds=10, what="the innocent jobs")
        bench.assert_whole()
        until(lambda: redis_client.hlen(MESSAGES) == 0, seconds=5, what="an empty queue")
        # Put aside for good: left among the fetched it would come back at every restart.
        assert redis_client.zrange(DEAD, 0, -1) == [b"junk"]
    finally:
        bench.worker.stop(timeout=10_000)
    assert "junk" not in bench.ran
    assert list(redis_client.scan_iter(f"{NAMESPACE}:__acks__*")) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"args": [5]},
        {"args": []},
        {"kwargs": {"unknown": 1}},
        {"options": {"redis_message_id": "junk", "eta": "tomorrow"}},
        {"options": {"redis_message_id": "junk", "context": [1], "time_limit": "x"}},
        {"message_timestamp": "yesterday"},
    ],
)
def test_a_readable_job_of_nonsense_is_nobodys_death(
    changed: dict[str, Any], bench: Bench, redis_client: redis.Redis
) -> None:
    _stored(redis_client, _job(**changed), "junk")

    until(lambda: redis_client.hlen(MESSAGES) == 0, seconds=10, what="the nonsense to be dealt with")
    bench.assert_whole()


def test_a_job_of_an_actor_we_do_not_know_is_put_aside(bench: Bench, redis_client: redis.Redis) -> None:
    """As in a rolling upgrade: the row waits, and the sweep rings until a newer worker takes it."""
    ring(ringing_broker(bench.url), Job("of_tomorrow", QUEUE), ["evt_1"])

    until(lambda: redis_client.zcard(DEAD) == 1, seconds=10, what="the unknown job to be put aside")
    bench.assert_whole()


def test_a_failing_job_is_neither_repeated_nor_told_in_the_queue(bench: Bench, redis_client: redis.Redis) -> None:
    calls: list[str] = []

    def fail(one: str) -> None:
        if one == "evt_1":
            calls.append(one)
            raise RuntimeError(CANARY)

    bench.on_run = fail
    bench.ring("evt_1")

    until(lambda: redis_client.zcard(DEAD) == 1, seconds=10, what="the failed job to be put aside")
    bench.assert_whole()
    assert calls == ["evt_1"]
    assert redis_client.llen(f"{LIST}.DQ") == 0
    for key in redis_client.scan_iter("*"):
        assert CANARY.encode() not in (redis_client.dump(key) or b"")


def test_no_retries_no_results_and_an_explicit_client(bench: Bench) -> None:
    (retries,) = [one for one in bench.broker.middleware if isinstance(one, Retries)]
    assert retries.max_retries == 0
    assert bench.broker.client.connection_pool.connection_kwargs["socket_timeout"]  # type: ignore[attr-defined]
    assert {type(one.consumer) for one in bench.worker.consumers.values()} <= {SteadyConsumer, type(None)}
    names = {type(one).__name__ for one in bench.broker.middleware}
    assert not names & {"Results", "Prometheus", "Pipelines", "GroupCallbacks"}


def test_ringing_brokers_carry_no_middleware_and_declare_our_queues(redis_uri: str) -> None:
    broker = ringing_broker(Secret(redis_uri))

    assert broker.middleware == []
    assert broker.get_declared_queues() == set(QUEUES)


def test_a_job_that_nobody_would_fetch_is_refused(bench: Bench) -> None:
    actor = bench.broker.get_actor(RECEIVE.name)

    with pytest.raises(ValueError, match="not delayed"):
        actor.send_with_options(args=(["evt_1"],), delay=1_000)


def test_the_queue_carries_ids_and_correlation_and_nothing_else(redis_uri: str, redis_client: redis.Redis) -> None:
    with bound_contextvars(request_id="req_1", phone=CANARY, text=CANARY):
        ring(ringing_broker(Secret(redis_uri)), RECEIVE, ["evt_1"])

    (data,) = redis_client.hvals(MESSAGES)
    message = json.loads(data)
    assert (message["args"], message["kwargs"]) == ([["evt_1"]], {})
    assert set(message["options"]) == {"context", "rung_at", "redis_message_id"}
    assert message["options"]["context"] == {"request_id": "req_1"}
    assert CANARY.encode() not in data


def test_jobs_a_dead_process_had_fetched_come_back(redis_client: redis.Redis, redis_uri: str) -> None:
    """Maintenance finds them at one command in ten, not at one in a thousand as by default."""
    first = worker_broker(Secret(redis_uri))
    ring(first, RECEIVE, ["evt_1"])
    fetched = next(first.consume(QUEUE, prefetch=1))
    assert fetched is not None
    redis_client.zadd(f"{NAMESPACE}:__heartbeats__", {first.broker_id: 1})  # type: ignore[attr-defined]
    bench = Bench(redis_uri)
    bench.worker.start()
    try:
        until(lambda: bench.has_run("evt_1"), seconds=20, what="the dead process's job")
    finally:
        bench.worker.stop(timeout=10_000)


def test_a_dead_queue_is_an_error_of_the_ring_and_no_more() -> None:
    with pytest.raises(redis.RedisError):
        ring(ringing_broker(Secret("redis://127.0.0.1:1/0")), RECEIVE, ["evt_1"])
    assert connect_redis(Secret("redis://127.0.0.1:1/0"))


def _stumbled(bench: Bench) -> bool:
    """Whether a consumer has been replaced, which happens after an error only."""
    seen = bench.__dict__.setdefault("seen", {name: one.consumer for name, one in bench.worker.consumers.items()})
    return all(one.consumer is not seen[name] for name, one in bench.worker.consumers.items() if name == QUEUE)
