"""A file of ours: what a customer sent and we fetched, or an agent uploaded to be sent.

Deliberately no bytes: `key` names them in the storage (`models.store.files`). Who may see a file follows from the
chats of its messages.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from models.message import Content, Media
from models.values import MediaState


class FileState(StrEnum):
    """Whether the storage has the bytes; a row that stays `storing` is what a crash left behind."""

    STORING = "storing"
    STORED = "stored"


@dataclass(slots=True, kw_only=True)
class VendorUpload:
    """A vendor's own id of our file, good for one account until it expires."""

    config_id: str
    media_id: str
    expires_at: datetime


@dataclass(slots=True, kw_only=True)
class MediaFile:
    """One file; `mime_type` is what its content is, not what somebody said."""

    id: str
    state: FileState = FileState.STORING
    #: Our ids of the messages that show it.
    message_ids: list[str] = field(default_factory=list)
    config_id: str | None = None
    #: Who uploaded it: an agent, or else a token.
    uploaded_by: str | None = None
    sha256: str
    size: int
    mime_type: str
    file_name: str | None = None
    key: str
    thumbnail_key: str | None = None
    thumbnail_size: int | None = None
    uploads: list[VendorUpload] = field(default_factory=list)
    is_deleted: bool = False
    deleted_at: datetime | None = None
    deleted_by: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


def files_of(content: Content) -> list[Media]:
    """All files of a message, the first as its `media`, in their order."""
    return [*([content.media] if content.media else []), *(content.more_media or [])]


def awaits_fetch(content: Content) -> bool:
    """Whether a vendor's message has a file that is not with us yet."""
    return any(media.state is MediaState.PENDING for media in files_of(content))
