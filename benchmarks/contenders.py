"""Who is measured at the way in: Hookline's receiver, Flask's hello world on the same server, the ordinary receiver.

All are started once and stay for the whole benchmark; between runs only their rows are cleared. Deliberately no load.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from benchmarks.baselines import ordinary
from benchmarks.processes import Running
from benchmarks.stage import Stage
from models.store.indexes import apply
from sandbox.engines.ports import free_port

HOOKLINE: Final = "hookline"
HELLO: Final = "hello world"
ORDINARY: Final = "ordinary"
#: The ordinary receiver's server. It keeps idle connections for longer than its default of 2 s, so that none breaks
#: between the last request and the end of a run.
_GUNICORN: Final = ("gunicorn", "-k", "gthread", "-w", "2", "--threads", "64", "--keep-alive", "30")


@dataclass(slots=True)
class Contender:
    """A receiver: its process, and how its rows are counted and cleared."""

    name: str
    port: int
    running: Running
    clear: Callable[[], object]
    #: How many webhooks it has stored; None for one that stores nothing.
    rows: Callable[[], int] | None = None


def all_contenders(stage: Stage) -> list[Contender]:
    """Start them all, and return when they answer."""
    found = [_hookline(stage), _hello(stage), _ordinary(stage)]
    for contender in found:
        contender.running.wait_until_it_answers(contender.port, "/healthz")
    return found


def _hookline(stage: Stage) -> Contender:
    port = free_port()
    running = stage.hookline("ingest", INGEST_BIND=f"127.0.0.1:{port}")
    events = stage.database["webhookevents"]

    def clear() -> None:
        events.drop()
        apply(stage.database)

    return Contender(HOOKLINE, port, running, clear, lambda: events.count_documents({}))


def _hello(stage: Stage) -> Contender:
    port = free_port()
    running = stage.start("hello", sys.executable, "-m", "benchmarks.baselines.hello", f"127.0.0.1:{port}")
    return Contender(HELLO, port, running, lambda: None)


def _ordinary(stage: Stage) -> Contender:
    port = free_port()
    app = "benchmarks.baselines.ordinary:create_app()"
    running = stage.start("ordinary", sys.executable, "-m", *_GUNICORN, "-b", f"127.0.0.1:{port}", app)
    events = stage.client[ordinary.DATABASE][ordinary.COLLECTION]

    def clear() -> None:
        events.drop()
        for name in ordinary.INDEXES:
            events.create_index(name)

    return Contender(ORDINARY, port, running, clear, lambda: events.count_documents({}))
