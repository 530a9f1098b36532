"""An empty database, and a store with all its indexes, for the tests of this room."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from models.store import indexes
from models.store.collections import COLLECTIONS, Store


@pytest.fixture
def database(mongo_client: MongoClient[dict[str, Any]], database_name: str) -> Database[dict[str, Any]]:
    """Return a database without any collection."""
    return mongo_client[database_name]


@pytest.fixture(scope="session")
def indexed(mongo_client: MongoClient[dict[str, Any]]) -> Iterator[Store]:
    """Yield a store whose indexes are in place; making them is the slow part, so they serve all tests."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    indexes.apply(mongo_client[name])
    yield Store(mongo_client[name])
    mongo_client.drop_database(name)


@pytest.fixture
def store(indexed: Store) -> Iterator[Store]:
    """Yield a store without any rows, whose indexes a test leaves alone."""
    yield indexed
    for entity in COLLECTIONS:
        indexed.of(entity).delete_many({})
