"""The one HTTP client: calls of vendors with a deadline for the whole, and an honest word on what may have been done.

    NotSent      provably nothing was acted upon: name not found, refused, no connection or TLS in time, malformed
    Unanswered   a byte may have left, and no whole answer came: late, closed, cut, garbage

A redirect is an answer like any other. Of a body longer than `max_bytes` the first bytes are handed over: its status is
known, and a dialect that cannot make sense of the rest of a 2xx says `unknown`. Deliberately no retries (the caller
knows what may be repeated), no proxies, no cookies, and no word of the request in any error: addresses hold tokens.
"""

import http.client
import os
import secrets
import ssl
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import BinaryIO, Final
from urllib.parse import quote, urlencode

import certifi
from urllib3 import BaseHTTPResponse, PoolManager
from urllib3.exceptions import HTTPError, ProtocolError
from urllib3.exceptions import TimeoutError as HttpTimeout
from urllib3.fields import RequestField

from runtime.calls import HttpAnswer, HttpRequest, NotSent, Unanswered
from runtime.punctual import Exchange, Resolve, exchanging, pools, system_resolve

#: Who we say we are; some vendors' edges refuse clients that do not say.
USER_AGENT: Final = "Hookline/0.1"
#: What every request says unless it says so itself; no compression, so that bytes counted are bytes received.
_OURS: Final = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
#: Bytes of an answer that are read, at most, unless told otherwise.
ANSWER_BYTES: Final = 1024 * 1024
#: Bytes of a file that are in memory at a time.
CHUNK: Final = 64 * 1024

#: What may go wrong with a call beside our own mistakes; every one of urllib3's is an HTTPError.
FAILURES: Final = (HTTPError, http.client.HTTPException, OSError, ValueError)
Body = bytes | Iterator[bytes]


def trusting(ca_file: str | None = None) -> ssl.SSLContext:
    """Return a TLS context that verifies names and certificates against the usual authorities, or those of a file."""
    return ssl.create_default_context(cafile=ca_file or os.environ.get("SSL_CERT_FILE") or certifi.where())


