"""Two customers that a person said are one: what moved, so that it can be moved back.

Deliberately not for what the vendor's word unites: that is no opinion, and has no way back.
"""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(slots=True, kw_only=True)
class CustomerMerge:
    """One merge; `undone_at` is set once."""

    id: str
    #: Who ended.
    customer_id: str
    #: Who stays.
    into_id: str
    #: What was the former's, by id.
    chat_ids: list[str] = field(default_factory=list)
    address_ids: list[str] = field(default_factory=list)
    #: What the latter did not know and took over, by our field names.
    filled: dict[str, str] = field(default_factory=dict)
    at: datetime
    undone_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
