"""Settings: read once from the environment (and `.env`), frozen, with one clear line per wrong value.

Deliberately no defaults for what must be chosen (database, keys) and no settings that code could decide itself.
"""

import dataclasses
import fcntl
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from environs import Env, EnvValidationError, ValidationError, validate

from runtime.crypto import KeyRing, Secret
from runtime.errors import SettingsError

#: The file in which a running `hookline up --data DIR` leaves its engines' addresses and keys.
RUN_FILE: Final = "run.json"
#: The file beside it on which that `up` holds a lock for as long as it lives.
LOCK_FILE: Final = "lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a process may be told, in our types. Durations are timedeltas, sizes are bytes."""

    mongodb_uri: Secret
    mongodb_database: str = "hookline"
    redis_url: Secret
    broker_url: Secret
    encryption_keys: tuple[Secret, ...]
    public_url: str = "http://127.0.0.1:8000"
    #: Where files are kept: gridfs:// (in the database) or s3://bucket?endpoint=…&region=….
    media_url: str = "gridfs://"
    log_format: str = "json"
    log_level: str = "INFO"
    reporting_timezone: str = "UTC"

    ingest_bind: str = "0.0.0.0:8001"
    api_bind: str = "0.0.0.0:8002"
    metrics_bind: str = "127.0.0.1:9191"
    ingest_workers: int = 2
    ingest_threads: int = 64
    api_threads: int = 16
    worker_threads: int = 4
    #: Batches of webhooks applied at once, by all workers together; about as many as MongoDB has cores to spare.
    apply_lanes: int = 2
    #: Threads of a worker that send; each waits for a vendor most of the time.
    send_threads: int = 8
    rate_limit: str = "600/minute"

    #: Largest webhook body; Meta sends up to 3 MB.
    max_body_bytes: int = 4 * 1024 * 1024
    #: Webhooks that may wait for a commit in one process before new ones are answered 503.
    intake_queue_size: int = 2000
    #: Their bytes, at most.
    intake_queue_bytes: int = 64 * 1024 * 1024
    #: How long a webhook may wait for its commit before it is answered 503.
    intake_timeout: timedelta = timedelta(seconds=4)
    #: How long a claimed batch may stay unfinished before another worker takes it over.
    lease: timedelta = timedelta(seconds=20)
    #: How long a stored row may wait before the sweep rings again.
    sweep_after: timedelta = timedelta(seconds=5)
    #: How long changed accounts may go unnoticed by a running process.
    accounts_ttl: timedelta = timedelta(seconds=5)
    #: How long before its end a service window counts as closed: messages wait their turn, and clocks differ.
    window_margin: timedelta = timedelta(seconds=30)
    retention: timedelta = timedelta(days=30)
    retention_failed: timedelta = timedelta(days=90)

    #: How long after its time a follow-up that nobody completed is called overdue.
    follow_up_grace: timedelta = timedelta(hours=1)
    #: How late a reminder may still fire, say after an outage; what is later is overdue without one.
    follow_up_late: timedelta = timedelta(hours=24)
    #: How long before a service window closes the assignee is reminded of a customer who waits; zero: never.
    window_reminder: timedelta = timedelta(0)
    #: Whether vendors are told that a message was read: on or off.
    read_receipts: str = "on"

    #: Vendor hosts that replace the real ones, by slug: META_API_URL is {"meta": …}.
    api_urls: Mapping[str, str] = field(default_factory=dict)

    def keyring(self) -> KeyRing:
        """Open the ring of encryption keys."""
        return KeyRing([key.reveal() for key in self.encryption_keys])


#: The longest duration that may be set; beyond it dates would run out.
LONGEST: Final = timedelta(days=36_500)
#: Durations and the unit in which their variable is written, e.g. LEASE_SECONDS.
DURATIONS: Final = {
    "intake_timeout": "seconds",
    "lease": "seconds",
    "sweep_after": "seconds",
    "accounts_ttl": "seconds",
    "window_margin": "seconds",
    "retention": "days",
    "retention_failed": "days",
    "follow_up_grace": "minutes",
    "follow_up_late": "hours",
    "window_reminder": "minutes",
}
#: Durations that may be zero, which turns off what they are about.
MAY_BE_ZERO: Final = frozenset({"window_reminder", "window_margin"})


def load_settings() -> Settings:
    """Read the settings from the environment and `.env` (the environment wins).

    Raises:
        SettingsError: one line per wrong or missing variable, each naming it.
    """
    env = _Environment(eager=False, expand_vars=False)
    env.read_env(".env", recurse=False)
    fields = _read(env)
    try:
        env.seal()
    except EnvValidationError as error:
        messages = cast("Mapping[str, list[str]]", error.error_messages)
        raise SettingsError("\n".join(f"{name}: {' '.join(found)}" for name, found in messages.items())) from None
    return Settings(**fields)


