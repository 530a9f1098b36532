"""A caller's word that two requests are one: the key, what was asked, and what became of it.

Deliberately only hashes of key and body, and only for a day.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

#: How long a key is remembered.
LIFETIME: Final = timedelta(hours=24)


@dataclass(slots=True, kw_only=True)
class IdempotencyKey:
    """One request under its key."""

    id: str
    #: SHA-256 of the caller and the key, and of what was asked.
    key: str
    body_hash: str
    message_ids: list[str] = field(default_factory=list)
    expires_at: datetime
    created_at: datetime | None = None
    updated_at: datetime | None = None