class Outgoing:
    """Makes calls; one per process, used from all its threads."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, resolve: Resolve = system_resolve) -> None:
        self._pools: PoolManager = pools(tls or trusting())
        self._resolve = resolve

    def call(
        self,
        request: HttpRequest,
        *,
        deadline: timedelta,
        file: BinaryIO | None = None,
        max_bytes: int = ANSWER_BYTES,
    ) -> HttpAnswer:
        """Make a call and wait for its whole answer, until the deadline and no longer.

        Raises:
            NotSent: nothing was acted upon; it may be made again.
            Unanswered: nobody knows whether it was acted upon.
        """
        with exchanging(Exchange(time.monotonic() + deadline.total_seconds(), self._resolve)) as exchange:
            answer, error = self._try(request, file, max_bytes)
        if answer is not None:
            return answer
        # Raised outside of the handler: not even as its context may the client's own error travel along.
        raise failure(exchange, error)

    def close(self) -> None:
        """Close what is kept alive."""
        self._pools.clear()

    def _try(self, request: HttpRequest, file: BinaryIO | None, max_bytes: int) -> tuple[HttpAnswer | None, str]:
        try:
            response = send(self._pools, request, file)
            return _read(response, max_bytes), ""
        except FAILURES as error:
            return None, word_for(error)


def send(manager: PoolManager, request: HttpRequest, file: BinaryIO | None = None) -> BaseHTTPResponse:
    """Send a request and return the answer with its body unread; within an exchange."""
    headers, body = _framed(request, file)
    return manager.urlopen(
        request.method,
        address(request),
        body=body,
        headers=headers,
        redirect=False,
        retries=False,
        timeout=None,
        preload_content=False,
        decode_content=False,
    )


def address(request: HttpRequest) -> str:
    """Return a request's whole address, secrets included: for the wire alone.

    Raises:
        ValueError: it is none of HTTP's.
    """
    if not request.url.lower().startswith(("http://", "https://")):
        raise ValueError("an address begins with http:// or https://")
    if not request.secret_query:
        return request.url
    query = urlencode({name: value.reveal() for name, value in request.secret_query.items()}, quote_via=quote)
    bare, mark, fragment = request.url.partition("#")
    return f"{bare}{'&' if '?' in bare else '?'}{query}{mark}{fragment}"


def word_for(error: Exception) -> str:
    """Name what went wrong after a request left."""
    chain = (error, *(one for one in error.args if isinstance(one, Exception)))
    for kind, word in _WORDS.items():
        if any(isinstance(one, kind) for one in chain):
            return word
    return "broken"


_WORDS: Final[Mapping[type[Exception], str]] = {
    TimeoutError: "timeout",
    HttpTimeout: "timeout",
    http.client.IncompleteRead: "cut",
    http.client.RemoteDisconnected: "closed",
    ConnectionError: "closed",
    ssl.SSLError: "tls",
    http.client.HTTPException: "garbage",
    ProtocolError: "garbage",
    ValueError: "malformed",
}


def failure(exchange: Exchange, error: str) -> NotSent | Unanswered:
    """Judge what a failed exchange leaves behind."""
    if exchange.left:
        return Unanswered(error)
    return NotSent(exchange.trouble or ("connect_timeout" if error == "timeout" else error))


def _read(response: BaseHTTPResponse, max_bytes: int) -> HttpAnswer:
    """Read an answer; the connection goes back to its pool only where nothing of it is left unread."""
    body = bytearray()
    whole = False
    try:
        # A short read is no sign of the end: only the next one tells a whole body from one that was cut.
        while len(body) <= max_bytes and (chunk := response.read(max_bytes + 1 - len(body))):
            body += chunk
        whole = len(body) <= max_bytes
    finally:
        if not whole:
            response.close()
    response.release_conn()
    headers = {name.lower(): value for name, value in response.headers.items()}
    return HttpAnswer(status=response.status, headers=headers, body=bytes(body[:max_bytes]))


def _framed(request: HttpRequest, file: BinaryIO | None) -> tuple[dict[str, str], Body | None]:
    """Return headers and body as they are to be sent."""
    given = {name.lower() for name in request.headers}
    headers = {name: value for name, value in _OURS.items() if name.lower() not in given} | dict(request.headers)
    if request.authorization is not None:
        headers["Authorization"] = request.authorization.reveal()
    body: Body | None = request.body or None
    if request.form or request.file:
        boundary = secrets.token_hex(16)
        body, length = _multipart(request, file, boundary)
        headers |= {"Content-Type": f"multipart/form-data; boundary={boundary}", "Content-Length": str(length)}
    # As bytes: the client would refuse what Latin-1 has no letter for, quoting it.
    encoded = {name: value.encode("utf-8", "surrogatepass") for name, value in headers.items()}
    return encoded, body  # type: ignore[return-value]  # urllib3 takes bytes, and says otherwise


def _multipart(request: HttpRequest, file: BinaryIO | None, boundary: str) -> tuple[Iterator[bytes], int]:
    """Build a multipart body around a file that is read while it is sent; return it with its length."""
    head = b"".join(_field(boundary, name) + value.encode() + b"\r\n" for name, value in request.form.items())
    tail = f"--{boundary}--\r\n".encode()
    length = 0
    if request.file is not None and file is not None:
        part = request.file
        head += _field(boundary, part.field, file_name=part.file_name, mime_type=part.mime_type)
        tail = b"\r\n" + tail
        length = _length(file)
    return _streamed(head, file, tail), len(head) + length + len(tail)


def _field(boundary: str, name: str, *, file_name: str | None = None, mime_type: str | None = None) -> bytes:
    field = RequestField(name, b"", filename=file_name)
    field.make_multipart(content_type=mime_type)
    return f"--{boundary}\r\n{field.render_headers()}".encode()


def _length(file: BinaryIO) -> int:
    here = file.tell()
    end = file.seek(0, os.SEEK_END)
    file.seek(here)
    return end - here


def _streamed(head: bytes, file: BinaryIO | None, tail: bytes) -> Iterator[bytes]:
    yield head
    while file is not None and (chunk := file.read(CHUNK)):
        yield chunk
    yield tail
