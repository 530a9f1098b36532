"""The receiver: whose webhook it is, who may speak for whom, and what becomes of repeats and of junk."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import redis
from prometheus_client import REGISTRY

from ingest.ringer import ENOUGH_RINGS
from models.store.configs import Configs
from models.store.intake import delivery_key
from models.whatsapp_config import WhatsAppConfig
from providers import registry
from providers.chatapi import PROVIDER as CHATAPI
from runtime.broker import NAMESPACE
from runtime.jobs import RECEIVE
from tests.support import meta_webhooks as meta
from tests.support.failing import failing
from tests.support.street import PATH, Street, street
from tests.support.waiting import until
from tests.support.wired import add_meta_account

OTHER_NUMBER, OTHER_SECRET = "482217750913846", "7b" * 16
MESSAGES = f"{NAMESPACE}:{RECEIVE.queue}.msgs"


def rung(client: redis.Redis) -> list[str]:
    """Ids in the queue, in the order of nothing in particular."""
    return [one for data in client.hvals(MESSAGES) for one in json.loads(data)["args"][0]]


def neighbour(receiver: Street) -> WhatsAppConfig:
    """Another tenant's account; the module's tests share it, for a number has one."""
    there = (one for one in receiver.services.configs.live() if one.phone_number_id == OTHER_NUMBER)
    return next(there, None) or add_meta_account(
        receiver.services, number_id=OTHER_NUMBER, secret=OTHER_SECRET, business_id="77"
    )


def test_a_stored_webhook_keeps_the_bytes_and_no_secret(receiver: Street) -> None:
    body = meta.envelope(meta.text("as received \N{SNOWMAN}"))

    assert receiver.post(body, headers={"User-Agent": "facebookexternalua", "Cookie": "a=b"}).status_code == 200

    (row,) = receiver.rows()
    assert row["rawBody"] == body
    assert row["configId"] == receiver.services.account.id
    assert row["provider"] == "meta-whatsapp"
    assert row["headers"] == {"content-type": "application/json", "user-agent": "facebookexternalua"}
    assert row["status"] == "pending"
    assert row["nextAttemptAt"] == row["receivedAt"]
    assert meta.signature(body).removeprefix("sha256=") not in str(row)


def test_workers_are_rung_for_what_was_stored(receiver: Street, redis_client: redis.Redis) -> None:
    receiver.post(meta.envelope(meta.text("ring")))

    (row,) = receiver.rows()
    until(lambda: row["id"] in rung(redis_client), seconds=5, what="the ring")


def test_rings_that_nobody_answers_do_not_pile_up(receiver: Street, redis_client: redis.Redis) -> None:
    queue = f"{NAMESPACE}:{RECEIVE.queue}"
    redis_client.rpush(queue, *range(ENOUGH_RINGS))

    def left_out() -> float:
        labels = {"job": RECEIVE.name, "outcome": "left_to_waiting_rings"}
        return REGISTRY.get_sample_value("hookline_rings_total", labels) or 0

    def after_another(condition: Callable[[], object]) -> object:
        assert receiver.post(meta.envelope(meta.text())).status_code == 200
        return condition()

    before = left_out()
    until(lambda: after_another(lambda: left_out() > before), seconds=10, what="a ring left out")
    waiting, before = redis_client.llen(queue), left_out()
    until(lambda: after_another(lambda: left_out() > before + 3), seconds=10, what="some more")

    assert redis_client.llen(queue) == waiting
    redis_client.flushall()
    until(lambda: after_another(lambda: rung(redis_client)), seconds=10, what="rings when the others were answered")


def test_fifty_copies_at_once_are_fifty_times_200_and_one_row(receiver: Street) -> None:
    body = meta.envelope(meta.text("again and again"))

    with ThreadPoolExecutor(25) as pool:
        answers = list(pool.map(lambda _: receiver.post(body).status_code, range(50)))

    assert answers == [200] * 50
    (row,) = receiver.rows()
    until(lambda: receiver.rows()[0].get("redeliveries") == 49, seconds=5, what="the repeats to be counted")
    assert row["attempts"] == 0


@pytest.mark.parametrize(("status", "again"), [("pending", True), ("processing", True), ("processed", False)])
def test_a_repeat_is_rung_again_only_while_its_first_copy_waits(
    status: str, again: bool, receiver: Street, redis_client: redis.Redis
) -> None:
    body = meta.envelope(meta.text("repeat"))
    receiver.post(body)
    until(lambda: rung(redis_client), seconds=5, what="the first ring")
    redis_client.flushall()
    (row,) = receiver.rows()
    receiver.services.store.webhookevents.update_one({"id": row["id"]}, {"$set": {"status": status}})

    assert receiver.post(body).status_code == 200

    until(lambda: receiver.rows()[0].get("redeliveries"), seconds=5, what="the repeat to be counted")
    marker = meta.envelope(meta.text("marker"))
    receiver.post(marker)
    marked = next(one["id"] for one in receiver.rows() if one["rawBody"] == marker)
    until(lambda: marked in rung(redis_client), seconds=5, what="a later ring")
    assert (row["id"] in rung(redis_client)) is again


def test_the_same_bytes_for_two_accounts_are_two_deliveries(receiver: Street) -> None:
    other = neighbour(receiver)
    body = json.dumps({"object": "whatsapp_business_account", "entry": []}).encode()

    assert receiver.post(body, path=f"{PATH}/{receiver.services.account.id}").status_code == 200
    assert receiver.post(body, path=f"{PATH}/{other.id}", secret=OTHER_SECRET).status_code == 200

    assert {row["configId"] for row in receiver.rows()} == {other.id, receiver.services.account.id}


JUNK = {
    "empty": b"",
    "no json": b"{",
    "null": b"null",
    "number": b"3",
    "list": b"[]",
    "text": b'"hello"',
    "empty object": b"{}",
    "no utf-8": b"\xff\xfe{}",
    "bom": b"\xef\xbb\xbf{}",
    "utf-16": "{}".encode("utf-16"),
    "nul": b'{"a\x00b": 1}',
    "lone surrogate": b'{"a": "\\ud800"}',
    "huge number": b'{"a": ' + b"9" * 5000 + b"}",
    "infinity": b'{"a": 1e400, "b": NaN}',
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "operator keys": b'{"$where": "1", "a.b": {"$gt": ""}, "": 1, "_id": 1}',
    "repeated keys": b'{"entry": 1, "entry": 2}',
    "html": b"<html></html>",
}


@pytest.mark.parametrize("kind", JUNK)
def test_junk_with_a_valid_signature_is_stored_as_it_came(kind: str, receiver: Street) -> None:
    assert receiver.post(JUNK[kind]).status_code == 200

    (row,) = receiver.rows()
    assert row["rawBody"] == JUNK[kind]


def test_one_tenants_secret_does_not_speak_for_anothers_number(receiver: Street) -> None:
    other = neighbour(receiver)
    ours = meta.envelope(meta.text("stolen words"), number_id=meta.NUMBER_ID)

    answers = [
        receiver.post(ours, secret=OTHER_SECRET),
        receiver.post(ours, secret=OTHER_SECRET, path="/api/whatsapp/webhooks"),
        receiver.post(ours, secret=OTHER_SECRET, path=f"{PATH}/{receiver.services.account.id}"),
    ]

    assert [one.status_code for one in answers] == [401] * 3
    assert receiver.rows() == []
    # At its own address it may say what it likes: it is stored as its own, and the workers give it no effect.
    assert receiver.post(ours, secret=OTHER_SECRET, path=f"{PATH}/{other.id}").status_code == 200
    (row,) = receiver.rows()
    assert row["configId"] == other.id
    receiver.services.receiving.receive([row["id"]])
    assert receiver.rows()[0]["status"] == "ignored"
    assert receiver.services.store.messages.count_documents({"text": "stolen words"}) == 0


def test_a_hidden_name_of_another_tenant_has_no_effect_either(receiver: Street) -> None:
    neighbour(receiver)
    hidden = meta.envelope(meta.text("hidden words"), number_id=meta.NUMBER_ID).replace(
        meta.NUMBER_ID.encode(), "".join(f"\\u{ord(digit):04x}" for digit in meta.NUMBER_ID).encode()
    )

    answer = receiver.post(hidden, secret=OTHER_SECRET)

    ids = [row["id"] for row in receiver.rows()]
    receiver.services.receiving.receive(ids)
    assert receiver.services.store.messages.count_documents({"text": "hidden words"}) == 0
    assert (answer.status_code, len(ids)) in {(200, 1), (401, 0)}


def test_a_new_account_is_known_at_once_however_often_they_come(receiver: Street) -> None:
    """The snapshot of the accounts is younger than a blink each time; waiting for its end would lose the webhook."""
    answers = []
    for n in range(4):
        secret = f"{n}f" * 16
        config = add_meta_account(receiver.services, number_id=f"90000000000000{n}", secret=secret, business_id=f"9{n}")
        body = meta.envelope(meta.text(f"first words {n}"), number_id=f"90000000000000{n}")
        answers.append(receiver.post(body, secret=secret).status_code)
        shake = f"hub.mode=subscribe&hub.challenge=77&hub.verify_token={meta.VERIFY_TOKEN}"
        answers.append(receiver.client.get(f"{PATH}/{config.id}?{shake}").status_code)

    assert answers == [200] * 8


def _rotated(receiver: Street, number_id: str) -> tuple[str, str, str]:
    """An account whose secret was just exchanged: its id, the old secret and the new one."""
    old, new = f"{number_id}a" * 2, f"{number_id}b" * 2
    config = add_meta_account(receiver.services, number_id=number_id, secret=old, business_id=number_id[:3])
    provider = registry.by_slug("meta")
    assert provider is not None
    receiver.services.connecting.rotate(config.id, provider, {"webhookSecret": new})
    return config.id, old, new


def test_during_a_rotation_both_secrets_are_good(receiver: Street) -> None:
    _, old, new = _rotated(receiver, "611111111111111")

    answers = [
        receiver.post(meta.envelope(meta.text(secret), number_id="611111111111111"), secret=secret).status_code
        for secret in (old, new, old, new)
    ]

    assert answers == [200] * 4


def test_after_its_overlap_the_old_secret_is_refused(receiver: Street) -> None:
    config_id, old, new = _rotated(receiver, "633333333333333")
    body = meta.envelope(meta.text("late"), number_id="633333333333333")
    assert receiver.post(body, secret=old).status_code == 200

    past = receiver.services.clock.now() - timedelta(seconds=1)
    ended = {"$set": {"oldSecrets.0.until": past}}
    assert receiver.services.store.whatsappconfigs.update_one({"id": config_id}, ended).modified_count == 1

    # The receiver may still hold the accounts of a moment ago; within their short life it notices.
    until(lambda: receiver.post(body, secret=old).status_code == 401, seconds=10, what="the old secret to end")
    assert receiver.post(body, secret=new).status_code == 200


def test_a_paused_account_is_refused_and_its_neighbour_is_not(receiver: Street) -> None:
    secret = "3e" * 16
    config = add_meta_account(receiver.services, number_id="622222222222222", secret=secret, business_id="622")
    body = meta.envelope(meta.text("x"), number_id="622222222222222")
    assert receiver.post(body, secret=secret).status_code == 200

    Configs(receiver.services.store).change(config.id, {"is_active": False}, receiver.services.clock)

    until(lambda: receiver.post(body, secret=secret).status_code == 401, seconds=10, what="the account to end")
    assert receiver.post(meta.envelope(meta.text("y"))).status_code == 200


def test_with_the_accounts_out_of_reach_the_last_good_ones_serve(receiver: Street) -> None:
    body = meta.envelope(meta.text("still known"))
    with failing(receiver.services.store.whatsappconfigs, "find", errorCode=50):
        known = receiver.post(body)
        stranger = receiver.post(meta.envelope(meta.text("forged")), secret="0" * 32)

    assert (known.status_code, stranger.status_code) == (200, 401)


def test_before_the_accounts_were_ever_read_nobody_is_called_a_stranger(receiver: Street) -> None:
    """A vendor told 401 may give up for good; told 503 it comes back."""
    with (
        failing(receiver.services.store.whatsappconfigs, "find", errorCode=50),
        street(receiver.settings, account=False) as starting,
    ):
        body = meta.envelope(meta.text("too early"))
        shake = f"hub.mode=subscribe&hub.challenge=77&hub.verify_token={meta.VERIFY_TOKEN}"
        answers = [starting.post(body), starting.client.get(f"{PATH}?{shake}")]
        assert [one.status_code for one in answers] == [503, 503]
        assert answers[0].headers["Retry-After"] == "2"
    until(lambda: starting.post(body).status_code == 200, seconds=10, what="the accounts to be read")


def test_a_full_queue_is_503_with_a_word_when_to_come_back(receiver: Street) -> None:
    small = street(_with(receiver, intake_queue_size=1), account=False)
    with small as tight, ThreadPoolExecutor(6) as pool:
        with failing(tight.services.store.webhookevents, "insert", blockTimeMS=500) as begun:
            first = pool.submit(tight.post, meta.envelope(meta.text("first")))
            begun()
            others = list(pool.map(lambda n: tight.post(meta.envelope(meta.text(f"n{n}"))), range(5)))
        answers = [first.result(), *others]

    refused = [one for one in answers if one.status_code != 200]
    assert [one.status_code for one in refused] == [503] * len(refused)
    assert len(refused) == 4
    assert {one.headers["Retry-After"] for one in refused} == {"2"}
    assert len(receiver.rows()) == 2


def test_what_is_not_confirmed_is_503(receiver: Street) -> None:
    body = meta.envelope(meta.text("unconfirmed"))
    no_majority = {"code": 64, "errmsg": "waiting for replication timed out"}
    with failing(receiver.services.store.webhookevents, "insert", writeConcernError=no_majority):
        answer = receiver.post(body)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert receiver.post(body).status_code == 200
    assert len(receiver.rows()) == 1


def test_a_row_the_database_refuses_is_500_and_its_neighbours_are_200(receiver: Street) -> None:
    database = receiver.services.store.database
    database.command("collMod", "webhookevents", validator={"headers.user-agent": {"$ne": "poison"}})
    try:
        with (
            ThreadPoolExecutor(8) as pool,
            failing(receiver.services.store.webhookevents, "insert", blockTimeMS=150),
        ):
            answers = list(
                pool.map(
                    lambda n: (
                        receiver.post(
                            meta.envelope(meta.text(f"n{n}")), headers={"User-Agent": "poison" if n == 5 else "vendor"}
                        ).status_code
                    ),
                    range(8),
                )
            )
    finally:
        database.command("collMod", "webhookevents", validator={})

    assert answers == [200] * 5 + [500] + [200] * 2
    assert len(receiver.rows()) == 7


@pytest.mark.parametrize("broker", ["redis://127.0.0.1:1/0", "redis://no-such-host.invalid/0"])
def test_a_dead_queue_is_the_vendors_business_in_no_way(broker: str, receiver: Street) -> None:
    from runtime.crypto import Secret

    with street(_with(receiver, broker_url=Secret(broker)), account=False) as deaf:
        answers = [deaf.post(meta.envelope(meta.text(f"n{n}"))) for n in range(20)]

    assert {(one.status_code, one.text) for one in answers} == {(200, "EVENT_RECEIVED")}
    assert len(receiver.rows()) == 20


def _with(receiver: Street, **changed: Any) -> Any:
    from dataclasses import replace

    return replace(receiver.settings, **changed)


def test_a_state_of_an_instance_may_come_back_another_day(receiver: Street) -> None:
    """It holds no time: linked, unlinked and linked again are three words, two of them the same bytes."""
    account = receiver.services.connecting.add(CHATAPI, {"instanceId": "318842", "webhookSecret": "s" * 22})
    said = b'{"instanceStatus": "got qr code", "instanceId": "318842"}'
    path = f"/api/whatsapp/webhooks/chatapi/{account.id}?token={'s' * 22}"

    assert receiver.post(said, path=path).status_code == 200

    (row,) = receiver.rows()
    assert row["deliveryKey"] != delivery_key(provider="chatapi", account_id=account.id, target="", body=said)
