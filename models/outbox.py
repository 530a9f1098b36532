"""What a chat has to send: one row per chat with queued messages, gone when nothing is left.

The row says when somebody is to look, never what is sent: the messages themselves say that, and decide who sends
them. Deliberately no order and no contents.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True, kw_only=True)
class Outbox:
    """One chat's row; `id` is the chat's."""

    id: str
    config_id: str
    #: When the chat's first message is due.
    next_at: datetime
    #: Who looks after it, until when.
    claim: str | None = None
    lease_until: datetime | None = None
    #: Counts claims.
    generation: int = 0
    #: Counts what was queued: a row that changed under its worker is not deleted.
    version: int = 0
    #: The place in the queue of what was queued last: no two messages have the same.
    queued_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
