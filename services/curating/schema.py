"""Reading a vendor's template: which values a send must fill in, where they go, and of what kind they are.

Understands Meta's components, which 1msg shares, and Twilio's content types, each a component with a `/` in its type.
Pure and total: what is not understood asks for nothing. Deliberately no values here: `services.curating.filling` puts
those in.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from models.template import ParameterFormat

Component = Mapping[str, Any]
#: One value that a template asks for: component, kind, required; name or position; index (of a button), card, example.
Parameter = dict[str, Any]

#: Where a value stands in a text.
PLACEHOLDER: Final = re.compile(r"\{\{\s*(\w{1,200})\s*\}\}")
#: Digits of a placeholder's number; longer ones are names.
_MAX_DIGITS: Final = 4
#: Levels of a content type that are looked at; real ones have four.
_DEEPEST: Final = 20
#: The category whose one value is a code.
AUTHENTICATION: Final = "AUTHENTICATION"
#: Formats of a header that is a file or a pin.
_HEADER_KINDS: Final = {"IMAGE": "image", "VIDEO": "video", "DOCUMENT": "document", "LOCATION": "location"}
#: What a button's value is, and whether a send lacks something without it. Others take no value.
_BUTTON_KINDS: Final = {
    "QUICK_REPLY": ("payload", False),
    "COPY_CODE": ("coupon_code", True),
    "FLOW": ("flow", False),
    "CATALOG": ("catalog", False),
    "MPM": ("mpm", True),
    "ORDER_DETAILS": ("order_details", True),
}


@dataclass(frozen=True, slots=True)
class Schema:
    """What a template asks for."""

    parameters: list[Parameter] = field(default_factory=list)
    parameter_format: ParameterFormat | None = None


def describe(
    components: Iterable[object] | None, *, category: str | None = None, parameter_format: object = None
) -> Schema:
    """Read a template's components; a format that the vendor states counts more than the look of the placeholders."""
    found = list(_read(components or (), category=(category or "").upper()))
    return Schema(found, _format(parameter_format, found))


def body_of(components: Iterable[object] | None) -> str | None:
    """Find the text that the customer reads first."""
    held = list(_objects(components or ()))
    return _first_text(
        one.get("body") if is_content(one) else one.get("text") if _type(one) == "BODY" else None for one in held
    )


def header_of(components: Iterable[object] | None) -> str | None:
    """Find the text of the header."""
    return _first_text(one.get("text") for one in _objects(components or ()) if _type(one) == "HEADER")


def is_content(component: Component) -> bool:
    """Whether a component is one of Twilio's content types, whose placeholders are counted through all its parts."""
    return "/" in str(component.get("type") or "")


def placeholders(text: object) -> list[str]:
    """Name the placeholders of a text: numbers in their order, names as they come, each once."""
    found = list(dict.fromkeys(PLACEHOLDER.findall(text))) if isinstance(text, str) else []
    return sorted(found, key=int) if found and all(map(_is_number, found)) else found


def key_of(parameter: Parameter) -> str:
    """Return what a value is called in its text."""
    return str(parameter.get("name") or parameter.get("position"))


def _read(components: Iterable[object], *, category: str) -> Iterator[Parameter]:
    held = list(_objects(components))
    contents = [component for component in held if is_content(component)]
    if contents:
        yield from _content(contents)
        return
    for component in held:
        reader = _READERS.get(_type(component))
        if reader is not None:
            yield from reader(component, category)


def _header(component: Component, _: str) -> Iterator[Parameter]:
    kind = _HEADER_KINDS.get(str(component.get("format") or "").upper())
    if kind:
        yield {"component": "header", "kind": kind, "required": True}
    else:
        yield from _slots("header", component.get("text"), _examples(component, "header_text"))


def _body(component: Component, category: str) -> Iterator[Parameter]:
    if category == AUTHENTICATION:
        yield {"component": "body", "position": 1, "kind": "code", "required": True}
    else:
        yield from _slots("body", component.get("text"), _examples(component, "body_text"))


def _buttons(component: Component, category: str) -> Iterator[Parameter]:
    for index, button in enumerate(_objects(component.get("buttons"))):
        found = _button(button, category)
        if found:
            yield {"component": "button", "index": index, **found}


