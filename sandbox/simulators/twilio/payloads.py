"""The parameters of Twilio's webhooks (documentation: "Messaging webhooks", "Track the message status").

Pure builders; every value is a string. Media lie on the simulator itself, so that nobody is sent to a real host.
"""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sandbox.simulators import files
from sandbox.simulators.scribe import Progress, Turn
from sandbox.simulators.stories import Person, somewhere
from sandbox.simulators.twilio import errors

Parameters = dict[str, str]

API_VERSION = "2010-04-01"
#: Kinds of steps that bring files, with Twilio's word for each and the files' media types.
FILES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "image": ("image", ("image/jpeg",)),
    "album": ("image", ("image/jpeg", "image/jpeg")),
    "voice": ("audio", ("audio/ogg",)),
    "document": ("document", ("application/pdf",)),
    "card": ("contacts", ("text/vcard",)),
}
#: What is told of a status beside its word.
EVENT_TYPES = {"delivered": "DELIVERED", "read": "READ", "undelivered": "UNDELIVERED", "failed": "UNDELIVERED"}
#: Why messages fail here: the recipient cannot be reached on WhatsApp.
UNREACHABLE = "63024"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """The account and number the webhooks are for, and where the media of its customers lie."""

    account_sid: str
    #: E.164.
    number: str
    media_host: str


def sid(prefix: str, chance: random.Random) -> str:
    """Return a fresh id: two letters and 32 hex digits."""
    return f"{prefix}{chance.getrandbits(128):032x}"


def _media_sid(media_type: str, chance: random.Random) -> str:
    """Return a fresh id whose last digit tells what it stands for."""
    return f"{sid('ME', chance)[:-1]}{files.kind_number(media_type):x}"


def address(person: Person) -> str:
    """Return a customer's address: the number, or the business-scoped id of who hides it."""
    return f"whatsapp:+{person.number}" if person.number else f"whatsapp:{person.user_id}"


def inbound(sender: Sender, turn: Turn, message_sid: str) -> Parameters:
    """Return the parameters of a customer's message."""
    said = CONTENT[turn.step.kind](sender, turn)
    media = _files(f"{sender.media_host}/{API_VERSION}/Accounts/{sender.account_sid}/Messages/{message_sid}", turn)
    return {
        **_message(sender, message_sid),
        "SmsMessageSid": message_sid,
        "SmsStatus": "received",
        "From": address(turn.person),
        "To": f"whatsapp:{sender.number}",
        "NumMedia": "0",
        "NumSegments": "1",
        "ReferralNumMedia": "0",
        **_profile(turn.person),
        **said,
        **media,
        "ChannelMetadata": _metadata(turn.person),
    }


def callback(sender: Sender, progress: Progress) -> Parameters:
    """Return the parameters of a status callback; the ends are those of the message, so reversed."""
    state = progress.state
    event = {"EventType": EVENT_TYPES[state]} if state in EVENT_TYPES else {}
    return {
        **_message(sender, progress.message_id),
        "MessageStatus": state,
        "SmsStatus": state,
        "From": f"whatsapp:{sender.number}",
        "To": address(progress.person),
        "ChannelPrefix": "whatsapp",
        **event,
        **(_why(progress.code or UNREACHABLE) if state in {"undelivered", "failed"} else {}),
    }


def media_file(media_sid: str) -> tuple[str, bytes]:
    """Return media type and bytes of what a media id stands for, the same at any time."""
    return files.by_number(int(media_sid[-1], 16), f"demo media {media_sid}")


def _why(code: str) -> Parameters:
    return {"ErrorCode": code, "ChannelStatusMessage": errors.CHANNEL_WORDS.get(code, "Failed")}


def _message(sender: Sender, message_sid: str) -> Parameters:
    ids = dict.fromkeys(("MessageSid", "SmsSid"), message_sid)
    return {**ids, "AccountSid": sender.account_sid, "ApiVersion": API_VERSION}


def _profile(person: Person) -> Parameters:
    """Tell who it is: a name always, the number and the business-scoped id where there are any."""
    told = {
        "ProfileName": person.name,
        "WaId": person.number,
        "ExternalUserId": f"whatsapp:{person.user_id}" if person.user_id else "",
    }
    return {name: value for name, value in told.items() if value}


def _metadata(person: Person) -> str:
    context = {name: value for name, value in _profile(person).items() if name in {"ProfileName", "WaId"}}
    return json.dumps({"type": "whatsapp", "data": {"context": context}}, separators=(",", ":"))


def _text(_sender: Sender, turn: Turn) -> Parameters:
    return {"Body": turn.step.words, "MessageType": "text"}


def _forward(sender: Sender, turn: Turn) -> Parameters:
    return {**_text(sender, turn), "Forwarded": "true"}


def _reply(sender: Sender, turn: Turn) -> Parameters:
    return {**_text(sender, turn), **_original(sender, turn)}


def _button(sender: Sender, turn: Turn) -> Parameters:
    payload = turn.step.words.lower().replace(" ", "_")
    pressed = {"ButtonText": turn.step.words, "ButtonPayload": payload}
    return {"Body": turn.step.words, "MessageType": "button", **pressed, **_original(sender, turn)}


def _original(sender: Sender, turn: Turn) -> Parameters:
    """Name the message that was answered, if it is known."""
    if turn.refers_to is None:
        return {}
    return {
        "OriginalRepliedMessageSid": turn.refers_to,
        "OriginalRepliedMessageSender": f"whatsapp:{sender.number}",
    }


def _location(_sender: Sender, turn: Turn) -> Parameters:
    latitude, longitude = somewhere(turn.chance)
    pin = {"Body": "", "MessageType": "location", "Latitude": str(latitude), "Longitude": str(longitude)}
    return {**pin, **({"Label": turn.step.words, "Address": "Harbour Row"} if turn.step.words else {})}


def _captioned(_sender: Sender, turn: Turn) -> Parameters:
    word, media_types = FILES[turn.step.kind]
    return {"Body": turn.step.words, "MessageType": word, "NumMedia": str(len(media_types))}


def _files(message_url: str, turn: Turn) -> Parameters:
    """Tell where the files are, if the step brings any."""
    told: Parameters = {}
    _, media_types = FILES.get(turn.step.kind, ("", ()))
    for index, media_type in enumerate(media_types):
        told[f"MediaContentType{index}"] = media_type
        told[f"MediaUrl{index}"] = f"{message_url}/Media/{_media_sid(media_type, turn.chance)}"
    return told


#: Kind of a step to the parameters that tell it.
CONTENT: Mapping[str, Callable[[Sender, Turn], Parameters]] = {
    "text": _text,
    "forward": _forward,
    "reply": _reply,
    "button": _button,
    "location": _location,
    **dict.fromkeys(FILES, _captioned),
}
