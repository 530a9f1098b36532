"""Services over real engines, with a clock that tests move and rings that are recorded.

Deliberately the product's own wiring: only time and the ring are given.
"""

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pymongo import MongoClient

from models.store.collections import COLLECTIONS
from models.store.indexes import apply
from models.store.intake import Intake, intake_row
from models.webhook_event import WebhookEvent
from models.whatsapp_config import WhatsAppConfig
from providers import registry
from runtime.crypto import Secret
from runtime.settings import Settings
from services.wiring import Services
from tests.support import meta_webhooks as meta

#: Where nobody answers: no test calls a real vendor because it forgot to say whom to call.
NOWHERE = "http://127.0.0.1:9"


class MovableClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self._now

    def move(self, by: timedelta) -> None:
        self._now += by


class Wired(Services):
    """The product's services on a database of one test."""

    clock_hand: MovableClock
    account: WhatsAppConfig

    def store_webhook(self, body: bytes, *, config: WhatsAppConfig | None = None, moved: float = 0.001) -> str:
        """Store a delivery as the receiver does and return its id; each is received a little later than the last."""
        self.clock_hand.move(timedelta(seconds=moved))
        return self.store_webhook_now(body, config=config)

    def store_webhook_now(self, body: bytes, *, config: WhatsAppConfig | None = None) -> str:
        """Store a delivery as received at this moment."""
        config = config or self.account
        row = intake_row(
            provider=config.provider,
            config_id=config.id,
            body=body,
            content_type="application/json",
            query="",
            headers={},
            received_at=self.clock.now(),
        )
        Intake(self.store.webhookevents).store([row])
        return row.id

    def deliver(self, *bodies: bytes, config: WhatsAppConfig | None = None) -> list[WebhookEvent]:
        """Store deliveries, apply them together, and return what became of them."""
        ids = [self.store_webhook(body, config=config) for body in bodies]
        self.receiving.receive(ids)
        return [self.events.get(event_id) for event_id in ids]

    def outcomes(self, ids: Sequence[str]) -> list[str]:
        """The outcomes of all parts of some deliveries."""
        return [item.outcome.value for event_id in ids for item in self.events.get(event_id).items]


def wire(mongo_uri: str, redis_uri: str, database_name: str) -> Wired:
    """Services on a database, with a clock of their own; the database's indexes are the caller's business."""
    settings = Settings(
        mongodb_uri=Secret(mongo_uri),
        mongodb_database=database_name,
        redis_url=Secret(redis_uri),
        broker_url=Secret(redis_uri),
        encryption_keys=(Secret(Fernet.generate_key().decode()),),
        api_urls=dict.fromkeys(registry.by_slugs(), NOWHERE),
    )
    clock = MovableClock()
    wired = Wired(settings, application="test", clock=clock)
    wired.clock_hand = clock
    return wired


def add_meta_account(
    wired: Services, *, number_id: str = meta.NUMBER_ID, secret: str = meta.SECRET, business_id: str = meta.BUSINESS_ID
) -> WhatsAppConfig:
    """Add a Meta account as `hookline configs add` does."""
    provider = registry.by_slug("meta")
    assert provider is not None
    values = {
        "phoneNumberId": number_id,
        "businessAccountId": business_id,
        "webhookSecret": secret,
        "webhookVerifyToken": meta.VERIFY_TOKEN,
        "accessToken": "EAAtest",
    }
    return wired.connecting.add(provider, values)


@pytest.fixture(scope="session")
def indexed_database(mongo_uri: str) -> Iterator[str]:
    """A database with all indexes: making them takes longer than most tests."""
    name = f"test_wired_{uuid.uuid4().hex[:8]}"
    with MongoClient[dict[str, Any]](mongo_uri) as client:
        apply(client[name])
        yield name
        client.drop_database(name)


@pytest.fixture
def wired(mongo_uri: str, redis_uri: str, indexed_database: str) -> Iterator[Wired]:
    """Services on an empty database with all indexes and one Meta account."""
    services = wire(mongo_uri, redis_uri, indexed_database)
    for collection in COLLECTIONS.values():
        services.store.database[collection].delete_many({})
    services.account = add_meta_account(services)
    yield services
    services.store.client.close()
