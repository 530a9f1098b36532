"""Values as queries and bodies spell them: strict about kind, kind about the quirks of URLs.

A "+" in a query that nobody escaped arrives as a space; phone numbers and time zones are read all the same.
Deliberately nothing but scalars: no value of a caller ever becomes an operator.
"""

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from marshmallow import ValidationError, fields, validate

from models.store.filters import Span
from services.curating.kinds import unstorable

#: Longest id or word (characters) worth looking up.
MAX_TEXT: Final = 200
#: Values of one filter, at most.
MAX_ALTERNATIVES: Final = 20
_PHONE: Final = re.compile(r"\+?\d{5,20}")
_UNESCAPED_ZONE: Final = re.compile(r"(?<=\d) (?=\d\d:?\d\d$)")


class Moment(fields.AwareDateTime):
    """A moment in ISO 8601; without a zone, or as a bare date, it is UTC."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> datetime:
        try:
            moment = datetime.fromisoformat(_UNESCAPED_ZONE.sub("+", value))
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, TypeError, OverflowError):
            raise ValidationError("Not a moment such as 2026-01-31T09:30:00Z.") from None


class Flag(fields.Boolean):
    """`true` or `false`, in these words."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if isinstance(value, bool):
            return value
        if value not in ("true", "false"):
            raise ValidationError("Say true or false.")
        return bool(value == "true")


class AtLeastOne(Flag):
    """A flag that asks whether a counter stands above zero."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        return Span(start=1) if super()._deserialize(value) else 0


class Text(fields.String):
    """A short text: an id, a name, a word of an open vocabulary."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=validate.Length(1, MAX_TEXT), **kwargs)


class Phone(fields.String):
    """A phone number with its country's code, with or without the plus."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        number = value.strip() if isinstance(value, str) else ""
        if not _PHONE.fullmatch(number):
            raise ValidationError("Not a phone number such as +447700900123.")
        return "+" + number.removeprefix("+")


def word_of(vocabulary: type[StrEnum]) -> fields.String:
    """One word of a closed vocabulary."""
    words = [member.value for member in vocabulary]
    return fields.String(validate=validate.OneOf(words, error=f"Not one of {', '.join(words)}."))


class AnyOf(fields.List[Any]):
    """A filter that may be given more than once: rows with any of the values match."""

    def __init__(self, inner: fields.Field[Any], **kwargs: Any) -> None:
        super().__init__(inner, validate=validate.Length(1, MAX_ALTERNATIVES), **kwargs)


def storable(value: Any) -> None:
    """Refuse an object in somebody else's words that no document can hold; what it means is judged elsewhere.

    Raises:
        ValidationError: it is one.
    """
    if why := unstorable(value):
        raise ValidationError(why)
