"""What an answer of Twilio's means: a receipt, or an error with what follows from it.

    201 {"sid": "SM…", "status": "queued", "to": "whatsapp:+4477…", "error_code": null, …}
    400 {"code": 21211, "message": "…", "more_info": "https://www.twilio.com/docs/errors/21211", "status": 400}

The code decides; a status of 5xx says only that nobody knows whether the message was taken. Deliberately no table of
codes here: `providers.twilio.errors` has the one.
"""

from typing import Any, Final

from models.message import MessageError
from models.values import MessageStatus
from providers import wire
from providers.answers import RETRIED, json_object, of_status, retry_after, shown
from providers.outbound import ErrorKind, Receipt, SendError
from providers.twilio.errors import (
    AUTH_ERROR,
    CONSEQUENCES,
    FAST_ACCOUNT,
    FINAL,
    RETRYABLE,
    UNKNOWN,
    Consequence,
    error_of,
)
from providers.twilio.parties import bare
from providers.twilio.statuses import STATES
from runtime.calls import HttpAnswer

#: Status -> what follows, and why, where an answer has no code. Twilio gives one with every 4xx; what has none was
#: made on the way, and never came to it.
_BY_STATUS: Final = {
    401: (AUTH_ERROR, "Twilio does not accept the account's credentials"),
    429: (FAST_ACCOUNT, "Too many requests at once"),
}
_ON_THE_WAY: Final = (RETRYABLE, "Something between us and Twilio refused the request")
_DOUBTFUL: Final = (UNKNOWN, "Twilio's answer does not say whether the message was taken")


#: Twilio's own id of a call, for its support.
_REQUEST_ID: Final = "twilio-request-id"


def judge(answer: HttpAnswer) -> Receipt | SendError:
    """Read the answer to a send."""
    body = json_object(answer)
    if not 200 <= answer.status < 300:
        return refusal(answer)
    sid = wire.text(body.get("sid")) if body else None
    if not body or not sid:
        return _without_words(answer, *_DOUBTFUL)
    word = (wire.text(body.get("status")) or "").lower()
    if STATES.get(word) is MessageStatus.FAILED:
        return _made(CONSEQUENCES.get(wire.text(body.get("error_code")) or "", FINAL), _told(body), answer)
    return _receipt(answer, body, sid, word)


def refusal(answer: HttpAnswer) -> SendError:
    """Read an answer that is no success, to whatever call."""
    body = json_object(answer)
    code = wire.text(body.get("code")) if body else None
    if body and code:
        return _made(_refusing(code, answer), _told(body), answer)
    usual = _ON_THE_WAY if 400 <= answer.status < 500 else _DOUBTFUL
    return _without_words(answer, *_BY_STATUS.get(answer.status, usual))


def followed_by(error: MessageError) -> SendError | None:
    """Say what follows from an error that a callback told."""
    found = CONSEQUENCES.get(error.code or "")
    return _made(found, error) if found else None


def _refusing(code: str, answer: HttpAnswer) -> Consequence:
    """Find what a code means; where something broke inside Twilio, only a plain word on the message is believed."""
    found = CONSEQUENCES.get(code)
    if answer.status < 500:
        return found or FINAL
    return UNKNOWN if found is None or found.kind is ErrorKind.RETRYABLE else found


def _receipt(answer: HttpAnswer, body: dict[str, Any], sid: str, word: str) -> Receipt:
    to = bare(wire.text(body.get("to")))
    phone = wire.phone(to)
    return Receipt(
        provider_message_id=sid,
        status=STATES.get(word, MessageStatus.ACCEPTED),
        provider_status=word or None,
        phone=phone,
        user_id=None if phone else to,
        request_id=shown(answer.headers.get(_REQUEST_ID)),
    )


def _told(body: dict[str, Any]) -> MessageError:
    """Read code and words, of a refusal or of a message that has failed."""
    code = wire.text(body.get("code")) or wire.text(body.get("error_code"))
    said = shown(body.get("message")) or shown(body.get("error_message"))
    return error_of(code, message=said, details=shown(body.get("details"))) or MessageError()


def _without_words(answer: HttpAnswer, found: Consequence, title: str) -> SendError:
    return _made(found, of_status(answer, found.kind, title), answer)


def _made(found: Consequence, error: MessageError, answer: HttpAnswer | None = None) -> SendError:
    error.kind, error.retryable = found.kind, found.kind in RETRIED
    return SendError(
        kind=found.kind,
        error=error,
        retry_after=(retry_after(answer) if answer else None) or found.wait,
        throttle=found.throttle,
        tries=found.tries,
        health=found.health,
        window_closed=found.window_closed,
        request_id=shown(answer.headers.get(_REQUEST_ID)) if answer else None,
    )
