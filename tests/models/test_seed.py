"""The seed's models are a contract: every field it names exists under its name."""

import dataclasses
import json
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from models.store.codec import field_names
from models.store.collections import COLLECTIONS

SEED: dict[str, list[str]] = json.loads(Path(__file__).with_name("seed_fields.json").read_text())
ENTITIES = {cls.__name__: cls for cls in COLLECTIONS}
#: The raw bytes are stored instead; this one is parsed from them on reading.
READ_ONLY = {("WebhookEvent", "rawData")}
PATHS = [(model, path) for model, paths in SEED.items() for path in paths if (model, path) not in READ_ONLY]


def part(hint: Any) -> Any:
    """The type inside `| None` and `list[…]`."""
    if get_origin(hint) is UnionType:
        return part(next(one for one in get_args(hint) if one is not NoneType))
    return part(get_args(hint)[0]) if get_origin(hint) is list else hint


@pytest.mark.parametrize(("model", "path"), PATHS, ids=lambda value: value)
def test_every_field_of_the_seed_exists(model: str, path: str) -> None:
    cls: Any = ENTITIES[model]
    for step in path.split("."):
        assert dataclasses.is_dataclass(cls), f"{model} ends before {step}"
        assert isinstance(cls, type)
        names = {document_name: name for name, document_name in field_names(cls).items()}
        assert step in names, f"{model}.{path}"
        cls = part(get_type_hints(cls)[names[step]])


def test_the_seed_is_whole() -> None:
    assert len(SEED) == 13
    assert len(PATHS) == 295


@pytest.mark.parametrize("cls", ENTITIES.values(), ids=lambda cls: cls.__name__)
def test_entities_can_be_deleted_softly_wholly_or_not_at_all(cls: type) -> None:
    trio = {"is_deleted", "deleted_at", "deleted_by"}
    has = trio & set(field_names(cls))
    assert has in (set(), trio)
    if cls.__name__ in SEED:
        assert ("isDeleted" in SEED[cls.__name__]) == bool(has)


@pytest.mark.parametrize("cls", ENTITIES.values(), ids=lambda cls: cls.__name__)
def test_every_entity_knows_when_it_was_made_and_changed(cls: type) -> None:
    assert {"created_at", "updated_at"} <= set(field_names(cls))
