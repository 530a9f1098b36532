"""What a Meta message says: one reader per type, from the object named like the type to our `Content`.

    {"type": "image", "image": {"id": "…", "mime_type": "image/jpeg", "sha256": "…", "caption"?, "url"?}}

A reader returns None where the object is not usable; the message then becomes a placeholder, never nothing.
Deliberately no sender, no context: `providers.meta.messages` adds them.
"""

from collections.abc import Callable
from typing import Any, Final

import orjson

from models.message import Contact, Content, Location, Media, MessageError, Order, OrderItem, Reply
from models.values import MediaState, MessageType
from providers import wire

Part = dict[str, Any]
Rest = Callable[[Part], Part | None]

#: Why the file of a media message can never be fetched.
NO_MEDIA: Final = "no_media_id"


def error_of(found: object) -> MessageError | None:
    """Read the first error of a list, in either of the shapes Meta has used."""
    error = wire.first(found)
    if not error:
        return None
    title = wire.text(error.get("title"))
    return MessageError(
        code=wire.text(error.get("code")),
        title=title,
        message=wire.text(error.get("message")) or title,
        details=wire.text({**error, **wire.mapping(error.get("error_data"))}.get("details")),
        href=wire.text(error.get("href")),
    )


def _text(part: Part) -> Content | None:
    body = part.get("body")
    return Content(type=MessageType.TEXT, text=body) if isinstance(body, str) else None


def _media(kind: MessageType, *, voice: bool | None = None) -> Callable[[Part], Content | None]:
    def read(part: Part) -> Content | None:
        media_id, url = wire.text(part.get("id")), wire.text(part.get("url"))
        lost = not media_id and not url
        media = Media(
            media_id=media_id,
            source_url=url,
            mime_type=wire.media_type(part.get("mime_type")),
            sha256=wire.sha256(part.get("sha256")),
            caption=wire.text(part.get("caption")),
            file_name=wire.file_name(part.get("filename")),
            voice=voice or wire.flag(part.get("voice")),
            animated=wire.flag(part.get("animated")),
            state=MediaState.FAILED if lost else MediaState.PENDING,
            error=NO_MEDIA if lost else None,
        )
        return Content(type=kind, media=media)

    return read


def _location(part: Part) -> Content | None:
    latitude, longitude = wire.number(part.get("latitude")), wire.number(part.get("longitude"))
    if latitude is None or longitude is None:
        return None
    place = Location(
        latitude=latitude,
        longitude=longitude,
        name=wire.text(part.get("name")),
        address=wire.text(part.get("address")),
        url=wire.text(part.get("url")),
    )
    return Content(type=MessageType.LOCATION, location=place)


def _contacts(cards: list[Any]) -> Content | None:
    found = [_contact(card) for card in cards if isinstance(card, dict)]
    if not found:
        return None
    return Content(type=MessageType.CONTACT, contact=found[0], contacts=found if len(found) > 1 else None)


def _contact(card: Part) -> Contact:
    """Read a card; shared on request, it is how a username user discloses a number."""
    phone = wire.first(card.get("phones"))
    spelled = wire.text(phone.get("phone"))
    name = wire.mapping(card.get("name"))
    parts = [wire.text(name.get(key)) for key in ("first_name", "last_name")]
    return Contact(
        name=wire.text(name.get("formatted_name")) or " ".join(part for part in parts if part) or None,
        phone_number=wire.phone(phone.get("wa_id")) or wire.phone(spelled) or spelled,
        vcard=wire.text(card.get("vcard")),
        user_id=wire.text(phone.get("user_id")) or wire.text(card.get("user_id")),
        details=wire.storable(card),
    )


def _button(part: Part) -> Content | None:
    title, payload = wire.text(part.get("text")), wire.text(part.get("payload"))
    if not title and not payload:
        return None
    reply = Reply(kind="template_button", title=title, payload=payload)
    return Content(type=MessageType.BUTTON, text=title, reply=reply)


def _interactive(part: Part) -> Content | None:
    """Read an answer to something interactive; an unknown sub-type keeps its object as the response."""
    kind = wire.text(part.get("type"))
    answer = part.get(kind) if kind else None
    if kind is None or not isinstance(answer, dict):
        return None
    reply = _REPLIES.get(kind, _other_reply)(kind, answer)
    return Content(type=MessageType.INTERACTIVE, text=reply.title, reply=reply)


def _choice(kind: str, answer: Part) -> Reply:
    title, description = wire.text(answer.get("title")), wire.text(answer.get("description"))
    return Reply(kind=kind, id=wire.text(answer.get("id")), title=title, description=description)


def _form_reply(kind: str, answer: Part) -> Reply:
    response = _decoded(answer.get("response_json"))
    return Reply(kind=kind, name=wire.text(answer.get("name")), title=wire.text(answer.get("body")), response=response)


def _other_reply(kind: str, answer: Part) -> Reply:
    return Reply(kind=kind, response=wire.storable(answer))


