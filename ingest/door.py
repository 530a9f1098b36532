"""The door itself: WSGI in, WSGI out, and which error becomes which answer.

It stands in front of the Flask app as its `wsgi_app`, because routing and Flask's request object would cost more
than everything else a webhook needs. Deliberately no logic: it bounds the body and calls the receiver.
"""

import itertools
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

from ingest.webhooks import BASE_PATH, Receiver
from providers.base import Acknowledgement, WebhookRequest
from runtime.errors import (
    HooklineError,
    NotFound,
    SignatureError,
    TooLarge,
    Unavailable,
    Unparseable,
    WrongType,
)
from runtime.logs import logger
from runtime.metrics import WEBHOOK_SECONDS, WEBHOOKS

Environ = dict[str, Any]
Field = tuple[str, str]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, Any], Iterable[bytes]]

#: The metric's word for the vendor of a request that was refused before anybody asked whose it is.
UNREAD: Final = "unread"
#: Seconds after which a vendor may try again when we cannot store.
RETRY_AFTER: Final = "2"
#: Class of error -> HTTP status and the stable code of the answer. The first match counts.
ANSWERS: Final[tuple[tuple[type[HooklineError], int, str], ...]] = (
    (SignatureError, 401, "invalid_signature"),
    (NotFound, 404, "not_found"),
    (TooLarge, 413, "too_large"),
    (WrongType, 415, "unsupported_media_type"),
    (Unparseable, 400, "bad_request"),
    (Unavailable, 503, "unavailable"),
)
#: What may be done with a webhook address.
METHODS: Final = "GET, POST"
#: Longest length that a request may announce in digits; beyond it nobody means a number.
MAX_LENGTH_DIGITS: Final = 18

#: Says that no other request may follow on this connection.
CLOSE: Final = ("Connection", "close")
#: Bytes of an unwanted body that are thrown away, at most (the front door lets no more through), and at a time.
THROWN_AWAY: Final = 16 * 1024 * 1024
PIECE: Final = 64 * 1024
#: What every proxy adds.
_PROXIED: Final = "HTTP_X_FORWARDED_FOR"

_log = logger(__name__)


class StreetDoor:
    """A WSGI callable that takes the webhook paths and leaves the rest to `inner`."""

    def __init__(self, inner: WsgiApp, receiver: Receiver, *, max_body: int, public_url: str) -> None:
        self._inner = inner
        self._receiver = receiver
        self._max_body = max_body
        self._public_url = public_url

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        path: str = environ["PATH_INFO"]
        if not path.startswith(BASE_PATH) or path[len(BASE_PATH) :][:1] not in {"", "/"}:
            return self._inner(environ, start_response)
        began = time.perf_counter()
        try:
            answer = self._answer(environ, path)
        except HooklineError as error:
            return _refuse(error, start_response, _parting(environ))
        except Exception as error:  # noqa: BLE001  the door alone answers for what nobody foresaw, and says nothing of it
            _log.error("webhook_crashed", error=type(error).__name__, exc_info=True)
            return _refuse(HooklineError("internal error"), start_response, [CLOSE])
        WEBHOOK_SECONDS.observe(time.perf_counter() - began)
        if environ["REQUEST_METHOD"] == "POST":
            return _send(answer, start_response)
        allowed = [("Allow", METHODS)] if answer.status == 405 else []
        return _send(answer, start_response, [*allowed, *_parting(environ)])

    def _answer(self, environ: Environ, path: str) -> Acknowledgement:
        method = environ["REQUEST_METHOD"]
        if method == "POST":
            return self._receiver.receive(self._request(environ, path, self._body(environ)), path=path)
        if method == "GET":
            return self._receiver.receive_get(self._request(environ, path, b""), path=path)
        return Acknowledgement(405, b"")

    def _body(self, environ: Environ) -> bytes:
        try:
            return read_body(environ, self._max_body)
        except HooklineError as error:
            WEBHOOKS.labels(UNREAD, type(error).__name__.lower()).inc()
            raise

    def _request(self, environ: Environ, path: str, body: bytes) -> WebhookRequest:
        query = environ.get("QUERY_STRING", "")
        return WebhookRequest(
            method=environ["REQUEST_METHOD"],
            target=f"{path}?{query}" if query else path,
            headers=Headers(environ),
            body=body,
            public_url=self._public_url,
        )


