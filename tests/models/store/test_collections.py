from datetime import UTC, datetime
from typing import Any

import pytest
from pymongo.database import Database

from models.store.collections import COLLECTIONS, Store
from models.store.indexes import INDEXES


@pytest.fixture
def bare(database: Database[dict[str, Any]]) -> Store:
    return Store(database)


@pytest.mark.parametrize("name", COLLECTIONS.values())
def test_every_collection_is_an_attribute(bare: Store, name: str) -> None:
    assert getattr(bare, name).name == name


def test_entities_find_their_collection(bare: Store) -> None:
    assert {bare.of(entity).name for entity in COLLECTIONS} == set(COLLECTIONS.values())


def test_every_collection_has_indexes() -> None:
    assert set(INDEXES) == set(COLLECTIONS.values())


@pytest.mark.parametrize("name", COLLECTIONS.values())
def test_writes_are_durable_and_reads_are_committed(bare: Store, name: str) -> None:
    collection = getattr(bare, name)
    assert collection.write_concern.document == {"w": "majority", "j": True}
    assert collection.read_concern.level == "majority"


def test_moments_come_back_in_utc(bare: Store) -> None:
    now = datetime(2026, 11, 22, 10, 0, 0, 123000, tzinfo=UTC)
    bare.chats.insert_one({"at": now})
    found = bare.chats.find_one({}, {"_id": 0})
    assert found == {"at": now}
    assert found["at"].tzinfo is UTC