def _button(button: Component, category: str) -> Parameter | None:
    """Read one button; an authentication template's takes the code from the body."""
    kind = _type(button)
    dynamic = kind == "URL" and placeholders(button.get("url"))
    if kind == "OTP" or (category == AUTHENTICATION and dynamic):
        return {"kind": "code", "required": False}
    if dynamic:
        examples = button.get("example")
        example = examples[0] if isinstance(examples, list) and examples else examples
        return {"kind": "url_suffix", "required": True, **_example(example)}
    name, required = _BUTTON_KINDS.get(kind, (None, False))
    return {"kind": name, "required": required} if name else None


def _offer(component: Component, _: str) -> Iterator[Parameter]:
    details = component.get("limited_time_offer")
    expires = isinstance(details, Mapping) and details.get("has_expiration", True)
    if expires:
        yield {"component": "limited_time_offer", "kind": "expiration", "required": True}


def _carousel(component: Component, category: str) -> Iterator[Parameter]:
    for number, card in enumerate(_objects(component.get("cards"))):
        for inner in _objects(card.get("components")):
            reader = _READERS.get(_type(inner)) if _type(inner) != "CAROUSEL" else None
            for found in reader(inner, category) if reader else ():
                yield {**found, "card": number}


_READERS: Final[Mapping[str, Callable[[Component, str], Iterator[Parameter]]]] = {
    "HEADER": _header,
    "BODY": _body,
    "BUTTONS": _buttons,
    "LIMITED_TIME_OFFER": _offer,
    "CAROUSEL": _carousel,
}


def _content(contents: list[Component]) -> Iterator[Parameter]:
    """Read content types: variants of one message, so a placeholder in several of them is one value."""
    if any(_type(one) == "WHATSAPP/AUTHENTICATION" for one in contents):
        yield {"component": "body", "position": 1, "kind": "code", "required": True}
        return
    yield from _slots("body", "\n".join(text for one in contents for text in _texts(one)), {})


def _texts(value: object, depth: int = 0) -> Iterator[str]:
    """All texts within a value; at each level, since vendors nest them differently."""
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    if isinstance(value, str):
        yield value
    for one in inner if depth < _DEEPEST else ():
        yield from _texts(one, depth + 1)


def _slots(component: str, text: object, examples: Mapping[str, Any]) -> Iterator[Parameter]:
    for key in placeholders(text):
        named = {"position": int(key)} if _is_number(key) else {"name": key}
        yield {"component": component, **named, "kind": "text", "required": True, **_example(examples.get(key))}


def _examples(component: Component, key: str) -> dict[str, Any]:
    """Read the samples that a template was reviewed with, by placeholder."""
    example = component.get("example")
    if not isinstance(example, Mapping):
        return {}
    named = {str(one.get("param_name")): one.get("example") for one in _objects(example.get(f"{key}_named_params"))}
    row = example.get(key)
    if isinstance(row, list) and row and isinstance(row[0], list):
        row = row[0]
    return named or {str(n): value for n, value in enumerate(row if isinstance(row, list) else (), start=1)}


def _example(value: object) -> dict[str, str]:
    return {"example": value} if isinstance(value, str) else {}


def _format(told: object, found: Iterable[Parameter]) -> ParameterFormat | None:
    said = str(told or "").lower()
    if said in set(ParameterFormat):
        return ParameterFormat(said)
    texts = [one for one in found if one["component"] in {"header", "body"} and ("name" in one or "position" in one)]
    if not texts:
        return None
    return ParameterFormat.NAMED if any("name" in one for one in texts) else ParameterFormat.POSITIONAL


def _type(component: Component) -> str:
    return str(component.get("type") or "").upper()


def _first_text(values: Iterable[object]) -> str | None:
    return next((one for one in values if isinstance(one, str) and one), None)


def _objects(values: object) -> Iterator[Component]:
    for one in values if isinstance(values, (list, tuple)) else ():
        if isinstance(one, Mapping):
            yield one


def _is_number(key: str) -> bool:
    return key.isascii() and key.isdigit() and len(key) <= _MAX_DIGITS
