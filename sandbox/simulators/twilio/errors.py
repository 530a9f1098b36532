"""Twilio's REST errors by code (documentation: "Error and warning dictionary").

Deliberately only what the simulator says, or is ordered to say.
"""

from collections.abc import Mapping
from typing import Any

#: Code -> HTTP status and message.
ERRORS: Mapping[str, tuple[int, str]] = {
    "20001": (400, "Unknown parameters"),
    "20003": (401, "Authenticate"),
    "20404": (404, "The requested resource was not found"),
    "20429": (429, "Too Many Requests"),
    "20500": (500, "Internal Server Error"),
    "20503": (503, "Service Unavailable"),
    "21211": (400, "Invalid 'To' Phone Number"),
    "21212": (400, "Invalid 'From' Phone Number"),
    "21602": (400, "Message body is required"),
    "21603": (400, "A 'From' or 'MessagingServiceSid' parameter is required"),
    "21604": (400, "A 'To' phone number is required"),
    "21610": (400, "Attempt to send to unsubscribed recipient"),
    "21611": (429, "This 'From' number has exceeded the maximum number of queued messages"),
    "21617": (400, "The concatenated message body exceeds the character limit"),
    "21620": (400, "Invalid media URL(s)"),
    "21623": (400, "Number of media files exceeds allowed limit"),
    "21655": (400, "The ContentSid is invalid"),
    "21656": (400, "The ContentVariables parameter is invalid"),
    "63007": (400, "Twilio could not find a Channel with the specified From address"),
}
UNLISTED = (400, "Error")
#: What is told in a callback beside the code.
CHANNEL_WORDS: Mapping[str, str] = {
    "63016": "Message outside of the allowed window",
    "63018": "Rate limit exceeded for channel",
    "63024": "Recipient is not a valid WhatsApp user",
}


def status_of(code: str) -> int:
    """Return the HTTP status of an error."""
    return ERRORS.get(code, UNLISTED)[0]


def body(code: str, status: int | None = None) -> dict[str, Any]:
    """Return the body of an error."""
    usual, message = ERRORS.get(code, UNLISTED)
    more = f"https://www.twilio.com/docs/errors/{code}"
    return {"code": int(code), "message": message, "more_info": more, "status": status or usual}
