"""Status callbacks: steps in the life of what the business sent.

    MessageSid=SM…  MessageStatus=undelivered  To=whatsapp:+4477…  ErrorCode=63024?  ChannelStatusMessage=…?

Only the SID and the status are sure to be there; there is no time. Deliberately judges no order: callbacks
arrive in any, also before the answer to the request that sent the message.
"""

import re
from typing import Any, Final
from urllib.parse import parse_qsl

from models.message import MessageError
from models.values import MessageStatus
from providers.events import Event, Ignored, PreferenceChanged, StatusChanged
from providers.twilio.errors import UNSUBSCRIBED, error_of
from providers.twilio.parameters import MAX_PARAMETERS, Parameters
from providers.twilio.parties import party_of
from providers.twilio.routing import key_of, status_word

#: Twilio's word -> ours. The first four say no more than that Twilio has the message: our own `queued` and
#: `sending` come before that.
STATES: Final = {
    "accepted": MessageStatus.ACCEPTED,
    "scheduled": MessageStatus.ACCEPTED,
    "queued": MessageStatus.ACCEPTED,
    "sending": MessageStatus.ACCEPTED,
    "sent": MessageStatus.SENT,
    "partially_delivered": MessageStatus.SENT,
    "delivered": MessageStatus.DELIVERED,
    "read": MessageStatus.READ,
    "undelivered": MessageStatus.FAILED,
    "failed": MessageStatus.FAILED,
    "canceled": MessageStatus.CANCELED,
}
#: The query parameter of our StatusCallback URLs that holds our own id of the message; it is signed too.
CLIENT_REF: Final = "mid"

_FRAME: Final = frozenset(
    {"MessageSid", "SmsSid", "SmsMessageSid", "AccountSid", "From", "MessageStatus", "SmsStatus"}
    | {"ApiVersion", "ChannelPrefix"}
    # Of a callback that comes by GET it is a parameter like the others.
    | {CLIENT_REF}
)
_ERROR: Final = frozenset({"ErrorCode", "ErrorMessage", "ChannelStatusMessage"})
_CLIENT_REF = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def read_status(parameters: Parameters, path: str, sid: str, query: str) -> list[Event]:
    """Read a callback; a word we do not know is kept."""
    word = status_word(parameters) or ""
    state = STATES.get(word)
    party, told = party_of(parameters, "To")
    common: dict[str, Any] = {"account": key_of(parameters), "path": path, "key": f"s:{sid}:{word}"}
    if state is None:
        return [Ignored(**common, metadata=parameters.beyond(()), reason="unknown_status")]
    error = _error(parameters) if state is MessageStatus.FAILED else None
    changed = StatusChanged(
        **common,
        metadata=parameters.beyond(_FRAME | told | (_ERROR if error else frozenset())),
        provider_message_id=sid,
        status=state,
        provider_status=word,
        client_ref=client_ref(query),
        party=party if party.known else None,
        error=error,
    )
    return [changed, *_opt_out(changed, sid)]


def client_ref(query: str) -> str | None:
    """Find our own id in a callback's query; None for what we never wrote there."""
    try:
        pairs = parse_qsl(query, max_num_fields=MAX_PARAMETERS)
    except ValueError:
        return None
    found = next((value for name, value in pairs if name == CLIENT_REF), "")
    return found if _CLIENT_REF.fullmatch(found) else None


def _opt_out(changed: StatusChanged, sid: str) -> list[Event]:
    """Read from a refusal that the recipient has unsubscribed: the keyword itself may have come before we listened."""
    if changed.error is None or changed.error.code != UNSUBSCRIBED or changed.party is None:
        return []
    told: dict[str, Any] = {"account": changed.account, "path": changed.path, "key": f"p:{sid}:stop"}
    return [PreferenceChanged(**told, party=changed.party, category="all", value="stop")]


def _error(parameters: Parameters) -> MessageError | None:
    """Read why a message failed; the code may be empty, and the texts come only sometimes."""
    return error_of(
        parameters.text("ErrorCode"),
        message=parameters.text("ErrorMessage"),
        details=parameters.first_of("ChannelStatusMessage", "ChannelStatusCode"),
    )
