"""One worker process: Dramatiq's workers, courier and lookout inside, a metrics port, an orderly end on SIGTERM.

What is slow has a worker with threads of its own, so that webhooks never wait for a vendor. Scale by starting more of
these processes. Deliberately not Dramatiq's own command line: it forks, and takes all siblings down with one that dies
(docs/decisions/0004).
"""

import os
import threading
from collections.abc import Sequence
from typing import Final

import dramatiq
from dramatiq.worker import Worker

from runtime.broker import worker_broker
from runtime.heap import settle_heap
from runtime.jobs import QUEUES, RECEIVE
from runtime.logs import configure_logs, logger
from runtime.settings import Settings
from runtime.stopping import stop_signal
from services.wiring import Services
from workers.actors import declare
from workers.courier import Courier
from workers.lookout import Lookout
from workers.metrics_port import serve_metrics
from workers.middleware import Observed

#: Jobs fetched ahead of the threads. A job is a hint; one that dies with the process is rung again.
PREFETCH: Final = 64
#: Threads for jobs that call vendors and are no sends: files, receipts. They fetch no more than they can begin.
SLOW_THREADS: Final = 4
#: How long (ms) an idle worker sleeps at most between two looks at the queue: for webhooks, and for what may take a
#: moment. Each look costs about 0.3 ms of CPU.
IDLE_MS: Final = 20
SLOW_IDLE_MS: Final = 100
#: How long (ms) a stopping worker may take to end the jobs it runs.
GRACE_MS: Final = 20_000
#: How long (s) a process may take to end after it was told to; then it leaves, and the sweep finds what it held.
PATIENCE_S: Final = 25.0
#: How often (s) a worker looks whether all its threads still live.
LOOK_EVERY_S: Final = 1.0

_log = logger(__name__)


def run_worker(settings: Settings) -> None:
    """Work until told to stop."""
    configure_logs(level=settings.log_level, style=settings.log_format)
    services = Services(settings, application="worker")
    services.directory.refresh(older_than=0)
    workers = [
        build_worker(services, {RECEIVE.queue}, threads=settings.worker_threads, prefetch=PREFETCH),
        build_worker(
            services, {*QUEUES} - {RECEIVE.queue}, threads=SLOW_THREADS, prefetch=SLOW_THREADS, idle_ms=SLOW_IDLE_MS
        ),
    ]
    dramatiq.set_broker(workers[0].broker)
    courier = Courier(services.delivering, services.bell, threads=settings.send_threads)
    lookout = Lookout(services.receiving, services.sweeping, after=settings.sweep_after.total_seconds())
    stop = stop_signal()
    for worker in workers:
        worker.start()
    courier.start()
    lookout.start()
    settle_heap()
    metrics = serve_metrics(settings.metrics_bind, services.store.problem)
    _log.info("worker_started", threads=settings.worker_threads, send_threads=settings.send_threads)
    whole = _work(workers, stop, courier, lookout)
    _log.info("worker_stopping")
    leave_in_time()
    _stop(workers, courier, lookout)
    metrics.close()
    if not whole:
        raise SystemExit(1)


def build_worker(
    services: Services, queues: set[str], *, threads: int, prefetch: int, idle_ms: int = IDLE_MS
) -> Worker:
    """Build a worker for some queues, with a broker of its own."""
    broker = worker_broker(services.settings.broker_url, [Observed()])
    declare(broker, services)
    worker = Worker(broker, queues=queues, worker_threads=threads, worker_timeout=idle_ms)
    worker.queue_prefetch = prefetch
    return worker


def _work(workers: Sequence[Worker], stop: threading.Event, *others: Courier | Lookout) -> bool:
    """Wait to be told to stop; return early, and false, should a thread have died: half a worker is none."""
    while not stop.wait(LOOK_EVERY_S):
        threads = [thread for one in workers for thread in (*one.workers, *one.consumers.values())]
        if not all(thread.is_alive() for thread in threads) or not all(one.is_alive for one in others):
            _log.error("worker_thread_died")
            return False
    return True


def _stop(workers: Sequence[Worker], *others: Courier | Lookout) -> None:
    """Let everybody end what they have begun, all at the same time."""
    ending = [threading.Thread(target=worker.stop, kwargs={"timeout": GRACE_MS}, daemon=True) for worker in workers]
    ending += [threading.Thread(target=one.stop, daemon=True) for one in others]
    for thread in ending:
        thread.start()
    for thread in ending:
        thread.join()
    for worker in workers:
        worker.broker.close()


def leave_in_time() -> threading.Timer:
    """See to it that this process ends even if the queue or the database hangs while it says farewell."""

    def leave() -> None:
        _log.warning("left_without_farewell", after_seconds=PATIENCE_S)
        os._exit(1)

    timer = threading.Timer(PATIENCE_S, leave)
    timer.daemon = True
    timer.start()
    return timer
