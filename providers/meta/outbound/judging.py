"""Judging answers of the Graph API: what was taken, what failed and why, what nobody knows.

    {"error": {"message": "(#131056) …", "type": "OAuthException", "code": 131056, "error_subcode"?: 2494055,
     "error_data"?: {"details": "…"} or "…", "is_transient"?: true, "error_user_title"?, "error_user_msg"?,
     "fbtrace_id": "A…"}}

An error with a code is decided by the code. Without one, only a status that says "not done" (a refusal, 500, 503)
allows another try of a send: a gateway that got no answer (502, 504) or a success that cannot be read leaves it
open whether the customer has the message. Deliberately decides no schedule.
"""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from models.message import MessageError
from models.whatsapp_config import HealthState
from providers import wire
from providers.answers import RETRIED, clamped, json_object, of_status, retry_after, shown
from providers.meta.outbound.errors import BROKEN, DOUBTFUL, UNKNOWN_CODE, Meaning, meaning_of
from providers.outbound import ErrorKind, SendError, Throttle
from runtime.calls import HttpAnswer

#: How full Meta's limits for the business are, and how many minutes until they allow calls again.
USAGE_HEADER: Final = "x-business-use-case-usage"
#: Meta's name of a call, in headers.
TRACE_HEADER: Final = "x-fb-trace-id"

#: Statuses, without a code in the body, that say the request was not carried out though another try may be.
_NOT_DONE: Final = frozenset({500, 503})
#: A timeout: of the request as a rule, but also of what stands behind a proxy.
_TIMEOUT: Final = 408
#: From here on a server failed: Meta's, or one on the way to it.
_FIRST_OF_SERVERS: Final = 500

_NO_ANSWER: Final = "No clear answer from WhatsApp"
_NOT_NOW: Final = "WhatsApp could not take the request"
_NOT_KNOWN: Final = "WhatsApp does not know who is calling"
_TOO_FAST: Final = "WhatsApp asks to slow down"
_REFUSED: Final = "WhatsApp did not do it"
#: Of a message that was taken and failed later, for a passing reason: nobody tries that again without being asked.
_CAN_BE_SENT_AGAIN: Final = "WhatsApp took the message but could not deliver it. It can be sent again."

_CODE = re.compile(r"[0-9]{1,9}")
_PREFIX = re.compile(r"^\(#[0-9]+\)\s*")


def failure(answer: HttpAnswer, data: dict[str, Any] | None) -> SendError | None:
    """Read the error of an answer; None where there is none and the status is a success."""
    error = data.get("error") if data else None
    if isinstance(error, dict):
        code = code_of(error)
        if code is not None:
            return coded(answer, error, code)
        if wire.flag(error.get("is_transient")):
            return _uncoded(answer, ErrorKind.RETRYABLE, _NOT_NOW)
    elif error is None and 200 <= answer.status < 300:
        return None
    return _by_status(answer)


def refusal(answer: HttpAnswer, *, data: dict[str, Any] | None = None) -> SendError | None:
    """Read the answer to a call that may be made again without harm: None where it was taken."""
    found = json_object(answer) if data is None else data
    error = failure(answer, found)
    if error is None and found is not None and wire.flag(found.get("success")) is False:
        return _uncoded(answer, ErrorKind.FINAL, _REFUSED)
    return error and repeatable(error)


def unclear(answer: HttpAnswer) -> SendError:
    """Say that nobody knows what became of the request."""
    return _uncoded(answer, ErrorKind.UNKNOWN, _NO_ANSWER)


def repeatable(error: SendError) -> SendError:
    """Turn what nobody knows into another try, for calls that do no harm twice."""
    if error.kind is not ErrorKind.UNKNOWN:
        return error
    told = replace(error.error, kind=ErrorKind.RETRYABLE, retryable=True)
    return replace(error, kind=ErrorKind.RETRYABLE, error=told)


def coded(answer: HttpAnswer, error: dict[str, Any], code: int) -> SendError:
    """Judge an error by its code."""
    subcode, transient = _whole(error.get("error_subcode")), wire.flag(error.get("is_transient")) is True
    meaning = meaning_of(code, subcode=subcode, transient=transient, otherwise=_unlisted(answer.status))
    return SendError(
        kind=meaning.kind,
        error=_told(error, code, meaning),
        retry_after=_wait(answer, meaning),
        throttle=meaning.throttle,
        tries=meaning.tries,
        health=meaning.health,
        window_closed=meaning.window_closed,
        request_id=shown(error.get("fbtrace_id")) or trace_of(answer),
    )