def use_running(directory: Path) -> None:
    """Point this process at the engines and keys of a running `hookline up` with this data directory.

    Raises:
        SettingsError: nothing runs there.
    """
    nothing = f"--data {directory}: no `hookline up --data {directory}` is running"
    try:
        environment = json.loads((directory / RUN_FILE).read_text())["environment"]
        told = {str(name): str(value) for name, value in environment.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(nothing) from error
    if not _is_held(directory / LOCK_FILE):
        raise SettingsError(f"{nothing}; the last one was killed, start it again")
    os.environ.update(told)


def _is_held(lock: Path) -> bool:
    """Say whether a living process holds a lock; what a killed one left behind is a file without a holder."""
    try:
        with lock.open("rb") as probe:
            fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def variable_names() -> list[str]:
    """Every variable that is read, for the documentation's check."""
    names = {f.name for f in dataclasses.fields(Settings)} - {"api_urls"} - set(DURATIONS)
    return sorted({name.upper() for name in names} | {_timed(name) for name in DURATIONS})


class _Environment(Env):
    """An environment in which an empty value is an unset one, as in a copied `.env.example`."""

    def slugs_overridden(self) -> list[str]:
        """Name the vendors whose host is replaced: META_API_URL stands for `meta`."""
        names = {*os.environ, *self._environ}
        return sorted(name.removesuffix("_API_URL").lower() for name in names if name.endswith("_API_URL"))

    def _get_value(self, env_key: str, default: Any) -> Any:
        return os.environ.get(env_key) or self._environ.get(env_key) or default


def _read(env: "_Environment") -> dict[str, Any]:
    """Read every field; complaints gather in `env` until it is sealed."""
    default: dict[str, Any] = {f.name: f.default for f in dataclasses.fields(Settings)}
    redis_url = env.str("REDIS_URL", validate=_url("redis", "rediss", "unix"))
    broker = _url("redis", "rediss", "unix", "amqp", "amqps")
    fields: dict[str, Any] = {
        "mongodb_uri": Secret(env.str("MONGODB_URI", validate=_mongodb) or ""),
        "redis_url": Secret(redis_url or ""),
        "broker_url": Secret(env.str("BROKER_URL", redis_url, validate=broker) or ""),
        "encryption_keys": tuple(map(Secret, env.list("ENCRYPTION_KEYS", validate=_fernet_keys) or ())),
        "api_urls": {
            slug: url.rstrip("/")
            for slug in env.slugs_overridden()
            if (url := env.str(f"{slug.upper()}_API_URL", None, validate=_url("http", "https")))
        },
    }
    fields |= {name: env.str(name.upper(), default[name], validate=check) for name, check in _TEXTS.items()}
    fields |= {name: env.int(name.upper(), default[name], validate=check) for name, check in _NUMBERS.items()}
    fields |= {name: _read_duration(env, name, default[name]) for name in DURATIONS}
    return fields | {"public_url": (fields["public_url"] or "").rstrip("/")}


def _read_duration(env: Env, name: str, default: timedelta) -> timedelta:
    unit = timedelta(**{DURATIONS[name]: 1})
    check = validate.Range(min=0, min_inclusive=name in MAY_BE_ZERO, max=LONGEST / unit)
    value = env.float(_timed(name), default / unit, validate=check)
    return (value or 0) * unit


def _timed(name: str) -> str:
    return f"{name}_{DURATIONS[name]}".upper()


def _url(*schemes: str) -> Callable[[str], None]:
    """Check a URL of one host; what is complained of never quotes it, for it may hold a password."""

    def check(value: str) -> None:
        try:
            parts = urlsplit(value)
            placed = parts.port != 0 and bool(parts.hostname or (parts.scheme == "unix" and parts.path))
        except ValueError:
            placed = False
        if not placed or parts.scheme not in schemes:
            raise ValidationError(f"Must be a URL that begins with {' or '.join(f'{s}://' for s in schemes)}.")

    return check


def _mongodb(value: str) -> None:
    """Check the beginning; hosts, options and escapes are the driver's to judge (`connect_mongo`)."""
    scheme, mark, rest = value.partition("://")
    if scheme not in {"mongodb", "mongodb+srv"} or not mark or not rest:
        raise ValidationError("Must be a URL that begins with mongodb:// or mongodb+srv://.")


def _media(value: str) -> None:
    if value == "gridfs://":
        return
    parts = urlsplit(value)
    if parts.scheme != "s3" or not re.fullmatch(r"[A-Za-z0-9._-]{3,63}", parts.netloc) or parts.fragment:
        raise ValidationError("Must be gridfs:// or s3://bucket?endpoint=…&region=….")


def _fernet_keys(keys: list[str]) -> None:
    try:
        KeyRing(keys)
    except SettingsError as error:
        raise ValidationError(str(error).partition(": ")[2].capitalize() + ".") from None


def _timezone(value: str) -> None:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValidationError("Must be a time zone such as Europe/London.") from None


def _bind(value: str) -> None:
    host, _, port = value.rpartition(":")
    if not host or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536 or re.search(r"\s", host):
        raise ValidationError("Must be host:port, e.g. 0.0.0.0:8001.")


_TEXTS: Final[dict[str, Any]] = {
    "mongodb_database": validate.Regexp(r"^[A-Za-z0-9_-]{1,38}$", error="Must be 1-38 letters, digits, _ or -."),
    "public_url": _url("http", "https"),
    "media_url": _media,
    "log_format": validate.OneOf(("json", "console")),
    "log_level": validate.OneOf(("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")),
    "reporting_timezone": _timezone,
    "ingest_bind": _bind,
    "api_bind": _bind,
    "metrics_bind": _bind,
    "read_receipts": validate.OneOf(("on", "off")),
    "rate_limit": validate.Regexp(r"^\d+ ?/ ?(second|minute|hour|day)$", error="Must be like 600/minute."),
}
_NUMBERS: Final[dict[str, Any]] = {
    "ingest_workers": validate.Range(1, 64),
    "ingest_threads": validate.Range(1, 1024),
    "api_threads": validate.Range(1, 1024),
    "worker_threads": validate.Range(1, 256),
    "apply_lanes": validate.Range(1, 64),
    "send_threads": validate.Range(1, 256),
    "max_body_bytes": validate.Range(1024, 15 * 1024 * 1024),
    "intake_queue_size": validate.Range(1, 1_000_000),
    # At least one webhook of the largest allowed must fit.
    "intake_queue_bytes": validate.Range(16 * 1024 * 1024, 16 * 1024**3),
}
