"""What Meta's error codes mean for a message, an account and the person who wrote.

Vendor document: "Cloud API: Error codes". The code decides, never the HTTP status: throttles come as 400. Where
Meta's own advice depends on what is sent, the reason stands beside the row. Deliberately reads no answer.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from models.whatsapp_config import HealthState
from providers.outbound import ErrorKind, Throttle


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What follows from a code."""

    kind: ErrorKind
    #: What the reader can do, where Meta gives no details.
    hint: str
    #: Tries in all that are worth it; None: the schedule decides.
    tries: int | None = None
    throttle: Throttle | None = None
    health: HealthState | None = None
    window_closed: bool = False
    #: How long it lasts as a rule, where the answer does not say.
    wait: timedelta | None = None


def _final(hint: str, *, window_closed: bool = False) -> Meaning:
    return Meaning(kind=ErrorKind.FINAL, hint=hint, window_closed=window_closed)


def _again(hint: str, *, tries: int | None = None, wait: timedelta | None = None) -> Meaning:
    return Meaning(kind=ErrorKind.RETRYABLE, hint=hint, tries=tries, wait=wait)


def _slower(throttle: Throttle, hint: str, *, wait: timedelta | None = None) -> Meaning:
    return Meaning(kind=ErrorKind.THROTTLED, hint=hint, throttle=throttle, wait=wait)


def _ours(health: HealthState, hint: str) -> Meaning:
    return Meaning(kind=ErrorKind.OURS, hint=hint, health=health)


_AUTH: Final = HealthState.AUTH_ERROR
_PAUSED: Final = HealthState.PAUSED
_RESTRICTED: Final = HealthState.RESTRICTED
_MINUTE: Final = timedelta(minutes=1)

_GRANT: Final = "The access token lacks a permission. Grant it again in Meta Business Manager."
_RENEW: Final = "The access token is no longer valid. Give the account a new one."
_PAYMENT: Final = "Meta reports a problem with the payment method. Put it right in Meta Business Manager."
_TEMPLATE: Final = "The template and the values given do not fit. Compare them with the template's definition."
_BUSY: Final = "WhatsApp is not available at the moment. The message is tried again."
_FLOW: Final = "The flow cannot be used now. Look at it in WhatsApp Manager."
_DEFINITION: Final = "Meta does not accept the template's definition. Change its texts or variables."

#: The whole of a code's range.
PERMISSIONS: Final = range(200, 300)
PERMISSION: Final = _ours(_AUTH, _GRANT)

#: (code, subcode) -> what it means, where the subcode makes another thing of the code.
SUBCODES: Final[dict[tuple[int, int], Meaning]] = {
    # The object of a send is the sender's number itself, so that every message of it would fail alike.
    (100, 33): _ours(_PAUSED, "The number does not exist at Meta, or the token may not use it. Check the account."),
}

