"""What the vendor refuses, said before the call and by field.

Limits of 1msg are those of the WhatsApp Business API behind it. Deliberately no file is looked at: its kind and size
are checked where it is at hand, by the senders' `media_limits`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from models.message import Choice, Interactive, Message
from models.values import MEDIA_TYPES, MessageType
from providers import wire
from providers.chatapi.outbound.bodies import FLOW_KEYS, INTERACTIVE, ONE_MSG_CALLS, WEB_CALLS, quoted_by
from providers.chatapi.outbound.cards import cards_of, known_ids
from providers.chatapi.outbound.files import caption_of
from providers.chatapi.outbound.methods import target
from providers.outbound import Destination, Problems

Found = Iterator[tuple[str, str]]

#: Characters of the parts of interactive messages, and how many parts there are.
BODY_LENGTH: Final = 1_024
HEADER_LENGTH: Final = 60
FOOTER_LENGTH: Final = 60
LABEL_LENGTH: Final = 20
BUTTONS: Final = 3
BUTTON_LENGTH: Final = 20
BUTTON_ID_LENGTH: Final = 256
SECTIONS: Final = 10
ROWS: Final = 10
ROW_LENGTH: Final = 24
ROW_ID_LENGTH: Final = 200
DESCRIPTION_LENGTH: Final = 72
URL_LENGTH: Final = 2_000
FLOW_LABEL_LENGTH: Final = 30
#: What a flow's parameters may say.
FLOW_WORDS: Final = {
    "mode": frozenset({"draft", "published"}),
    "flow_action": frozenset({"navigate", "data_exchange"}),
}
#: What a voice note may be: the vendor turns nothing into another kind.
VOICE_TYPES: Final = frozenset({"audio/ogg", "audio/opus", "application/ogg"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a variant takes."""

    name: str
    types: frozenset[MessageType]
    #: Characters.
    text: int
    caption: int


WEB: Final = Limits(name="chat-api.com", types=frozenset(WEB_CALLS), text=65_536, caption=65_536)
ONE_MSG: Final = Limits(name="1msg", types=frozenset(ONE_MSG_CALLS), text=4_096, caption=1_024)


def problems(message: Message, to: Destination, limits: Limits) -> Problems:
    """Collect by field what is wrong with a message."""
    found: Problems = {}
    for field, problem in _problems(message, to, limits):
        found.setdefault(field, []).append(problem)
    return found


def _problems(message: Message, to: Destination, limits: Limits) -> Found:
    if not target(to):
        yield "to", f"{limits.name} reaches phone numbers and its own chat ids only"
    if message.type not in limits.types:
        yield "type", f"{limits.name} cannot send messages of type {message.type}"
    elif message.type in MEDIA_TYPES:
        yield from _of_file(message, limits)
    else:
        yield from _CHECKS[message.type](message, limits)


def too_long(field: str, value: str | None, limit: int) -> Found:
    """Say that a text is too long."""
    if len(value or "") > limit:
        yield field, f"is longer than {limit} characters"


def needed(field: str, value: object) -> Found:
    """Say that something is missing; a text of blanks is none."""
    if not (value.strip() if isinstance(value, str) else value):
        yield field, "is needed"


def _of_text(message: Message, limits: Limits) -> Found:
    yield from needed("text", message.text)
    yield from too_long("text", message.text, limits.text)


def _of_file(message: Message, limits: Limits) -> Found:
    yield from needed("media", message.media)
    if message.more_media:
        yield "moreMedia", "only one file can be sent in one message"
    caption = caption_of(message)
    if caption and (message.type is MessageType.STICKER or (message.media and message.media.voice)):
        yield "media.caption", "cannot go with a sticker or a voice note"
    yield from too_long("media.caption", caption, limits.caption)
    kind = wire.media_type(message.media.mime_type) if message.media and message.media.voice else None
    if kind and kind not in VOICE_TYPES:
        yield "media.mimeType", f"of a voice note must be audio/ogg, not {kind}"


def _of_location(message: Message, limits: Limits) -> Found:
    place = message.location
    if place is None or place.latitude is None or place.longitude is None:
        yield "location", "is needed"
    elif limits is ONE_MSG:
        yield from needed("location.name", place.name)


def _of_contact(message: Message, limits: Limits) -> Found:
    contacts = cards_of(message)
    yield from needed("contacts", contacts)
    if limits is WEB and len(contacts) > 1 and not known_ids(contacts):
        yield "contacts", "can be several only where each is a chat of this account"


def _of_reaction(message: Message, _limits: Limits) -> Found:
    yield from needed("targetId", quoted_by(message))


def _of_template(message: Message, _limits: Limits) -> Found:
    use = message.template
    yield from needed("template.name", use.name if use else None)
    yield from needed("template.language", use.language if use else None)


