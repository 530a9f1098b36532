"""The notation of docs/data-model.md, made from the code.

`python -m tests.models.notation` brings the lists of that file up to date after a field or an index changed;
its prose is a person's. The house test compares the two.
"""

import dataclasses
import json
import re
import textwrap
from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from models.store.codec import camel
from models.store.collections import COLLECTIONS
from models.store.indexes import INDEXES, Index

PATH = Path(__file__).parents[2] / "docs/data-model.md"
WORDS: dict[Any, str] = {
    str: "string",
    int: "int",
    float: "number",
    bool: "bool",
    bytes: "binary",
    datetime: "date",
    Any: "any",
    dict: "object",
}


def lists() -> dict[str, list[str]]:
    """All lists of the data model by the heading they stand under."""
    fields = {name: wrapped(fields_of(cls)) for cls, name in COLLECTIONS.items()}
    parts = [line for part in sorted(parts_of(COLLECTIONS), key=by_name) for line in titled(part, fields_of(part))]
    words = [line for word in sorted(words_of(COLLECTIONS), key=by_name) for line in titled(word, values_of(word))]
    return {**fields, "Parts": parts, "Words": words}


def index_rows() -> list[str]:
    """The rows of the index table."""
    return [
        f"| `{name}` | `{index.keys}` | {options(index)} |".replace("|  |", "| |")
        for name, indexes in INDEXES.items()
        for index in indexes
    ]


def fields_of(cls: type) -> list[str]:
    """An entity's or a part's fields, e.g. "labels: [string]", "from?"."""
    hints = get_type_hints(cls)
    return [described(camel(one.name), hints[one.name]) for one in dataclasses.fields(cls)]


def described(name: str, hint: Any) -> str:
    if get_origin(hint) is UnionType:
        return described(f"{name}?", next(one for one in get_args(hint) if one is not NoneType))
    return name if hint is str else f"{name}: {kind(hint)}"


def kind(hint: Any) -> str:
    if get_origin(hint) is list:
        return f"[{kind(get_args(hint)[0])}]"
    word = WORDS.get(get_origin(hint) or hint)
    return word or str(hint.__name__)


def inner_types(cls: type) -> Iterator[Any]:
    """The types of all fields, out of their lists and options."""
    waiting = list(get_type_hints(cls).values())
    while waiting:
        hint = waiting.pop()
        waiting += [one for one in get_args(hint) if one is not NoneType]
        if not get_args(hint):
            yield hint


def parts_of(classes: Iterable[type]) -> set[type]:
    """The dataclasses inside entities, through and through."""
    found = {one for cls in classes for one in inner_types(cls) if hasattr(one, "__dataclass_fields__")}
    return found | parts_of(found) if found else found


def words_of(classes: Iterable[type]) -> set[type[Enum]]:
    """The vocabularies of entities and their parts."""
    everything = {*classes, *parts_of(classes)}
    return {one for cls in everything for one in inner_types(cls) if isinstance(one, type) and issubclass(one, Enum)}


def values_of(words: type[Enum]) -> list[str]:
    return [str(member.value) for member in words]


def by_name(cls: type) -> str:
    return cls.__name__


def titled(cls: type, items: list[str]) -> list[str]:
    first, *more = wrapped(items, width=84)
    return [f"{cls.__name__:<17} {first}", *(" " * 18 + line for line in more)]


def wrapped(items: list[str], width: int = 104) -> list[str]:
    """Set items in lines, none of them broken."""
    text = ", ".join(item.replace(" ", "\0") for item in items)
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return [line.replace("\0", " ") for line in lines]


def options(index: Index) -> str:
    """An index's options in words."""
    words = ["unique"] if index.unique else []
    if index.where:
        words.append("where " + " and ".join(conditions(index.where)))
    if index.expire_after is not None:
        words.append(f"rows expire {index.expire_after} s after")
    return ", ".join(words)


def conditions(where: Any) -> Iterator[str]:
    for name, condition in where.items():
        match condition:
            case {"$exists": True}:
                yield f"{name} exists"
            case {"$in": values}:
                yield f"{name} is {' or '.join(values)}"
            case _:
                yield f"{name} is {json.dumps(condition) if isinstance(condition, bool) else condition}"


def list_pattern(heading: str) -> re.Pattern[str]:
    """Find the first list under a heading."""
    return re.compile(rf"^###? {heading}\n(?:(?!^##).)*?^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)


INDEX_TABLE = re.compile(r"^\| collection \| keys \| options \|\n\|[-|]+\|\n((?:\|.*\n)*)", re.MULTILINE)


def rewrite(text: str) -> str:
    """Bring all lists in a text up to date."""
    for heading, lines in lists().items():
        text = replaced(text, list_pattern(heading), lines)
    return replaced(text, INDEX_TABLE, index_rows())


def replaced(text: str, pattern: re.Pattern[str], lines: list[str]) -> str:
    found = pattern.search(text)
    assert found, f"no place for {pattern.pattern}"
    return text[: found.start(1)] + "".join(f"{line}\n" for line in lines) + text[found.end(1) :]


if __name__ == "__main__":
    PATH.write_text(rewrite(PATH.read_text()))
