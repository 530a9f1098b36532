"""What a ChatAPI message says: one reader per type, from `body` (and 1msg's `meta`) to our `Content`.

    {"type": "chat", "body": "Hello"}                   {"type": "location", "body": "52.520645;13.409779"}
    {"type": "document", "body": "https://…/9948.pdf", "caption": "invoice 118.pdf"}
    {"type": "interactive", "body": "Morning slot", "meta": {"list_reply": {"id": "slot_am", "title": "…"}}}

A reader says which keys it has used; what it leaves stays in the message's metadata. It returns None where
the item is not usable: the message then becomes a placeholder, never nothing. Deliberately trusts no address
of a file: which hosts may be asked for it is the fetch job's to decide.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final
from urllib.parse import unquote

import orjson

from models.message import Content, Location, Media, Reply
from models.values import MediaState, MessageType
from providers import wire
from providers.chatapi.source import Item
from providers.chatapi.vcards import contacts_of

#: What a reader makes of an item, and the keys it has used for that.
Read = tuple[Content, frozenset[str]]

#: Why a file cannot be fetched: there is no address (e.g. the instance uploads no videos), or no safe one.
NO_MEDIA: Final = "no_media_url"
UNSAFE: Final = "media_url_not_https"
#: Where 1msg, and the Web variant since late 2021, put details.
DETAILS: Final = ("meta", "metadata")

_URL = re.compile(r"(https?)://[^\s/?#]+(/[^\s?#]*)?[^\s]*", re.IGNORECASE)
#: What looks like a file's name: one line that ends in an extension with a letter in it.
_FILE_NAME = re.compile(r"[^\r\n/\\]{1,250}\.(?=[0-9]{0,4}[A-Za-z])[0-9A-Za-z]{1,5}")
#: Latitude first; no document says what stands between.
_PLACE = re.compile(r"\s*([+-]?[0-9]{1,3}(?:\.[0-9]{1,20})?)(?:\s*[;,]\s*|\s+)([+-]?[0-9]{1,3}(?:\.[0-9]{1,20})?)\s*")
_BODY: Final = frozenset({"body"})


def _text(item: Item) -> Read | None:
    body = item.get("body")
    text = body if isinstance(body, str) else str(body) if type(body) is float else wire.text(body)
    return None if text is None else (Content(type=MessageType.TEXT, text=text), _BODY)


def _media(kind: MessageType, *, voice: bool | None = None) -> Callable[[Item], Read]:
    def read(item: Item) -> Read:
        url, path = _address(item.get("body"))
        caption = wire.text(item.get("caption"))
        named = kind is MessageType.DOCUMENT and _is_name(caption or "", path or "")
        error = None if url else UNSAFE if path else NO_MEDIA
        media = Media(
            source_url=url,
            caption=None if named else caption,
            file_name=wire.file_name(caption if named else unquote(path or "")),
            voice=voice,
            state=MediaState.FAILED if error else MediaState.PENDING,
            error=error,
        )
        used = {"caption": caption, "body": url}
        return Content(type=kind, media=media), frozenset(key for key, value in used.items() if value)

    return read


def _is_name(caption: str, path: str) -> bool:
    """Say whether a document's caption is its file's name: it looks like one and ends as the file does."""
    ending = path.rpartition("/")[2].rpartition(".")
    return bool(_FILE_NAME.fullmatch(caption)) and (not ending[1] or caption.lower().endswith(f".{ending[2].lower()}"))


def _address(body: object) -> tuple[str | None, str | None]:
    """Read a file's address, if it is a safe one, and its path, if it is one at all."""
    found = _URL.fullmatch(body.strip()) if isinstance(body, str) else None
    if found is None:
        return None, None
    return (found[0] if found[1].lower() == "https" else None), found[2] or "/"


def _location(item: Item) -> Read | None:
    body = item.get("body")
    found = _PLACE.fullmatch(body) if isinstance(body, str) else None
    if found is None:
        return None
    latitude, longitude = float(found[1]), float(found[2])
    if abs(latitude) > 90 or abs(longitude) > 180:
        return None
    place = Location(latitude=latitude, longitude=longitude)
    return Content(type=MessageType.LOCATION, location=place), _BODY


def _cards(item: Item) -> Read | None:
    found = contacts_of(item.get("body"))
    if not found:
        return None
    several = found if len(found) > 1 else None
    return Content(type=MessageType.CONTACT, contact=found[0], contacts=several), _BODY


def _note(item: Item) -> Read:
    """Read something that happened in the chat without being said: a call, a first visit."""
    kind = (wire.text(item.get("type")) or "").lower()
    content = Content(type=MessageType.SYSTEM, text=wire.text(item.get("body")), system={"kind": kind}, raw_type=kind)
    return content, _BODY


