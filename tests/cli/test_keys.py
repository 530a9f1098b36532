"""`hookline keys`: a new key, and moving everything under it."""

import json

import pytest
from cryptography.fernet import Fernet

from runtime.crypto import KeyRing
from tests.cli.conftest import Hookline, a_key
from tests.support import meta_webhooks as meta
from tests.support.wired import Wired, add_meta_account


def test_a_new_key_is_a_key_and_new_each_time(bare: Hookline) -> None:
    first, second = (bare("keys", "generate").out.strip() for _ in range(2))

    assert first != second
    KeyRing([first, second])
    Fernet(first)


def test_rotation_moves_every_account_under_the_newest_key(
    hookline: Hookline, wired: Wired, told: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_meta_account(wired, number_id="1", secret="second", business_id="2")
    newer = a_key()
    monkeypatch.setenv("ENCRYPTION_KEYS", f"{newer},{told['ENCRYPTION_KEYS']}")

    before = hookline("keys", "rotate", "--check")
    moved = hookline("keys", "rotate")
    again = hookline("keys", "rotate")
    after = hookline("keys", "rotate", "--check")
    monkeypatch.setenv("ENCRYPTION_KEYS", newer)

    assert (before.code, before.out) == (1, "2 accounts are sealed under an older key\n")
    assert (moved.code, moved.out) == (0, "2 accounts sealed anew\n")
    assert (again.code, again.out) == (0, "0 accounts sealed anew\n")
    assert (after.code, after.out) == (0, "0 accounts are sealed under an older key\n")
    assert hookline("check").code == 0
    for outcome in (before, moved, again, after):
        assert newer not in outcome.out + outcome.err
        assert meta.SECRET not in outcome.out + outcome.err


def test_one_account_that_does_not_open_is_named_and_holds_up_no_other(
    hookline: Hookline, wired: Wired, told: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = add_meta_account(wired, number_id="1", secret="second", business_id="2")
    stray = KeyRing([a_key()]).seal("x", context=f"{broken.id}/webhookSecret")
    wired.store.whatsappconfigs.update_one({"id": broken.id}, {"$set": {"webhookSecret": stray}})
    monkeypatch.setenv("ENCRYPTION_KEYS", f"{a_key()},{told['ENCRYPTION_KEYS']}")

    outcome = hookline("keys", "rotate")

    assert outcome.code == 1
    assert outcome.out == "1 accounts sealed anew\n"
    assert broken.id in outcome.err
    assert "1 accounts could not be opened" in outcome.err
    (row,) = (row for row in json.loads(hookline("configs", "list", "--json").out) if row["id"] == wired.account.id)
    assert row["hasWebhookSecret"]


def test_an_account_of_an_unknown_vendor_keeps_its_key(hookline: Hookline, wired: Wired) -> None:
    wired.store.whatsappconfigs.update_one({"id": wired.account.id}, {"$set": {"provider": "acme"}})

    outcome = hookline("keys", "rotate", "--check")

    assert outcome.code == 1
    assert "unknown vendor acme" in outcome.err
