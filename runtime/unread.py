"""What becomes of a body that nobody wanted to read to its end.

An answer may be due before a body is read: it is too large, its sender is unknown, nobody wants it. A proxy that is
still sending takes such an answer for a failure of ours, and what is left of the body would stand before the next
request on that connection, which may be somebody else's. So what is left is thrown away first, up to a bound, for a
body may be endless; beyond that the connection is closed. Deliberately nothing is kept of it.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

Environ = dict[str, Any]
WsgiApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
#: Says that no other request may follow on this connection.
CLOSE: Final = ("Connection", "close")
#: Bytes of an unwanted body that are read and thrown away, at most, and how many at a time: the front door lets no more
#: through to the receiver.
THROWN_AWAY: Final = 16 * 1024 * 1024
_AT_ONCE: Final = 64 * 1024


def throw_away(stream: Any) -> bool:
    """Read what is left of a body, and say whether that was all of it."""
    try:
        return any(not stream.read(_AT_ONCE) for _ in range(THROWN_AWAY // _AT_ONCE + 1))
    except OSError:
        # Whoever sent it has gone.
        return False


class ClosesUnread:
    """Throws away what is left of a request's body before it answers, or else closes the connection."""

    def __init__(self, inner: WsgiApp) -> None:
        self._inner = inner

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        body = environ["wsgi.input"] = _Watched(environ["wsgi.input"])

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            is_clean = body.is_read(environ) or throw_away(body)
            return start_response(status, headers if is_clean else [*headers, CLOSE], *more)

        return self._inner(environ, start)


class _Watched:
    """A body that knows how much of it was read by `read`; whoever reads it by lines has not, for all we know.

    There is no `readinto`, so that Werkzeug uses `read`.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._bytes = 0
        self._ended = False

    def read(self, size: int = -1, /) -> bytes:
        """Read so much of it, or all."""
        found: bytes = self._stream.read() if size < 0 else self._stream.read(size)
        self._bytes += len(found)
        self._ended = self._ended or size < 0 or (size > 0 and not found)
        return found

    def is_read(self, environ: Environ) -> bool:
        """Say whether nothing is left, as far as the request's headers tell how much there was."""
        declared = environ.get("CONTENT_LENGTH") or ""
        if declared.isdigit():
            return self._bytes >= int(declared)
        return self._ended or "HTTP_TRANSFER_ENCODING" not in environ

    def readline(self, *size: int) -> Any:
        """Read a line."""
        return self._stream.readline(*size)

    def readlines(self, *hint: int) -> Any:
        """Read lines."""
        return self._stream.readlines(*hint)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._stream)
