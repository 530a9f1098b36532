"""Queries from what callers ask for: typed scalars in, conditions out, never an operator of theirs.

Deliberately refuses every dict: a caller's `{"$ne": null}` in the place of a value would match everything.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

Scalar = bool | int | float | str | datetime
_SCALARS: Final = (bool, int, float, str, datetime)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time or numbers: from `start` up to, not including, `end`; either may be open."""

    start: Scalar | None = None
    end: Scalar | None = None


def matching(values: Mapping[str, Scalar | list[Scalar] | Span | None]) -> dict[str, Any]:
    """Build a query for rows that have all these values; a list means any of them, None asks for nothing.

    Raises:
        TypeError: a value is none of these; an operator in disguise among them.
    """
    return {field: _condition(value) for field, value in values.items() if value is not None}


def _condition(value: object) -> Any:
    if isinstance(value, Span):
        bounds = {"$gte": value.start, "$lt": value.end}
        return {operator: _scalar(bound) for operator, bound in bounds.items() if bound is not None}
    if isinstance(value, list):
        return {"$in": [_scalar(one) for one in value]}
    return _scalar(value)


def _scalar(value: object) -> object:
    if not isinstance(value, _SCALARS):
        raise TypeError(f"a {type(value).__name__} is not a value to filter by")
    return value