def _decoded(response: object) -> Any:
    """Decode what a form returned: JSON within a string, which need not be an object, nor even JSON."""
    if not isinstance(response, str):
        return wire.storable(response)
    try:
        return wire.storable(orjson.loads(response))
    except orjson.JSONDecodeError:
        return response


_REPLIES: Final[dict[str, Callable[[str, Part], Reply]]] = {
    "button_reply": _choice,
    "list_reply": _choice,
    "nfm_reply": _form_reply,
}


def _order(part: Part) -> Content | None:
    lines = [_order_item(item) for item in wire.listed(part.get("product_items")) if isinstance(item, dict)]
    catalog, note = wire.text(part.get("catalog_id")), wire.text(part.get("text"))
    if not lines and not catalog:
        return None
    return Content(type=MessageType.ORDER, order=Order(catalog_id=catalog, text=note, items=lines))


def _order_item(item: Part) -> OrderItem:
    return OrderItem(
        product_id=wire.text(item.get("product_retailer_id")),
        quantity=wire.number(item.get("quantity")),
        price=wire.number(item.get("item_price")),
        currency=wire.text(item.get("currency")),
    )


def _beyond(*known: str) -> Rest:
    """Collect what a plain object holds beyond the keys its reader takes."""
    keys = frozenset(known)
    return lambda part: wire.leftovers(part, keys)


def _beyond_media(part: Part) -> Part | None:
    """Collect as above; a media type with parameters (codecs) is kept whole."""
    rest = wire.leftovers(part, _MEDIA_KEYS)
    whole = part.get("mime_type")
    if whole is None or whole == wire.media_type(whole):
        return rest
    return {**(rest or {}), "mime_type": wire.storable(whole)}


def _beyond_interactive(part: Part) -> Part | None:
    kind = part["type"]
    rest = wire.leftovers(part, frozenset({"type", kind}))
    known = _REPLY_KEYS.get(kind)
    within = wire.leftovers(part[kind], known) if known else None
    return {**(rest or {}), kind: within} if within else rest


def _beyond_order(part: Part) -> Part | None:
    """Collect as above; the lines are kept whole where one of them says more than we do."""
    lines = wire.listed(part.get("product_items"))
    said = all(isinstance(line, dict) and line.keys() <= _LINE_KEYS for line in lines)
    return wire.leftovers(part, _ORDER_KEYS if said else _ORDER_KEYS - {"product_items"})


_MEDIA_KEYS: Final = frozenset({"id", "url", "sha256", "caption", "filename", "voice", "animated", "mime_type"})
_REPLY_KEYS: Final = {
    "button_reply": frozenset({"id", "title", "description"}),
    "list_reply": frozenset({"id", "title", "description"}),
    "nfm_reply": frozenset({"name", "body", "response_json"}),
}
_ORDER_KEYS: Final = frozenset({"catalog_id", "text", "product_items"})
_LINE_KEYS: Final = frozenset({"product_retailer_id", "quantity", "item_price", "currency"})

#: Type -> its reader, and what collects what the reader leaves. `voice` is an old name of a voice message.
READERS: Final[dict[str, tuple[Callable[[Part], Content | None], Rest]]] = {
    "text": (_text, _beyond("body")),
    "image": (_media(MessageType.IMAGE), _beyond_media),
    "video": (_media(MessageType.VIDEO), _beyond_media),
    "audio": (_media(MessageType.AUDIO), _beyond_media),
    "voice": (_media(MessageType.AUDIO, voice=True), _beyond_media),
    "document": (_media(MessageType.DOCUMENT), _beyond_media),
    "sticker": (_media(MessageType.STICKER), _beyond_media),
    "location": (_location, _beyond("latitude", "longitude", "name", "address", "url")),
    "button": (_button, _beyond("text", "payload")),
    "interactive": (_interactive, _beyond_interactive),
    "order": (_order, _beyond_order),
}


def content_of(kind: str | None, item: Part, *, explained: object = None) -> tuple[Content, Part | None]:
    """Read what an item says, and what of it our words do not hold.

    `explained` are errors from elsewhere that explain an item whose object is missing.
    """
    content, rest = _readable(kind, item)
    errors = item.get("errors")
    if content is None:
        return _placeholder(kind, item, errors or explained), _raw(kind, item)
    if errors:
        content.error = error_of(errors)
    return content, {kind: rest} if kind and rest else None


def _readable(kind: str | None, item: Part) -> tuple[Content | None, Part | None]:
    if kind == "contacts":
        return _contacts(wire.listed(item.get("contacts"))), None
    part = item.get(kind) if kind else None
    if kind not in READERS or not isinstance(part, dict):
        return None, None
    read, rest = READERS[kind]
    content = read(part)
    return content, rest(part) if content else None


def _placeholder(kind: str | None, item: Part, errors: object) -> Content:
    """Stand for what could not be handed over, or is of a type we do not know."""
    within = wire.text(wire.mapping(item.get("unsupported")).get("type")) if kind == "unsupported" else None
    return Content(type=MessageType.UNSUPPORTED, raw_type=within or kind, error=error_of(errors))


def _raw(kind: str | None, item: Part) -> Part | None:
    return {kind: wire.storable(item[kind])} if kind in item else None
