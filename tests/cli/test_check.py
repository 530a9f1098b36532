"""`hookline check`: a table of what is in place, and a non-zero exit code for what is not."""

from datetime import timedelta

import pytest
import redis

from models.store.pauses import Pauses
from tests.cli.conftest import Hookline, a_key
from tests.support import meta_webhooks as meta
from tests.support.wired import Wired, add_meta_account

PROBES = ["settings", "mongodb", "indexes", "redis", "media", "keys", "accounts", "sending"]


def table(text: str) -> dict[str, tuple[str, str]]:
    """Probe -> ok or FAIL, and what is wrong."""
    rows = [line.split(maxsplit=2) for line in text.splitlines()]
    return {row[1]: (row[0], row[2] if len(row) > 2 else "") for row in rows}


def test_with_everything_in_place_all_is_ok(hookline: Hookline, wired: Wired) -> None:
    wired.deliver(meta.envelope(meta.text()))
    outcome = hookline("check")

    assert outcome.code == 0
    assert outcome.err == ""
    assert table(outcome.out) == dict.fromkeys(PROBES, ("ok", ""))


def test_an_account_that_nothing_was_heard_of_is_named_and_is_no_failure(hookline: Hookline, wired: Wired) -> None:
    outcome = hookline("check")

    assert outcome.code == 0
    assert table(outcome.out)["webhooks"] == ("note", f"{wired.account.id}: no webhook has reached it yet")


def test_missing_indexes_are_named(hookline: Hookline, database_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGODB_DATABASE", database_name)

    outcome = hookline("check")

    assert outcome.code == 1
    state, problem = table(outcome.out)["indexes"]
    assert state == "FAIL"
    assert "webhookevents.deliveryKey_1" in problem
    assert "hookline indexes apply" in problem


def test_a_dead_queue_is_told_and_what_it_means(hookline: Hookline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:canary@127.0.0.1:1/0")

    outcome = hookline("check")

    assert outcome.code == 1
    state, problem = table(outcome.out)["redis"]
    assert (state, "REDIS_URL: no answer" in problem) == ("FAIL", True)
    assert table(outcome.out)["mongodb"] == ("ok", "")
    assert "canary" not in outcome.out + outcome.err


def test_a_queue_that_forgets_is_a_failure(hookline: Hookline, redis_client: redis.Redis) -> None:
    redis_client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        outcome = hookline("check")
    finally:
        redis_client.config_set("maxmemory-policy", "noeviction")

    assert outcome.code == 1
    assert "noeviction" in table(outcome.out)["redis"][1]


def test_keys_that_open_nothing_are_a_failure_of_the_keys(
    hookline: Hookline, wired: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENCRYPTION_KEYS", a_key())

    outcome = hookline("check")

    assert outcome.code == 1
    state, problem = table(outcome.out)["keys"]
    assert state == "FAIL"
    assert wired.account.id in problem
    assert meta.SECRET not in outcome.out


def test_an_account_that_lacks_its_secret_is_told(hookline: Hookline, wired: Wired) -> None:
    wired.store.whatsappconfigs.update_one({"id": wired.account.id}, {"$unset": {"webhookSecret": 1}})
    add_meta_account(wired, number_id="1", secret="fine", business_id="2")

    outcome = hookline("check")

    assert outcome.code == 1
    assert table(outcome.out)["accounts"] == ("FAIL", f"{wired.account.id}: missing --webhook-secret")


def test_an_account_of_an_unknown_vendor_is_told(hookline: Hookline, wired: Wired) -> None:
    wired.store.whatsappconfigs.update_one({"id": wired.account.id}, {"$set": {"provider": "acme"}})

    assert table(hookline("check").out)["accounts"] == ("FAIL", f"{wired.account.id}: unknown vendor acme")


def test_a_dead_database_is_told_line_by_line_and_without_its_password(
    hookline: Hookline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONGODB_URI", "mongodb://user:canary@127.0.0.1:1/")

    outcome = hookline("check")

    assert outcome.code == 1
    found = table(outcome.out)
    assert found["mongodb"] == ("FAIL", "MongoDB does not answer (ServerSelectionTimeoutError)")
    assert {found[name] for name in ("indexes", "media", "keys", "accounts", "sending")} == {
        ("FAIL", "not checked without mongodb")
    }
    assert found["redis"] == ("ok", "")
    assert "canary" not in outcome.out + outcome.err


def test_an_account_that_does_not_send_is_told_with_its_reason(hookline: Hookline, wired: Wired) -> None:
    pauses, now = Pauses(wired.store), wired.clock.now()
    for _ in range(2):
        pauses.count(wired.account.id, reason="190", now=now, within=timedelta(minutes=1))
    assert table(hookline("check").out)["sending"] == ("ok", "")

    pauses.pause(wired.account.id, now=now, until=now + timedelta(seconds=2))
    outcome = hookline("check")

    assert outcome.code == 1
    assert table(outcome.out)["sending"] == ("FAIL", f"{wired.account.id}: paused since 2026-11-20 12:00 UTC (190)")


def test_a_bucket_that_cannot_be_written_is_a_failure(hookline: Hookline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")
    monkeypatch.setenv("MEDIA_URL", "s3://hookline-media?endpoint=http://127.0.0.1:9&region=eu-west-1")

    outcome = hookline("check")

    assert outcome.code == 1
    state, problem = table(outcome.out)["media"]
    assert (state, "127.0.0.1:9" in problem) == ("FAIL", True)
    assert "canary" not in outcome.out + outcome.err
