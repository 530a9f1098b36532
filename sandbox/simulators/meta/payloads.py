"""The shapes of Meta's webhook (documentation: "messages webhook reference", "smb_message_echoes").

Pure builders. Deliberately without `url` in media: the demo never sends anybody to a real host.
"""

import base64
import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sandbox.simulators import files
from sandbox.simulators.meta import errors
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
    failed = any(one["status"] == "failed" for one in lists.get("statuses", ()))
    contacts = {} if failed else {"contacts": [_contact(person)]}
    value = {"messaging_product": "whatsapp", "metadata": metadata, **contacts, **lists}
    return {"value": value, "field": "smb_message_echoes" if "message_echoes" in lists else "messages"}


def _contact(person: Person) -> Json:
    """Return who it is; a number or an id that is not known is left out."""
    ids = {"wa_id": person.number, "user_id": person.user_id}
    return {"profile": {"name": person.name}, **{name: one for name, one in ids.items() if one}}


def template_event(business: Business, template: Json, event: str, at: int) -> Json:
    """Return the whole body of a template's new status."""
    value = {
        "event": event,
        "message_template_id": int(template["id"]),
        "message_template_name": template["name"],
        "message_template_language": template["language"],
        "reason": "NONE",
        "message_template_category": template["category"],
    }
    change = {"value": value, "field": "message_template_status_update"}
    entry = {"id": business.business_account_id, "time": at, "changes": [change]}
    return {"object": "whatsapp_business_account", "entry": [entry]}


def message_id(turn: Turn) -> str:
    """Return a fresh wamid in the usual shape: opaque, but it looks like one."""
    return wamid(turn.person.number, turn.chance, by_team=turn.step.by_team)


def wamid(address: str, chance: random.Random, *, by_team: bool) -> str:
    """Return a fresh wamid for a chat with somebody."""
    number = address.encode()
    tail = f"{chance.getrandbits(80):020X}".encode()
    marks = b"\x15\x02\x00\x11\x18\x14" if by_team else b"\x15\x02\x00\x12\x18\x14"
    raw = b"\x1c\x18" + bytes([len(number)]) + number + marks + tail + b"\x00"
    return "wamid." + base64.b64encode(raw).decode()


def user_id(number: str) -> str:
    """Return the business-scoped id of a number, the same at any time."""
    digits = int.from_bytes(hashlib.sha256(number.encode()).digest()[:8], "big")
    return f"{'US' if number.startswith('1') else 'GB'}.{digits:020d}"


def media_file(media_id: str) -> tuple[str, bytes]:
    """Return media type and bytes of what a media id stands for, the same at any time."""
    return files.by_number(int(media_id), f"demo media {media_id}")


def media_content(media_id: str) -> bytes:
    """Return the bytes a media id stands for."""
    return media_file(media_id)[1]


def _text(turn: Turn) -> Json:
    return {"type": "text", "text": {"body": turn.step.words}}


def _media(turn: Turn, mime_type: str) -> Json:
    kinds, kind = len(files.MAKERS), files.kind_number(mime_type)
    media_id = str(turn.chance.randrange(10**15 // kinds, 10**16 // kinds) * kinds + kind)
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
    person = progress.person
    item: Json = {"id": progress.message_id, "status": progress.state, "timestamp": str(progress.at)}
    if person.number:
        item["recipient_id"] = person.number
    if person.user_id and progress.state != "failed":
        item["recipient_user_id"] = person.user_id
    if progress.reference is not None:
        item["biz_opaque_callback_data"] = progress.reference
    return {**item, **_detail(progress)}


def _detail(progress: Progress) -> Json:
    """Return what only some statuses tell: why it failed, or what it costs."""
    if progress.state == "failed":
        return {"errors": [errors.in_status(progress.code or "131000")]}
    if progress.state == "read":
        return {}
    price = {"billable": False, "pricing_model": "PMP", "type": "free_customer_service", "category": "service"}
    return {"pricing": price}
