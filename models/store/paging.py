"""Lists in pages that stay true while rows come and go: each page starts after the last row before it.

A cursor holds the list's name and that row's sort values, so it never expires and needs no place on the server.
The id breaks ties, hence no row is shown twice or skipped. Deliberately no counting of all rows and no page
numbers: both cost a scan and are wrong as soon as they are shown.
"""

import base64
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NoReturn

from pymongo import ASCENDING, DESCENDING
from pymongo.collection import Collection

from runtime.errors import Invalid

Document = dict[str, Any]
#: What a list can be sorted by.
SortValue = None | bool | int | float | str | datetime

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 200
#: Longest cursor (characters) that is looked at; ours are far shorter.
_MAX_CURSOR: Final = 2_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
#: Marks a moment among a cursor's values, in milliseconds since 1970.
_MOMENT: Final = "at"
_INT64: Final = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, and where the next ones begin; no cursor means that these were the last."""

    items: list[Document]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class SortKey:
    """A field and its direction; absent values are the least, as in MongoDB."""

    field: str
    descending: bool


def page(
    collection: Collection[Document],
    query: Mapping[str, Any],
    *,
    sort: str,
    limit: int | None = None,
    cursor: str | None = None,
    projection: Mapping[str, int] | None = None,
    name: str = "",
) -> Page:
    """Read one page of the rows that match a query.

    `sort` names fields in order, "-" descends, e.g. "-lastMessageTime"; the id is added where it lacks. `name` tells
    lists apart: a cursor of another one is refused, as it would skip rows silently.
    `limit` is brought into 1 … MAX_LIMIT. `query` is code's own: callers' values go through `filters`.

    Raises:
        Invalid: the cursor is not one of ours, or of another list, or of a list sorted otherwise.
    """
    keys = sort_keys(sort)
    size = max(1, min(MAX_LIMIT, DEFAULT_LIMIT if limit is None else limit))
    wanted = dict(query) if cursor is None else {"$and": [query, *_after(keys, read_cursor(cursor, keys, name=name))]}
    order = [(key.field, DESCENDING if key.descending else ASCENDING) for key in keys]
    rows = list(collection.find(wanted, _projected(projection, keys)).sort(order).limit(size + 1))
    more = len(rows) > size
    return Page(rows[:size], write_cursor(rows[size - 1], keys, name=name) if more else None)


def sort_keys(sort: str) -> tuple[SortKey, ...]:
    """Read a sort such as "-timestamp -receivedAt", with the id as its last resort."""
    keys = [SortKey(word.removeprefix("-"), word.startswith("-")) for word in sort.split()]
    if all(key.field != "id" for key in keys):
        keys.append(SortKey("id", bool(keys) and keys[-1].descending))
    return tuple(keys)


def write_cursor(row: Mapping[str, Any], keys: Sequence[SortKey], *, name: str = "") -> str:
    """Write down where a row stands in a list."""
    content = {"list": name, "sort": _spelled(keys), "row": [_tagged(row.get(key.field)) for key in keys]}
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def read_cursor(cursor: str, keys: Sequence[SortKey], *, name: str = "") -> list[SortValue]:
    """Read where the last page ended.

    Raises:
        Invalid: the cursor is not one of ours, or of another list, or of a list sorted otherwise.
    """
    content = _decoded(cursor)
    if content.get("list", "") != name:
        _refuse("belongs to another list")
    if content.get("sort") != _spelled(keys):
        _refuse("belongs to a list that is sorted otherwise")
    values = content.get("row")
    if not isinstance(values, list) or len(values) != len(keys):
        _refuse("is not one of ours")
    return [_untagged(value) for value in values]


def _decoded(cursor: str) -> dict[str, Any]:
    if len(cursor) > _MAX_CURSOR:
        _refuse("is not one of ours")
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        content = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True).decode())
    except (ValueError, RecursionError):
        _refuse("is not one of ours")
    if not isinstance(content, dict):
        _refuse("is not one of ours")
    return content


def _refuse(why: str) -> NoReturn:
    fields = {"cursor": [f"The cursor {why}; start again without it."]}
    raise Invalid(f"the cursor {why}", fields=fields) from None


def _spelled(keys: Sequence[SortKey]) -> str:
    return " ".join(f"-{key.field}" if key.descending else key.field for key in keys)


def _tagged(value: Any) -> Any:
    if isinstance(value, datetime):
        return {_MOMENT: (value - _EPOCH) // _MILLISECOND}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"a list cannot be sorted by a {type(value).__name__}")


def _untagged(value: Any) -> SortValue:
    """Read one value of a cursor; anybody may have written it, so only what MongoDB can compare passes."""
    try:
        if isinstance(value, dict) and list(value) == [_MOMENT] and type(value[_MOMENT]) is int:
            return _EPOCH + value[_MOMENT] * _MILLISECOND
        if _comparable(value):
            scalar: SortValue = value
            return scalar
    except (OverflowError, UnicodeEncodeError):
        pass
    return _refuse("is not one of ours")


def _comparable(value: Any) -> bool:
    match value:
        case None | bool():
            return True
        case int():
            return value in _INT64
        case float():
            return math.isfinite(value)
        case str():
            return bool(value.encode() or True)
        case _:
            return False


def _after(keys: Sequence[SortKey], values: Sequence[SortValue]) -> list[Document]:
    """Build the condition for the rows that come after the one with these values.

    Either the first key is beyond its value, or it ties and the second is, and so on. The bound on the first
    key says nothing new; it lets the index start there.
    """
    alternatives = []
    ties: Document = {}
    for key, value in zip(keys, values, strict=True):
        beyond = _beyond(key, value)
        if beyond is not None:
            alternatives.append({**ties, **beyond})
        ties[key.field] = value
    if not alternatives:
        return [{"id": {"$in": []}}]
    return [*_bound(keys[0], values[0]), {"$or": alternatives}]


def _beyond(key: SortKey, value: SortValue) -> Document | None:
    """Say what comes after a value; None where nothing does. Comparisons leave absent values out."""
    if key.descending:
        return None if value is None else {key.field: {"$not": {"$gte": value}}}
    return {key.field: {"$ne": None} if value is None else {"$gt": value}}


def _bound(key: SortKey, value: SortValue) -> list[Document]:
    if value is None:
        return [{key.field: None}] if key.descending else []
    return [{key.field: {"$not": {"$gt": value}} if key.descending else {"$gte": value}}]


def _projected(projection: Mapping[str, int] | None, keys: Sequence[SortKey]) -> dict[str, int]:
    """Leave the internal id out and, where fields are picked, the sort's fields in."""
    chosen = dict(projection or {})
    if any(chosen.values()):
        chosen |= {key.field: 1 for key in keys}
    return chosen | {"_id": 0}
