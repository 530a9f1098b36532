"""The shapes of Meta's webhook (documentation: "messages webhook reference", "smb_message_echoes").

Pure builders. Deliberately without `url` in media: the demo never sends anybody to a real host.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sandbox.simulators.scribe import Json, Progress, Turn
from sandbox.simulators.stories import Person, somewhere


@dataclass(frozen=True, slots=True, kw_only=True)
class Business:
    """The business account the webhooks are for."""

    phone_number_id: str
    business_account_id: str
    display_phone_number: str


def envelope(business: Business, changes: Sequence[Json]) -> Json:
    """Return the whole body."""
    entry = {"id": business.business_account_id, "changes": list(changes)}
    return {"object": "whatsapp_business_account", "entry": [entry]}


def change(business: Business, person: Person, lists: Mapping[str, Sequence[Json]]) -> Json:
    """Return one change: `lists` are messages, statuses or message_echoes."""
    metadata = {
        "display_phone_number": business.display_phone_number,
        "phone_number_id": business.phone_number_id,
    }
    contact = {"profile": {"name": person.name}, "wa_id": person.number, "user_id": person.user_id}
    value = {"messaging_product": "whatsapp", "metadata": metadata, "contacts": [contact], **lists}
    return {"value": value, "field": "smb_message_echoes" if "message_echoes" in lists else "messages"}


def message_id(turn: Turn) -> str:
    """Return a fresh wamid in the usual shape: opaque, but it looks like one."""
    number = turn.person.number.encode()
    tail = f"{turn.chance.getrandbits(80):020X}".encode()
    marks = b"\x15\x02\x00\x11\x18\x14" if turn.step.by_team else b"\x15\x02\x00\x12\x18\x14"
    raw = b"\x1c\x18" + bytes([len(number)]) + number + marks + tail + b"\x00"
    return "wamid." + base64.b64encode(raw).decode()


def media_content(media_id: str) -> bytes:
    """Return the bytes a media id stands for, the same at any time."""
    return f"demo media {media_id}\n".encode() * 64


def _text(turn: Turn) -> Json:
    return {"type": "text", "text": {"body": turn.step.words}}


def _media(turn: Turn, mime_type: str) -> Json:
    media_id = str(turn.chance.randrange(10**15, 10**16))
    digest = base64.b64encode(hashlib.sha256(media_content(media_id)).digest()).decode()
    return {"mime_type": mime_type, "sha256": digest, "id": media_id}


def _image(turn: Turn) -> Json:
    caption = {"caption": turn.step.words} if turn.step.words else {}
    return {"type": "image", "image": {**caption, **_media(turn, "image/jpeg")}}


def _voice(turn: Turn) -> Json:
    return {"type": "audio", "audio": {**_media(turn, "audio/ogg; codecs=opus"), "voice": True}}


def _location(turn: Turn) -> Json:
    latitude, longitude = somewhere(turn.chance)
    pin = {"latitude": latitude, "longitude": longitude}
    name = {"name": turn.step.words, "address": "Harbour Row"} if turn.step.words else {}
    return {"type": "location", "location": {**pin, **name}}


def _button(turn: Turn) -> Json:
    reply = {"id": turn.step.words.lower().replace(" ", "-"), "title": turn.step.words}
    return {"type": "interactive", "interactive": {"type": "button_reply", "button_reply": reply}}


def _reaction(turn: Turn) -> Json:
    return {"type": "reaction", "reaction": {"message_id": turn.refers_to, "emoji": turn.step.words}}


#: Kind of a step to the part of the message that carries it.
CONTENT: Mapping[str, Callable[[Turn], Json]] = {
    "text": _text,
    "image": _image,
    "voice": _voice,
    "location": _location,
    "button": _button,
    "reaction": _reaction,
}


def inbound(business: Business, turn: Turn, wamid: str) -> Json:
    """Return an item of `messages`; a pressed button also tells on which message it was."""
    sender = {"from": turn.person.number, "from_user_id": turn.person.user_id}
    pressed = turn.step.kind == "button" and turn.refers_to is not None
    context = {"context": {"from": business.display_phone_number, "id": turn.refers_to}} if pressed else {}
    return {**context, **sender, **_content(turn, wamid)}


def echo(business: Business, turn: Turn, wamid: str) -> Json:
    """Return an item of `message_echoes`: what the team wrote in the phone app."""
    person = turn.person
    ends = {"from": business.display_phone_number, "to": person.number, "to_user_id": person.user_id}
    return {**ends, **_content(turn, wamid)}


def _content(turn: Turn, wamid: str) -> Json:
    return {"id": wamid, "timestamp": str(turn.at), **CONTENT[turn.step.kind](turn)}


def status(progress: Progress) -> Json:
    """Return an item of `statuses`."""
    item: Json = {
        "id": progress.message_id,
        "status": progress.state,
        "timestamp": str(progress.at),
        "recipient_id": progress.person.number,
        "recipient_user_id": progress.person.user_id,
    }
    if progress.state != "read":
        item["pricing"] = {
            "billable": False,
            "pricing_model": "PMP",
            "type": "free_customer_service",
            "category": "service",
        }
    return item
