"""Structured logs: an event name plus fields, with the context of the work bound on both sides of the queue.

A filter guards the door: values under sensitive names are redacted whatever their kind, so that a
careless log line cannot leak a token, a phone number or a message. Deliberately no log files and no rotation.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars, clear_contextvars, get_contextvars

from runtime.crypto import REDACTED, Secret

__all__ = ["bind_contextvars", "bound_contextvars", "clear_contextvars", "configure_logs", "context_to_carry", "logger"]

#: Field names whose values never appear, compared lower case without separators.
SENSITIVE: Final = frozenset(
    """accesstoken apikey authorization authtoken body caption cookie customername email from headers instancetoken
    messagetext name password payload phone phonenumber query rawbody rawdata secret signature text to token url
    verifytoken waid webhooksecret webhookverifytoken displayphonenumber username""".split()
)
#: Context carried from the ringing process to the worker: correlation only.
CARRIED: Final = ("request_id", "event_id")
_SEPARATORS: Final = re.compile(r"[^a-z0-9]")
#: Long runs of digits (phone numbers) and bearer-like words inside free text such as exception messages.
_PHONE_LIKE: Final = re.compile(r"(?<![\w.-])\+?\d{8,15}(?![\w.-])")
_URL_CREDENTIALS: Final = re.compile(r"(?<=://)[^/@\s]+@")

Event = MutableMapping[str, Any]


def logger(name: str) -> Any:
    """Return the logger of a module."""
    return structlog.get_logger(name)


def context_to_carry() -> dict[str, Any]:
    """Return the part of the bound context that travels with a job."""
    bound = get_contextvars()
    return {key: bound[key] for key in CARRIED if key in bound}


def redact(_logger: Any, _method: str, event: Event) -> Event:
    """Replace sensitive values, wherever they stand in the event's fields."""
    return {key: value if key == "event" else _clean(key, value) for key, value in event.items()}


def scrub(text: str) -> str:
    """Take phone numbers and URL credentials out of free text, and line breaks with them."""
    flat = text.replace("\r", " ").replace("\n", " | ")
    return _URL_CREDENTIALS.sub(f"{REDACTED}@", _PHONE_LIKE.sub(REDACTED, flat))


def configure_logs(*, level: str = "INFO", style: str = "json") -> None:
    """Send every log, ours and the libraries', to stderr in one style (`json` or `console`)."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    render = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if style == "console" else _json_renderer()
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _scrub_foreign],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("pymongo", "urllib3", "apscheduler", "dramatiq"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level)))


def _clean(key: str, value: Any) -> Any:
    if isinstance(value, Secret) or _SEPARATORS.sub("", key.lower()) in SENSITIVE:
        return REDACTED
    if isinstance(value, Mapping):
        return {inner: _clean(str(inner), item) for inner, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean("", item) for item in value]
    return scrub(value) if isinstance(value, str) and key in {"error", "exception"} else value


def _scrub_foreign(_logger: Any, _method: str, event: Event) -> Event:
    event["event"] = scrub(str(event.get("event", "")))
    return event


def _json_renderer() -> Any:
    return structlog.processors.JSONRenderer()
