"""One worker process: Dramatiq's worker inside, a metrics port, and an orderly end on SIGTERM.

Scale by starting more of them. Deliberately not Dramatiq's own command line: it forks, and takes all siblings down
with one that dies (docs/decisions/0004).
"""

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
GRACE_MS: Final = 25_000

_log = logger(__name__)


def run_worker(settings: Settings) -> None:
    """Work until told to stop."""
    configure_logs(level=settings.log_level, style=settings.log_format)
    services = Services(settings, application="worker")
    services.directory.refresh()
    broker = worker_broker(settings.broker_url, [Observed()])
    dramatiq.set_broker(broker)
    declare(broker, services)
    worker = Worker(broker, worker_threads=settings.worker_threads, worker_timeout=IDLE_MS)
    worker.queue_prefetch = PREFETCH
    stop = stop_signal()
    metrics = serve_metrics(settings.metrics_bind)
    worker.start()
    _log.info("worker_started", threads=settings.worker_threads)
    stop.wait()
    _log.info("worker_stopping")
    worker.stop(timeout=GRACE_MS)
    broker.close()
    metrics.close()


def stop_signal() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
