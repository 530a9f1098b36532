"""Vendors that cannot be reached, that fail, refuse, or know other tokens: safe to try again, and every message ends.

Continues `test_sending`, where the table of all faults is; the same office.
"""

import json
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from sandbox.engines.ports import free_port
from services.sending.pausing import FIRST_PAUSE, MANY, VENDOR_DOWN
from tests.journeys.conftest import FRESH_TOKEN, Desk
from tests.support import meta_webhooks as meta
from tests.support import unreachable
from tests.support.outbound import ARRIVED, Office, all_of, assert_linked, assert_sound, let_pass, vendor_of
from tests.support.waiting import until

#: By how much two processes may see an account's pause at different times, on a busy machine.
BUSY = timedelta(seconds=1.5)


def attempts(here: Office, message: str) -> list[dict[str, Any]]:
    return list(here.row(message).get("attempts", []))


def outcomes(here: Office, message: str) -> list[str]:
    return [one["outcome"] for one in attempts(here, message) if "outcome" in one]


def pause_of(here: Office, config_id: str) -> dict[str, Any]:
    """The pause of an account; empty where it sends."""
    found = here.system.store.sendpauses.find_one({"id": config_id, "pausedUntil": {"$exists": True}})
    return dict(found or {})


def health_of(here: Office, config_id: str) -> str:
    return here.system.services.configs.get(config_id).health.state.value


def test_c3_a_worker_killed_before_it_connected_leaves_an_unknown_message_until_a_person_asks(desk: Desk) -> None:
    here, number = desk
    [chat] = here.customers(1).values()
    with unreachable.crowded() as address:
        here.replace_workers(1, META_API_URL=address)
        message = here.write(chat)
        here.wait_for(message, "sending")
        here.kill_workers()
    assert here.state(message) == "sending"

    here.hire(2)

    here.wait_for(message, "unknown")
    assert here.row(message)["error"]["code"] == "worker_lost"
    let_pass(3)
    assert (here.state(message), number.accountant.accepts(message)) == ("unknown", 0)
    assert here.retry(message) == 202
    here.wait_for(message, "read")
    assert number.accountant.accepts(message) == 1
    assert_linked(here, number, message)


@pytest.mark.parametrize("way", unreachable.WAYS)
def test_c4_where_nothing_can_have_left_it_is_tried_again_until_it_goes_once(
    desk: Desk, tmp_path: Path, way: str
) -> None:
    here, number = desk
    [chat] = here.customers(1).values()
    with unreachable.WAYS[way](tmp_path) as address:
        here.replace_workers(1, META_API_URL=address)
        message = here.write(chat)
        until(lambda: outcomes(here, message) == ["retry"], seconds=20, what="an attempt in vain")
        # Its next attempt is seconds away: killed in the middle of that, the worker would leave it unknown.
        assert here.state(message) == "queued"
        here.replace_workers()

    here.wait_for(message, "read")
    assert outcomes(here, message) == ["retry", "accepted"]
    assert number.accountant.accepts(message) == 1


def test_c4_a_vendor_that_comes_back_at_its_address_gets_it_once_from_the_same_worker(desk: Desk) -> None:
    here, number = desk
    [chat] = here.customers(1).values()
    port = free_port()
    here.replace_workers(1, META_API_URL=f"http://127.0.0.1:{port}")
    message = here.write(chat)
    until(lambda: here.row(message).get("tries"), seconds=20, what="an attempt")

    with vendor_of(here, meta.NUMBER_ID, "15550192744", port=port) as back:
        here.wait_for(message, "read")
        assert back.accepts(message) == 1
    assert number.accountant.accepts(message) == 0
    here.replace_workers()


@pytest.mark.timeout(120)
def test_c6_a_vendor_that_is_down_is_probed_once_an_interval_and_nothing_is_lost(desk: Desk) -> None:
    here, number = desk
    people = here.customers(MANY + 8)
    number.accountant.fault("error", status=503)

    written = here.write_all(list(people.values()), 1)

    until(lambda: pause_of(here, number.account.id).get("probes", 0) >= 2, seconds=30, what="two probes")
    pause = pause_of(here, number.account.id)
    assert pause["reason"] == VENDOR_DOWN
    assert health_of(here, number.account.id) == "paused"
    probes = probed(here, all_of(written), since=pause["since"])
    assert 1 <= len(probes) <= 3, "one an interval, of 2, 4, 8 … seconds"
    assert all(later - earlier >= FIRST_PAUSE for earlier, later in pairwise(probes))
    number.accountant.ask("DELETE", "/faults")
    here.wait_for_all(all_of(written), "read", seconds=40)
    assert_sound(number, people, written)
    assert health_of(here, number.account.id) == "ok"


