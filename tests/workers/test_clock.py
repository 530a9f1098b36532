"""The clock: one turn is one run while Redis can say so, and no turn is lost when it cannot."""

import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis
import requests
from prometheus_client import REGISTRY

from runtime.connections import connect_redis_briefly
from runtime.crypto import Secret
from sandbox.engines.ports import free_port
from tests.support import meta_webhooks as meta
from tests.support.system import Process
from tests.support.waiting import until
from tests.support.wired import Wired
from workers.clock import LOCK_PREFIX, LOCK_SHARE, Turns
from workers.timetable import Entry


class Work:
    """Counts its runs, and fails when told to."""

    def __init__(self) -> None:
        self.runs = 0
        self.failing = False
        self._lock = threading.Lock()

    def __call__(self, _services: object) -> None:
        with self._lock:
            self.runs += 1
        if self.failing:
            raise RuntimeError


@pytest.fixture
def work() -> Work:
    return Work()


def clocks(count: int, wired: Wired, url: str) -> list[Turns]:
    return [Turns(wired, connect_redis_briefly(Secret(url))) for _ in range(count)]


def counted(entry: Entry, outcome: str) -> float:
    labels = {"job": entry.name, "outcome": outcome}
    return REGISTRY.get_sample_value("hookline_clock_runs_total", labels) or 0


def test_of_many_clocks_one_takes_a_turn(wired: Wired, redis_uri: str, redis_client: redis.Redis, work: Work) -> None:
    entry = Entry("one_of_many", 60, work)

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda turns: turns.take(entry), clocks(5, wired, redis_uri)))

    assert work.runs == 1
    assert counted(entry, "done") == 1
    assert counted(entry, "left_to_another") == 4


def test_the_next_turn_is_free_when_its_time_comes(
    wired: Wired, redis_uri: str, redis_client: redis.Redis, work: Work
) -> None:
    entry = Entry("next_turn", 0.5, work)
    first, second = clocks(2, wired, redis_uri)
    first.take(entry)
    second.take(entry)
    assert work.runs == 1
    assert 0 < redis_client.pttl(LOCK_PREFIX + entry.name) <= 0.5 * LOCK_SHARE * 1000

    until(lambda: not redis_client.exists(LOCK_PREFIX + entry.name), seconds=2, what="the lock's end")
    second.take(entry)
    first.take(entry)

    assert work.runs == 2


def test_entries_do_not_wait_for_one_another(
    wired: Wired, redis_uri: str, redis_client: redis.Redis, work: Work
) -> None:
    (turns,) = clocks(1, wired, redis_uri)

    turns.take(Entry("this", 60, work))
    turns.take(Entry("that", 60, work))

    assert work.runs == 2


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "redis://no-such-host.invalid/0"])
def test_with_redis_away_every_clock_works(url: str, wired: Wired, work: Work) -> None:
    entry = Entry(f"without_{url.count('.')}", 60, work)

    for turns in clocks(2, wired, url):
        turns.take(entry)

    assert work.runs == 2


def test_with_redis_refusing_writes_every_clock_works(
    wired: Wired, redis_uri: str, redis_client: redis.Redis, work: Work
) -> None:
    redis_client.config_set("min-replicas-to-write", "1")
    try:
        for turns in clocks(2, wired, redis_uri):
            turns.take(Entry("refused", 60, work))
    finally:
        redis_client.config_set("min-replicas-to-write", "0")

    assert work.runs == 2


def test_a_failing_turn_is_counted_and_the_clock_goes_on(
    wired: Wired, redis_uri: str, redis_client: redis.Redis, work: Work
) -> None:
    (turns,) = clocks(1, wired, redis_uri)
    failing, fine = Entry("failing", 60, work), Entry("fine", 60, Work())
    work.failing = True

    turns.take(failing)
    turns.take(fine)

    assert counted(failing, "failed") == counted(fine, "done") == 1


def environment(wired: Wired, **changed: str) -> dict[str, str]:
    return {
        "MONGODB_URI": wired.settings.mongodb_uri.reveal(),
        "MONGODB_DATABASE": wired.settings.mongodb_database,
        "REDIS_URL": wired.settings.redis_url.reveal(),
        "ENCRYPTION_KEYS": wired.settings.encryption_keys[0].reveal(),
        "METRICS_BIND": f"127.0.0.1:{free_port()}",
        "SWEEP_AFTER_SECONDS": "1",
        **changed,
    }


def test_the_process_shows_itself_and_ends_when_told_to_even_with_redis_dead(wired: Wired, tmp_path: Path) -> None:
    """Its rings are lost then, but what a dead worker held is handed back all the same."""
    event_id = wired.store_webhook(meta.envelope(meta.text("held")))
    now = wired.clock.now()
    wired.events.claim([event_id], now=now, until=now)
    told = environment(wired, REDIS_URL="redis://127.0.0.1:1/0")
    process = Process("clock", told, tmp_path / "clock.log")
    try:
        until(lambda: wired.events.get(event_id).lease_until is None, seconds=60, what="the row to be handed back")
        scraped = requests.get(f"http://{told['METRICS_BIND']}/metrics", timeout=5)
        ready = requests.get(f"http://{told['METRICS_BIND']}/readyz", timeout=5)
        assert 'hookline_swept_total{state="lease_expired"} 1.0' in scraped.text
        assert ready.ok
        assert process.alive
        process.send(signal.SIGTERM)
        assert process.stop() == 0, process.said()
    finally:
        process.kill()
