"""A real mongod and a real Valkey for the session, an empty database and an empty Redis for each test.

Set HOOKLINE_TEST_MONGODB_URI or HOOKLINE_TEST_REDIS_URL to test against engines of your own.
Deliberately starts nothing until a test asks.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pymongo import MongoClient
    from redis import Redis

#: How long (s) an abandoned transaction lives.
ABANDONED_S = 5


@pytest.fixture(scope="session")
def mongo_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URI of a writable primary of a replica set, with fail points enabled."""
    given = os.environ.get("HOOKLINE_TEST_MONGODB_URI")
    if given:
        yield given
        return
    from pymongo import MongoClient

    from sandbox.engines import MongoEngine

    engine = MongoEngine(tmp_path_factory.mktemp("mongo"), cache_gb=1, oplog_mb=64, test_commands=True)
    uri = engine.start()
    with MongoClient[dict[str, Any]](uri) as client:
        # A transaction that a test leaves open keeps its database from being dropped for so long.
        client.admin.command({"setParameter": 1, "transactionLifetimeLimitSeconds": ABANDONED_S})
    yield uri
    engine.kill()  # The data goes with the directory: no need for the second a clean stop takes.


@pytest.fixture(scope="session")
def redis_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of a Valkey that tests may flush."""
    given = os.environ.get("HOOKLINE_TEST_REDIS_URL")
    if given:
        yield given
        return
    from sandbox.engines import ValkeyEngine

    engine = ValkeyEngine(tmp_path_factory.mktemp("valkey"))
    yield engine.start()
    engine.kill()


@pytest.fixture(scope="session")
def mongo_client(mongo_uri: str) -> "Iterator[MongoClient[dict[str, Any]]]":
    """Yield one client for the fixtures' own use and for looking at what a test left."""
    from pymongo import MongoClient

    with MongoClient[dict[str, Any]](mongo_uri, tz_aware=True) as client:
        yield client


@pytest.fixture
def database_name(mongo_client: "MongoClient[dict[str, Any]]") -> Iterator[str]:
    """Yield a name no other test uses; the database is dropped afterwards if the test made it."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield name
    mongo_client.drop_database(name)


@pytest.fixture
def redis_client(redis_uri: str) -> "Iterator[Redis]":
    """Yield a client of an empty Redis."""
    from redis import Redis

    with closing(Redis.from_url(redis_uri)) as client:
        client.flushall()
        yield client
