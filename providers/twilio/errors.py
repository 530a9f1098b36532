"""Why a message failed: Twilio's code, the texts that come with it only sometimes, and what follows from the code.

Vendor document: "Error and Warning Dictionary". One table serves the answer to a send and the callbacks that come
later; the code decides, not the HTTP status. Deliberately no reading of answers: that is
`providers.twilio.outbound.verdicts`.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from models.message import MessageError
from models.whatsapp_config import HealthState
from providers.outbound import ErrorKind, Throttle

#: The recipient has sent STOP, and nothing reaches them until they send START.
UNSUBSCRIBED: Final = "21610"
#: Where Twilio explains a code.
PAGE: Final = "https://www.twilio.com/docs/api/errors/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequence:
    """What follows from a group of codes; the fields are those of `SendError`."""

    kind: ErrorKind
    throttle: Throttle | None = None
    tries: int | None = None
    health: HealthState | None = None
    #: How long to wait where Twilio says nothing.
    wait: timedelta | None = None
    window_closed: bool = False


FINAL: Final = Consequence(kind=ErrorKind.FINAL)
WINDOW_CLOSED: Final = Consequence(kind=ErrorKind.FINAL, window_closed=True)
RETRYABLE: Final = Consequence(kind=ErrorKind.RETRYABLE)
ONCE_MORE: Final = Consequence(kind=ErrorKind.RETRYABLE, tries=2)
UNKNOWN: Final = Consequence(kind=ErrorKind.UNKNOWN)
FAST_NUMBER: Final = Consequence(kind=ErrorKind.THROTTLED, throttle=Throttle.NUMBER)
FAST_ACCOUNT: Final = Consequence(kind=ErrorKind.THROTTLED, throttle=Throttle.ACCOUNT)
FULL_QUEUE: Final = Consequence(kind=ErrorKind.THROTTLED, throttle=Throttle.NUMBER, wait=timedelta(minutes=1))
OVER_QUOTA: Final = Consequence(kind=ErrorKind.THROTTLED, throttle=Throttle.ACCOUNT, wait=timedelta(hours=1))
AUTH_ERROR: Final = Consequence(kind=ErrorKind.OURS, health=HealthState.AUTH_ERROR)
PAUSED: Final = Consequence(kind=ErrorKind.OURS, health=HealthState.PAUSED)
RESTRICTED: Final = Consequence(kind=ErrorKind.OURS, health=HealthState.RESTRICTED)

#: Consequence -> code -> what it means.
_GROUPS: Final[tuple[tuple[Consequence, dict[str, str]], ...]] = (
    (
        AUTH_ERROR,
        {
            "20003": "Twilio does not accept the account's credentials",
            "20006": "Twilio denies access",
            "63001": "The channel could not authenticate the sender",
        },
    ),
    (
        RESTRICTED,
        {
            "20005": "The account is not active",
            "30002": "The account is suspended",
            "63020": "Meta reports a problem of the business account",
            "63051": "The sender is locked or no longer registered",
        },
    ),
    (
        PAUSED,
        {
            # The address of a send holds nothing that could be missing but the account itself.
            "20404": "Twilio knows no such account",
            "21212": "The sender is not valid",
            "21601": "The sender cannot send messages",
            "21603": "The account has neither a sender nor a messaging service",
            "21701": "The messaging service does not exist",
            "21702": "The messaging service is not available",
            "21703": "The messaging service has no sender",
            "21704": "The messaging service is empty",
            "21705": "The messaging service is not valid",
            "30024": "The sender is not provisioned",
            "30028": "The version of the API is not valid",
            "30032": "The sender is not verified",
            "30034": "The sender is not registered",
            "63002": "The sender is unknown to the channel",
            "63007": "No channel has this sender",
            "63008": "The channel is configured wrongly",
            "63022": "The display name's certificate is not valid",
            "63039": "Meta has warned the business's page",
        },
    ),
    (FAST_ACCOUNT, {"20429": "Too many requests at once", "63017": "The account sends too fast"}),
    (
        FAST_NUMBER,
        {
            "30022": "The sender is over the rate of its campaign",
            "63018": "The sender is over a limit of the channel",
        },
    ),
    (FULL_QUEUE, {"21611": "The sender's queue is full", "30001": "The queue is full"}),
    (
        OVER_QUOTA,
        {
            "30023": "The sender is over its limit for the day",
            "30027": "The sender is over its carrier's limit for the day",
            "60728": "The account is over its limit for the hour",
            "63038": "The account is over its limit for the day",
        },
    ),
    (
        RETRYABLE,
        {
            "20500": "Twilio failed internally",
            "20503": "Twilio is not available",
            "30017": "The carrier is congested",
            "30020": "Twilio's scheduling failed",
            "30021": "The messaging service failed",
            "30410": "The channel did not answer in time",
            "63009": "The channel's provider failed",
            "63010": "Twilio failed internally",
            "63012": "The channel's provider failed internally",
        },
    ),
    (
        ONCE_MORE,
        {
            "20409": "Another request changed the same thing",
            "30003": "The recipient cannot be reached",
            "30008": "Unknown error",
            "30036": "The message waited longer than it was valid",
            "63019": "The file could not be downloaded",
            "63023": "The channel reports an error",
            "63025": "The file exists already",
            "63029": "The recipient could not load the template",
            "63037": "The file could not be uploaded",
        },
    ),
    (WINDOW_CLOSED, {"63016": "Outside the 24-hour window only templates may be sent"}),
    # Twilio sends the message all the same, and says so nowhere in the error.
    (UNKNOWN, {"21609": "The address for status callbacks is not valid"}),
    (
        FINAL,
        {
            "20001": "The request has unknown parameters",
            "20004": "The method is not allowed",
            "20413": "The request is too large",
            "20422": "A parameter is not valid",
            "21211": "The recipient is not valid",
            "21214": "The recipient cannot be reached",
            # Configuration, but of some messages only: a pause would hold up all the others.
            "21408": "The account may not send to this region",
            "21602": "The message has no content",
            "21604": "The message has no recipient",
            "21606": "The sender cannot send to this recipient",
            "21608": "A trial account sends to verified recipients only",
            UNSUBSCRIBED: "The recipient has unsubscribed",
            "21612": "This sender cannot reach this recipient",
            "21614": "The recipient is not a mobile number",
            "21617": "The text is longer than 1600 characters",
            "21618": "The text cannot be sent",
            "21619": "The message could not be created",
            "21620": "The address of the file is not valid",
            "21623": "The message has too many files",
            "21624": "The validity period is not valid",
            "21654": "The template is missing",
            "21655": "The template's id is not valid",
            "21656": "The template's variables are not valid",
            "30004": "The message was blocked",
            "30005": "The recipient is unknown",
            "30006": "The recipient cannot receive messages",
            "30007": "The message was filtered",
            "30009": "A part of the message is missing",
            "30010": "The message costs more than allowed",
            "30011": "The region does not support files",
            "30012": "The message's validity is too short",
            "30013": "The message's validity is too long",
            "30014": "The recipient's attributes are not valid",
            "30015": "The channel is not supported",
            "30016": "Sender and recipient are on different channels",
            "30018": "The sender must be registered first",
            "30019": "The content is too large for the carrier",
            "30029": "The setting for keeping contents is not valid",
            "30030": "The setting for keeping addresses is not valid",
            "30031": "The rate is not valid",
            "30409": "The message cannot be canceled",
            "63003": "The recipient is not on WhatsApp",
            "63005": "The channel did not accept the content",
            "63006": "The content could not be formatted for the channel",
            "63011": "The request was not valid",
            "63013": "The message breaks a policy of the channel",
            "63014": "The recipient has blocked the business",
            "63015": "The recipient has not joined the sandbox",
            "63021": "The content is not valid for the channel",
            "63024": "The recipient is not valid",
            "63026": "The message was taken for spam",
            "63027": "The template does not exist in this language",
            "63028": "The template takes another number of parameters",
            "63030": "A parameter does not fit this kind of message",
            "63031": "Sender and recipient are the same",
            "63032": "WhatsApp limits messages to this recipient",
            "63033": "The recipient is blocked",
            "63034": "The file is too large",
            "63040": "The template was rejected",
            "63041": "The template is paused",
            "63042": "The template is disabled",
            "63049": "Meta chose not to deliver this marketing message",
            "63050": "The recipient has stopped marketing messages",
            "63062": "The terms for marketing messages are not accepted",
        },
    ),
)

#: Code -> what follows from it. Of a code that is not here nothing is known: it is shown as it is, and not repeated.
CONSEQUENCES: Final = {code: consequence for consequence, titles in _GROUPS for code in titles}
#: Code -> what it means.
TITLES: Final = {code: title for _, titles in _GROUPS for code, title in titles.items()}

_CODE = re.compile(r"[1-9][0-9]{0,9}")


def error_of(code: str | None, *, message: str | None, details: str | None) -> MessageError | None:
    """Put together what is known of a failure; None where that is nothing."""
    if not code and not message and not details:
        return None
    return MessageError(
        code=code,
        title=TITLES.get(code or ""),
        message=message or details,
        details=details if message else None,
        href=f"{PAGE}{code}" if code and _CODE.fullmatch(code) else None,
    )
