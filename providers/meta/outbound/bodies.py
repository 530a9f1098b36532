"""The body of a message for `POST /{phone_number_id}/messages`: the frame, and the object of each type.

    {"messaging_product": "whatsapp", "recipient_type": "individual", "to": "+4477…" or "recipient": "GB.4821…",
     "context"?: {"message_id": "wamid.…"}, "type": "image", "image": {"id": "…", "caption": "…"},
     "biz_opaque_callback_data": "<our id>"}

Vendor document: "Cloud API: Messages". Deliberately judges nothing: `limits` says beforehand what Meta refuses.
"""

from collections.abc import Callable
from typing import Any, Final

from models.message import Location, Message
from models.values import MessageType
from providers.meta.outbound.cards import card_of
from providers.meta.outbound.interactive import interactive_of
from providers.meta.outbound.template_use import template_of
from providers.meta.outbound.uploads import file_of
from providers.outbound import Destination, Sending
from runtime.errors import Invalid

Part = dict[str, Any]

#: What makes Meta fetch a preview; without it the switch does nothing.
_LINKS: Final = ("https://", "http://")


def body_of(sending: Sending) -> Part:
    """Build the whole body; our id is in it, and every status repeats it.

    Raises:
        Invalid: messages of this type cannot be sent, or the file of one is not at hand.
    """
    message = sending.message
    if message.type not in BUILDERS:
        raise Invalid("this kind of message cannot be sent", fields={"type": [f"{message.type} cannot be sent"]})
    kind, build = BUILDERS[message.type]
    return {
        "messaging_product": "whatsapp",
        **recipient_of(sending.to),
        **_quoted(message),
        "type": kind,
        kind: build(sending),
        "biz_opaque_callback_data": message.id,
    }


def recipient_of(to: Destination) -> Part:
    """Name the recipient: a group, a number in E.164, or else a user who hides it."""
    if group := group_of(to):
        return {"recipient_type": "group", "to": group}
    if to.phone:
        return {"recipient_type": "individual", "to": to.phone}
    return {"recipient_type": "individual", "recipient": to.user_id}


def group_of(to: Destination) -> str | None:
    """Find the group that is written to: the only chat that Meta has a name of its own for."""
    return to.group_id or (to.chat_id if to.chat_id and "@" not in to.chat_id else None)


def _quoted(message: Message) -> Part:
    """Name the message answered; a reaction names its target in its own object."""
    quoted = message.context.message_id if message.context else None
    return {"context": {"message_id": quoted}} if quoted and message.type is not MessageType.REACTION else {}


def _text(sending: Sending) -> Part:
    text = sending.message.text or ""
    return {"body": text, "preview_url": any(link in text for link in _LINKS)}


def _captioned(sending: Sending) -> Part:
    return file_of(sending.media) | _given(caption=caption_of(sending.message))


def _document(sending: Sending) -> Part:
    """Build as above, with the file's name, whose ending chooses the icon."""
    media = sending.message.media
    return _captioned(sending) | _given(filename=media.file_name if media else None)


def caption_of(message: Message) -> str | None:
    """The text that goes with a file, wherever the writer put it."""
    return (message.media.caption if message.media else None) or message.text or None


def _audio(sending: Sending) -> Part:
    media = sending.message.media
    return file_of(sending.media) | ({"voice": True} if media and media.voice else {})


def _sticker(sending: Sending) -> Part:
    return file_of(sending.media)


def _location(sending: Sending) -> Part:
    place = sending.message.location or Location()
    return {
        "latitude": _degrees(place.latitude),
        "longitude": _degrees(place.longitude),
        **_given(name=place.name, address=place.address),
    }


def _degrees(value: float | None) -> str:
    """Write a coordinate as Meta's examples do: a decimal in a string, here to the centimetre."""
    return f"{value or 0:.7f}".rstrip("0").rstrip(".")


def _contacts(sending: Sending) -> list[Part]:
    message = sending.message
    found = message.contacts or ([message.contact] if message.contact else [])
    return [card_of(contact) for contact in found]


def _reaction(sending: Sending) -> Part:
    """Put an emoji on a message of the customer's, or with an empty one take ours away."""
    context = sending.message.context
    return {"message_id": context.message_id if context else None, "emoji": sending.message.emoji or ""}


def _given(**values: str | None) -> Part:
    return {name: value for name, value in values.items() if value}


#: Our type -> Meta's, and what builds the object of that name.
BUILDERS: Final[dict[MessageType, tuple[str, Callable[[Sending], Any]]]] = {
    MessageType.TEXT: ("text", _text),
    MessageType.IMAGE: ("image", _captioned),
    MessageType.VIDEO: ("video", _captioned),
    MessageType.DOCUMENT: ("document", _document),
    MessageType.AUDIO: ("audio", _audio),
    MessageType.STICKER: ("sticker", _sticker),
    MessageType.LOCATION: ("location", _location),
    MessageType.CONTACT: ("contacts", _contacts),
    MessageType.REACTION: ("reaction", _reaction),
    MessageType.INTERACTIVE: ("interactive", interactive_of),
    MessageType.TEMPLATE: ("template", template_of),
}
