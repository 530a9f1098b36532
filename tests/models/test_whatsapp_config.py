from datetime import UTC, datetime, timedelta

import pytest

from models.store.codec import to_document
from models.whatsapp_config import (
    SECRET_FIELDS,
    OldSecret,
    WhatsAppConfig,
    plain_field,
    sealed_ring,
    set_field,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def config() -> WhatsAppConfig:
    return WhatsAppConfig(id="cfg_1", provider="meta-whatsapp")


def test_the_newest_secret_comes_first_and_old_ones_until_they_expire() -> None:
    rotated = config()
    rotated.webhook_secret = "new"
    rotated.old_secrets = [
        OldSecret(field="webhookSecret", value="expired", until=NOON),
        OldSecret(field="webhookSecret", value="older"),
        OldSecret(field="webhookSecret", value="old", until=NOON + timedelta(hours=1)),
        OldSecret(field="authToken", value="of another field"),
    ]
    assert sealed_ring(rotated, "webhookSecret", NOON) == ["new", "old", "older"]


def test_a_secret_never_set_has_an_empty_ring() -> None:
    assert sealed_ring(config(), "webhookSecret", NOON) == []


@pytest.mark.parametrize("name", ["webhookSecret", "vendorKey"])
def test_secrets_are_written_where_they_are_read(name: str) -> None:
    changed = config()
    set_field(changed, name, "sealed", secret=True)
    assert sealed_ring(changed, name, NOON) == ["sealed"]
    assert changed.other_fields == {}


@pytest.mark.parametrize("name", ["phoneNumberId", "vendorField"])
def test_plain_fields_are_written_where_they_are_read(name: str) -> None:
    changed = config()
    assert plain_field(changed, name) is None
    set_field(changed, name, "123", secret=False)
    assert plain_field(changed, name) == "123"
    assert changed.other_secrets == {}


@pytest.mark.parametrize("name", SECRET_FIELDS)
def test_secret_fields_exist(name: str) -> None:
    changed = config()
    setattr(changed, name, "sealed")
    assert "sealed" in to_document(changed).values()
