"""Taking a file from an agent, to be sent by its id.

Deliberately nothing about what a vendor takes: that is judged when a message with it is to be sent.
"""

import hashlib
import tempfile
from pathlib import Path
from typing import BinaryIO, Final

from models.caller import Caller
from models.media_file import MediaFile
from models.store.media_files import MediaFiles
from runtime.clock import Clock
from runtime.errors import Invalid, TooLarge
from services.media.storage import MAX_BYTES, Arrived, Storage

#: Bytes in memory at a time.
PIECE: Final = 64 * 1024


class Uploading:
    """Takes files."""

    def __init__(self, rows: MediaFiles, storage: Storage, clock: Clock) -> None:
        self._rows = rows
        self._storage = storage
        self._clock = clock

    def take(self, content: BinaryIO, *, file_name: str | None, declared: str | None, by: Caller) -> MediaFile:
        """Store a file and return what it is.

        Raises:
            TooLarge: it is larger than any that is kept.
            Invalid: it is empty.
        """
        with tempfile.TemporaryDirectory(prefix="hookline-upload-") as directory:
            path = Path(directory) / "file"
            size, sha256 = _copy(content, path)
            if not size:
                raise Invalid("The file is empty.", fields={"file": ["Is empty."]})
            arrived = Arrived(path=path, size=size, sha256=sha256, declared=declared, file_name=file_name)
            file = self._storage.keep(arrived, uploaded_by=by.agent_id or by.token_id)
        self._rows.mark_stored(file.id, now=self._clock.now())
        return file


def _copy(content: BinaryIO, path: Path) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    with path.open("wb") as copy:
        while piece := content.read(PIECE):
            size += len(piece)
            if size > MAX_BYTES:
                raise TooLarge(f"The file is larger than {MAX_BYTES // 1024 // 1024} MB.")
            digest.update(piece)
            copy.write(piece)
    return size, digest.hexdigest()
