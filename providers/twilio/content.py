"""What an inbound message says: one reader per kind, the first that finds its parameters counts.

    Body=…  NumMedia=1  MediaUrl0=https://…/Media/ME…  MediaContentType0=image/jpeg  MessageType=image

`MessageType` is undocumented: a hint, never the judge. Deliberately fetches nothing: a contact card, too, is
a file that waits for its fetch.
"""

import re
from collections.abc import Callable
from itertools import islice
from typing import Final

from models.message import Content, Location, Media, Reply
from models.values import MEDIA_TYPES, MediaState, MessageType
from providers import wire
from providers.twilio.parameters import Parameters

#: Content, and the parameters that it tells; None where the reader finds nothing of its own.
Found = tuple[Content, frozenset[str]] | None

#: Twilio's `MessageType` -> ours.
TYPES: Final = {
    "text": MessageType.TEXT,
    "image": MessageType.IMAGE,
    "video": MessageType.VIDEO,
    "audio": MessageType.AUDIO,
    "voice": MessageType.AUDIO,
    "document": MessageType.DOCUMENT,
    "sticker": MessageType.STICKER,
    "location": MessageType.LOCATION,
    "contacts": MessageType.CONTACT,
    "button": MessageType.BUTTON,
    "interactive": MessageType.INTERACTIVE,
}
#: Files of one message, at most, that a bare count is believed for (MMS has up to ten).
MAX_MEDIA: Final = 10
#: Why the file of a media message can never be fetched.
NO_MEDIA: Final = "no_media_url"
#: What WhatsApp's voice notes are recorded in.
VOICE: Final = "audio/ogg"

_STICKER: Final = "image/webp"
_VCARDS: Final = frozenset({"text/vcard", "text/x-vcard"})
#: First half of a media type -> ours; the rest are documents.
_MAIN_TYPES: Final = {
    "image": MessageType.IMAGE,
    "video": MessageType.VIDEO,
    "audio": MessageType.AUDIO,
}
#: A coordinate: perhaps with more digits than anybody needs, and near zero with an exponent.
_DEGREES = re.compile(r"[+-]?[0-9]{1,3}(?:\.[0-9]{0,40})?(?:[eE][+-]?[0-9]{1,2})?")
_MEDIA_URL = re.compile(r"MediaUrl(0|[1-9][0-9]{0,2})")
_MEDIA_ID = re.compile(r"/Media/(ME[0-9a-fA-F]{32})\Z")
#: The body of a document has been seen to hold its name: one line that ends as files of offices do.
_FILE_NAME = re.compile(
    r"[^\r\n/\\]{1,180}\.(?:pdf|docx?|xlsx?|pptx?|odt|ods|odp|rtf|txt|csv|zip|xml|json|jpe?g|png|mp[34])",
    re.IGNORECASE,
)


def content_of(parameters: Parameters) -> tuple[Content, frozenset[str]]:
    """Read what a message says, and which parameters are told by it; a placeholder where it says nothing."""
    kind = message_type(parameters)
    content, told = next((found for read in _READERS if (found := read(parameters))), (_placeholder(), _NONE))
    if kind and TYPES.get(kind) is not content.type:
        content.raw_type = kind
    return content, told


def message_type(parameters: Parameters) -> str | None:
    """Read Twilio's word for the kind of message."""
    kind = parameters.text("MessageType")
    return kind.strip().lower() if kind else None


def _placeholder() -> Content:
    return Content(type=MessageType.UNSUPPORTED)


def _location(parameters: Parameters) -> Found:
    latitude, longitude = _degrees(parameters, "Latitude", 90), _degrees(parameters, "Longitude", 180)
    if latitude is None or longitude is None:
        return None
    place = Location(
        latitude=latitude,
        longitude=longitude,
        name=parameters.text("Label"),
        address=parameters.text("Address"),
    )
    content = Content(type=MessageType.LOCATION, location=place, text=parameters.text("Body"))
    return content, frozenset({"Latitude", "Longitude", "Label", "Address", "Body"})


def _degrees(parameters: Parameters, name: str, most: int) -> float | None:
    value = parameters.raw(name)
    exact = float(value) if isinstance(value, str) and _DEGREES.fullmatch(value) else wire.number(value)
    return exact if exact is not None and abs(exact) <= most else None


def _form_reply(name: str) -> Callable[[Parameters], Found]:
    """Make a reader of what a flow returned; the values may stand in either of two parameters."""

    def read(parameters: Parameters) -> Found:
        if name not in parameters:
            return None
        title, response = parameters.text("Body"), parameters.decoded(name)
        of_flow = name == "FlowData" or "flowResponse" in wire.mapping(response)
        reply = Reply(kind="nfm_reply", name="flow" if of_flow else None, title=title, response=response)
        return Content(type=MessageType.INTERACTIVE, text=title, reply=reply), frozenset({name, "Body"})

    return read


