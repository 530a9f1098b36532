"""Keeping a file and its thumbnail, in an order that leaves nothing unaccounted for after a crash.

First a row says that a file is about to be stored, then come the bytes, and only what counts the file marks it as
stored; the rows of those that never got there are found and removed with their bytes. Deliberately no opinion on
where files come from.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Final

from models.ids import new_id
from models.media_file import MediaFile
from models.store.collections import Store
from models.store.files import Files, GridFiles
from models.store.media_files import MediaFiles
from runtime.bucket import Bucket
from runtime.clock import Clock
from runtime.errors import NotFound
from runtime.thumbnails import MIME_TYPE, PICTURES, thumbnail
from services.media.kinds import HEAD, mime_type_of, safe_name

#: Bytes of one file, at most: the largest that any vendor takes or brings (documents at Meta).
MAX_BYTES: Final = 105 * 1024 * 1024
#: How long storing a file may take before what is there of it is removed.
ABANDONED_AFTER: Final = timedelta(days=1)
#: Abandoned files removed in one turn.
REMOVALS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A file in a temporary place; `declared` is the type that somebody said it has."""

    path: Path
    size: int
    sha256: str
    declared: str | None = None
    file_name: str | None = None


def open_files(media_url: str, store: Store) -> Files:
    """Open the storage that a setting names."""
    return Bucket(media_url) if media_url.startswith("s3://") else GridFiles(store)


class Storage:
    """The files and their rows."""

    def __init__(self, files: Files, rows: MediaFiles, clock: Clock) -> None:
        self._files = files
        self._rows = rows
        self._clock = clock

    def keep(
        self,
        arrived: Arrived,
        *,
        message_id: str | None = None,
        config_id: str | None = None,
        uploaded_by: str | None = None,
    ) -> MediaFile:
        """Store a file; its row is `storing` until whoever counts it marks it."""
        now = self._clock.now()
        media_id = new_id("med", now)
        with arrived.path.open("rb") as content:
            mime_type = mime_type_of(content.read(HEAD), arrived.declared)
        small = thumbnail(arrived.path) if mime_type in PICTURES else None
        file = MediaFile(
            id=media_id,
            message_ids=[message_id] if message_id else [],
            config_id=config_id,
            uploaded_by=uploaded_by,
            sha256=arrived.sha256,
            size=arrived.size,
            mime_type=mime_type,
            file_name=safe_name(arrived.file_name),
            key=media_id,
            thumbnail_key=f"{media_id}-thumbnail" if small else None,
            thumbnail_size=len(small) if small else None,
        )
        self._rows.add(file, now=now)
        with arrived.path.open("rb") as content:
            self._files.put(file.key, content, mime_type=mime_type)
        if small and file.thumbnail_key:
            self._files.put(file.thumbnail_key, io.BytesIO(small), mime_type=MIME_TYPE)
        return file

    def drop(self, file: MediaFile) -> None:
        """Remove a file that nobody counted."""
        for key in filter(None, (file.key, file.thumbnail_key)):
            self._files.remove(key)
        self._rows.remove(file.id)

    def read(self, file: MediaFile, *, start: int, stop: int) -> Iterator[bytes]:
        """Read a range of a file, a piece at a time.

        Raises:
            NotFound: the storage has lost it.
        """
        return self._files.read(file.key, start=start, stop=stop)

    def read_thumbnail(self, file: MediaFile, *, start: int, stop: int) -> Iterator[bytes]:
        """Read a range of a file's thumbnail.

        Raises:
            NotFound: it has none, or the storage has lost it.
        """
        if file.thumbnail_key is None:
            raise NotFound("There is no thumbnail of this file.")
        return self._files.read(file.thumbnail_key, start=start, stop=stop)

    def copy(self, file: MediaFile, into: BinaryIO) -> None:
        """Write a file's bytes somewhere, a piece at a time.

        Raises:
            NotFound: the storage has lost it.
        """
        into.writelines(self.read(file, start=0, stop=file.size))

    def try_out(self) -> bool:
        """Store a few bytes, read them, remove them; say whether they were the same. Any error means it is no good."""
        key, content = new_id("try", self._clock.now()), b"Hookline tries its storage out."
        self._files.put(key, io.BytesIO(content), mime_type="text/plain")
        try:
            return b"".join(self._files.read(key, stop=len(content))) == content
        finally:
            self._files.remove(key)

    def clear(self) -> int:
        """Remove what crashes left behind; return how many files that were."""
        before = self._clock.now() - ABANDONED_AFTER
        abandoned = self._rows.abandoned(before=before, limit=REMOVALS)
        for file in abandoned:
            self.drop(file)
        return len(abandoned)
