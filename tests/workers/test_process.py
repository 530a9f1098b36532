"""A worker as it runs: it works, shows itself, and ends in time whatever hangs."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import requests
from dramatiq.worker import Worker

from runtime.broker import worker_broker
from sandbox.engines import ValkeyEngine
from tests.support import meta_webhooks as meta
from tests.support.system import ROOT, Process
from tests.support.waiting import until
from tests.support.wired import Wired
from tests.workers.test_clock import environment
from workers import process as processes
from workers.actors import declare

OPEN = {"status": {"$in": ["pending", "processing"]}}


@pytest.fixture
def started(wired: Wired, redis_client: redis.Redis, tmp_path: Path) -> Iterator[tuple[Process, str]]:
    told = environment(wired)
    process = Process("worker", told, tmp_path / "worker.log")
    url = f"http://{told['METRICS_BIND']}"
    until(lambda: not process.alive or _answers(url), seconds=30, what="the worker to start")
    assert process.alive, process.said()
    yield process, url
    process.kill()


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz", timeout=2).ok
    except requests.RequestException:
        return False


def test_told_to_stop_in_mid_work_it_ends_cleanly_and_nothing_is_lost(
    wired: Wired, started: tuple[Process, str]
) -> None:
    process, url = started
    ids = [wired.store_webhook(meta.envelope(meta.text(f"n{n}", message_id=f"wamid.{n}"))) for n in range(400)]
    for start in range(0, len(ids), 5):
        wired.ring_receive(ids[start : start + 5])
    until(lambda: wired.store.messages.count_documents({}) > 20, seconds=20, what="work")
    done = 'hookline_jobs_total{job="receive",outcome="done"}'
    until(lambda: done in requests.get(f"{url}/metrics", timeout=5).text, seconds=20, what="a job's end")

    process.send(signal.SIGTERM)
    began = time.monotonic()
    assert process.stop() == 0, process.said()

    assert time.monotonic() - began < processes.PATIENCE_S
    assert wired.store.webhookevents.count_documents({"leaseUntil": {"$exists": True}}) == 0
    waiting = [row["id"] for row in wired.store.webhookevents.find(OPEN)]
    assert wired.store.messages.count_documents({}) == len(ids) - len(waiting)
    wired.receiving.receive(waiting)
    assert wired.store.messages.count_documents({}) == len(ids)
    assert wired.store.chats.find_one({})["unreadCount"] == len(ids)  # type: ignore[index]


def test_half_a_worker_is_none(wired: Wired, redis_client: redis.Redis) -> None:
    """A thread that died is not replaced by Dramatiq; the process ends so that its supervisor starts a whole one."""
    broker = worker_broker(wired.settings.broker_url)
    declare(broker, wired)
    worker = Worker(broker, worker_threads=2, worker_timeout=10)
    worker.start()
    stop = threading.Event()
    outcome: list[bool] = []
    watching = threading.Thread(target=lambda: outcome.append(processes._work([worker], stop)))
    try:
        watching.start()
        watching.join(0.2)
        assert watching.is_alive()

        worker.workers[0].stop()
        watching.join(10)

        assert outcome == [False]
    finally:
        stop.set()
        worker.stop()


def test_a_whole_worker_works_until_it_is_told_to_stop(wired: Wired, redis_client: redis.Redis) -> None:
    worker = Worker(worker_broker(wired.settings.broker_url), worker_threads=1, worker_timeout=10)
    worker.start()
    stop = threading.Event()
    stop.set()

    assert processes._work([worker], stop)
    worker.stop()


HANGING = """
import threading
from runtime.stopping import stop_signal
from workers import process
process.PATIENCE_S = 0.3
stop = stop_signal()
print("ready", flush=True)
stop.wait()
process.leave_in_time()
threading.Event().wait()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_farewell_that_hangs_is_cut_short(number: signal.Signals) -> None:
    child = subprocess.Popen([sys.executable, "-c", HANGING], cwd=ROOT, env=os.environ, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"

    child.send_signal(number)

    assert child.wait(10) == 1
    child.stdout.close()


@pytest.mark.fault
def test_told_to_stop_with_the_queue_dead_it_ends_in_time(wired: Wired, tmp_path: Path) -> None:
    valkey = ValkeyEngine(tmp_path / "valkey")
    told = environment(wired, REDIS_URL=valkey.start())
    process = Process("worker", told, tmp_path / "worker.log")
    try:
        until(lambda: _answers(f"http://{told['METRICS_BIND']}"), seconds=30, what="the worker to start")
        valkey.kill()
        until(lambda: "connection error" in process.said(), seconds=20, what="the worker to notice")
        began = time.monotonic()
        process.send(signal.SIGTERM)
        assert process.stop() in {0, 1}
        assert time.monotonic() - began < processes.PATIENCE_S + 2
    finally:
        process.kill()
        valkey.kill()


@pytest.mark.fault
def test_a_worker_whose_redis_is_dead_still_receives(wired: Wired, tmp_path: Path) -> None:
    valkey = ValkeyEngine(tmp_path / "valkey")
    told = environment(wired, REDIS_URL=valkey.start(), SWEEP_AFTER_SECONDS="1")
    process = Process("worker", told, tmp_path / "worker.log")
    try:
        until(lambda: _answers(f"http://{told['METRICS_BIND']}"), seconds=30, what="the worker to start")
        valkey.kill()
        for n in range(3):
            event_id = wired.store_webhook(meta.envelope(meta.text(f"n{n}", message_id=f"wamid.{n}")))
            until(
                lambda: wired.events.get(event_id).status == "processed",  # noqa: B023
                seconds=15,
                what="it to be received without a ring",
            )
        assert process.alive
    finally:
        process.kill()
        valkey.kill()
