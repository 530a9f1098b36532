"""The receiver in this process, behind a WSGI client: the product's own app on a database of its own.

Time is the machine's. Deliberately no account but those a test adds.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cryptography.fernet import Fernet
from werkzeug.test import Client, TestResponse

from ingest.app import create_app
from models.store.indexes import apply
from runtime.crypto import Secret
from runtime.settings import Settings
from tests.support import meta_webhooks as meta
from tests.support.quiet import quiet
from tests.support.wired import Wired, add_meta_account

PATH = "/api/whatsapp/webhooks/meta"


@dataclass
class Street:
    """The receiver, and the services of a worker or operator beside it."""

    settings: Settings
    services: Wired
    client: Client

    def post(
        self, body: bytes, *, secret: str = meta.SECRET, path: str = PATH, headers: Mapping[str, str] | None = None
    ) -> TestResponse:
        """Deliver a body signed with a secret; given headers replace the usual ones, an empty value removes one."""
        told = {**meta.headers(body, secret), **(headers or {})}
        return self.client.post(path, data=body, headers={name: value for name, value in told.items() if value})

    def rows(self, **query: Any) -> list[dict[str, Any]]:
        """The stored webhooks, oldest first."""
        return list(self.services.store.webhookevents.find(query).sort("id", 1))


def settings_on(mongo_uri: str, redis_uri: str, database_name: str, **changed: Any) -> Settings:
    """Settings of a product that lives on these engines."""
    told: dict[str, Any] = {
        "mongodb_uri": Secret(mongo_uri),
        "mongodb_database": database_name,
        "redis_url": Secret(redis_uri),
        "broker_url": Secret(redis_uri),
        "encryption_keys": (Secret(Fernet.generate_key().decode()),),
        "log_level": "ERROR",
    }
    return Settings(**{**told, **changed})


@contextmanager
def street(settings: Settings, *, account: bool = True) -> Iterator[Street]:
    """Open the receiver, with one Meta account unless told otherwise."""
    services = Wired(settings, application="test")
    apply(services.store.database)
    if account:
        services.account = add_meta_account(services)
    client = Client(create_app(settings))
    quiet()
    yield Street(settings, services, client)
    services.store.client.close()
