"""What Meta would refuse, said before it is asked: limits of every type by the path of the field in our API.

Vendor documents: "Cloud API: Messages", "Supported media types". Lengths are counted in characters (code points);
Meta does not say how it counts. Deliberately knows neither the service window nor a template's definition.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

from models.message import Message
from models.values import MEDIA_TYPES, MessageType
from providers.meta.outbound.bodies import BUILDERS, caption_of, group_of
from providers.meta.outbound.cards import name_of
from providers.meta.outbound.interactive_limits import interactive_findings
from providers.meta.outbound.media_limits import CAPTIONED, media_findings
from providers.meta.outbound.spans import Finding, bounded
from providers.meta.outbound.template_limits import template_findings
from providers.outbound import Destination, Problems

#: Characters of a text message, and of the caption of a file.
TEXT_LENGTH: Final = 4096
CAPTION_LENGTH: Final = 1024
#: Cards in one message.
CARDS: Final = 257
#: Characters of a card's name; Meta states no bound, this one keeps a mistake from going out.
NAME_LENGTH: Final = 512
#: Characters of the longest emoji, with its joiners and tags.
EMOJI_LENGTH: Final = 32
#: What a group takes.
GROUP_TYPES: Final = frozenset({MessageType.TEXT, MessageType.TEMPLATE}) | MEDIA_TYPES

_PHONE = re.compile(r"\+[1-9][0-9]{3,14}")
_BSUID = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")
_LETTERS = re.compile(r"[A-Za-z\s]")


def problems_of(message: Message, to: Destination) -> Problems:
    """Collect all findings about a message, by field."""
    problems: Problems = {}
    for path, words in _findings(message, to):
        problems.setdefault(path, []).append(words)
    return problems


def _findings(message: Message, to: Destination) -> Iterator[Finding]:
    if message.type not in BUILDERS:
        yield "type", f"{message.type} cannot be sent"
        return
    yield from _address(to)
    if group_of(to) and message.type not in GROUP_TYPES:
        yield "type", f"{message.type} cannot be sent to a group"
    if message.more_media:
        yield "moreMedia", "only one file can be sent in one message"
    yield from _FINDERS[message.type](message, to)


def _address(to: Destination) -> Iterator[Finding]:
    """Look at the address by which the request will name the recipient."""
    if group_of(to):
        return
    if to.phone:
        if not _PHONE.fullmatch(to.phone):
            yield "to", "is not a phone number with + and country code"
    elif not _BSUID.fullmatch(to.user_id or ""):
        yield "to", "is not a user id of WhatsApp" if to.user_id else "has neither a phone number nor a user id"


def _text(message: Message, _: Destination) -> Iterator[Finding]:
    yield from bounded("text", message.text, TEXT_LENGTH)


def _media(message: Message, _: Destination) -> Iterator[Finding]:
    if message.media is None:
        yield "media", "is needed"
        return
    yield from media_findings(message.type, message.media)
    caption, path = caption_of(message), "media.caption" if message.media.caption else "text"
    if message.type in CAPTIONED:
        yield from bounded(path, caption, CAPTION_LENGTH, required=False)
    elif caption:
        yield path, f"is not sent with {message.type}"


def _location(message: Message, _: Destination) -> Iterator[Finding]:
    place = message.location
    if place is None:
        yield "location", "is needed"
        return
    for name, value, most in (("latitude", place.latitude, 90), ("longitude", place.longitude, 180)):
        # Also says no to a NaN, which is within no bounds.
        if value is None or not -most <= value <= most:
            yield f"location.{name}", f"must be between -{most} and {most}"


def _contacts(message: Message, _: Destination) -> Iterator[Finding]:
    cards = message.contacts or []
    if message.contact is not None and not cards:
        yield from bounded("contact.name", name_of(message.contact), NAME_LENGTH)
        return
    if not 1 <= len(cards) <= CARDS:
        yield "contacts", f"must be 1 to {CARDS} cards"
    for index, contact in enumerate(cards):
        yield from bounded(f"contacts.{index}.name", name_of(contact), NAME_LENGTH)


def _reaction(message: Message, _: Destination) -> Iterator[Finding]:
    if not (message.context and message.context.message_id):
        yield "targetId", "the vendor does not know the message yet, or any more"
    emoji = message.emoji or ""
    if len(emoji) > EMOJI_LENGTH or _LETTERS.search(emoji):
        yield "emoji", "must be one emoji"


def _interactive(message: Message, _: Destination) -> Iterator[Finding]:
    return interactive_findings(message)


_FINDERS: Final[dict[MessageType, Callable[[Message, Destination], Iterator[Finding]]]] = {
    MessageType.TEXT: _text,
    **dict.fromkeys(sorted(MEDIA_TYPES), _media),
    MessageType.LOCATION: _location,
    MessageType.CONTACT: _contacts,
    MessageType.REACTION: _reaction,
    MessageType.INTERACTIVE: _interactive,
    MessageType.TEMPLATE: template_findings,
}