def _template_button(item: Item) -> Read | None:
    title, (_, details) = wire.text(item.get("body")), details_of(item)
    payload = wire.text({**details, **wire.mapping(details.get("button"))}.get("payload"))
    if title is None and payload is None:
        return None
    reply = Reply(kind="template_button", title=title, payload=payload)
    return Content(type=MessageType.BUTTON, text=title, reply=reply), _BODY


def _tap(kind: str) -> Callable[[Item], Read | None]:
    """Read a tap of which only the words on the button or row are told."""

    def read(item: Item) -> Read | None:
        title = wire.text(item.get("body"))
        if title is None:
            return None
        return Content(type=MessageType.INTERACTIVE, text=title, reply=Reply(kind=kind, title=title)), _BODY

    return read


def _interactive(item: Item) -> Read | None:
    """Read an answer of which 1msg passes Meta's details on; without them its words are all there is."""
    text, (key, details) = wire.text(item.get("body")), details_of(item)
    details = {**details, **wire.mapping(details.get("interactive"))}
    kind = next((name for name in _REPLIES if isinstance(details.get(name), dict)), None)
    if kind is None:
        return (Content(type=MessageType.INTERACTIVE, text=text), _BODY) if text else None
    read, known = _REPLIES[kind]
    reply = read(kind, details[kind])
    reply.title = reply.title or text
    told = details.keys() == {kind} and details[kind].keys() <= known
    content = Content(type=MessageType.INTERACTIVE, text=text or reply.title, reply=reply)
    return content, _BODY | {key} if told else _BODY


def details_of(item: Item) -> tuple[str, dict[str, Any]]:
    """Find the details of an item, and the key under which they stand."""
    return next(((name, found) for name in DETAILS if isinstance(found := item.get(name), dict)), ("", {}))


def _choice(kind: str, answer: Item) -> Reply:
    title, description = wire.text(answer.get("title")), wire.text(answer.get("description"))
    return Reply(kind=kind, id=wire.text(answer.get("id")), title=title, description=description)


def _form(kind: str, answer: Item) -> Reply:
    """Read what a form returned: JSON within a string, which need not be JSON."""
    response = answer.get("response_json")
    with suppress(orjson.JSONDecodeError):
        response = orjson.loads(response) if isinstance(response, str) else response
    name, title = wire.text(answer.get("name")), wire.text(answer.get("body"))
    return Reply(kind=kind, name=name, title=title, response=wire.storable(response))


def _permission(item: Item) -> Read:
    """Read an answer to the question whether the business may call; its form is not documented."""
    key, details = details_of(item)
    text, response = wire.text(item.get("body")), wire.storable(details) or None
    reply = Reply(kind="call_permission_reply", title=text, response=response)
    return Content(type=MessageType.INTERACTIVE, text=text, reply=reply), _BODY | {key}


_CHOICE_KEYS: Final = frozenset({"id", "title", "description"})
_FORM_KEYS: Final = frozenset({"name", "body", "response_json"})
#: Kind of answer -> its reader, and the keys that this takes.
_REPLIES: Final[dict[str, tuple[Callable[[str, Item], Reply], frozenset[str]]]] = {
    "button_reply": (_choice, _CHOICE_KEYS),
    "list_reply": (_choice, _CHOICE_KEYS),
    "nfm_reply": (_form, _FORM_KEYS),
}

#: Type -> its reader. Some names are WhatsApp Web's own, some 1msg's, who may also pass on Meta's.
READERS: Final[dict[str, Callable[[Item], Read | None]]] = {
    "chat": _text,
    "text": _text,
    "image": _media(MessageType.IMAGE),
    "video": _media(MessageType.VIDEO),
    "audio": _media(MessageType.AUDIO),
    "ptt": _media(MessageType.AUDIO, voice=True),
    "voice": _media(MessageType.AUDIO, voice=True),
    "document": _media(MessageType.DOCUMENT),
    "sticker": _media(MessageType.STICKER),
    "location": _location,
    "vcard": _cards,
    "multi_vcard": _cards,
    "contacts": _cards,
    "button": _template_button,
    "buttons_response": _tap("button_reply"),
    "list_response": _tap("list_reply"),
    "interactive": _interactive,
    "call_permission_reply": _permission,
    "call_log": _note,
    "request_welcome": _note,
    "system": _note,
}


def content_of(kind: str | None, item: Item) -> Read:
    """Read what an item says, and say which of its keys that took."""
    found = READERS[kind](item) if kind in READERS else None
    return found or (Content(type=MessageType.UNSUPPORTED, raw_type=kind), frozenset())
