"""Graph API errors by code (documentation: "Cloud API error codes").

Deliberately only what the simulator says, or is ordered to say.
"""

import secrets
from collections.abc import Mapping
from typing import Any

#: Code -> HTTP status, message, details.
ERRORS: Mapping[str, tuple[int, str, str]] = {
    "1": (400, "An unknown error occurred", ""),
    "2": (503, "Service temporarily unavailable", ""),
    "4": (400, "Application request limit reached", ""),
    "10": (403, "Application does not have permission for this action", ""),
    "33": (400, "Parameter value is not valid", "The business phone number has been deleted."),
    "100": (400, "Invalid parameter", ""),
    "190": (401, "Invalid OAuth access token - Cannot parse access token", ""),
    "200": (403, "You do not have the necessary permissions", ""),
    "368": (403, "Temporarily blocked for policies violations", ""),
    "80007": (400, "There have been too many calls to this WhatsApp Business account. Wait a bit and try again.", ""),
    "130403": (403, "User is blocked", "The business has blocked this user."),
    "130429": (400, "Rate limit hit", "Cloud API message throughput has been reached."),
    "131000": (500, "Something went wrong", ""),
    "131005": (403, "Access denied", ""),
    "131008": (400, "Required parameter is missing", ""),
    "131009": (400, "Parameter value is not valid", ""),
    "131016": (500, "Service unavailable", ""),
    "131021": (400, "Recipient cannot be sender", "The recipient's number is that of the sender."),
    "131026": (400, "Message undeliverable", "The recipient may not be on WhatsApp, or uses an old version."),
    "131031": (403, "Business account locked", ""),
    "131042": (400, "Business eligibility payment issue", "There was an error with the payment method."),
    "131047": (
        400,
        "Re-engagement message",
        "Message failed to send because more than 24 hours have passed since the customer last replied to this number.",
    ),
    "131048": (400, "Spam rate limit hit", "Too many of your messages were blocked or flagged as spam."),
    "131049": (400, "Not delivered to maintain healthy ecosystem engagement", ""),
    "131051": (400, "Unsupported message type", ""),
    "131053": (400, "Media upload error", "The file could not be fetched or is not of the declared type."),
    "131056": (
        400,
        "(Business Account, Consumer Account) pair rate limit hit",
        "Too many messages from this phone number to the same phone number in a short period of time.",
    ),
    "131057": (500, "Account in maintenance mode", ""),
    "132000": (400, "Number of parameters does not match the expected number of params", ""),
    "132001": (404, "Template name does not exist in the translation", ""),
    "132012": (400, "Parameter format does not match format in the created template", ""),
    "132015": (400, "Template is paused", ""),
    "139100": (400, "Failed to block/unblock users", "Failed to block some users, see the block_users response list"),
}
#: What is told of a code that is not listed.
UNLISTED = (400, "Error", "")
WORDS_URL = "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/"


def status_of(code: str) -> int:
    """Return the HTTP status of an error."""
    return ERRORS.get(code, UNLISTED)[0]


def body(code: str, details: str = "", **more: Any) -> dict[str, Any]:
    """Return the body of an error."""
    _, message, usual = ERRORS.get(code, UNLISTED)
    details = details or usual
    data = {"error_data": {"messaging_product": "whatsapp", "details": details}} if details else {}
    error = {
        "message": message if code == "190" else f"(#{code}) {message}",
        "type": "OAuthException",
        "code": int(code),
        **more,
        **data,
        "fbtrace_id": f"A{secrets.token_hex(11)}",
    }
    return {"error": error}


def in_status(code: str) -> dict[str, Any]:
    """Return an error as a status tells it."""
    _, message, details = ERRORS.get(code, UNLISTED)
    return {
        "code": int(code),
        "title": message,
        "message": message,
        "error_data": {"details": details or message},
        "href": WORDS_URL,
    }
