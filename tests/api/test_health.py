"""Health and metrics: true when all is well, quick and truthful when MongoDB is not."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import redis

from api.app import build
from api.desk import Desk
from api.health import redis_problem
from runtime.metrics import EVENTS_OLDEST, EVENTS_WAITING, QUERY_FAILED
from sandbox.engines import MongoEngine
from tests.api.conftest import BASE, Api, Caller
from tests.api.rows import NOON, add_event
from tests.api.test_errors import refusal
from tests.support.wired import wire


def series(text: str, name: str) -> dict[str, float]:
    """The samples of a series: labels as written -> value."""
    lines = (line.rpartition(" ") for line in text.splitlines() if line.startswith(name))
    return {labels.removeprefix(name): float(value) for labels, _, value in lines}


def test_all_is_well(api: Api) -> None:
    stranger = api.stranger()
    assert stranger.get("/healthz").text == "ok\n"
    assert stranger.get("/readyz").text == "ready\n"


def test_depths_and_ages_are_counted_per_state(api: Api) -> None:
    store = api.wired.store
    for state, minutes in (("pending", 5), ("pending", 2), ("processed", 60), ("failed", 60)):
        add_event(store, status=state, nextAttemptAt=NOON - timedelta(minutes=minutes))
    add_event(store, status="pending", nextAttemptAt=NOON - timedelta(minutes=1), leaseUntil=NOON)
    text = api.stranger().get("/metrics").text
    assert series(text, EVENTS_WAITING[0]) == {'{state="pending"}': 2, '{state="processing"}': 1}
    assert series(text, EVENTS_OLDEST[0]) == {'{state="pending"}': 300, '{state="processing"}': 60}
    assert series(text, QUERY_FAILED[0]) == {"": 0}


def test_nothing_waiting_is_said_as_zero(api: Api) -> None:
    text = api.stranger().get("/metrics").text
    assert set(series(text, EVENTS_WAITING[0]).values()) == {0}
    assert set(series(text, EVENTS_OLDEST[0]).values()) == {0}


def test_a_second_scrape_within_a_moment_costs_no_second_reading(api: Api) -> None:
    stranger = api.stranger()
    began = time.monotonic()
    before = series(stranger.get("/metrics").text, EVENTS_WAITING[0])
    add_event(api.wired.store, status="pending", nextAttemptAt=NOON)
    after = series(stranger.get("/metrics").text, EVENTS_WAITING[0])
    assert after == before or time.monotonic() - began > 1


def test_redis_gets_more_than_one_try() -> None:
    answers: Iterator[bool] = iter([False, False, True])

    def ping() -> None:
        if not next(answers):
            raise redis.TimeoutError

    assert redis_problem(ping) is None


@pytest.fixture(scope="module")
def doomed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoEngine]:
    """Start a MongoDB that the tests of this file may harm."""
    engine = MongoEngine(tmp_path_factory.mktemp("doomed"), oplog_mb=64)
    engine.start()
    yield engine
    engine.kill()


def freeze(engine: MongoEngine) -> Callable[[], object]:
    pid = engine.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    return lambda: os.kill(pid, signal.SIGCONT)


def fell(engine: MongoEngine) -> Callable[[], object]:
    engine.kill()
    return engine.start


@pytest.mark.parametrize("harm", [freeze, fell])
def test_without_mongodb_everything_answers_in_time_and_says_so(
    doomed: MongoEngine, redis_uri: str, harm: Callable[[MongoEngine], Callable[[], object]]
) -> None:
    wired = wire(doomed.uri, redis_uri, "doomed")
    api = Api(build(Desk(wired)), wired)
    admin = api.admin
    assert admin.get(f"{BASE}/chats").status_code == 200
    mend = harm(doomed)
    try:
        check_outage(api, admin)
    finally:
        mend()
        wired.store.client.close()


def check_outage(api: Api, admin: Caller) -> None:
    stranger = api.stranger()
    began = time.monotonic()
    assert stranger.get("/healthz").status_code == 200
    text = stranger.get("/metrics").text
    assert time.monotonic() - began < 1.5
    assert series(text, QUERY_FAILED[0]) == {"": 1}
    assert series(text, EVENTS_WAITING[0]) == series(text, EVENTS_OLDEST[0]) == {}
    began = time.monotonic()
    ready = stranger.get("/readyz")
    assert ready.status_code == 503
    assert ready.text.startswith("MongoDB does not answer")
    assert time.monotonic() - began < 2.5
    refused = admin.get(f"{BASE}/chats")
    refusal(refused, 503, "unavailable")
    assert refused.headers["Retry-After"]
