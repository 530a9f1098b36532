"""A note the team keeps on a chat (seed §7); the customer never sees it.

Deliberately no way to lose a version: an edit moves the old text to `edit_history`.
"""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(slots=True, kw_only=True)
class NoteEdit:
    """An earlier version of a note, and who replaced it when."""

    note: str
    edited_at: datetime
    edited_by: str | None = None


@dataclass(slots=True, kw_only=True)
class TeamNote:
    """A text and its author."""

    id: str
    chat_id: str
    note: str
    author_id: str | None = None
    author_name: str | None = None

    edited_at: datetime | None = None
    edited_by: str | None = None
    edit_history: list[NoteEdit] = field(default_factory=list)

    is_deleted: bool = False
    deleted_at: datetime | None = None
    deleted_by: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
