"""Why a message failed: Twilio's code, the texts that come with it only sometimes, and what the code means.

Vendor document: "Error and Warning Dictionary". Deliberately no advice here on sending again: a callback
reports, it does not decide.
"""

import re
from typing import Final

from models.message import MessageError

#: Where Twilio explains a code.
PAGE: Final = "https://www.twilio.com/docs/api/errors/"
#: Code -> what it means, for those that status callbacks of WhatsApp messages carry.
TITLES: Final = {
    "21610": "The recipient has unsubscribed",
    "21611": "The sender's queue is full",
    "30001": "The queue is full",
    "30002": "The account is suspended",
    "30003": "The recipient cannot be reached",
    "30004": "The message was blocked",
    "30005": "The recipient is unknown",
    "30006": "The recipient cannot receive messages",
    "30007": "The message was filtered",
    "30008": "Unknown error",
    "30036": "The message waited longer than it was valid",
    "30410": "The channel did not answer in time",
    "63001": "The channel could not authenticate the sender",
    "63002": "The sender is unknown to the channel",
    "63003": "The recipient is not on WhatsApp",
    "63005": "The channel did not accept the content",
    "63006": "The content could not be formatted for the channel",
    "63007": "No channel has this sender",
    "63008": "The channel is configured wrongly",
    "63009": "The channel's provider failed",
    "63010": "Twilio failed internally",
    "63011": "The request was not valid",
    "63012": "The channel's provider failed internally",
    "63013": "The message breaks a policy of the channel",
    "63014": "The recipient has blocked the business",
    "63015": "The recipient has not joined the sandbox",
    "63016": "Outside the 24-hour window only templates may be sent",
    "63017": "The account sends too fast",
    "63018": "The sender is over a limit of the channel",
    "63019": "The file could not be downloaded",
    "63020": "Meta reports a problem of the business account",
    "63021": "The content is not valid for the channel",
    "63022": "The display name's certificate is not valid",
    "63023": "The channel reports an error",
    "63024": "The recipient is not valid",
    "63025": "The file exists already",
    "63026": "The message was taken for spam",
    "63027": "The template does not exist in this language",
    "63028": "The template takes another number of parameters",
    "63029": "The recipient could not load the template",
    "63030": "A parameter does not fit this kind of message",
    "63031": "Sender and recipient are the same",
    "63032": "WhatsApp limits messages to this recipient",
    "63033": "The recipient is blocked",
    "63034": "The file is too large",
    "63037": "The file could not be uploaded",
    "63038": "The account is over its limit for the day",
    "63039": "Meta has warned the business's page",
    "63040": "The template was rejected",
    "63041": "The template is paused",
    "63042": "The template is disabled",
    "63049": "Meta chose not to deliver this marketing message",
    "63050": "The recipient has stopped marketing messages",
    "63051": "The sender is locked or no longer registered",
    "63062": "The terms for marketing messages are not accepted",
}

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
