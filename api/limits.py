"""How many requests a token may make: counted in Redis, for all processes together.

When Redis is away each process counts for itself, and when even that fails the request passes: a counter is
no reason to leave a customer waiting. Deliberately no limits per route yet; one setting covers them all.
"""

import time
from typing import Final

from flask import Flask, Response, g
from flask_limiter import Limiter, RequestLimit

from api.access import NOTHING, bearer_key, current_need
from runtime.connections import connect_redis_briefly
from runtime.settings import Settings

_PREFIX: Final = "hookline:limits"


def install(app: Flask, settings: Settings) -> None:
    """Limit the requests of an app. Comes after the caller is known."""
    limiter = Limiter(
        bearer_key,
        application_limits=[settings.rate_limit],
        # The scheme chooses the storage, the pool brings our own time-outs.
        storage_uri="redis://",
        storage_options={"connection_pool": connect_redis_briefly(settings.redis_url).connection_pool},  # type: ignore[dict-item]
        strategy="fixed-window",
        in_memory_fallback_enabled=True,
        swallow_errors=True,
        headers_enabled=False,
        key_prefix=_PREFIX,
        on_breach=_note_end,
    )
    limiter.request_filter(lambda: current_need() in {None, NOTHING})
    limiter.init_app(app)


def _note_end(breached: RequestLimit) -> Response | None:
    """Keep, for Retry-After, how long the window still lasts (s)."""
    g.retry_after = max(1, int(breached.reset_at - time.time()))
    return None
