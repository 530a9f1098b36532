"""What every exchange carries, whatever its outcome: an id, safe headers, a measurement, a line in the log.

Deliberately no CORS headers: the API answers programs and pages of its own origin, no others.
"""

import re
import time
from typing import Final
from uuid import uuid4

from flask import Flask, Response, g, request

from api.section import BASE_PATH
from runtime.logs import bind_contextvars, clear_contextvars, logger
from runtime.metrics import API_REQUESTS, API_SECONDS

REQUEST_ID: Final = "X-Request-Id"
_OWN_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
#: Headers of every answer; a view may have set its own Content-Security-Policy or Cache-Control.
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
#: Label of requests to addresses that do not exist, so that strangers cannot invent series.
UNMATCHED: Final = "unmatched"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_log = logger(__name__)


def install(app: Flask) -> None:
    """Wrap every exchange of an app. Comes before all other hooks."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    g.began = time.perf_counter()
    offered = request.headers.get(REQUEST_ID, "")
    g.request_id = offered if _OWN_ID.fullmatch(offered) else uuid4().hex
    clear_contextvars()
    bind_contextvars(request_id=g.request_id)


def _end(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers[REQUEST_ID] = g.request_id
    _measure(response.status_code, time.perf_counter() - g.began)
    return response


def _measure(status: int, seconds: float) -> None:
    route = request.url_rule.rule if request.url_rule else UNMATCHED
    method = request.method if request.method in _METHODS else "other"
    API_REQUESTS.labels(route, method, str(status)).inc()
    API_SECONDS.labels(route).observe(seconds)
    log = _log.info if route.startswith(BASE_PATH) else _log.debug
    log("request_answered", route=route, method=method, status=status, ms=round(seconds * 1000, 1))
