"""Events as plain data that reads like a specification: what golden files hold.

Fields in the spelling of documents, words instead of enums, ISO times, nothing that is absent or as usual.
Deliberately one-way: no event is ever made from it.
"""

import dataclasses
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final

from providers.events import AccountKey, Event

#: Fields shown even where they have their usual value: without them an event cannot be read.
ALWAYS: Final = frozenset({"type", "emoji"})


def normal_form(events: Iterable[Event]) -> list[dict[str, Any]]:
    """Write events down, each beginning with its kind."""
    return [{"kind": type(event).__name__, **_fields(event)} for event in events]


def _fields(entity: Any) -> dict[str, Any]:
    return {
        _spelled(one.name): _plain(getattr(entity, one.name))
        for one in dataclasses.fields(entity)
        if one.name in ALWAYS or not _usual(one, getattr(entity, one.name))
    }


def _usual(one: "dataclasses.Field[Any]", value: Any) -> bool:
    if one.default_factory is not dataclasses.MISSING:
        return bool(value == one.default_factory())
    return bool(value == one.default)


def _spelled(name: str) -> str:
    head, *rest = name.rstrip("_").split("_")
    return head + "".join(part.title() for part in rest)


def _plain(value: Any) -> Any:
    if isinstance(value, AccountKey):
        return f"{value.kind} {value.value}"
    if dataclasses.is_dataclass(value):
        return _fields(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value
