"""Entities to documents and back: snake_case here, camelCase there, by one function.

Each class is compiled once into a flat plan, because the codec is on the hot path. Deliberately no
validation and no defaults of its own: what a document lacks, the dataclass supplies. Lists and dicts
that need no translation are passed on, not copied.
"""

import dataclasses
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Final, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

Document = dict[str, Any]
Convert = Callable[[Any], Any]
E_ = TypeVar("E_")


@cache
def camel(name: str) -> str:
    """Spell a field as documents and the wire do: `phone_number` -> "phoneNumber", `from_` -> "from"."""
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def field_names(cls: type) -> Mapping[str, str]:
    """Map an entity's field names to their document names, in order."""
    return {field.name: camel(field.name) for field in dataclasses.fields(cls)}


def to_document(entity: object) -> Document:
    """Translate an entity; fields that are None are left out."""
    plan = _plan(type(entity))
    document: Document = {}
    for (key, convert), value in zip(plan.steps, plan.values(entity), strict=True):
        if value is not None:
            document[key] = value if convert is None else convert(value)
    return document


def from_document(cls: type[E_], document: Mapping[str, Any]) -> E_:
    """Translate a document; keys the entity does not know are ignored, null counts as absent.

    Raises:
        TypeError: a required field is missing.
    """
    reader = _plan(cls).readers
    fields = {}
    for key, value in document.items():
        step = reader.get(key)
        if step is not None and value is not None:
            name, convert = step
            fields[name] = value if convert is None else convert(value)
    return cls(**fields)


def to_changes(values: Mapping[str, Any]) -> tuple[Document, Document]:
    """Translate changed fields, by their Python names, to what an update sets and what it removes (None)."""
    changes = {camel(name): encode(value) for name, value in values.items() if value is not None}
    removals = {camel(name): "" for name, value in values.items() if value is None}
    return changes, removals


def encode(value: Any) -> Any:
    """Translate one value by what it is; a plain one stays as it is."""
    kind = type(value)
    if kind not in _ENCODERS:
        _ENCODERS[kind] = _scalar_encoder(kind)
    convert = _ENCODERS[kind]
    return value if convert is None else convert(value)


#: Class of a value -> how it is written, found out at its first use.
_ENCODERS: Final[dict[type, Convert | None]] = {
    list: lambda values: [encode(one) for one in values],
    dict: lambda values: {key: encode(one) for key, one in values.items()},
}


class _Plan(NamedTuple):
    """What is known about a class after looking at it once."""

    #: All values of an entity in one call, and for each of them its key and how it is written.
    values: Callable[[object], tuple[Any, ...]]
    steps: tuple[tuple[str, Convert | None], ...]
    #: Key -> the field and how it is read.
    readers: Mapping[str, tuple[str, Convert | None]]


_PLANS: Final[dict[type, _Plan]] = {}


def _plan(cls: type) -> _Plan:
    """Return a class's plan, made at its first use."""
    plan = _PLANS.get(cls)
    if plan is None:
        plan = _PLANS[cls] = _compile(cls)
    return plan


def _compile(cls: type) -> _Plan:
    hints = get_type_hints(cls)
    names = field_names(cls)
    return _Plan(
        values=_values_of(list(names)),
        steps=tuple((key, _encoder(hints[name])) for name, key in names.items()),
        readers={key: (name, _decoder(hints[name])) for name, key in names.items()},
    )


def _values_of(names: list[str]) -> Callable[[object], tuple[Any, ...]]:
    getter = attrgetter(*names)
    if len(names) == 1:
        return lambda entity: (getter(entity),)
    return getter


def _encoder(hint: Any) -> Convert | None:
    """Choose how a value of a type is written; None where as it is."""
    hint = _required(hint)
    if get_origin(hint) in _CONTAINERS:
        return _CONTAINERS[get_origin(hint)](_encoder(get_args(hint)[-1]))
    return _scalar_encoder(hint)


def _scalar_encoder(hint: Any) -> Convert | None:
    if not isinstance(hint, type):
        return None
    if issubclass(hint, Enum):
        return str
    if dataclasses.is_dataclass(hint):
        return to_document
    return _stored_time if issubclass(hint, datetime) else None


def _decoder(hint: Any) -> Convert | None:
    """Choose how a stored value of a type is read; None where as it is."""
    hint = _required(hint)
    if get_origin(hint) in _CONTAINERS:
        return _CONTAINERS[get_origin(hint)](_decoder(get_args(hint)[-1]))
    if not isinstance(hint, type):
        return None
    if issubclass(hint, Enum):
        return _member(hint)
    if dataclasses.is_dataclass(hint):
        return lambda document: from_document(hint, document)
    return _aware if issubclass(hint, datetime) else None


def _required(hint: Any) -> Any:
    """Strip `| None` from a type."""
    if get_origin(hint) not in {Union, UnionType}:
        return hint
    kinds = [kind for kind in get_args(hint) if kind is not NoneType]
    return kinds[0] if len(kinds) == 1 else Any


def _each(convert: Convert | None) -> Convert | None:
    if convert is None:
        return None
    return lambda values: [convert(value) for value in values]


def _each_value(convert: Convert | None) -> Convert | None:
    if convert is None:
        return None
    return lambda values: {key: convert(value) for key, value in values.items()}


_CONTAINERS: Final[Mapping[Any, Callable[[Convert | None], Convert | None]]] = {
    list: _each,
    dict: _each_value,
}


def _member(kind: type[Enum]) -> Convert:
    """Read a word of a vocabulary; one that a newer version wrote stays a plain string."""
    members = {str(member.value): member for member in kind}
    return lambda word: members.get(word, word)


def _stored_time(moment: datetime) -> datetime:
    """Cut a moment to what MongoDB keeps, so that what is written equals what is read."""
    if moment.tzinfo is not UTC:
        moment = _to_utc(moment)
    excess = moment.microsecond % 1000
    return moment.replace(microsecond=moment.microsecond - excess) if excess else moment


def _to_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone is not stored")
    return moment.astimezone(UTC)


def _aware(moment: datetime) -> datetime:
    """Give a moment its zone in our spelling: the driver's own UTC is another object."""
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
