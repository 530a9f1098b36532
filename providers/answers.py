"""Reading the answers of vendors' APIs: when to come back, the JSON object of a body, texts fit to be kept.

Pure and total: any bytes and headers in. Deliberately knows no vendor; what a code means is each dialect's table.
"""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from models.message import MessageError
from providers import wire
from providers.outbound import ErrorKind
from runtime.calls import HttpAnswer

#: The shortest and the longest wait that a vendor can ask of us.
MIN_WAIT: Final = timedelta(seconds=1)
MAX_WAIT: Final = timedelta(hours=1)
#: Characters kept of one text of an error.
TEXT_LENGTH: Final = 1_000
#: Characters of the longest spelling of a date in HTTP, with room.
DATE_LENGTH: Final = 64

#: Kinds of failure after which the same message is tried again without a person.
RETRIED: Final = frozenset({ErrorKind.RETRYABLE, ErrorKind.THROTTLED, ErrorKind.OURS})

_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_NAMES: Final = r"(?:access[_-]?token|auth[_-]?token|token|api[_-]?key|secret|password|signature)"
#: A credential that is named (in a query, in JSON, in prose), one in a header's value, and Meta's kind of token,
#: which shows without a name.
_SECRETS = re.compile(
    rf"""({_NAMES}(?:=|["']\s*:\s*["']?))[^\s&"',;<>}}]+
      | ({_NAMES}:\s*)[A-Za-z0-9._~+/=-]{{16,}}
      | (\b(?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=-]{{8,}}
      | \bEAA[A-Za-z0-9]{{16,}}""",
    re.IGNORECASE | re.VERBOSE,
)
_CUT: Final = "[redacted]"


def retry_after(answer: HttpAnswer) -> timedelta | None:
    """Read Retry-After, in seconds or as a date (seen from the answer's own Date); None for what cannot be believed."""
    said = answer.headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(said):
        return clamped(float(said))
    then, now = _date(said), _date(answer.headers.get("date", ""))
    return clamped((then - now).total_seconds()) if then and now else None


def clamped(seconds: float) -> timedelta:
    """Bring a wait between one second and one hour, whatever its size."""
    return timedelta(seconds=min(max(seconds, MIN_WAIT.total_seconds()), MAX_WAIT.total_seconds()))


def _date(said: str) -> datetime | None:
    if not said or len(said) > DATE_LENGTH:
        return None
    try:
        found = parsedate_to_datetime(said)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def json_object(answer: HttpAnswer) -> dict[str, Any] | None:
    """Read a body that is one JSON object; None where it is anything else, cut short or not even text."""
    try:
        found = wire.load_json(answer.body)
    except wire.NotJsonError:
        return None
    return found if isinstance(found, dict) else None


def shown(value: object) -> str | None:
    """Read a vendor's text as it may be kept: bounded, and without anything that looks like a credential."""
    said = wire.text(value)
    if said is None:
        return None
    return _SECRETS.sub(_named, said[: 2 * TEXT_LENGTH])[:TEXT_LENGTH]


def _named(found: re.Match[str]) -> str:
    return f"{found[1] or found[2] or found[3] or ''}{_CUT}"


def of_status(answer: HttpAnswer, kind: ErrorKind, title: str) -> MessageError:
    """Describe a failure of which the vendor's own words cannot be had, by its HTTP status alone."""
    return MessageError(
        title=title,
        message=f"{title} (HTTP {answer.status})",
        kind=kind,
        retryable=kind in RETRIED,
    )