def _button(parameters: Parameters) -> Found:
    """Read a tap on a quick-reply button: of a template, or (`interactive`) of a message in the window."""
    if not parameters.first_of("ButtonText", "ButtonPayload"):
        return None
    payload, title = parameters.text("ButtonPayload"), parameters.first_of("ButtonText", "Body")
    if message_type(parameters) == "interactive":
        reply = Reply(kind="button_reply", id=payload, title=title)
        content = Content(type=MessageType.INTERACTIVE, text=title, reply=reply)
    else:
        reply = Reply(kind="template_button", title=title, payload=payload)
        content = Content(type=MessageType.BUTTON, text=title, reply=reply)
    return content, _with_body(parameters, title) | {"ButtonText", "ButtonPayload"}


def _list_reply(parameters: Parameters) -> Found:
    if not parameters.first_of("ListId", "ListTitle"):
        return None
    title = parameters.first_of("ListTitle", "Body")
    reply = Reply(
        kind="list_reply",
        id=parameters.text("ListId"),
        title=title,
        description=parameters.text("ListDescription"),
    )
    content = Content(type=MessageType.INTERACTIVE, text=title, reply=reply)
    return content, _with_body(parameters, title) | {"ListId", "ListTitle", "ListDescription"}


def _with_body(parameters: Parameters, title: str | None) -> frozenset[str]:
    """Leave the body to the metadata where it says something else than the title."""
    return frozenset({"Body"}) if parameters.text("Body") == title else _NONE


def _files(parameters: Parameters) -> Found:
    """Read all files of a message; the first is its `media` and has the caption."""
    files = [_media(parameters, index) for index in _indexes(parameters)]
    if not files:
        return None
    first, *others = files
    kind, body = _kind(parameters, first.mime_type), parameters.text("Body")
    content = Content(type=kind, media=first, more_media=others or None)
    if kind is MessageType.CONTACT:
        content.text = body
    elif kind is MessageType.DOCUMENT and body and _FILE_NAME.fullmatch(body):
        first.file_name = wire.file_name(body)
    else:
        first.caption = body
    return content, frozenset({"Body"}).union(*(_told(parameters, index) for index in _indexes(parameters)))


def _indexes(parameters: Parameters) -> list[int]:
    """Count the files: those that are there, whatever their numbers, and as many more as were announced."""
    count = wire.number(parameters.raw("NumMedia")) or 0
    there = {int(found[1]) for name in parameters if (found := _MEDIA_URL.fullmatch(name))}
    announced = min(int(count), MAX_MEDIA)
    missing = islice((index for index in range(MAX_MEDIA) if index not in there), max(0, announced - len(there)))
    return sorted({*there, *missing})


def _media(parameters: Parameters, index: int) -> Media:
    url = parameters.text(f"MediaUrl{index}")
    found = _MEDIA_ID.search(url) if url else None
    mime_type = wire.media_type(parameters.text(f"MediaContentType{index}"))
    return Media(
        media_id=found[1] if found else None,
        source_url=url,
        mime_type=mime_type,
        voice=True if mime_type == VOICE else None,
        state=MediaState.PENDING if url else MediaState.FAILED,
        error=None if url else NO_MEDIA,
    )


def _told(parameters: Parameters, index: int) -> set[str]:
    """Name a file's parameters; a media type with more to it (codecs) is kept whole besides."""
    url, kind = f"MediaUrl{index}", f"MediaContentType{index}"
    whole = parameters.text(kind)
    return {url, kind} if wire.media_type(whole) == whole else {url}


def _kind(parameters: Parameters, mime_type: str | None) -> MessageType:
    """Judge by the media type; the hint decides where that is absent, and between two readings of one."""
    hint = TYPES.get(message_type(parameters) or "")
    if mime_type in _VCARDS:
        return MessageType.CONTACT
    if mime_type is None:
        return hint if hint in MEDIA_TYPES or hint is MessageType.CONTACT else MessageType.DOCUMENT
    if hint is MessageType.DOCUMENT:
        return hint
    if mime_type == _STICKER and hint is not MessageType.IMAGE:
        return MessageType.STICKER
    return _MAIN_TYPES.get(mime_type.partition("/")[0], MessageType.DOCUMENT)


def _text(parameters: Parameters) -> Found:
    body = parameters.text("Body")
    return (Content(type=MessageType.TEXT, text=body), frozenset({"Body"})) if body else None


_NONE: Final[frozenset[str]] = frozenset()
_READERS: Final = (
    _location,
    _form_reply("FlowData"),
    _button,
    _list_reply,
    _form_reply("InteractiveData"),
    _files,
    _text,
)
