"""One worker process: Dramatiq's worker inside, a metrics port, and an orderly end on SIGTERM.

Scale by starting more of them. Deliberately not Dramatiq's own command line: it forks, and takes all siblings down
with one that dies (docs/decisions/0004).
"""

import os
import signal
import threading
from typing import Final

import dramatiq
from dramatiq.worker import Worker

from runtime.broker import worker_broker
from runtime.logs import configure_logs, logger
from runtime.settings import Settings
from services.wiring import Services
from workers.actors import declare
from workers.metrics_port import serve_metrics
from workers.middleware import Observed

#: Jobs fetched ahead of the threads. A job is a hint; one that dies with the process is rung again.
PREFETCH: Final = 64
#: How long (ms) an idle worker sleeps at most between two looks at the queue.
IDLE_MS: Final = 20
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
    broker = worker_broker(settings.broker_url, [Observed()])
    dramatiq.set_broker(broker)
    declare(broker, services)
    worker = Worker(broker, worker_threads=settings.worker_threads, worker_timeout=IDLE_MS)
    worker.queue_prefetch = PREFETCH
    stop = stop_signal()
    metrics = serve_metrics(settings.metrics_bind, services.store.problem)
    worker.start()
    _log.info("worker_started", threads=settings.worker_threads)
    whole = _work(worker, stop)
    _log.info("worker_stopping")
    leave_in_time()
    worker.stop(timeout=GRACE_MS)
    broker.close()
    metrics.close()
    if not whole:
        raise SystemExit(1)


def _work(worker: Worker, stop: threading.Event) -> bool:
    """Wait to be told to stop; return early, and false, should a thread have died: half a worker is none."""
    while not stop.wait(LOOK_EVERY_S):
        if not all(thread.is_alive() for thread in (*worker.workers, *worker.consumers.values())):
            _log.error("worker_thread_died")
            return False
    return True


def leave_in_time() -> threading.Timer:
    """See to it that this process ends even if the queue or the database hangs while it says farewell."""

    def leave() -> None:
        _log.warning("left_without_farewell", after_seconds=PATIENCE_S)
        os._exit(1)

    timer = threading.Timer(PATIENCE_S, leave)
    timer.daemon = True
    timer.start()
    return timer


def stop_signal() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
