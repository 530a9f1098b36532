"""Both storages do the same: GridFS on a real mongod, and a bucket on a real server that speaks S3."""

import io
import resource
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
from moto.server import ThreadedMotoServer

from models.store.files import Files, GridFiles
from runtime.bucket import Bucket
from runtime.errors import NotFound, SettingsError
from services.media.storage import Arrived, Storage, open_files
from tests.support.wired import Wired

CONTENT = bytes(range(256)) * 8_000
#: Bytes by which this process may grow while a large file passes through it.
GROWTH = 64 * 1024 * 1024


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    """The address of a bucket on a server of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        url = f"s3://hookline-media/files?endpoint=http://{host}:{port}&region=eu-west-1"
        Bucket(url)._client.create_bucket(
            Bucket="hookline-media", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        yield url
        server.stop()


@pytest.fixture(params=["gridfs", "s3"])
def files(request: pytest.FixtureRequest, wired: Wired) -> Files:
    url = "gridfs://" if request.param == "gridfs" else request.getfixturevalue("s3_url")
    return open_files(url, wired.store)


def test_what_is_put_can_be_read(files: Files) -> None:
    files.put("whole", io.BytesIO(CONTENT), mime_type="image/jpeg")
    pieces = list(files.read("whole", stop=len(CONTENT)))
    assert b"".join(pieces) == CONTENT
    assert len(pieces) > 1
    files.remove("whole")


@pytest.mark.parametrize(
    ("start", "stop"), [(0, 1), (5, 5), (700_000, 700_001), (524_280, 524_300), (1, len(CONTENT)), (0, 524_288)]
)
def test_a_range_can_be_read(files: Files, start: int, stop: int) -> None:
    files.put("range", io.BytesIO(CONTENT), mime_type="image/jpeg")
    assert b"".join(files.read("range", start=start, stop=stop)) == CONTENT[start:stop]
    files.remove("range")


def test_a_file_is_taken_from_where_it_stands_and_left_open(files: Files) -> None:
    content = io.BytesIO(b"skipped" + CONTENT)
    content.seek(7)
    files.put("from", content, mime_type="text/plain")
    assert not content.closed
    assert b"".join(files.read("from", stop=len(CONTENT))) == CONTENT
    files.remove("from")


def test_what_was_removed_is_gone(files: Files) -> None:
    files.put("gone", io.BytesIO(b"x"), mime_type="text/plain")
    files.remove("gone")
    files.remove("gone")
    with pytest.raises(NotFound):
        files.read("gone", stop=1)


def test_many_threads_may_use_it(files: Files) -> None:
    found: list[bytes] = []

    def use(key: str) -> None:
        files.put(key, io.BytesIO(key.encode() * 1000), mime_type="text/plain")
        found.append(b"".join(files.read(key, stop=1000 * len(key))))
        files.remove(key)

    threads = [threading.Thread(target=use, args=(f"thread{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [f"thread{n}".encode() * 1000 for n in range(6)]


def test_a_large_file_passes_without_being_held(files: Files, wired: Wired, tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as large:
        for _ in range(100):
            large.write(bytes(1024 * 1024))
    storage = Storage(files, wired.media_files, wired.clock)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    file = storage.keep(Arrived(path=path, size=100 * 1024 * 1024, sha256="0" * 64))
    read = sum(len(piece) for piece in storage.read(file, start=0, stop=file.size))
    assert read == file.size
    if isinstance(files, GridFiles):
        # The S3 server lives in this process, and it does hold it.
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before < GROWTH
    storage.drop(file)


def test_a_storage_is_tried_out_and_left_as_it_was(files: Files, wired: Wired) -> None:
    kept = wired.store.database["media.files"]
    before = kept.count_documents({})
    assert Storage(files, wired.media_files, wired.clock).try_out()
    assert kept.count_documents({}) == before


def test_a_storage_that_forgets_is_found_out(wired: Wired) -> None:
    class Forgetful(GridFiles):
        def put(self, key: str, file: BinaryIO, *, mime_type: str) -> None:
            super().put(key, io.BytesIO(b"something else"), mime_type=mime_type)

    assert not Storage(Forgetful(wired.store), wired.media_files, wired.clock).try_out()


def test_a_missing_extra_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "boto3", None)
    with pytest.raises(SettingsError, match="extra `s3`"):
        Bucket("s3://hookline-media")
