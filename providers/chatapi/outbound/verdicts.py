"""What an answer of ChatAPI's or 1msg's means. HTTP 200 means nothing: a message is taken where `sent` is true.

    200 {"sent": true, "id": "true_447700900201@c.us_3EB0…", "message": "Sent to …", "queueNumber": 101}
    200 {"sent": false, "message": "Wrong chatId format. …"}           200 {"message": "Session is closed, …"}
    401 {"error": "Wrong token … for instance …"}                      403 Channel is blocked

There are no codes; the words decide. A wrong token is quoted back, so of that answer no word is kept. Deliberately no
difference between the variants: each may come to answer as the other.
"""

import re
from dataclasses import replace
from typing import Any, Final

from models.message import MessageError
from models.whatsapp_config import HealthState
from providers import wire
from providers.answers import RETRIED, json_object, of_status, retry_after, shown
from providers.chatapi.source import queue_number
from providers.outbound import ErrorKind, Receipt, SendError, Throttle
from runtime.calls import HttpAnswer

#: The texts of an answer, the most telling first.
_TEXTS: Final = ("error", "message", "description")
#: What an answer may say although it took the message: that it waits for the phone to be linked.
_NOT_LINKED = re.compile(r"\bnot\s+(?:authenticated|linked|connected|authorized)\b|\bunauthenticated\b", re.IGNORECASE)
#: A token within a text, quoted or not.
_TOKEN = re.compile(r"""(\btoken\b\W{0,3}["'])[^"']*""", re.IGNORECASE)
_WRONG_TOKEN = re.compile(r"\bwrong token\b|\bprovide token\b|\binvalid token\b", re.IGNORECASE)

#: Words of a refusal -> what follows, the first that fits. What none fits is final.
_BY_WORDS: Final[tuple[tuple[re.Pattern[str], dict[str, Any]], ...]] = (
    (
        re.compile(r"\bnot[ _]paid\b|\bsubscription\b|\bpayment\b|\btrial\b", re.IGNORECASE),
        {"kind": ErrorKind.OURS, "health": HealthState.PAUSED},
    ),
    (
        re.compile(r"\bsession is closed\b|\b24[ -]?h|\buse (?:a )?template\b|\bre-?engagement\b", re.IGNORECASE),
        {"kind": ErrorKind.FINAL, "window_closed": True},
    ),
    (
        re.compile(r"\btoo many requests\b|\brate limit", re.IGNORECASE),
        {"kind": ErrorKind.THROTTLED, "throttle": Throttle.NUMBER},
    ),
    (re.compile(r"\btimed?[ -]?out\b|\btry again\b|\binternal\b", re.IGNORECASE), {"kind": ErrorKind.RETRYABLE}),
)
#: Meta's code for a message outside the service window, where 1msg passes one on.
WINDOW_CLOSED: Final = "131047"
_NO_INSTANCE = re.compile(r"\b(?:instance|channel)\b", re.IGNORECASE)

_TITLES: Final = {
    401: "The vendor does not accept the token",
    402: "The vendor wants to be paid",
    403: "The vendor has blocked the channel",
    404: "The vendor knows no such instance",
    429: "Too many requests",
}
#: HTTP statuses that say more than any text.
_BY_STATUS: Final[dict[int, dict[str, Any]]] = {
    401: {"kind": ErrorKind.OURS, "health": HealthState.AUTH_ERROR},
    402: {"kind": ErrorKind.OURS, "health": HealthState.PAUSED},
    403: {"kind": ErrorKind.OURS, "health": HealthState.PAUSED},
    429: {"kind": ErrorKind.THROTTLED, "throttle": Throttle.NUMBER},
}
_REFUSED: Final = "The vendor refused the message"
_DOUBTFUL: Final = "The vendor's answer does not say whether the message was taken"


