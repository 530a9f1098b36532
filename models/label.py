"""A tag for chats (seed §4).

Deliberately no list of its chats: a chat names its labels, `usage_count` counts them.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True, kw_only=True)
class Label:
    """A name and a colour; the name is unique among live labels."""

    id: str
    name: str
    #: Hex, e.g. "#FF5733".
    color: str | None = None
    description: str | None = None
    usage_count: int = 0

    created_by: str | None = None
    is_active: bool = True
    is_deleted: bool = False
    deleted_at: datetime | None = None
    deleted_by: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
