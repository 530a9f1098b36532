"""Messages that are to follow into another chat: people turned out to be one, or a number to have been another's.

Written in the transaction of what was learnt, carried out after it in pieces, so that a chat of a hundred thousand
messages needs no transaction of that size. Deliberately nothing of what the messages are.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True, kw_only=True)
class MessageMove:
    """One order; gone when nothing is left to move."""

    id: str
    config_id: str
    #: The chat they are in.
    chat_id: str
    #: The chat that all of them go to; else each goes to whoever had the number at its time.
    to_chat_id: str | None = None
    #: The number whose messages they are, of those who told nothing else; and between which moments.
    address_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    event_id: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
