"""Hypothesis strategies for entities, made from their type hints, so that a new field is tested at once."""

import dataclasses
from datetime import UTC, datetime, timedelta
from enum import Enum
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from models.store.collections import COLLECTIONS

#: All entities that have a collection.
ENTITIES = tuple(COLLECTIONS)

#: Anything MongoDB can keep: no lone surrogates.
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
KEYS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
INT64 = st.integers(-(2**63), 2**63 - 1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Moments as precise as MongoDB keeps them.
MOMENTS = st.integers(0, 4_000_000_000_000).map(lambda ms: EPOCH + timedelta(milliseconds=ms))
SCALARS = st.none() | st.booleans() | INT64 | st.floats(allow_nan=False) | TEXT
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=2))

PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    int: INT64,
    float: st.floats(allow_nan=False),
    bool: st.booleans(),
    bytes: st.binary(max_size=8),
    datetime: MOMENTS,
    Any: JSON,
}


def entity(cls: type) -> st.SearchStrategy[Any]:
    """Build instances of a dataclass, every field filled or, where it may be, None."""
    hints = get_type_hints(cls)
    fields = {field.name: values(hints[field.name]) for field in dataclasses.fields(cls)}
    return st.builds(cls, **fields)


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Build values of a type."""
    arguments = get_args(hint)
    if get_origin(hint) is UnionType:
        return st.one_of([st.none() if one is NoneType else values(one) for one in arguments])
    if get_origin(hint) is list:
        return st.lists(values(arguments[0]), max_size=2)
    if get_origin(hint) is dict:
        return st.dictionaries(KEYS, values(arguments[1]), max_size=2)
    if dataclasses.is_dataclass(hint):
        assert isinstance(hint, type)
        return entity(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(hint)
    return PLAIN[hint]
