"""A WSGI wrapper that lets no connection be used again whose last body was not read to its end.

An answer may be due before a body is read: it is too large, its sender is unknown, nobody wants it. What is left of it
would stand before the next request on that connection, and a proxy sends other people's requests over it. Deliberately
no reading of what nobody asked for: closing costs less, and a body may be endless.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

Environ = dict[str, Any]
WsgiApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
_CLOSE: Final = ("Connection", "close")


class ClosesUnread:
    """Answers with `Connection: close` where something of the request's body is left."""

    def __init__(self, inner: WsgiApp) -> None:
        self._inner = inner

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        body = environ["wsgi.input"] = _Watched(environ["wsgi.input"])

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(status, headers if body.is_read(environ) else [*headers, _CLOSE], *more)

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
