"""Opening accounts: what does not open is left out and told, and takes nobody along."""

import io
from contextlib import redirect_stderr
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet

from models.whatsapp_config import OldSecret, WhatsAppConfig
from providers import registry
from providers.accounts import open_account, open_accounts, seal_context
from runtime.crypto import KeyRing, Secret
from runtime.errors import CryptoError
from runtime.logs import configure_logs
from tests.support.quiet import quiet

META = registry.by_names()["meta-whatsapp"]
NOW = datetime(2026, 11, 22, tzinfo=UTC)
KEYRING, OTHER = (KeyRing([Fernet.generate_key().decode()]) for _ in range(2))


def sealed(value: str, field: str, config_id: str = "cfg_1", keyring: KeyRing = KEYRING) -> str:
    return keyring.seal(value, context=seal_context(config_id, field))


def config(config_id: str = "cfg_1", **fields: object) -> WhatsAppConfig:
    secret = sealed("canary", "webhookSecret", config_id)
    told = {"provider": META.name, "phone_number_id": "1", "webhook_secret": secret, **fields}
    return WhatsAppConfig(id=config_id, **told)  # type: ignore[arg-type]


def old(value: str, until: datetime | None) -> OldSecret:
    return OldSecret(field="webhookSecret", value=value, until=until)


def test_plain_fields_and_rings_are_opened() -> None:
    account = open_account(config(business_account_id="9"), META, KEYRING, at=NOW)

    assert account.fields == {"phoneNumberId": "1", "businessAccountId": "9"}
    assert account.secrets == {"webhookSecret": (Secret("canary"),)}


def test_exchanged_secrets_are_good_until_their_moment_and_newest_first() -> None:
    exchanged = [
        old(sealed("ended", "webhookSecret"), NOW),
        old(sealed("older", "webhookSecret"), NOW + timedelta(seconds=1)),
        old(sealed("old", "webhookSecret"), None),
    ]

    account = open_account(config(old_secrets=exchanged), META, KEYRING, at=NOW)

    assert account.ring("webhookSecret") == (Secret("canary"), Secret("old"), Secret("older"))


@pytest.mark.parametrize(
    "stolen",
    [
        sealed("x", "webhookSecret", keyring=OTHER),
        sealed("x", "webhookSecret", "cfg_2"),
        sealed("x", "accessToken"),
        "plain text",
    ],
)
def test_a_secret_of_another_place_or_key_opens_nothing(stolen: str) -> None:
    with pytest.raises(CryptoError) as refused:
        open_account(config(webhook_secret=stolen), META, KEYRING, at=NOW)

    assert "cfg_1/webhookSecret" in str(refused.value)
    assert stolen not in str(refused.value)


def test_an_exchanged_secret_that_no_longer_opens_costs_only_itself() -> None:
    gone = old(sealed("x", "webhookSecret", keyring=OTHER), None)

    account = open_account(config(old_secrets=[gone]), META, KEYRING, at=NOW)

    assert account.ring("webhookSecret") == (Secret("canary"),)


def test_one_that_does_not_open_and_one_nobody_speaks_leave_the_others() -> None:
    broken = config("cfg_2", webhook_secret=sealed("x", "webhookSecret", "cfg_1"))
    stranger = config("cfg_3", provider="acme")
    told = io.StringIO()
    with redirect_stderr(told):
        configure_logs(level="ERROR")
    try:
        accounts = open_accounts([broken, stranger, config()], KEYRING, at=NOW)
    finally:
        quiet()

    assert [one.id for one in accounts] == ["cfg_1"]
    assert "account_not_opened" in told.getvalue()
    assert "cfg_2" in told.getvalue()


def test_accounts_show_no_secret() -> None:
    account = open_account(config(), META, KEYRING, at=NOW)

    assert "canary" not in repr(account)
    assert "canary" not in str(account)
