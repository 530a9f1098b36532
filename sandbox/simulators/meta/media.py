"""Media at Meta: ids, addresses that are good for five minutes, and the bytes behind them.

What customers sent follows from its id; what was uploaded lies in memory, the newest few only.
"""

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from sandbox.simulators.exchange import Upload
from sandbox.simulators.meta import payloads
from sandbox.simulators.meta.checks import Wrong

#: Seconds that an address is good for.
GOOD_FOR = 300
#: Uploads kept, and digits of their ids and of customers' media ids, which tell them apart.
KEPT, UPLOADED_DIGITS, SENT_DIGITS = 32, 15, 16
MB = 1_000_000
#: First half of a media type -> bytes at most; what is not listed counts as a document.
LIMITS = {"image": 5 * MB, "audio": 16 * MB, "video": 16 * MB}
DOCUMENT_LIMIT = 100 * MB
#: Media types that may be uploaded, but for documents.
TYPES = frozenset(
    {
        *("image/jpeg", "image/png", "image/webp", "video/mp4", "video/3gpp"),
        *("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg", "text/plain"),
    }
)


@dataclass(frozen=True, slots=True)
class File:
    """A file and what it is said to be."""

    media_type: str
    content: bytes


class Media:
    """All files of an account; safe to use from several threads."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._lock = threading.Lock()
        self._uploads: OrderedDict[str, File] = OrderedDict()
        self._addresses: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def keep(self, upload: Upload | None, declared: str) -> str:
        """Keep an upload and return its id.

        Raises:
            Wrong: there is no file, it is too large, or of no type that Meta takes.
        """
        if upload is None:
            raise Wrong("100", "The parameter file is required.")
        media_type = (upload.media_type or declared).partition(";")[0]
        if media_type not in TYPES and not media_type.startswith("application/"):
            raise Wrong("100", f"Param file must be a file with one of the following types, got {media_type}.")
        if len(upload.content) > LIMITS.get(media_type.partition("/")[0], DOCUMENT_LIMIT):
            raise Wrong("131053", "Media file size too big.")
        media_id = str(10 ** (UPLOADED_DIGITS - 1) + secrets.randbelow(9 * 10 ** (UPLOADED_DIGITS - 1)))
        with self._lock:
            self._uploads[media_id] = File(media_type, upload.content)
            while len(self._uploads) > KEPT:
                self._uploads.popitem(last=False)
        return media_id

    def find(self, media_id: str) -> File | None:
        """Return a file by its id."""
        if media_id.isascii() and media_id.isdigit() and len(media_id) == SENT_DIGITS:
            return File(*payloads.media_file(media_id))
        with self._lock:
            return self._uploads.get(media_id)

    def forget(self, media_id: str) -> None:
        """Delete an upload."""
        with self._lock:
            self._uploads.pop(media_id, None)

    def describe(self, media_id: str, file: File) -> dict[str, Any]:
        """Return what Meta tells of a file, with a fresh address."""
        mark = secrets.token_urlsafe(16)
        with self._lock:
            self._addresses[mark] = (media_id, time.monotonic() + GOOD_FOR)
            while len(self._addresses) > 100 * KEPT:
                self._addresses.popitem(last=False)
        return {
            "messaging_product": "whatsapp",
            "url": f"{self._origin}/whatsapp_business/attachments/?mid={media_id}&ext={int(time.time()) + GOOD_FOR}"
            f"&hash={mark}",
            "mime_type": file.media_type,
            "sha256": hashlib.sha256(file.content).hexdigest(),
            "file_size": str(len(file.content)),
            "id": media_id,
        }

    def at(self, mark: str) -> File | None:
        """Return the file at an address, as long as that is good."""
        with self._lock:
            media_id, until = self._addresses.get(mark, ("", 0.0))
        return self.find(media_id) if time.monotonic() < until else None
