"""Checking a template before the vendor is asked for it: names, language, category, and the limits of each part.

The limits are WhatsApp's, whoever hands the template on. All complaints come at once, by path in the request. Pure.
Deliberately no judging of contents: the vendor's reviewers do that.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from services.curating.kinds import Place
from services.curating.schema import AUTHENTICATION, PLACEHOLDER, placeholders

CATEGORIES: Final = ("MARKETING", "UTILITY", AUTHENTICATION)
#: Characters, at most.
MAX_HEADER: Final = 60
MAX_BODY: Final = 1024
MAX_FOOTER: Final = 60
MAX_BUTTON: Final = 25
MAX_URL: Final = 2000
MAX_COUPON: Final = 15
MAX_BUTTONS: Final = 10
#: Kinds of buttons of which there may be fewer.
_FEW: Final = {"URL": 2, "PHONE_NUMBER": 1, "COPY_CODE": 1}
_FORMATS: Final = ("TEXT", "IMAGE", "VIDEO", "DOCUMENT", "LOCATION")
_NAME: Final = re.compile(r"[a-z0-9_]{1,512}")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(_[A-Z]{2,4})?")
_NAMED: Final = re.compile(r"[a-z][a-z0-9_]*")
#: A value at the very beginning or end, but for spaces: vendors refuse those.
_AT_AN_END: Final = re.compile(rf"\A\s*{PLACEHOLDER.pattern}|{PLACEHOLDER.pattern}\s*\Z")
Part = Mapping[str, Any]


def problems(*, name: str, language: str | None, category: str | None, components: object) -> dict[str, list[str]]:
    """Say by path what the vendor would refuse."""
    place = Place("")
    if not _NAME.fullmatch(name):
        _at(place, "name").refuse("Must be of a-z, 0-9 and _, at most 512.")
    if not _LANGUAGE.fullmatch(language or ""):
        _at(place, "language").refuse("Must be a language such as en or en_GB.")
    if category not in CATEGORIES:
        _at(place, "category").refuse(f"Must be one of {', '.join(CATEGORIES)}.")
    _check_parts(components, _at(place, "components"), is_code=category == AUTHENTICATION)
    return place.complaints


def _at(place: Place, path: str) -> Place:
    return Place(path, place.complaints)


def _check_parts(components: object, place: Place, *, is_code: bool) -> None:
    parts = list(_objects(components, place))
    kinds = Counter(str(part.get("type") or "").upper() for part in parts)
    if not kinds["BODY"]:
        place.refuse("A template needs a BODY.")
    for repeated in (kind for kind, count in kinds.items() if count > 1):
        place.refuse(f"There may be but one {repeated}.")
    for number, part in enumerate(parts):
        kind = str(part.get("type") or "").upper()
        check = _CHECKS.get(kind)
        if kind not in _CHECKS:
            place.step(number, "type").refuse(f"Must be one of {', '.join(_CHECKS)}.")
        elif check is not None and not (is_code and kind == "BODY"):
            check(part, place.step(number))


def _header(part: Part, place: Place) -> None:
    form = str(part.get("format") or "").upper()
    if form not in _FORMATS:
        place.step("format").refuse(f"Must be one of {', '.join(_FORMATS)}.")
    elif form == "TEXT":
        text = _text(part, place, MAX_HEADER)
        if len(placeholders(text)) > 1:
            place.step("text").refuse("A header takes at most one value.")
        _check_examples(part, place, "header_text", placeholders(text))


def _body(part: Part, place: Place) -> None:
    text = _text(part, place, MAX_BODY)
    found = placeholders(text)
    numbers = [one for one in found if one.isdigit()]
    if text and _AT_AN_END.search(text):
        place.step("text").refuse("Must not begin or end with a value.")
    if numbers and len(numbers) < len(found):
        place.step("text").refuse("Values have names or numbers, not both.")
    elif numbers and numbers != [str(n) for n in range(1, len(numbers) + 1)]:
        place.step("text").refuse("Values are numbered from 1, without gaps.")
    elif not numbers and not all(map(_NAMED.fullmatch, found)):
        place.step("text").refuse("Names of values are of a-z, 0-9 and _.")
    _check_examples(part, place, "body_text", found)


def _footer(part: Part, place: Place) -> None:
    if placeholders(_text(part, place, MAX_FOOTER)):
        place.step("text").refuse("A footer takes no values.")


def _buttons(part: Part, place: Place) -> None:
    buttons = list(_objects(part.get("buttons"), place.step("buttons")))
    kinds = [str(button.get("type") or "").upper() for button in buttons]
    if len(buttons) > MAX_BUTTONS:
        place.step("buttons").refuse(f"At most {MAX_BUTTONS} buttons.")
    for kind, most in _FEW.items():
        if kinds.count(kind) > most:
            place.step("buttons").refuse(f"At most {most} of {kind}.")
    if sum(one != other for one, other in pairwise(kind == "QUICK_REPLY" for kind in kinds)) > 1:
        place.step("buttons").refuse("Quick replies must stand together.")
    for number, (kind, button) in enumerate(zip(kinds, buttons, strict=True)):
        _check_button(kind, button, place.step("buttons", number))


def _check_button(kind: str, button: Part, place: Place) -> None:
    if kind not in {"OTP", "COPY_CODE"}:
        _text(button, place, MAX_BUTTON)
    if kind == "URL":
        url = _text(button, place, MAX_URL, key="url")
        if placeholders(url) and not button.get("example"):
            place.step("example").refuse("Give an example of the whole link.")
    if kind == "COPY_CODE":
        example = button.get("example")
        code = example[0] if isinstance(example, list) and example else example
        _text({"example": code}, place, MAX_COUPON, key="example")


#: Kind of part -> what checks it; parts that only the vendor can judge have none.
_CHECKS: Final[Mapping[str, Callable[[Part, Place], None] | None]] = {
    "HEADER": _header,
    "BODY": _body,
    "FOOTER": _footer,
    "BUTTONS": _buttons,
    "CAROUSEL": None,
    "LIMITED_TIME_OFFER": None,
}


def _text(part: Part, place: Place, limit: int, *, key: str = "text") -> str:
    value = part.get(key)
    if not isinstance(value, str) or not value.strip():
        place.step(key).refuse("Must not be empty.")
        return ""
    if len(value) > limit:
        place.step(key).refuse(f"Has {len(value)} characters; at most {limit} are taken.")
    return value


def _check_examples(part: Part, place: Place, key: str, found: Sequence[str]) -> None:
    """Reviewers want to see each value filled in."""
    example = part.get("example")
    given = example if isinstance(example, Mapping) else {}
    told = given.get(key) or given.get(f"{key}_named_params")
    rows = told if isinstance(told, list) else []
    count = len(rows[0] if rows and isinstance(rows[0], list) else rows)
    if count < len(found):
        place.step("example").refuse(f"Give an example of each value: {', '.join(found)}.")


def _objects(values: object, place: Place) -> Iterator[Part]:
    if not isinstance(values, list) or not values:
        place.refuse("Must be a list, and not empty.")
        return
    for number, one in enumerate(values):
        if isinstance(one, Mapping):
            yield one
        else:
            place.step(number).refuse("Must be an object.")
