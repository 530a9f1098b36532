"""Adding accounts and exchanging their secrets, on a real database."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet

from models.whatsapp_config import WhatsAppConfig
from providers import registry
from providers.accounts import open_account
from providers.base import Account, Provider
from runtime.crypto import Secret
from runtime.errors import Conflict, CryptoError, Invalid, NotFound
from services.connecting import OVERLAP, described
from services.wiring import Services
from tests.support.wired import Wired

META = registry.by_names()["meta-whatsapp"]
CANARY = "canary-77aa"
VALUES = {
    "phoneNumberId": "123450000000001",
    "businessAccountId": "987650000000001",
    "webhookSecret": f"{CANARY}-app",
    "webhookVerifyToken": f"{CANARY}-verify",
    "accessToken": f"{CANARY}-access",
}


@pytest.fixture
def config(wired: Wired) -> WhatsAppConfig:
    return wired.connecting.add(META, VALUES, name="Front desk")


def stored(wired: Services, config: WhatsAppConfig) -> dict[str, Any]:
    found = wired.store.whatsappconfigs.find_one({"id": config.id})
    assert found is not None
    return found


def opened(wired: Services, config: WhatsAppConfig, provider: Provider = META) -> Account:
    fresh = wired.configs.get(config.id)
    return open_account(fresh, provider, wired.settings.keyring(), at=wired.clock.now())


def ring(wired: Services, config: WhatsAppConfig, name: str = "webhookSecret") -> list[str]:
    return [secret.reveal() for secret in opened(wired, config).ring(name)]


def test_an_account_is_stored_sealed_and_opens_as_it_was_given(wired: Wired, config: WhatsAppConfig) -> None:
    row = stored(wired, config)
    account = opened(wired, config)

    assert CANARY not in str(row)
    assert row["name"] == "Front desk"
    assert row["isActive"] is True
    assert row["webhookUrl"] == f"http://127.0.0.1:8000/api/whatsapp/webhooks/meta/{config.id}"
    assert account.fields == {name: VALUES[name] for name in ("phoneNumberId", "businessAccountId")}
    assert account.ring("webhookSecret") == (Secret(VALUES["webhookSecret"]),)
    assert account.ring("accessToken") == (Secret(VALUES["accessToken"]),)
    assert account.ring("webhookVerifyToken") == (Secret(VALUES["webhookVerifyToken"]),)


def test_what_stands_in_one_row_does_not_open_in_another(wired: Wired, config: WhatsAppConfig) -> None:
    other = wired.connecting.add(META, {**VALUES, "phoneNumberId": "123450000000002", "webhookSecret": "theirs"})
    row = stored(wired, config)
    wired.store.whatsappconfigs.update_one({"id": other.id}, {"$set": {"webhookSecret": row["webhookSecret"]}})
    with pytest.raises(CryptoError):
        opened(wired, other)

    wired.store.whatsappconfigs.update_one({"id": config.id}, {"$set": {"accessToken": row["webhookSecret"]}})
    with pytest.raises(CryptoError):
        opened(wired, config)


@pytest.mark.parametrize("missing", ["phoneNumberId", "webhookSecret"])
@pytest.mark.parametrize("value", [None, "", "  "])
def test_what_the_vendor_requires_is_required(missing: str, value: str | None, wired: Wired) -> None:
    values = {name: given for name, given in VALUES.items() if name != missing}
    if value is not None:
        values[missing] = value
    before = wired.store.whatsappconfigs.count_documents({})

    with pytest.raises(Invalid, match="required") as refused:
        wired.connecting.add(META, values)

    assert set(refused.value.fields) == {missing}
    assert CANARY not in str(refused.value)
    assert wired.store.whatsappconfigs.count_documents({}) == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("apiKey", "x"),
        ("isActive", "false"),
        ("id", "cfg_x"),
        ("apiBaseUrl", "graph.example"),
        ("apiBaseUrl", "file:///x"),
        ("apiBaseUrl", f"https://api.1msg.io/463107/?token={CANARY}"),
        ("apiBaseUrl", f"https://{CANARY}@graph.example"),
    ],
)
def test_what_is_not_the_vendors_or_no_address_is_refused(name: str, value: str, wired: Wired) -> None:
    with pytest.raises(Invalid) as refused:
        wired.connecting.add(META, {**VALUES, name: value})

    assert set(refused.value.fields) == {name}
    assert CANARY not in str(refused.value)


def test_a_line_break_copied_along_is_no_part_of_a_secret(wired: Wired) -> None:
    config = wired.connecting.add(META, {**VALUES, "webhookSecret": " secret\n", "apiBaseUrl": "http://127.0.0.1:9 "})

    assert ring(wired, config) == ["secret"]
    assert stored(wired, config)["apiBaseUrl"] == "http://127.0.0.1:9"


def test_after_an_exchange_both_are_good_for_a_week(wired: Wired, config: WhatsAppConfig) -> None:
    wired.connecting.rotate(config.id, META, {"webhookSecret": "second"})
    assert ring(wired, config) == ["second", VALUES["webhookSecret"]]

    wired.clock_hand.move(OVERLAP - timedelta(seconds=1))
    assert ring(wired, config) == ["second", VALUES["webhookSecret"]]

    wired.clock_hand.move(timedelta(seconds=2))
    assert ring(wired, config) == ["second"]
    assert ring(wired, config, "accessToken") == [VALUES["accessToken"]]
    assert CANARY not in str(stored(wired, config))


def test_exchanging_again_keeps_each_old_one_for_its_own_week(wired: Wired, config: WhatsAppConfig) -> None:
    wired.connecting.rotate(config.id, META, {"webhookSecret": "second"})
    wired.clock_hand.move(timedelta(days=4))
    wired.connecting.rotate(config.id, META, {"webhookSecret": "third", "accessToken": "new"})
    assert ring(wired, config) == ["third", "second", VALUES["webhookSecret"]]

    wired.clock_hand.move(timedelta(days=4))

    assert ring(wired, config) == ["third", "second"]
    wired.connecting.rotate(config.id, META, {"webhookVerifyToken": "v"})
    assert len(stored(wired, config)["oldSecrets"]) == 3


@pytest.mark.parametrize(
    "values",
    [{"phoneNumberId": "1"}, {"apiKey": "x"}, {"webhookSecret": ""}, {"webhookSecret": " "}, {"apiBaseUrl": "x"}],
)
def test_only_secrets_that_say_something_are_exchanged(
    values: dict[str, str], wired: Wired, config: WhatsAppConfig
) -> None:
    before = stored(wired, config)

    with pytest.raises(Invalid) as refused:
        wired.connecting.rotate(config.id, META, values)

    assert set(refused.value.fields) == set(values)
    assert stored(wired, config) == before


def test_an_account_that_is_not_there_is_not_found(wired: Wired) -> None:
    with pytest.raises(NotFound):
        wired.connecting.rotate("cfg_nobody", META, {"webhookSecret": "x"})


def test_of_exchanges_at_once_none_is_lost(wired: Wired, config: WhatsAppConfig) -> None:
    """Each of them reads, seals and writes; whoever comes second must not write over the first."""

    def exchange(n: int) -> str:
        name = ("webhookSecret", "accessToken", "webhookVerifyToken")[n % 3]
        try:
            wired.connecting.rotate(config.id, META, {name: f"{n}"})
        except Conflict:
            return ""
        return f"{name} {n}"

    with ThreadPoolExecutor(6) as pool:
        done = {one for one in pool.map(exchange, range(12)) if one}

    held = {
        f"{name} {value}"
        for name in ("webhookSecret", "accessToken", "webhookVerifyToken")
        for value in ring(wired, config, name)
    }
    assert len(done) >= 6
    assert done == {one for one in held if CANARY not in one}


@pytest.fixture
def rekeyed(wired: Wired) -> Iterator[Wired]:
    """The same system after a newer key was put before the old one."""
    newer = Secret(Fernet.generate_key().decode())
    settings = replace(wired.settings, encryption_keys=(newer, *wired.settings.encryption_keys))
    services = Wired(settings, application="test", clock=wired.clock)
    yield services
    services.store.client.close()


def test_after_resealing_the_newest_key_alone_opens_everything(
    wired: Wired, rekeyed: Wired, config: WhatsAppConfig
) -> None:
    wired.connecting.rotate(config.id, META, {"webhookSecret": "second"})
    fresh = wired.configs.get(config.id)

    assert rekeyed.connecting.reseal(fresh, META, dry_run=True)
    assert stored(wired, config)["webhookSecret"] == fresh.webhook_secret
    assert rekeyed.connecting.reseal(fresh, META)
    assert not rekeyed.connecting.reseal(rekeyed.configs.get(config.id), META)

    newest = replace(rekeyed.settings, encryption_keys=rekeyed.settings.encryption_keys[:1])
    alone = Services(newest, application="test", clock=wired.clock)
    assert ring(alone, config) == ["second", VALUES["webhookSecret"]]
    assert ring(alone, config, "accessToken") == [VALUES["accessToken"]]
    alone.store.client.close()
    with pytest.raises(CryptoError):
        opened(wired, config)


def test_resealing_does_not_undo_an_exchange_made_meanwhile(
    wired: Wired, rekeyed: Wired, config: WhatsAppConfig
) -> None:
    seen_before = wired.configs.get(config.id)
    wired.connecting.rotate(config.id, META, {"webhookSecret": "second"})

    assert rekeyed.connecting.reseal(seen_before, META)

    assert ring(rekeyed, config) == ["second", VALUES["webhookSecret"]]


def test_resealing_and_exchanging_at_once_lose_nothing(wired: Wired, rekeyed: Wired, config: WhatsAppConfig) -> None:
    seen = wired.configs.get(config.id)
    with ThreadPoolExecutor(4) as pool:
        resealing = [pool.submit(rekeyed.connecting.reseal, seen, META) for _ in range(2)]
        exchanging = [
            pool.submit(rekeyed.connecting.rotate, config.id, META, {"webhookSecret": f"{n}"}) for n in range(2)
        ]
        done = {f"{n}" for n, one in enumerate(exchanging) if not isinstance(one.exception(), Conflict)}
        for one in resealing:
            assert one.exception() is None or isinstance(one.exception(), Conflict)

    assert done <= set(ring(rekeyed, config))
    assert VALUES["webhookSecret"] in ring(rekeyed, config)


def test_what_no_key_opens_is_told_and_left_as_it_is(wired: Wired, config: WhatsAppConfig) -> None:
    stranger = replace(wired.settings, encryption_keys=(Secret(Fernet.generate_key().decode()),))
    services = Wired(stranger, application="test", clock=wired.clock)
    before = stored(wired, config)

    with pytest.raises(CryptoError):
        services.connecting.reseal(wired.configs.get(config.id), META)

    assert stored(wired, config) == before
    services.store.client.close()


def test_a_description_says_of_secrets_only_whether_they_are_set(wired: Wired) -> None:
    partly = {name: value for name, value in VALUES.items() if name != "accessToken"}
    config = wired.connecting.add(META, partly, name="Partly")

    shown = described(wired.configs.get(config.id), META)

    assert shown["hasWebhookSecret"] is True
    assert shown["hasAccessToken"] is False
    assert shown["phoneNumberId"] == VALUES["phoneNumberId"]
    assert CANARY not in json.dumps(shown)
    assert str(stored(wired, config)["webhookSecret"]) not in json.dumps(shown)


def test_every_vendors_form_can_be_stored_described_and_opened(wired: Wired) -> None:
    """Fields the seed does not know are kept and opened as well as those it does."""
    samples = {
        "accountSid": "AC" + "0" * 32,
        "phoneNumber": "+14155550100",
        "messagingServiceSid": "MG" + "0" * 32,
        "variant": "1msg",
        "apiVersion": "v25.0",
    }
    for provider in registry.all_providers():
        values = {f.name: samples.get(f.name, f"{CANARY}1") for f in provider.form}

        config = wired.connecting.add(provider, values)

        account = opened(wired, config, provider)
        secrets = {f.name for f in provider.form if f.secret}
        assert {name for name in secrets if account.ring(name)} == secrets, provider.name
        assert set(account.fields) == {f.name for f in provider.form if not f.secret}, provider.name
        shown = described(wired.configs.get(config.id), provider)
        assert all(shown[f"has{name[0].upper()}{name[1:]}"] is True for name in secrets), provider.name
        sealed_nowhere_in_clear = str({name: stored(wired, config).get(name) for name in secrets})
        assert CANARY not in sealed_nowhere_in_clear, provider.name


TWILIO_SID = "AC" + "1" * 32
#: Vendor, an account, and another that has the same number, however it is spelled.
SAME: list[tuple[str, dict[str, str], dict[str, str]]] = [
    ("meta-whatsapp", {"phoneNumberId": "5550100", "webhookSecret": "a"}, {"businessAccountId": "9"}),
    (
        "twilio",
        {"accountSid": TWILIO_SID, "authToken": "a", "phoneNumber": "+14155550100"},
        {"phoneNumber": "whatsapp:+14155550100"},
    ),
    ("twilio", {"accountSid": TWILIO_SID, "authToken": "a"}, {}),
    ("chatapi", {"instanceId": "4242", "webhookSecret": "a"}, {"instanceId": "instance4242"}),
]
#: … and another that has another number, although much is the same.
OTHER: list[tuple[str, dict[str, str], dict[str, str]]] = [
    (
        "meta-whatsapp",
        {"phoneNumberId": "5550100", "webhookSecret": "a", "businessAccountId": "9"},
        {"phoneNumberId": "5550101"},
    ),
    (
        "twilio",
        {"accountSid": TWILIO_SID, "authToken": "a", "phoneNumber": "+14155550100"},
        {"phoneNumber": "+14155550101"},
    ),
    ("twilio", {"accountSid": TWILIO_SID, "authToken": "a"}, {"phoneNumber": "+14155550100"}),
    ("twilio", {"accountSid": TWILIO_SID, "authToken": "a"}, {"messagingServiceSid": "MG" + "1" * 32}),
    ("chatapi", {"instanceId": "4242", "webhookSecret": "a"}, {"instanceId": "4243"}),
    ("chatapi", {"instanceId": "4242", "webhookSecret": "a"}, {"apiBaseUrl": "https://clone.example"}),
]


@pytest.mark.parametrize(("vendor", "first", "second"), SAME)
def test_a_second_account_for_one_number_is_refused_by_name(
    vendor: str, first: dict[str, str], second: dict[str, str], wired: Wired
) -> None:
    provider = registry.by_name(vendor)
    assert provider is not None
    there = wired.connecting.add(provider, first)

    with pytest.raises(Conflict, match=there.id) as refused:
        wired.connecting.add(provider, {**first, **second})

    assert (refused.value.code, refused.value.details) == ("number_taken", {"configId": there.id})


@pytest.mark.parametrize(("vendor", "first", "second"), OTHER)
def test_another_number_of_the_same_business_is_an_account_of_its_own(
    vendor: str, first: dict[str, str], second: dict[str, str], wired: Wired
) -> None:
    provider = registry.by_name(vendor)
    assert provider is not None
    there = wired.connecting.add(provider, first)

    assert wired.connecting.add(provider, first | second).id != there.id


def test_the_number_of_an_account_that_is_switched_off_is_free(wired: Wired, config: WhatsAppConfig) -> None:
    wired.configs.change(config.id, {"is_active": False}, wired.clock)

    assert wired.connecting.add(META, VALUES).id != config.id
