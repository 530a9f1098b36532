"""The actors: each turns the ids of a job into one call of a service.

Declared on an injected broker and sent by name (runtime.jobs), so that no other process imports this. Deliberately
nothing is decided here, and nothing is raised for a failure that a row already records.
"""

from collections.abc import Callable
from typing import Any, Final

import dramatiq

from runtime.jobs import DELIVER, FETCH, RECEIPTS, RECEIVE, TYPING, Job
from services.wiring import Services

Run = Callable[[Services, list[str]], Any]

#: What each job calls.
CALLS: Final[dict[Job, Run]] = {
    RECEIVE: lambda services, ids: services.receiving.receive(ids),
    DELIVER: lambda services, _ids: services.bell.set(),
    FETCH: lambda services, ids: services.media_fetching.fetch(ids),
    RECEIPTS: lambda services, ids: services.telling.receipts(ids),
    TYPING: lambda services, ids: services.telling.typing(ids),
}


def declare(broker: dramatiq.Broker, services: Services) -> None:
    """Declare every job's actor on a broker."""
    for job, call in CALLS.items():
        _declare_one(broker, services, job, call)


def _declare_one(broker: dramatiq.Broker, services: Services, job: Job, call: Run) -> None:
    def run(ids: list[str]) -> None:
        call(services, ids)

    dramatiq.actor(actor_name=job.name, queue_name=job.queue, broker=broker)(run)
