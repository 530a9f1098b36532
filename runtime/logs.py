"""Structured logs: an event name plus fields, with the context of the work bound on both sides of the queue.

A filter guards the door: values under sensitive names are redacted whatever their kind, free text is scrubbed, and
of an exception only its type and place are told, so that a careless log line cannot leak a token, a phone number or a
message. Deliberately no log files and no rotation.
"""

import logging
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from datetime import date, timedelta
from enum import Enum
from pathlib import PurePath
from typing import Any, Final

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars, clear_contextvars, get_contextvars

from runtime.crypto import REDACTED, Secret
from runtime.errors import HooklineError

__all__ = ["bind_contextvars", "bound_contextvars", "clear_contextvars", "configure_logs", "context_to_carry", "logger"]

#: Field names whose values never appear, compared lower case without separators.
SENSITIVE: Final = frozenset(
    {"address", "body", "brokerurl", "caption", "contacts", "customername", "email", "from", "headers", "media"}
    | {"mongodburi", "name", "payload", "profile", "query", "rawbody", "rawdata", "recipient", "recipientid"}
    | {"redisurl", "sender", "text", "messagetext", "to", "uri", "url", "username", "waid"}
)
#: Words that make any field name sensitive that holds one of them.
SENSITIVE_WORDS: Final = re.compile(
    "apikey|authorization|challenge|cookie|credential|encryptionkey|password|phone|secret|signature|token"
)
#: Context carried from the ringing process to the worker: correlation only.
CARRIED: Final = ("request_id", "event_id")
#: Frames told of an exception, innermost last.
FRAMES: Final = 12
#: Causes told of an exception.
CAUSES: Final = 5

_SEPARATORS: Final = re.compile(r"[^a-z0-9]")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
#: What free text may hold and a log may not -> what stands there instead. The first to match wins.
_SCRUBBED: Final = (
    (re.compile(r"(?<=://)[^/@\s]+@"), f"{REDACTED}@"),
    (re.compile(r"(?i)\b(bearer|basic) [^\s,'\"]+"), rf"\1 {REDACTED}"),
    (re.compile(r"(?i)(token|secret|password|signature|api_?key)(['\"]?[=:] ?['\"]?)[^\s&,'\"]+"), rf"\1\2{REDACTED}"),
    (re.compile(r"sha(1|256)=[0-9a-fA-F]+"), rf"sha\1={REDACTED}"),
    # Long unbroken runs of letters and digits: keys and access tokens.
    (re.compile(r"(?<![\w-])(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{40,}"), REDACTED),
    # Phone numbers: with a plus and any punctuation, or as a bare run of digits.
    (re.compile(r"\+\d(?:[ ().-]{0,2}\d){6,14}"), REDACTED),
    (re.compile(r"(?<![A-Za-z0-9])(?<!\d\.)\d{8,15}(?![A-Za-z0-9])"), REDACTED),
)

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
    return {key: value if key in _OURS else _clean(key, value) for key, value in event.items()}


def scrub(text: str) -> str:
    """Take credentials and phone numbers out of free text, and line breaks and other controls with them."""
    for pattern, instead in _SCRUBBED:
        text = pattern.sub(instead, text)
    return _CONTROLS.sub(" ", text)


def describe(error: BaseException) -> str:
    """Tell type and place of an exception and its causes; what it says only if it is ours, or at level DEBUG.

    A driver's or parser's message quotes what it stumbled over: a document, a number, a line of a letter.
    """
    return " <- ".join(_described(one) for one in _causes(error))


def configure_logs(*, level: str = "INFO", style: str = "json") -> None:
    """Send every log, ours and the libraries', to stderr in one style (`json` or `console`)."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.ExceptionRenderer(lambda found: describe(found[1])),
        redact,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
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
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(style)],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("pymongo", "urllib3", "apscheduler", "dramatiq"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level)))


def _renderer(style: str) -> Any:
    if style == "console":
        plain = structlog.dev.plain_traceback
        return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)
    return structlog.processors.JSONRenderer()


def _clean(key: str, value: Any) -> Any:
    if isinstance(value, Secret) or _is_sensitive(key):
        return REDACTED
    shown = next((show for kinds, show in _SHOWN if isinstance(value, kinds)), _kind)
    return shown(value)


def _kind(value: object) -> str:
    """Tell no more than an object's kind: a request would show its body, a document its text."""
    return f"<{type(value).__name__}>"


def _is_sensitive(key: str) -> bool:
    name = _SEPARATORS.sub("", key.lower())
    return name in SENSITIVE or SENSITIVE_WORDS.search(name) is not None


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    for _ in range(CAUSES):
        if found is None:
            return
        yield found
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)


def _described(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    place = " > ".join(f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
    spoken = isinstance(error, HooklineError) or logging.getLogger().isEnabledFor(logging.DEBUG)
    words = f": {scrub(str(error))}" if spoken and str(error) else ""
    return f"{type(error).__name__}{words} at {place}" if place else f"{type(error).__name__}{words}"


#: How values are shown, by kind; the first to match counts, any other is only named.
_SHOWN: Final[tuple[tuple[Any, Callable[[Any], Any]], ...]] = (
    ((bool, int, float, type(None)), lambda value: value),
    ((str, Enum, date, timedelta, PurePath), lambda value: scrub(str(value))),
    (BaseException, describe),
    (Mapping, lambda value: {scrub(str(key)): _clean(str(key), item) for key, item in value.items()}),
    ((list, tuple, set, frozenset), lambda value: [_clean("", item) for item in value]),
)
#: Fields that structlog or this module itself fill with harmless words.
_OURS: Final = frozenset({"level", "logger", "exception", "_record", "_from_structlog"})