def consequence(error: MessageError) -> SendError | None:
    """Say what follows from an error that came in a status, after the message was taken; None for unknown codes."""
    code = _whole(error.code)
    meaning = UNKNOWN_CODE if code is None else meaning_of(code, subcode=None)
    if meaning is UNKNOWN_CODE:
        return None
    passing = meaning.kind in {ErrorKind.RETRYABLE, ErrorKind.THROTTLED}
    details = error.details or (_CAN_BE_SENT_AGAIN if passing else meaning.hint)
    told = replace(error, details=details, kind=meaning.kind, retryable=meaning.kind in RETRIED)
    return SendError(
        kind=meaning.kind,
        error=told,
        retry_after=meaning.wait,
        throttle=meaning.throttle,
        tries=meaning.tries,
        health=meaning.health,
        window_closed=meaning.window_closed,
    )


def code_of(error: dict[str, Any]) -> int | None:
    """Read the code that decides."""
    return _whole(error.get("code"))


def trace_of(answer: HttpAnswer) -> str | None:
    """Read Meta's name of the call from the headers."""
    return shown(answer.headers.get(TRACE_HEADER))


def _unlisted(status: int) -> Meaning:
    """Say what a code means that we do not know, by the status it came with."""
    if status in _NOT_DONE:
        return BROKEN
    return DOUBTFUL if status >= _FIRST_OF_SERVERS or status == _TIMEOUT else UNKNOWN_CODE


def _told(error: dict[str, Any], code: int, meaning: Meaning) -> MessageError:
    message, data = shown(error.get("message")), error.get("error_data")
    details = shown(data.get("details") if isinstance(data, dict) else data)
    return MessageError(
        code=str(code),
        title=shown(error.get("error_user_title")) or (_PREFIX.sub("", message) if message else None),
        message=message,
        details=details or shown(error.get("error_user_msg")) or meaning.hint,
        kind=meaning.kind,
        retryable=meaning.kind in RETRIED,
    )


def _by_status(answer: HttpAnswer) -> SendError:
    """Judge an answer without a code: a page of the edge, an empty body, one cut short."""
    status = answer.status
    if status in _CLEAR:
        kind, title, throttle, health = _CLEAR[status]
        return replace(_uncoded(answer, kind, title), throttle=throttle, health=health)
    refused = 300 <= status < 500 and status != _TIMEOUT
    if refused or status in _NOT_DONE:
        return _uncoded(answer, ErrorKind.RETRYABLE, _NOT_NOW)
    return unclear(answer)


#: Status -> what it can only mean, where no code says more.
_CLEAR: Final[dict[int, tuple[ErrorKind, str, Throttle | None, HealthState | None]]] = {
    401: (ErrorKind.OURS, _NOT_KNOWN, None, HealthState.AUTH_ERROR),
    429: (ErrorKind.THROTTLED, _TOO_FAST, Throttle.NUMBER, None),
}


def _uncoded(answer: HttpAnswer, kind: ErrorKind, title: str) -> SendError:
    wait = None if kind is ErrorKind.FINAL else retry_after(answer)
    return SendError(kind=kind, error=of_status(answer, kind, title), retry_after=wait, request_id=trace_of(answer))


def _wait(answer: HttpAnswer, meaning: Meaning) -> timedelta | None:
    """Find how long to stay away: as the answer says, or else as the code lasts as a rule."""
    if meaning.kind is ErrorKind.FINAL:
        return None
    usage = _regained(answer) if meaning.kind is ErrorKind.THROTTLED else None
    return retry_after(answer) or usage or meaning.wait


def _regained(answer: HttpAnswer) -> timedelta | None:
    """Read the longest wait (minutes) among the limits of the business: {"<id>": [{"type": …, …}]}."""
    try:
        usage = wire.mapping(wire.load_json(answer.headers.get(USAGE_HEADER, "").encode("utf-8", "replace")))
    except wire.NotJsonError:
        return None
    entries = [wire.mapping(item) for found in usage.values() for item in wire.listed(found)]
    minutes = [wire.number(entry.get("estimated_time_to_regain_access")) or 0 for entry in entries]
    longest = max(minutes, default=0)
    return clamped(longest * 60) if longest > 0 else None


def _whole(value: object) -> int | None:
    """Read a code: a whole number that is none of our accidents (true is no 1)."""
    said = wire.text(value)
    return int(said) if said and _CODE.fullmatch(said) else None
