"""What surrounds every job: its log context, its metrics, and a quiet end for failures.

A failing job is counted and dropped: the row it was about is still waiting, and the sweep rings again. Deliberately no
retries here and no traceback in the queue.
"""

import time
from typing import Any, Final

import dramatiq
from dramatiq.middleware import Middleware

from runtime.logs import CARRIED, bind_contextvars, clear_contextvars, logger
from runtime.metrics import JOB_SECONDS, JOBS

_STARTED: Final = "hookline_started"
_log = logger(__name__)


class Observed(Middleware):
    """Counts and times jobs, and binds the context they were rung with."""

    def before_process_message(self, broker: dramatiq.Broker, message: Any) -> None:
        """Bind the ringing process's context to this thread's logs."""
        clear_contextvars()
        bind_contextvars(job=message.actor_name, **_carried(message.options.get("context")))
        message.options[_STARTED] = time.perf_counter()

    def after_process_message(
        self, broker: dramatiq.Broker, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        """Count the job; a failure is logged here, once, and nowhere else."""
        seconds = time.perf_counter() - message.options.pop(_STARTED, time.perf_counter())
        JOB_SECONDS.labels(message.actor_name).observe(seconds)
        JOBS.labels(message.actor_name, "failed" if exception else "done").inc()
        if exception is not None:
            _log.error("job_failed", error=type(exception).__name__, exc_info=exception)
        clear_contextvars()


def _carried(context: Any) -> dict[str, Any]:
    """Take from a job's context what we put there; what else it may hold is not for our logs."""
    return {name: context[name] for name in CARRIED if name in context} if isinstance(context, dict) else {}
