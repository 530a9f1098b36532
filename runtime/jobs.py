"""The catalogue of jobs: names and queues, so that a job is sent by name and no door imports worker code.

A job's arguments are ids only: the queue carries hints, never truth.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Job:
    """A kind of work: the actor's name and the queue it waits in."""

    name: str
    queue: str


#: Stored webhooks wait to be applied; argument: a list of event ids (may be empty: "look for any").
RECEIVE: Final = Job("receive", "inbound")

ALL: Final = (RECEIVE,)
QUEUES: Final = tuple(sorted({job.queue for job in ALL}))
