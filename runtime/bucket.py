"""Files in an S3-compatible bucket: `s3://bucket/prefix?endpoint=https://…&region=…`.

Credentials come from where AWS's own tools look for them: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or
the machine's role. Deliberately no bucket is made: its life cycle, encryption and access are the operator's.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO, Final
from urllib.parse import parse_qs, urlsplit

from runtime.errors import NotFound, SettingsError

#: Bytes of one piece when read.
PIECE: Final = 512 * 1024
#: Seconds to connect, and between two pieces.
CONNECT_S: Final = 5
READ_S: Final = 30
_MISSING: Final = frozenset({"NoSuchKey", "404"})


class Bucket:
    """Files by key in one bucket."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        options = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self._bucket = parts.netloc
        self._prefix = parts.path.strip("/") + "/" if parts.path.strip("/") else ""
        self._client = _client(options.get("endpoint"), options.get("region"))

    def put(self, key: str, file: BinaryIO, *, mime_type: str) -> None:
        """Store a file from its present position to its end; durable on return."""
        self._client.upload_fileobj(_Kept(file), self._bucket, self._prefix + key, ExtraArgs={"ContentType": mime_type})

    def read(self, key: str, *, start: int = 0, stop: int) -> Iterator[bytes]:
        """Read a range, a piece at a time.

        Raises:
            NotFound: there is no such file; before the first piece.
        """
        if stop <= start:
            return iter(())
        try:
            found = self._client.get_object(
                Bucket=self._bucket, Key=self._prefix + key, Range=f"bytes={start}-{stop - 1}"
            )
        except self._client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                raise NotFound(f"The bucket has no file {key}.") from None
            raise
        pieces: Iterator[bytes] = found["Body"].iter_chunks(PIECE)
        return pieces

    def remove(self, key: str) -> None:
        """Remove a file, if there is one."""
        self._client.delete_object(Bucket=self._bucket, Key=self._prefix + key)


class _Kept:
    """A file that the client may read and rewind, but not close."""

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell
        self.seekable = file.seekable

    def close(self) -> None:
        """Leave the file open for whoever gave it."""


def _client(endpoint: str | None, region: str | None) -> Any:
    try:
        import boto3  # noqa: PLC0415  an extra, wanted only here
        from botocore.config import Config  # noqa: PLC0415
    except ImportError:
        raise SettingsError("MEDIA_URL: s3:// needs the extra `s3` (pip install 'hookline[s3]')") from None
    config = Config(
        connect_timeout=CONNECT_S,
        read_timeout=READ_S,
        retries={"max_attempts": 3, "mode": "standard"},
        # Servers that only resemble S3 may not know its newer checksums.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path"} if endpoint else {},
    )
    return boto3.client("s3", endpoint_url=endpoint, region_name=region, config=config)
