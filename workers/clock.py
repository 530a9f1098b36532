"""The clock process: runs the timetable until told to stop.

Two clocks are wasteful, never wrong: a lock in Redis lets one of them work at a time, and when Redis is away each
works, because everything it does is a conditional claim. Deliberately no state of its own.
"""

from datetime import UTC, datetime
from typing import Final

import redis
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from runtime.connections import connect_redis_briefly
from runtime.logs import configure_logs, logger
from runtime.metrics import CLOCK_RUNS
from runtime.settings import Settings
from runtime.stopping import stop_signal
from services.wiring import Services
from workers.metrics_port import serve_metrics
from workers.process import leave_in_time
from workers.timetable import TIMETABLE, Entry

#: Keys of the locks in Redis.
LOCK_PREFIX: Final = "hookline:clock:"
#: A lock lives for most of an entry's period, so that the next turn is free for whoever comes first.
LOCK_SHARE: Final = 0.8

_log = logger(__name__)


def run_clock(settings: Settings) -> None:
    """Keep the timetable until told to stop."""
    configure_logs(level=settings.log_level, style=settings.log_format)
    services = Services(settings, application="clock")
    turns = Turns(services, connect_redis_briefly(settings.redis_url))
    scheduler = BackgroundScheduler(
        timezone="UTC",
        executors={"default": ThreadPoolExecutor(len(TIMETABLE))},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
    # The first turn at once: a clock that was away has something to make up for.
    first = datetime.now(UTC)
    for entry in TIMETABLE:
        scheduler.add_job(
            turns.take, "interval", args=(entry,), seconds=entry.every, id=entry.name, next_run_time=first
        )
    stop = stop_signal()
    metrics = serve_metrics(settings.metrics_bind, services.store.problem)
    scheduler.start()
    _log.info("clock_started", entries=len(TIMETABLE))
    stop.wait()
    leave_in_time()
    scheduler.shutdown(wait=True)
    metrics.close()


class Turns:
    """Runs entries, each in at most one process at a time where Redis can say so."""

    def __init__(self, services: Services, client: redis.Redis) -> None:
        self._services = services
        self._redis = client

    def take(self, entry: Entry) -> None:
        """Run an entry unless another clock has this turn; a failure is counted and the next turn tries again."""
        if not self._is_ours(entry):
            CLOCK_RUNS.labels(entry.name, "left_to_another").inc()
            return
        try:
            entry.run(self._services)
        except Exception as error:  # noqa: BLE001  the clock outlives every failure of a turn
            CLOCK_RUNS.labels(entry.name, "failed").inc()
            _log.warning("turn_failed", entry=entry.name, error=type(error).__name__, exc_info=True)
        else:
            CLOCK_RUNS.labels(entry.name, "done").inc()

    def _is_ours(self, entry: Entry) -> bool:
        try:
            return bool(self._redis.set(LOCK_PREFIX + entry.name, 1, nx=True, px=int(entry.every * LOCK_SHARE * 1000)))
        except redis.RedisError:
            return True