MEANINGS: Final[dict[int, Meaning]] = {
    # Authorisation and integrity.
    0: _ours(_AUTH, _RENEW),
    3: _ours(_AUTH, _GRANT),
    10: _ours(_AUTH, _GRANT),
    190: _ours(_AUTH, _RENEW),
    131005: _ours(_AUTH, _GRANT),
    368: _ours(_RESTRICTED, "Meta has restricted the account for breaking a policy. See WhatsApp Manager."),
    131031: _ours(_RESTRICTED, "Meta has locked the account. See WhatsApp Manager."),
    131037: _ours(_PAUSED, "The number's display name is not approved yet. See WhatsApp Manager."),
    131042: _ours(_PAUSED, _PAYMENT),
    131044: _ours(_PAUSED, _PAYMENT),
    131045: _ours(_PAUSED, "The number's registration is faulty. Register it again."),
    133006: _ours(_PAUSED, "The number must be verified again before it can send."),
    133010: _ours(_PAUSED, "The number is not registered with the Cloud API. Register it."),
    33: _ours(_PAUSED, "The number does not exist at Meta any more. Check the account."),
    # Throttling: costs no attempt.
    4: _slower(Throttle.ACCOUNT, "Too many calls of the app. The message waits."),
    17: _slower(Throttle.ACCOUNT, "Too many calls of the user. The message waits."),
    32: _slower(Throttle.ACCOUNT, "Too many calls of the page. The message waits."),
    613: _slower(Throttle.ACCOUNT, "Too many calls. The message waits."),
    80007: _slower(Throttle.ACCOUNT, "Too many calls to the business account. The message waits."),
    130429: _slower(Throttle.NUMBER, "The number sends faster than Meta allows. The message waits."),
    131048: _slower(
        Throttle.NUMBER,
        "Meta limits the number because customers blocked or reported it. See its quality in WhatsApp Manager.",
        wait=timedelta(hours=1),
    ),
    131056: _slower(Throttle.PAIR, "Too many messages to this customer in a short time. The message waits."),
    131064: _slower(
        Throttle.NUMBER,
        "Meta limits the number because templates are in a wrong category. Correct the categories.",
        wait=timedelta(hours=1),
    ),
    131208: _slower(Throttle.NUMBER, "Too many operations on groups. The message waits."),
    133016: _slower(Throttle.ACCOUNT, "Too many registrations of the number.", wait=timedelta(hours=1)),
    # Meta's own troubles: it says that it did not send.
    1: _again("Meta could not handle the request. It is tried a few times.", tries=3),
    2: _again(_BUSY),
    131000: _again("Something went wrong at Meta. The message is tried a few times.", tries=3),
    131016: _again(_BUSY),
    131057: _again("The number is being moved to a higher throughput. The message is tried again.", wait=_MINUTE),
    133000: _again("The number is being deregistered. The message is tried again."),
    133004: _again(_BUSY),
    133015: _again("The number was deleted a moment ago. The message is tried again.", wait=5 * _MINUTE),
    134101: _again("The template is still being prepared. The message is tried again.", wait=5 * _MINUTE),
    2494100: _again("The number is under maintenance. The message is tried again.", wait=_MINUTE),
    # Ten an hour: a wait, but of this flow's messages alone, so that the number is not slowed.
    132069: _again("The flow is throttled. The message is tried again.", wait=10 * _MINUTE),
    131014: _again("Meta could not fetch the file from its link.", tries=3),
    131053: _again("Meta could not take the file. Check that its type and content agree.", tries=2),
    # The message, as it is.
    100: _final("Meta does not accept a value of the message."),
    1026: _final("The customer's WhatsApp cannot show this kind of message. Send another kind."),
    131008: _final("Meta misses a value of the message."),
    131009: _final("Meta does not accept a value of the message."),
    131021: _final("Sender and recipient are the same number."),
    131047: _final(
        "More than 24 hours have passed since the customer wrote. Only a template can be sent.",
        window_closed=True,
    ),
    131051: _final("WhatsApp does not support this type of message."),
    131052: _final("The customer's file could not be downloaded. Ask for it again."),
    131055: _final("This kind of message may not be sent in this way."),
    131062: _final("This message needs the customer's phone number, which is not known. Ask for it."),
    # A matter of marketing templates alone: pausing the account would stop everything else.
    131063: _final("Marketing templates cannot be sent in this way from this account."),
    134011: _final("The terms for payments are not accepted."),
    134100: _final("Only marketing templates can be sent in this way."),
    134102: _final("Marketing messages are not available to this account."),
    135000: _final("Meta does not accept the message."),
    # The recipient.
    130403: _final("The business has blocked this customer. Unblock them to write."),
    130472: _final("Meta holds marketing messages to this customer back. Use another way."),
    130497: _final("The business may not write to customers in this country."),
    131026: _final("The customer cannot be reached: no WhatsApp, an old version, or terms not accepted."),
    131030: _final("The test number may write to listed numbers only. Add the customer to the list."),
    # Meta advises a day's wait at least, and rather to leave it: the decision is a person's.
    131049: _final("Meta did not deliver this, to spare the customer. Do not send it again within 24 hours."),
    131050: _final("The customer has stopped marketing messages from this business."),
    137000: _final("The customer's identity has changed. Verify who it is."),
    # Templates and flows.
    132000: _final(_TEMPLATE),
    132001: _final("The template does not exist in this language, or is not approved."),
    132005: _final("The text becomes too long once the values are filled in."),
    132007: _final("The content breaks a policy of WhatsApp."),
    132008: _final(_TEMPLATE),
    132012: _final(_TEMPLATE),
    # Pauses last three hours, then six: a template sent so late may not be meant any more.
    132015: _final("The template is paused for its quality. Send it again when it is reinstated, or use another."),
    132016: _final("The template is disabled for good. Use another."),
    132018: _final("A value has a line break, a tab or too many spaces."),
    132068: _final(_FLOW),
    139000: _final(_FLOW),
    139001: _final(_FLOW),
    139002: _final(_FLOW),
    139003: _final(_FLOW),
    139004: _final(_FLOW),
    139200: _final("Direct sending is blocked for this account."),
    # Templates being made.
    2388019: _final("The business account has as many templates as it may."),
    **dict.fromkeys((2388039, 2388040, 2388047, 2388072, 2388073, 2388293, 2388299), _final(_DEFINITION)),
    # Groups.
    131020: _final("The group has no other member."),
    131041: _final("The group is not known."),
    131059: _final("The position in the list is not known."),
    131207: _final("The group is suspended."),
    131209: _final("The group does not allow this."),
    # Block list.
    139100: _final("Meta did not change its block list."),
    139101: _final("Meta's block list is full."),
    139102: _again("Meta's block list is being changed. It is tried again."),
    139103: _again("Meta could not change its block list. It is tried again."),
}

#: Of a code we do not know: shown as it is, and a person decides.
UNKNOWN_CODE: Final = _final("WhatsApp gives a reason we do not know.")
#: The same, where Meta itself calls it transient.
TRANSIENT: Final = _again(_BUSY)
#: The same, where the answer says that something broke at Meta.
BROKEN: Final = _again("Something went wrong at Meta. The message is tried a few times.", tries=3)
#: The same, where a go-between may have answered in Meta's place.
DOUBTFUL: Final = Meaning(kind=ErrorKind.UNKNOWN, hint="Nobody knows whether WhatsApp did it.")


def meaning_of(
    code: int, *, subcode: int | None, transient: bool = False, otherwise: Meaning = UNKNOWN_CODE
) -> Meaning:
    """Look a code up; `otherwise` is what one means that is not in the tables, unless Meta calls it transient."""
    found = SUBCODES.get((code, subcode or 0)) or MEANINGS.get(code)
    if found is None and code in PERMISSIONS:
        return PERMISSION
    return found or (TRANSIENT if transient else otherwise)
