"""The kinds of values that a template takes: what each must look like, and how it is sent, in Meta's shape.

A wrong value is complained of under its path in the request; nothing is mended or cut. Pure. Deliberately no
knowledge of any one template.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

#: A filled-in value as Meta takes it.
Sent = dict[str, Any]

#: Characters of one value of a text, of a code, of a link or its end, and of what a tapped button says to us.
MAX_TEXT: Final = 1024
MAX_CODE: Final = 15
MAX_LINK: Final = 2000
MAX_PAYLOAD: Final = 256
#: Control characters and line breaks of every script.
_BREAKS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_MANY_SPACES: Final = " " * 5
#: Levels of a value in the vendor's own words, and whole numbers that a document can hold.
_DEEPEST: Final = 20
_WHOLE: Final = range(-(2**63), 2**63)
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
#: Furthest north or east, in degrees.
_BOUNDS: Final = {"latitude": 90.0, "longitude": 180.0}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands in the request, and where complaints about it go."""

    path: str
    complaints: dict[str, list[str]] = field(default_factory=dict)

    def step(self, *steps: object) -> "Place":
        """Go to a value within."""
        return Place(".".join((self.path, *map(str, steps))), self.complaints)

    def refuse(self, why: str) -> None:
        """Complain."""
        self.complaints.setdefault(self.path, []).append(why)


def shown(sent: Sent) -> str:
    """Say how a customer reads a value of a text."""
    kind = str(sent["type"])
    return str(sent["text"] if kind == "text" else sent[kind]["fallback_value"])


def plain(value: object, place: Place, *, limit: int = MAX_TEXT) -> str | None:
    """Check a text that becomes part of a line."""
    if not isinstance(value, str):
        place.refuse("Must be text.")
    elif not value.strip():
        place.refuse("Must not be empty.")
    elif _BREAKS.search(value):
        place.refuse("Must have no line breaks, tabs or control characters.")
    elif _MANY_SPACES in value:
        place.refuse("Must have no more than four spaces in a row.")
    elif len(value) > limit:
        place.refuse(f"Has {len(value)} characters; at most {limit} are taken.")
    else:
        return value
    return None


def unbroken(value: object, place: Place, *, limit: int = MAX_LINK) -> str | None:
    """Check a text that must have no space in it: a link or its end."""
    text = plain(value, place, limit=limit)
    if text is not None and " " in text:
        place.refuse("Must have no spaces.")
        return None
    return text


def within(value: object, place: Place, keys: Mapping[str, bool]) -> Mapping[str, Any] | None:
    """Check an object: its fields, and whether each must be there; None where one that must be is not."""
    if not isinstance(value, Mapping):
        place.refuse("Must be an object.")
        return None
    missing = [key for key, needed in keys.items() if needed and value.get(key) is None]
    for key in missing:
        place.step(key).refuse("Is missing.")
    for key in (key for key in value if key not in keys):
        place.step(key).refuse("There is no such field.")
    return None if missing else value


def unstorable(value: object, *, depth: int = 0) -> str | None:
    """Say why no document can hold a value that is given in the vendor's own words; None where one can."""
    if depth > _DEEPEST:
        return "Is nested too deep."
    if isinstance(value, int) and value not in _WHOLE:
        return "Has a number that is too large."
    if isinstance(value, Mapping) and any("\0" in name for name in value):
        return "Has a name with the character U+0000."
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    return next((why for one in inner if (why := unstorable(one, depth=depth + 1))), None)


def in_body(value: object, place: Place) -> Sent | None:
    """A value of the body: a text, an amount of money or a moment; the latter two as Meta localises them."""
    if isinstance(value, Mapping) and len(value) == 1:
        ((kind, inner),) = value.items()
        if kind in _LOCALISED:
            return _LOCALISED[kind](inner, place.step(kind))
    return as_text(value, place)


def as_text(value: object, place: Place) -> Sent | None:
    """A text, or the end of a link."""
    text = plain(value, place)
    return None if text is None else {"type": "text", "text": text}