def _of_interactive(message: Message, _limits: Limits) -> Found:
    shown = message.interactive
    if shown is None:
        yield "interactive", "is needed"
        return
    if shown.kind not in INTERACTIVE:
        yield "interactive.kind", f"1msg cannot send {shown.kind}"
    if message.media is not None:
        yield "media", "cannot be the header of such a message at 1msg"
    yield from needed("text", message.text)
    yield from too_long("text", message.text, BODY_LENGTH)
    yield from too_long("interactive.header", shown.header, HEADER_LENGTH)
    yield from too_long("interactive.footer", shown.footer, FOOTER_LENGTH)
    if shown.kind in _INTERACTIVE:
        yield from _INTERACTIVE[shown.kind](shown)


def _of_list(shown: Interactive) -> Found:
    yield from needed("interactive.label", shown.label)
    yield from too_long("interactive.label", shown.label, LABEL_LENGTH)
    if not 1 <= len(shown.sections) <= SECTIONS:
        yield "interactive.sections", f"must be 1 to {SECTIONS}"
    rows = [row for group in shown.sections for row in group.rows]
    if not 1 <= len(rows) <= ROWS:
        yield "interactive.sections", f"must have 1 to {ROWS} rows in all"
    if len({row.id for row in rows}) < len(rows):
        yield "interactive.sections", "have a row's id twice"
    for i, group in enumerate(shown.sections):
        place = f"interactive.sections.{i}"
        if len(shown.sections) > 1:
            yield from needed(f"{place}.title", group.title)
        yield from too_long(f"{place}.title", group.title, ROW_LENGTH)
        for j, row in enumerate(group.rows):
            yield from _of_choice(f"{place}.rows.{j}", row, title=ROW_LENGTH, own_id=ROW_ID_LENGTH)


def _of_buttons(shown: Interactive) -> Found:
    if not 1 <= len(shown.buttons) <= BUTTONS:
        yield "interactive.buttons", f"must be 1 to {BUTTONS}"
    if len({one.id for one in shown.buttons}) < len(shown.buttons):
        yield "interactive.buttons", "have an id twice"
    if shown.header:
        yield "interactive.header", "cannot stand above buttons at 1msg"
    for i, button in enumerate(shown.buttons):
        place = f"interactive.buttons.{i}"
        yield from _of_choice(place, button, title=BUTTON_LENGTH, own_id=BUTTON_ID_LENGTH)


def _of_link(shown: Interactive) -> Found:
    yield from needed("interactive.label", shown.label)
    yield from too_long("interactive.label", shown.label, LABEL_LENGTH)
    yield from needed("interactive.url", shown.url)
    yield from too_long("interactive.url", shown.url, URL_LENGTH)
    if shown.url and not shown.url.lower().startswith(("https://", "http://")):
        yield "interactive.url", "must begin with https:// or http://"


def _of_flow(shown: Interactive) -> Found:
    flow = shown.flow or {}
    yield from needed("interactive.label", shown.label)
    yield from too_long("interactive.label", shown.label, FLOW_LABEL_LENGTH)
    yield from needed("interactive.flow.flow_id", wire.text(flow.get("flow_id")))
    for key in sorted(flow.keys() - FLOW_KEYS.keys()):
        yield f"interactive.flow.{key}", "is not known to 1msg"
    for key, words in FLOW_WORDS.items():
        if flow.get(key) is not None and wire.text(flow[key]) not in words:
            yield f"interactive.flow.{key}", f"must be one of {', '.join(sorted(words))}"
    payload = flow.get("flow_action_payload")
    if payload is not None and not wire.text(wire.mapping(payload).get("screen")):
        yield "interactive.flow.flow_action_payload", "needs a screen"


def _of_choice(place: str, choice: Choice, *, title: int, own_id: int) -> Found:
    yield from needed(f"{place}.title", choice.title)
    yield from too_long(f"{place}.title", choice.title, title)
    yield from needed(f"{place}.id", choice.id)
    yield from too_long(f"{place}.id", choice.id, own_id)
    yield from too_long(f"{place}.description", choice.description, DESCRIPTION_LENGTH)


_INTERACTIVE: Final[Mapping[str, Callable[[Interactive], Found]]] = {
    "list": _of_list,
    "buttons": _of_buttons,
    "cta_url": _of_link,
    "flow": _of_flow,
}
_CHECKS: Final[Mapping[MessageType, Callable[[Message, Limits], Found]]] = {
    MessageType.TEXT: _of_text,
    MessageType.LOCATION: _of_location,
    MessageType.CONTACT: _of_contact,
    MessageType.REACTION: _of_reaction,
    MessageType.INTERACTIVE: _of_interactive,
    MessageType.TEMPLATE: _of_template,
}
