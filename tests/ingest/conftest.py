"""One receiver for each module's tests; deliberately not one for each test, for it has threads of its own."""

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from pymongo import MongoClient

from tests.support.street import Street, settings_on, street


@pytest.fixture(scope="module")
def module_street(mongo_uri: str, redis_uri: str, mongo_client: "MongoClient[dict[str, Any]]") -> Iterator[Street]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    with street(settings_on(mongo_uri, redis_uri, name, accounts_ttl=timedelta(seconds=0.5))) as opened:
        yield opened
    mongo_client.drop_database(name)


@pytest.fixture
def receiver(module_street: Street) -> Street:
    """The module's receiver, with nothing stored."""
    module_street.services.store.webhookevents.delete_many({})
    return module_street
