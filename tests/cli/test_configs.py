"""`hookline configs`: accounts by the vendors' own forms, and never a secret on the screen."""

import json
from typing import Any

import pytest

from providers import registry
from providers.accounts import open_account
from providers.base import Account, WebhookRequest
from runtime.clock import SystemClock
from tests.cli.conftest import Hookline
from tests.support import meta_webhooks as meta
from tests.support.wired import Wired

CANARY = "canary-0d2b"
META = (
    *("configs", "add", "--provider", "meta-whatsapp", "--phone-number-id", "123450000000009"),
    *("--business-account-id", "98765", "--access-token", f"{CANARY}-a", "--webhook-secret", f"{CANARY}-w"),
    *("--verify-token", f"{CANARY}-v"),
)
#: The contract's own examples, by vendor: what is typed, and the fields it becomes.
VENDORS = {
    "meta-whatsapp": (META, {"phoneNumberId": "123450000000009", "businessAccountId": "98765"}),
    "twilio": (
        (
            *("configs", "add", "--provider", "twilio", "--account-sid", "AC" + "0" * 32),
            *("--auth-token", f"{CANARY}-t", "--from", "+15550100999"),
        ),
        {"accountSid": "AC" + "0" * 32, "phoneNumber": "+15550100999"},
    ),
    "chatapi": (
        (
            *("configs", "add", "--provider", "chatapi", "--instance-id", "4242"),
            *("--api-key", f"{CANARY}-k", "--webhook-secret", f"{CANARY}-w"),
        ),
        {"instanceId": "4242"},
    ),
}


def opened(wired: Wired, config_id: str) -> Account:
    config = wired.configs.get(config_id)
    provider = registry.by_name(config.provider)
    assert provider is not None
    # The command line goes by the database's clock, and so must whoever looks at what it did.
    return open_account(config, provider, wired.settings.keyring(), at=SystemClock().now())


def listed(hookline: Hookline) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(hookline("configs", "list", "--json").out)
    return found


@pytest.mark.parametrize("vendor", VENDORS)
def test_an_account_of_each_vendor_is_added_as_the_contract_says(vendor: str, hookline: Hookline, wired: Wired) -> None:
    if registry.by_name(vendor) is None:
        pytest.skip(f"{vendor} is not spoken yet")
    arguments, fields = VENDORS[vendor]

    outcome = hookline(*arguments, "--name", "Front desk", "--json")

    assert outcome.code == 0, outcome.err
    told = json.loads(outcome.out)
    assert set(told) == {"id", "webhookUrl"}
    account = opened(wired, told["id"])
    assert fields.items() <= account.fields.items()
    secrets = {secret.reveal() for name in account.secrets for secret in account.ring(name)}
    assert secrets == {argument for argument in arguments if CANARY in argument}
    (row,) = (row for row in listed(hookline) if row["id"] == told["id"])
    assert (row["provider"], row["name"], row["webhookUrl"]) == (vendor, "Front desk", told["webhookUrl"])
    assert CANARY not in outcome.out + outcome.err + json.dumps(listed(hookline))


def test_without_json_the_url_to_give_the_vendor_is_said(hookline: Hookline) -> None:
    outcome = hookline(*META)

    (config_id,) = (row["id"] for row in listed(hookline) if row.get("phoneNumberId") == "123450000000009")
    assert outcome.code == 0
    assert f"http://127.0.0.1:8000/api/whatsapp/webhooks/meta/{config_id}" in outcome.out
    assert CANARY not in outcome.out


def test_a_url_that_is_to_hold_the_secret_shows_where_and_not_the_secret(hookline: Hookline, wired: Wired) -> None:
    arguments, _ = VENDORS["chatapi"]

    outcome = hookline(*arguments)

    (row,) = (row for row in listed(hookline) if row["provider"] == "chatapi")
    given = f"http://127.0.0.1:8000/api/whatsapp/webhooks/chatapi/{row['id']}?token=<webhook-secret>"
    assert given in outcome.out
    assert "401" in outcome.out
    table = hookline("configs", "list").out
    assert given in table
    assert CANARY not in outcome.out + table
    # For programs the URL is the bare one, with the name of what they add to it.
    assert (row["webhookUrl"], row["webhookSecretParameter"]) == (given.partition("?")[0], "token")
    received = WebhookRequest(
        method="POST",
        target=f"/api/whatsapp/webhooks/chatapi/{row['id']}?token={CANARY}-w",
        headers={"content-type": "application/json"},
        body=b'{"instanceId": "4242", "messages": []}',
    )
    provider = registry.by_name("chatapi")
    assert provider is not None
    assert provider.verify(received, opened(wired, row["id"]))