def read_body(environ: Environ, limit: int) -> bytes:
    """Read the raw body, whatever its framing, and never more than one byte beyond the limit.

    Raises:
        TooLarge: it is longer than the limit.
        Unparseable: its length is announced wrongly or in two ways.
    """
    announced = environ.get("CONTENT_LENGTH") or ""
    chunked = "HTTP_TRANSFER_ENCODING" in environ
    if announced and (chunked or not _is_length(announced)):
        raise Unparseable("the body's length is announced ambiguously")
    if announced and int(announced) > limit:
        raise TooLarge(f"the body is over {limit} bytes")
    body: bytes = environ["wsgi.input"].read(limit + 1)
    if len(body) > limit:
        raise TooLarge(f"the body is over {limit} bytes")
    if announced and len(body) != int(announced):
        raise Unparseable("the body is shorter than announced")
    return body


def _is_length(announced: str) -> bool:
    return announced.isascii() and announced.isdigit() and len(announced) <= MAX_LENGTH_DIGITS


class Headers(Mapping[str, str]):
    """The request's headers by lower-case name: looked up when asked for, since few of them ever are."""

    __slots__ = ("_environ",)

    def __init__(self, environ: Environ) -> None:
        self._environ = environ

    def __getitem__(self, name: str) -> str:
        value: str = self._environ[_variable(name)]
        return value

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and _variable(name) in self._environ

    def __iter__(self) -> Iterator[str]:
        names = (name[5:].replace("_", "-").lower() for name in self._environ if name.startswith("HTTP_"))
        return itertools.chain(names, [name for name in _UNPREFIXED if name in self])

    def __len__(self) -> int:
        return sum(1 for _ in self)


#: Headers that WSGI keeps under names of their own.
_UNPREFIXED: Final = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


@cache
def _variable(name: str) -> str:
    return _UNPREFIXED.get(name) or f"HTTP_{name.replace('-', '_').upper()}"


def _parting(environ: Environ) -> list[Field]:
    """Say that the connection is to be closed, unless what is left of the body can be thrown away.

    A proxy that is still sending would take an answer for a failure of ours, and what is left would stand before the
    next request, which may be somebody else's. Who sends by himself may wait for our word, and is not waited for.
    """
    if _PROXIED not in environ:
        return [CLOSE]
    body = environ["wsgi.input"]
    return [] if any(not body.read(PIECE) for _ in range(THROWN_AWAY // PIECE + 1)) else [CLOSE]


def _refuse(error: HooklineError, start_response: StartResponse, parting: Iterable[Field]) -> list[bytes]:
    status, code = next(((s, c) for kind, s, c in ANSWERS if isinstance(error, kind)), (500, "internal"))
    request_id = uuid4().hex
    _log.info("webhook_refused", status=status, code=code, request_id=request_id, reason=str(error))
    message = "internal error" if status == 500 else str(error) or code.replace("_", " ")
    body = json.dumps({"error": {"code": code, "message": message, "requestId": request_id}}).encode()
    extra = [*parting, *([("Retry-After", RETRY_AFTER)] if status == 503 else [])]
    return _send(Acknowledgement(status, body, "application/json"), start_response, extra)


def _send(answer: Acknowledgement, start_response: StartResponse, extra: Iterable[Field] = ()) -> list[bytes]:
    fields = [("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body))), *extra]
    start_response(_status_line(answer.status), fields)
    return [answer.body]


@cache
def _status_line(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}"
