"""For those who watch: is the process alive, can it work, and what does it count.

Open to everybody who reaches the port, so deliberately nothing about customers, numbers or accounts.
"""

from collections.abc import Callable
from typing import Final

import redis
from flask import Flask, Response

from api.access import NOTHING, needs
from models.store.depth import DepthCollector
from runtime.connections import connect_redis_briefly
from runtime.metrics import CONTENT_TYPE, render
from services.wiring import Services

#: Tries to reach Redis before it counts as away; one brief try may fail on a busy machine.
_REDIS_TRIES: Final = 3


def install(app: Flask, services: Services) -> None:
    """Add the routes for health and metrics."""
    depth = DepthCollector(services.store, services.clock)
    queue = connect_redis_briefly(services.settings.redis_url)

    @app.get("/healthz")
    @needs(NOTHING)
    def healthz() -> Response:
        return Response("ok\n", mimetype="text/plain")

    @app.get("/readyz")
    @needs(NOTHING)
    def readyz() -> Response:
        problems = [problem for problem in (services.store.problem(), redis_problem(queue.ping)) if problem]
        words = "; ".join(problems) or "ready"
        return Response(f"{words}\n", status=503 if problems else 200, mimetype="text/plain")

    @app.get("/metrics")
    @needs(NOTHING)
    def metrics() -> Response:
        return Response(render([depth]), content_type=CONTENT_TYPE)


def redis_problem(ping: Callable[[], object]) -> str | None:
    """Say why Redis cannot be used now, None where it can."""
    for last in [False] * (_REDIS_TRIES - 1) + [True]:
        try:
            ping()
        except redis.RedisError as error:
            if last:
                return f"Redis does not answer ({type(error).__name__})"
        else:
            break
    return None
