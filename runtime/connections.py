"""Connections to MongoDB and Redis, configured once for what we promise.

Deliberately nothing about documents or jobs; `models.store` and `runtime.broker` build on these.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import redis
from pymongo import MongoClient
from pymongo.errors import ConfigurationError
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from runtime.crypto import Secret
from runtime.errors import SettingsError

#: How long a call may look for a usable MongoDB server (ms): longer than a planned change of primary, shorter than
#: a vendor's or an agent's patience.
SERVER_SELECTION_MS: Final = 5_000
#: The same for those whom nobody waits for: longer than it takes by MongoDB's own setting (10 s) until a dead primary
#: has a successor, shorter than the lease of what they hold. They go on where they stood, nothing is begun again.
PATIENT_MS: Final = {"worker": 15_000}
#: How long one MongoDB answer may take (ms).
SOCKET_TIMEOUT_MS: Final = 20_000
#: How long a ring may wait on Redis (s). The receiver never waits for it; this bounds its background thread.
RING_BUDGET_S: Final = 0.05


def connect_mongo(uri: Secret, *, application: str, pool: int = 50) -> "MongoClient[dict[str, Any]]":
    """Open a MongoDB client: retryable writes, zlib-free, times in aware UTC.

    Raises:
        SettingsError: the driver cannot make sense of the address.
    """
    try:
        return MongoClient(
            uri.reveal(),
            appname=f"hookline-{application}",
            tz_aware=True,
            tzinfo=UTC,
            retryWrites=True,
            maxPoolSize=pool,
            serverSelectionTimeoutMS=PATIENT_MS.get(application, SERVER_SELECTION_MS),
            socketTimeoutMS=SOCKET_TIMEOUT_MS,
            connectTimeoutMS=SERVER_SELECTION_MS,
        )
    except (ConfigurationError, ValueError) as error:
        # The driver's own words may quote the address, and with it the password.
        hint = "check hosts, options, and that user and password are percent-encoded"
        raise SettingsError(f"MONGODB_URI: the driver cannot use it ({type(error).__name__}); {hint}") from None


def mongo_time(client: "MongoClient[dict[str, Any]]") -> Callable[[], datetime]:
    """Return a function that asks MongoDB for its present moment: the reference of the shared clock."""

    def ask() -> datetime:
        answer = client.admin.command("hello")
        moment: datetime = answer["localTime"]
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment

    return ask


def connect_redis(url: Secret) -> redis.Redis:
    """Open a Redis client for workers: absorbs a restart of a few seconds, never waits for ever."""
    return redis.Redis.from_url(
        url.reveal(),
        socket_timeout=5,
        socket_connect_timeout=2,
        socket_keepalive=True,
        health_check_interval=15,
        retry=Retry(ExponentialWithJitterBackoff(cap=1, base=0.01), 6),
        retry_on_error=[RedisConnectionError, RedisTimeoutError],
    )


def connect_redis_briefly(url: Secret, *, budget: float = RING_BUDGET_S) -> redis.Redis:
    """Open a Redis client for what must not wait: one try, within a budget (s), by default that of rings."""
    return redis.Redis.from_url(
        url.reveal(),
        socket_timeout=budget,
        socket_connect_timeout=budget,
        socket_keepalive=True,
        retry=Retry(ExponentialWithJitterBackoff(cap=0.01, base=0.01), 0),
    )
