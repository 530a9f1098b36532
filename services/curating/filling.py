"""Filling a template in: values are held against what it asks for, and become what is sent and what agents read.

All complaints come at once, each under its path in the request. Pure. Deliberately no look-up of templates and no
fetching of files: a header's file that is ours is named, and lent to the vendor when the message is sent.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from models.message import TemplateUse
from models.template import Template
from runtime.errors import Invalid
from services.curating import kinds
from services.curating.kinds import Place, Sent
from services.curating.schema import PLACEHOLDER, Parameter, body_of, describe, header_of, is_content, key_of

#: What may be given, of the message and of each card of a carousel.
_FIELDS: Final = frozenset({"parameters", "header", "buttons", "expiresAt", "cards"})
_CARD_FIELDS: Final = frozenset({"parameters", "header", "buttons"})
#: Characters of a header and a body, filled in.
MAX_HEADER: Final = 60
MAX_BODY: Final = 1024
_SCHEMES: Final = ("https://", "http://")
_FILES: Final = frozenset({"image", "video", "document"})


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderFile:
    """A file of ours that a template's header shows; `kind` is image, video or document."""

    kind: str
    file_id: str
    file_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A template with its values: what is sent, what agents read, and the file that is still to be lent."""

    use: TemplateUse
    text: str | None = None
    header_file: HeaderFile | None = None


@dataclass(slots=True)
class _Part:
    """The message, or one card of its carousel: what is asked of it and what was given."""

    asked: Sequence[Parameter]
    given: Mapping[str, Any]
    place: Place
    body: list[Sent | None]
    components: list[dict[str, Any]]
    header_file: HeaderFile | None = None


def fill(template: Template, values: Mapping[str, Any]) -> Filled:
    """Fill a template in; `values` as `services.curating.using` describes them.

    Raises:
        Invalid: a value is missing, too many, or not what the template asks for; `fields` by path.
    """
    place = Place("template")
    asked = describe(
        template.components, category=template.category, parameter_format=template.parameter_format
    ).parameters
    message = _part([one for one in asked if "card" not in one], values, place, known=_FIELDS)
    _offer(message)
    cards = list(_cards(asked, values, place))
    text = _text(template, message)
    _measure(text, place.step("parameters"), limit=MAX_BODY)
    _measure(_header_text(template, message), place.step("header", "text"), limit=MAX_HEADER)
    if place.complaints:
        raise Invalid("the values do not fit the template", fields=place.complaints)
    return Filled(use=_use(template, message, cards), text=text, header_file=message.header_file)


def rendered(text: str, values: Mapping[str, str]) -> str:
    """Put values into a text; a placeholder without one stays."""
    return PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)


def _use(template: Template, message: _Part, cards: Sequence[_Part]) -> TemplateUse:
    numbered = any(is_content(one) for one in template.components or ())
    body = [kinds.shown(one) for one in message.body if one]
    components = message.components
    if cards:
        found = [{"card_index": n, "components": card.components} for n, card in enumerate(cards)]
        components = [*components, {"type": "carousel", "cards": found}]
    return TemplateUse(
        name=template.whatsapp_template_name or template.name,
        language=template.language,
        category=template.category,
        template_id=template.id,
        provider_template_id=template.whatsapp_template_id,
        parameters=body,
        components=None if numbered else components or None,
        variables=_variables(message) if numbered else None,
    )


def _part(asked: Sequence[Parameter], given: object, place: Place, *, known: frozenset[str]) -> _Part:
    fields = kinds.within(given, place, dict.fromkeys(known, False)) or {}
    part = _Part(asked, fields, place, body=[], components=[])
    _header(part)
    _body(part)
    _buttons(part)
    return part


def _header(part: _Part) -> None:
    slot = next(_of(part, "header"), None)
    place, given = part.place.step("header"), part.given.get("header")
    if slot is None:
        if given:
            place.refuse("This template's header takes no value.")
        return
    kind = slot["kind"]
    if not given:
        place.step(kind).refuse(f"Is missing: this template's header needs a {kind}.")
        return
    inner = kinds.within(given, place, {kind: True})
    sent = _header_value(part, kind, inner[kind], place.step(kind)) if inner else None
    if sent is not None:
        part.components.append({"type": "header", "parameters": [_named(slot, sent)]})


def _header_value(part: _Part, kind: str, value: object, place: Place) -> Sent | None:
    if kind in _FILES:
        return _file(part, kind, value, place)
    if kind == "location":
        return kinds.location(value, place)
    text = kinds.plain(value, place, limit=MAX_HEADER)
    return None if text is None else {"type": "text", "text": text}


def _file(part: _Part, kind: str, value: object, place: Place) -> Sent | None:
    """Name a header's file: by a link as it is, one of ours without an address, which comes when it is lent."""
    given = kinds.within(value, place, {"id": False, "link": False, "fileName": False})
    if given is None:
        return None
    link, file_id, name = (given.get(key) for key in ("link", "id", "fileName"))
    if (link is None) == (file_id is None):
        place.refuse("Give either the id of a stored file or a link.")
    if name is not None and kinds.plain(name, place.step("fileName")) and kind != "document":
        place.step("fileName").refuse("Only documents have one.")
    if link is not None and (url := kinds.unbroken(link, place.step("link"))) and not url.startswith(_SCHEMES):
        place.step("link").refuse("Must begin with https:// or http://.")
    if file_id is not None and kinds.unbroken(file_id, place.step("id")):
        part.header_file = HeaderFile(kind=kind, file_id=file_id, file_name=name)
    file = {"link": link, "filename": name}
    return {"type": kind, kind: {key: value for key, value in file.items() if value is not None}}