def judge(answer: HttpAnswer) -> Receipt | SendError:
    """Read the answer to a send."""
    body = json_object(answer)
    if answer.status in _BY_STATUS:
        return _by_status(answer, body)
    if body is None or answer.status >= 500 or not (200 <= answer.status < 300 or answer.status >= 400):
        return _error(answer, of_status(answer, ErrorKind.UNKNOWN, _DOUBTFUL), kind=ErrorKind.UNKNOWN)
    if answer.status < 300 and body.get("sent") is True:
        return _receipt(body)
    return _refusal(answer, body)


def refusal(answer: HttpAnswer) -> SendError | None:
    """Read the answer to a call that sends nothing: None where it does not say that it failed."""
    body = json_object(answer)
    if 200 <= answer.status < 300 and not (body and wire.text(body.get("error"))):
        return None
    judged = judge(answer)
    return judged if isinstance(judged, SendError) else None


def reported(error: MessageError) -> SendError | None:
    """Say what follows from the error of an ack, which is words too, at times with Meta's code."""
    said = " ".join(text for text in (error.title, error.message, error.details) if text)
    found = next((found for words, found in _BY_WORDS if words.search(said)), None)
    if error.code == WINDOW_CLOSED:
        found = {"kind": ErrorKind.FINAL, "window_closed": True}
    if found is None or not (found.get("window_closed") or found["kind"] is ErrorKind.OURS):
        return None
    return SendError(error=replace(error, kind=found["kind"], retryable=found["kind"] in RETRIED), **found)


def _receipt(body: dict[str, Any]) -> Receipt:
    said = said_by(body) or ""
    number = queue_number(body)
    return Receipt(
        provider_message_id=wire.text(body.get("id")),
        provider_status=said[:200] if _NOT_LINKED.search(said) else None,
        metadata={} if number is None else {"queueNumber": number},
    )


def said_by(body: dict[str, Any]) -> str | None:
    """Read what an answer says, without the token it may quote."""
    found = next((text for name in _TEXTS if (text := shown(body.get(name)))), None)
    return _TOKEN.sub(lambda match: f"{match[1]}[redacted]", found) if found else None


def _by_status(answer: HttpAnswer, body: dict[str, Any] | None) -> SendError:
    """Read a status that stands for itself; a text that explains it is kept, except beside a wrong token."""
    said = said_by(body) if body else _plain(answer)
    status = 401 if said and _WRONG_TOKEN.search(said) else answer.status
    found = _BY_STATUS[status]
    error = of_status(answer, found["kind"], _TITLES[status])
    error.message = (said if status != 401 else None) or error.message
    return _error(answer, error, **found)


def _plain(answer: HttpAnswer) -> str | None:
    """Read a short plain text; a page of HTML is none."""
    text = answer.body[:400].decode("utf-8", "replace").strip()
    return None if not text or text.startswith("<") else said_by({"message": text})


def _refusal(answer: HttpAnswer, body: dict[str, Any]) -> SendError:
    said = said_by(body)
    if said is None and body.get("sent") is not False:
        return _error(answer, of_status(answer, ErrorKind.UNKNOWN, _DOUBTFUL), kind=ErrorKind.UNKNOWN)
    if said and _WRONG_TOKEN.search(said):
        found = _BY_STATUS[401]
        return _error(answer, of_status(answer, found["kind"], _TITLES[401]), **found)
    if answer.status == 404 and _NO_INSTANCE.search(said or ""):
        found = _BY_STATUS[403]
        return _error(answer, MessageError(title=_TITLES[404], message=said), **found)
    found = next((found for words, found in _BY_WORDS if words.search(said or "")), {"kind": ErrorKind.FINAL})
    return _error(answer, MessageError(title=_REFUSED, message=said or _REFUSED), **found)


def _error(answer: HttpAnswer, error: MessageError, *, kind: ErrorKind, **follows: Any) -> SendError:
    error.kind, error.retryable = kind, kind in RETRIED
    return SendError(kind=kind, error=error, retry_after=retry_after(answer), **follows)
