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
#: Chats whose outbox may be due; argument: a list of chat ids (may be empty: "look for any").
DELIVER: Final = Job("deliver", "outbound")
#: Media that wait to be fetched; argument: a list of message ids (may be empty: "look for any").
FETCH: Final = Job("fetch", "media")
#: Chats whose vendor is to be told that we have read; argument: a list of chat ids (may be empty: "look for any").
RECEIPTS: Final = Job("receipts", "outbound")
#: Chats in which somebody types; argument: a list of chat ids.
TYPING: Final = Job("typing", "outbound")

ALL: Final = (RECEIVE, DELIVER, FETCH, RECEIPTS, TYPING)
QUEUES: Final = tuple(sorted({job.queue for job in ALL}))