def probed(here: Office, messages: list[str], *, since: datetime) -> list[datetime]:
    """When messages were tried after a pause had come into force everywhere."""
    times = [one["at"] for message in messages for one in attempts(here, message)]
    return sorted(at for at in times if at > since + BUSY)


def test_c7_what_the_vendor_will_never_take_fails_at_once_with_its_reason(desk: Desk) -> None:
    here, number = desk
    people = here.customers(2)
    refused, closed = people.values()
    for code, person in zip(("131026", "131047"), people, strict=True):
        number.accountant.fault("error", code=code, match={"recipient": person})
    before = number.accountant.sends["refused"]

    written = here.write_all([refused, closed], 1)

    here.wait_for_all(all_of(written), "failed")
    rows = [here.row(message) for message in all_of(written)]
    assert [row["error"]["code"] for row in rows] == ["131026", "131047"]
    assert all(row["error"]["title"] and row["error"]["kind"] == "final" for row in rows)
    let_pass(3)
    after = number.accountant.sends["refused"]
    assert [after[code] - before.get(code, 0) for code in ("131026", "131047")] == [1, 1]
    assert [number.accountant.accepts(message) for message in all_of(written)] == [0, 0]
    # The vendor has corrected our view: the next one is refused before it is stored.
    answer = here.post(f"chats/{closed}/messages", {"type": "text", "text": "Still there?"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "window_closed")


def test_c7_a_token_that_is_no_longer_valid_pauses_the_account_until_it_works_again(desk: Desk) -> None:
    here, number = desk
    people = here.customers(6)
    before = number.accountant.sends["refused"].get("190", 0)
    number.accountant.fault("error", code="190")

    written = here.write_all(list(people.values()), 2)

    until(lambda: health_of(here, number.account.id) == "auth_error", seconds=20, what="the account to be in trouble")
    assert pause_of(here, number.account.id)["reason"] == "190"
    assert number.accountant.sends["refused"]["190"] - before < len(all_of(written))
    here.wait_for_all(all_of(written), "queued", "sending", seconds=0)
    number.accountant.ask("DELETE", "/faults")
    here.wait_for_all(all_of(written), "read", seconds=30)
    assert_sound(number, people, written)
    assert here.tries(all_of(written)) == {1}, "a bad token costs no attempt"
    until(lambda: health_of(here, number.account.id) == "ok", seconds=10, what="the account to be well again")


def test_c11_a_spent_budget_fails_is_listed_and_is_tried_afresh_by_command(desk: Desk) -> None:
    here, number = desk
    [(person, chat)] = here.customers(1).items()
    number.accountant.fault("error", code="131000", match={"recipient": person}, times=3)

    message = here.write(chat)

    here.wait_for(message, "failed", seconds=40)
    assert outcomes(here, message) == ["retry", "retry", "failed"]
    assert here.row(message)["error"]["retryable"]
    listed = json.loads(here.system.command("messages", "list", "--status", "failed", "--json").stdout)
    assert [(row["id"], row["tries"]) for row in listed if row["id"] == message] == [(message, 3)]
    assert number.accountant.accepts(message) == 0
    asked = here.system.command("messages", "retry", message, "--reason", "it is over")
    assert asked.returncode == 0, asked.stderr
    here.wait_for(message, "read")
    assert [one["n"] for one in attempts(here, message)] == [1, 2, 3, 4]
    assert here.row(message)["tries"] == 1
    assert number.accountant.accepts(message) == 1


def test_c12_a_token_exchanged_while_messages_wait_is_the_one_used_and_what_older_keys_sealed_is_read(
    desk: Desk,
) -> None:
    here, number = desk
    theirs, ours = here.customers(2, number=here.moved.number_id), here.customers(2)
    here.kill_workers()
    waiting, known = here.write_all(list(theirs.values()), 2), here.write_all(list(ours.values()), 1)
    exchanged = here.system.command("configs", "rotate", here.moved.account.id, "--access-token", FRESH_TOKEN)
    assert exchanged.returncode == 0, exchanged.stderr
    keys = f"{Fernet.generate_key().decode()},{here.system.environment['ENCRYPTION_KEYS']}"
    stale = here.system.command("keys", "rotate", "--check", ENCRYPTION_KEYS=keys)
    assert (stale.returncode, stale.stdout[:1]) == (1, "3"), "all three accounts are sealed under the older key"

    here.hire(2, ENCRYPTION_KEYS=keys)

    here.wait_for_all([*all_of(waiting), *all_of(known)], *ARRIVED)
    assert_sound(here.moved, theirs, waiting)
    assert_sound(number, ours, known)
    assert here.moved.accountant.sends["refused"] == {}, "the old token was not shown to the vendor"
    here.replace_workers()