def _body(part: _Part) -> None:
    slots = list(_of(part, "body"))
    given = _given_texts(part, slots)
    for number, slot in enumerate(slots):
        key = slot.get("name", number)
        place = part.place.step("parameters", key)
        value = given.pop(key, None)
        if value is None:
            place.refuse("Is missing.")
            part.body.append(None)
        else:
            part.body.append((kinds.code if slot["kind"] == "code" else kinds.in_body)(value, place))
    for key in given:
        part.place.step("parameters", key).refuse(f"The template takes {len(slots)} values; this is none of them.")
    sent = [_named(slot, value) for slot, value in zip(slots, part.body, strict=True) if value]
    if sent:
        part.components.append({"type": "body", "parameters": sent})


def _given_texts(part: _Part, slots: Sequence[Parameter]) -> dict[Any, object]:
    """Bring the values of the body under their names or numbers; each template takes but one of the two."""
    given = part.given.get("parameters")
    names = [slot["name"] for slot in slots if "name" in slot]
    if given is None:
        return {}
    if isinstance(given, Mapping) and (names or not slots):
        return dict(given)
    if isinstance(given, (list, tuple)) and not names:
        return dict(enumerate(given))
    wanted = f"an object with the names {', '.join(names)}" if names else "a list: this template's are numbered"
    part.place.step("parameters").refuse(f"Give the values as {wanted}.")
    # One complaint is enough: stand-ins keep the single values from being called missing.
    return {slot.get("name", number): slot.get("name", "0") for number, slot in enumerate(slots)}


def _buttons(part: _Part) -> None:
    place, given = part.place.step("buttons"), part.given.get("buttons")
    slots = {str(slot["index"]): slot for slot in _of(part, "button")}
    fields = kinds.within(given, place, dict.fromkeys(slots, False)) if given is not None else None
    for index, slot in slots.items():
        value = _button_value(part, slot, (fields or {}).get(index))
        sub_type, read = kinds.BUTTONS[slot["kind"]]
        button = {"type": "button", "sub_type": sub_type, "index": index}
        if value is not None:
            sent = read(value, place.step(index))
            part.components.append({**button, "parameters": [sent]})
        elif slot["required"]:
            place.step(index).refuse("Is missing.")
        elif slot["kind"] in kinds.ALWAYS_NAMED:
            part.components.append(button)


def _button_value(part: _Part, slot: Parameter, given: object) -> object:
    """Return what a button says; that of an authentication template repeats the code."""
    if slot["kind"] != "code":
        return given
    code = kinds.shown(part.body[0]) if part.body and part.body[0] else None
    if given is not None and given != code:
        part.place.step("buttons", slot["index"]).refuse("Must be the code itself; leave it out.")
    return code


def _offer(part: _Part) -> None:
    given, place = part.given.get("expiresAt"), part.place.step("expiresAt")
    slot = next(_of(part, "limited_time_offer"), None)
    if slot is None:
        if given is not None:
            place.refuse("This template has no offer that ends.")
    elif given is None:
        place.refuse("Is missing.")
    else:
        part.components.append({"type": "limited_time_offer", "parameters": [kinds.expiration(given, place)]})


def _cards(asked: Sequence[Parameter], values: Mapping[str, Any], place: Place) -> Iterator[_Part]:
    count = 1 + max((one["card"] for one in asked if "card" in one), default=-1)
    given = values.get("cards") if isinstance(values, Mapping) else None
    cards = given if isinstance(given, (list, tuple)) else ()
    if (given is not None or count) and len(cards) != count:
        place.step("cards").refuse(f"Must be a list of {count} cards." if count else "This template has no cards.")
        return
    for number, card in enumerate(cards):
        own = [one for one in asked if one.get("card") == number]
        part = _part(own, card, place.step("cards", number), known=_CARD_FIELDS)
        if part.header_file:
            part.place.step("header").refuse("Give a link: files of cards are not lent.")
        yield part


def _text(template: Template, message: _Part) -> str | None:
    """Say what the customer reads, as far as the values are good."""
    slots = list(_of(message, "body"))
    values = {key_of(slot): kinds.shown(sent) for slot, sent in zip(slots, message.body, strict=True) if sent}
    body = body_of(template.components) or template.content
    return rendered(body, values) if body else next(iter(values.values()), None)


def _header_text(template: Template, message: _Part) -> str | None:
    sent = next((one["parameters"][0] for one in message.components if one["type"] == "header"), None)
    slot = next(_of(message, "header"), None)
    if not slot or not sent or sent["type"] != "text":
        return None
    return rendered(header_of(template.components) or "", {key_of(slot): kinds.shown(sent)})


def _measure(text: str | None, place: Place, *, limit: int) -> None:
    if text and len(text) > limit and not place.complaints:
        place.refuse(f"Filled in, the text has {len(text)} characters; at most {limit} are taken.")


def _variables(message: _Part) -> dict[str, str]:
    pairs = zip(_of(message, "body"), message.body, strict=True)
    return {key_of(slot): kinds.shown(sent) for slot, sent in pairs if sent}


def _of(part: _Part, component: str) -> Iterator[Parameter]:
    return (one for one in part.asked if one["component"] == component)


def _named(slot: Parameter, sent: Sent) -> Sent:
    return {**sent, "parameter_name": slot["name"]} if "name" in slot else sent