def _currency(value: object, place: Place) -> Sent | None:
    given = within(value, place, {"fallbackValue": True, "code": True, "amount1000": True})
    if given is None:
        return None
    before = len(place.complaints)
    fallback = plain(given["fallbackValue"], place.step("fallbackValue"))
    if not isinstance(given["code"], str) or not _CURRENCY.fullmatch(given["code"]):
        place.step("code").refuse("Must be a currency such as GBP.")
    if type(given["amount1000"]) is not int or given["amount1000"] not in _WHOLE:
        place.step("amount1000").refuse("Must be the amount times 1000, a whole number.")
    if len(place.complaints) > before:
        return None
    money = {"fallback_value": fallback, "code": given["code"], "amount_1000": given["amount1000"]}
    return {"type": "currency", "currency": money}


def _date_time(value: object, place: Place) -> Sent | None:
    given = within(value, place, {"fallbackValue": True})
    fallback = plain(given["fallbackValue"], place.step("fallbackValue")) if given else None
    return None if fallback is None else {"type": "date_time", "date_time": {"fallback_value": fallback}}


_LOCALISED: Final[Mapping[str, Callable[[object, Place], Sent | None]]] = {
    "currency": _currency,
    "dateTime": _date_time,
}


def code(value: object, place: Place) -> Sent | None:
    """A one-time code."""
    text = unbroken(value, place, limit=MAX_CODE)
    return None if text is None else {"type": "text", "text": text}


def location(value: object, place: Place) -> Sent | None:
    """A pin with its name and address."""
    given = within(value, place, {"latitude": True, "longitude": True, "name": True, "address": True})
    if given is None:
        return None
    pin = {name: _degrees(given[name], place.step(name), bound) for name, bound in _BOUNDS.items()}
    pin |= {name: plain(given[name], place.step(name)) for name in ("name", "address")}
    return None if None in pin.values() else {"type": "location", "location": pin}


def _degrees(value: object, place: Place, bound: float) -> str | None:
    try:
        number = None if isinstance(value, bool) or not isinstance(value, (int, float, str)) else float(value)
    except ValueError:
        number = None
    if number is None or not -bound <= number <= bound:
        place.refuse(f"Must be degrees from -{bound:g} to {bound:g}.")
        return None
    return str(value).strip()


def _payload(value: object, place: Place) -> Sent | None:
    text = plain(value, place, limit=MAX_PAYLOAD)
    return None if text is None else {"type": "payload", "payload": text}


def _url_suffix(value: object, place: Place) -> Sent | None:
    text = unbroken(value, place)
    return None if text is None else {"type": "text", "text": text}


def _coupon(value: object, place: Place) -> Sent | None:
    text = plain(value, place, limit=MAX_CODE)
    return None if text is None else {"type": "coupon_code", "coupon_code": text}


def _action(value: object, place: Place) -> Sent | None:
    """What the vendor calls an action, in its own words: a flow's token and data, products, an order."""
    if not isinstance(value, Mapping):
        place.refuse("Must be an object: the vendor's `action`.")
        return None
    if why := unstorable(value):
        place.refuse(why)
        return None
    return {"type": "action", "action": dict(value)}


def expiration(value: object, place: Place) -> Sent | None:
    """The moment at which an offer ends."""
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        ms = int(moment.timestamp() * 1000) if moment.tzinfo else None
    except (ValueError, OverflowError):
        ms = None
    if ms is None:
        place.refuse("Must be a moment with its zone, such as 2026-01-31T09:30:00Z.")
        return None
    return {"type": "limited_time_offer", "limited_time_offer": {"expiration_time_ms": ms}}


#: Kind of a button's value -> what the vendor calls the button, and how the value is read.
BUTTONS: Final[Mapping[str, tuple[str, Callable[[object, Place], Sent | None]]]] = {
    "payload": ("quick_reply", _payload),
    "url_suffix": ("url", _url_suffix),
    "code": ("url", code),
    "coupon_code": ("copy_code", _coupon),
    "flow": ("flow", _action),
    "catalog": ("catalog", _action),
    "mpm": ("mpm", _action),
    "order_details": ("order_details", _action),
}
#: Buttons that the vendor wants named even where they take no value.
ALWAYS_NAMED: Final = frozenset({"flow"})
