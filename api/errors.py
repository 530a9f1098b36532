"""The one place where an error becomes an answer.

`{"error": {"code", "message", "fields"?, "requestId"}}`: the code is a stable word for programs, the message
a sentence for people, `fields` a path per wrong value. Deliberately no details of what broke inside:
those are in the log, under the request's id.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from flask import Flask, Response, g
from flask_limiter import RateLimitExceeded
from werkzeug.exceptions import HTTPException

from api.answers import JSON, to_json
from models.store.transactions import is_outage
from runtime.errors import (
    Conflict,
    Forbidden,
    HooklineError,
    Invalid,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unparseable,
    WrongType,
)
from runtime.logs import logger

#: Seconds after which a caller may try again when the database is away.
RETRY_AFTER_S: Final = 2
#: Class of error -> HTTP status. The first match counts; anything else of ours is a bug and answered 500.
STATUSES: Final[tuple[tuple[type[HooklineError], int], ...]] = (
    (Unauthenticated, 401),
    (Forbidden, 403),
    (NotFound, 404),
    (Conflict, 409),
    (Invalid, 422),
    (TooLarge, 413),
    (WrongType, 415),
    (Unparseable, 400),
    (Unavailable, 503),
)
#: HTTP status -> the stable code, and what is said where the error brings no words of its own.
WORDS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("bad_request", "The request is not well formed."),
    401: ("unauthenticated", "A valid token is needed: Authorization: Bearer …"),
    403: ("forbidden", "The token does not permit this."),
    404: ("not_found", "There is nothing here."),
    405: ("method_not_allowed", "This address does not take this method."),
    409: ("state_conflict", "The present state does not allow this."),
    413: ("too_large", "The body is too large."),
    415: ("unsupported_media_type", "Send JSON: Content-Type: application/json"),
    416: ("range_not_satisfiable", "The file has no such range of bytes."),
    422: ("validation_failed", "Some values are wrong; see fields."),
    429: ("rate_limited", "Too many requests with this token; see Retry-After."),
    500: ("internal", "Something went wrong here. The log knows it under this requestId."),
    503: ("unavailable", "The database is not answering. Try again shortly."),
}
#: What a path is called that leads to the whole body.
_WHOLE: Final = "body"

_log = logger(__name__)
Fields = Mapping[str, list[str]]


def install(app: Flask) -> None:
    """Answer every error of an app in our shape."""
    app.register_error_handler(HooklineError, _ours)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unforeseen)


def refuse(
    status: int,
    *,
    message: str | None = None,
    code: str | None = None,
    fields: Fields | None = None,
    details: Mapping[str, object] | None = None,
) -> Response:
    """Build the answer that says no."""
    word, sentence = WORDS.get(status, WORDS[400])
    error: dict[str, Any] = {"code": code or word, "message": message or sentence}
    if fields:
        error["fields"] = fields
    if details:
        error["details"] = details
    error["requestId"] = g.get("request_id")
    response = Response(to_json({"error": error}), status, content_type=JSON)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def flattened(messages: object, path: str = "") -> Iterator[tuple[str, list[str]]]:
    """Turn a tree of complaints into one list per path, e.g. `items.0.name`."""
    if not isinstance(messages, Mapping):
        complaints = messages if isinstance(messages, list) else [messages]
        yield path or _WHOLE, [str(one) for one in complaints]
        return
    for key, inner in messages.items():
        step = "" if key == "_schema" else str(key)
        yield from flattened(inner, ".".join(filter(None, (path, step))))


def _ours(error: HooklineError) -> Response:
    status = next((status for kind, status in STATUSES if isinstance(error, kind)), 500)
    if status == 500:
        return _unforeseen(error)
    if isinstance(error, Invalid):
        return refuse(status, fields=error.fields, message=None if error.fields else str(error))
    if isinstance(error, Unauthenticated):
        # Why exactly is nobody's business who has no token.
        return refuse(status)
    code, details = (error.code, error.details) if isinstance(error, Conflict) else (None, None)
    return refuse(status, message=str(error) or None, code=code, details=details)


def _http(error: HTTPException) -> Response | HTTPException:
    status = error.code or 500
    if status < 400:
        return error
    # webargs leaves its complaints here, by location: {"query": {"limit": [...]}}.
    complaints = (getattr(error, "data", None) or {}).get("messages") if status == 422 else None
    fields = {path: found for inner in (complaints or {}).values() for path, found in flattened(inner)}
    response = refuse(status, fields=fields)
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    if isinstance(error, RateLimitExceeded):
        response.headers["Retry-After"] = str(g.get("retry_after", 1))
    return response


def _unforeseen(error: Exception) -> Response:
    if is_outage(error):
        _log.warning("database_away", error=type(error).__name__)
        return refuse(503)
    _log.error("request_crashed", error=type(error).__name__, exc_info=error)
    return refuse(500)