def test_an_address_that_no_vendor_can_call_is_pointed_out(hookline: Hookline, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "PUBLIC_URL" in hookline(*META).err

    monkeypatch.setenv("PUBLIC_URL", "https://hooks.example.com")
    reachable = hookline(*META[:5], "123450000000010", *META[6:])
    assert "https://hooks.example.com/api/whatsapp/webhooks/meta/" in reachable.out
    assert reachable.err == ""


def test_the_list_goes_by_the_address_that_vendors_call_now(
    hookline: Hookline, wired: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    (before,) = listed(hookline)
    assert before["webhookUrl"].startswith("http://127.0.0.1:8000/")

    monkeypatch.setenv("PUBLIC_URL", "https://hooks.example.com")
    address = f"https://hooks.example.com/api/whatsapp/webhooks/meta/{wired.account.id}"
    assert listed(hookline)[0]["webhookUrl"] == address
    assert address in hookline("configs", "list").out


def test_a_number_that_has_an_account_gets_no_second_one(hookline: Hookline, wired: Wired) -> None:
    first = json.loads(hookline(*META, "--json").out)["id"]
    before = wired.store.whatsappconfigs.count_documents({})

    outcome = hookline(*META, "--name", "Once more")

    assert (outcome.code, outcome.out) == (1, "")
    assert f"account {first} has this number already" in outcome.complaint
    assert f"hookline configs rotate {first}" in outcome.complaint
    assert wired.store.whatsappconfigs.count_documents({}) == before


def test_help_says_whose_each_flag_is_and_what_it_means_to_each(bare: Hookline) -> None:
    told = " ".join(bare("configs", "add", "--help").out.split())

    assert "meta: Phone number ID" in told
    assert "meta: App secret: signs webhooks" in told
    assert "chatapi: What authenticates webhooks" in told
    assert "chatapi, meta: The number itself" in told


def test_a_vendor_may_be_called_by_its_slug(hookline: Hookline) -> None:
    assert hookline(*META[:3], "meta", *META[4:]).code == 0


def test_what_is_required_and_missing_is_named_by_its_flag(hookline: Hookline) -> None:
    outcome = hookline("configs", "add", "--provider", "meta", "--access-token", CANARY)

    assert outcome.code == 1
    assert "--phone-number-id is required" in outcome.complaint
    assert "--webhook-secret is required" in outcome.complaint
    assert CANARY not in outcome.err


@pytest.mark.parametrize("flag", ["--account-sid", "--instance-id", "--api-key"])
def test_a_flag_of_another_vendor_is_a_mistake_to_tell(flag: str, hookline: Hookline, wired: Wired) -> None:
    if "--account-sid" not in hookline("configs", "add", "--help").out:
        pytest.skip("one vendor only")
    before = wired.store.whatsappconfigs.count_documents({})

    outcome = hookline(*META, flag, CANARY)

    assert outcome.code == 1
    assert f"{flag} is not a field of meta-whatsapp" in outcome.complaint
    assert CANARY not in outcome.err
    assert wired.store.whatsappconfigs.count_documents({}) == before


def test_a_secret_may_come_from_the_environment(
    hookline: Hookline, wired: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOKLINE_WEBHOOK_SECRET", f"{CANARY}-env")
    monkeypatch.setenv("HOOKLINE_AUTH_TOKEN", "of another vendor")

    outcome = hookline("configs", "add", "--provider", "meta", "--phone-number-id", "5", "--json")

    assert outcome.code == 0, outcome.err
    account = opened(wired, json.loads(outcome.out)["id"])
    assert [secret.reveal() for secret in account.ring("webhookSecret")] == [f"{CANARY}-env"]


def test_a_secret_may_be_asked_for_and_is_not_echoed(
    hookline: Hookline, wired: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda _prompt: f"{CANARY}-typed")

    outcome = hookline(*META[:-4], "--webhook-secret", "-", "--json")

    account = opened(wired, json.loads(outcome.out.splitlines()[-1])["id"])
    assert [secret.reveal() for secret in account.ring("webhookSecret")] == [f"{CANARY}-typed"]
    assert CANARY not in outcome.out + outcome.err


def test_the_list_is_a_table_or_json_without_secrets(hookline: Hookline, wired: Wired) -> None:
    table = hookline("configs", "list")

    columns = ["id", "provider", "name", "isActive", "health", "lastEventAt", "webhookUrl"]
    assert table.out.splitlines()[0].split() == columns
    assert wired.account.id in table.out
    (row,) = listed(hookline)
    assert row["hasWebhookSecret"] is True
    for shown in (table.out, json.dumps(row)):
        assert meta.SECRET not in shown
        assert meta.VERIFY_TOKEN not in shown
        assert "gAAAA" not in shown


def test_exchanging_keeps_the_old_one_good_and_names_what_was_exchanged(hookline: Hookline, wired: Wired) -> None:
    outcome = hookline("configs", "rotate", wired.account.id, "--webhook-secret", CANARY, "--access-token", "new")

    assert outcome.code == 0, outcome.err
    assert outcome.out == f"account {wired.account.id}: accessToken, webhookSecret exchanged\n"
    account = opened(wired, wired.account.id)
    assert [secret.reveal() for secret in account.ring("webhookSecret")] == [CANARY, meta.SECRET]


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        ((), 2, "name at least one secret"),
        (("--webhook-secret", ""), 1, "empty"),
        (("--api-key", CANARY), 1, "--api-key"),
    ],
)
def test_an_exchange_of_nothing_is_refused(
    arguments: tuple[str, ...], code: int, complaint: str, hookline: Hookline, wired: Wired
) -> None:
    if "--api-key" in arguments and registry.by_name("chatapi") is None:
        pytest.skip("one vendor only")
    outcome = hookline("configs", "rotate", wired.account.id, *arguments)

    assert outcome.code == code
    assert complaint in outcome.complaint
    assert CANARY not in outcome.err


def test_an_account_that_is_not_there_is_not_found(hookline: Hookline) -> None:
    outcome = hookline("configs", "rotate", "cfg_nobody", "--webhook-secret", "x")

    assert (outcome.code, outcome.complaint) == (1, "no account cfg_nobody")
