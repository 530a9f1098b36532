"""The bytes of files, in MongoDB itself (GridFS): what every storage of files can do, and the one that needs no other.

Deliberately no rows about files: those are `models.store.media_files`.
"""

import itertools
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import BinaryIO, Final, Protocol

import gridfs
from bson.binary import Binary
from gridfs.errors import CorruptGridFile, NoFile

from models.store.collections import Store
from runtime.errors import NotFound

#: Bytes of one piece as stored; a read of a range fetches whole pieces.
PIECE: Final = 512 * 1024
#: Pieces written in one go.
TOGETHER: Final = 8
#: Name of GridFS's pair of collections.
BUCKET: Final = "media"


class Files(Protocol):
    """A storage of files by key. Keys are ours and never used twice."""

    def put(self, key: str, file: BinaryIO, *, mime_type: str) -> None:
        """Store a file from its present position to its end; durable on return."""
        ...

    def read(self, key: str, *, start: int = 0, stop: int) -> Iterator[bytes]:
        """Read the bytes from `start` up to, not including, `stop`, a piece at a time.

        Raises:
            NotFound: there is no such file; before the first piece.
        """
        ...

    def remove(self, key: str) -> None:
        """Remove a file, if there is one."""
        ...


class GridFiles:
    """Files in GridFS.

    Pieces are written by ourselves: the driver gathers 48 MB of them before it writes any, per thread.
    """

    def __init__(self, store: Store) -> None:
        self._bucket = gridfs.GridFSBucket(store.database, BUCKET, PIECE)
        self._files = store.database[f"{BUCKET}.files"]
        self._pieces = store.database[f"{BUCKET}.chunks"]
        self._is_indexed = False

    def put(self, key: str, file: BinaryIO, *, mime_type: str) -> None:
        """Store a file from its present position to its end; durable on return."""
        self._index()
        length = number = 0
        while pieces := list(itertools.islice(iter(lambda: file.read(PIECE), b""), TOGETHER)):
            documents = [{"files_id": key, "n": n, "data": Binary(data)} for n, data in enumerate(pieces, number)]
            self._pieces.insert_many(documents)
            number += len(pieces)
            length += sum(map(len, pieces))
        described = {"length": length, "chunkSize": PIECE, "uploadDate": datetime.now(UTC), "filename": key}
        self._files.insert_one({"_id": key, **described, "metadata": {"mimeType": mime_type}})

    def _index(self) -> None:
        """Make the indexes that GridFS has, before the first file: without them every read would look at all pieces."""
        if not self._is_indexed:
            self._pieces.create_index([("files_id", 1), ("n", 1)], unique=True)
            self._files.create_index([("filename", 1), ("uploadDate", 1)])
            self._is_indexed = True

    def read(self, key: str, *, start: int = 0, stop: int) -> Iterator[bytes]:
        """Read a range, a piece at a time.

        Raises:
            NotFound: there is no such file; before the first piece.
        """
        try:
            found = self._bucket.open_download_stream(key)
        except NoFile:
            raise NotFound(f"The storage has no file {key}.") from None
        found.seek(start)
        return _pieces(found, stop - start)

    def remove(self, key: str) -> None:
        """Remove a file, if there is one."""
        with suppress(NoFile):
            self._bucket.delete(key)


def _pieces(found: gridfs.GridOut, length: int) -> Iterator[bytes]:
    with found:
        try:
            while length > 0 and (piece := found.read(min(PIECE, length))):
                length -= len(piece)
                yield piece
        except CorruptGridFile:
            raise NotFound("The storage has lost a part of the file.") from None
