"""The river in, over real processes: from a signed POST to a chat."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support import meta_webhooks as meta
from tests.support.system import System, in_threads, running
from tests.support.waiting import until

FIXTURES = Path(__file__).parents[1] / "fixtures" / "meta"
#: What the vendor answers or is asked, as opposed to what it sends.
NOT_WEBHOOKS = ("req_", "resp_", "error_", "signature_vectors", "verify_get_request")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(tmp_path_factory.mktemp("river")) as system:
        system.receivers = [system.start_receiver(), system.start_receiver()]  # type: ignore[attr-defined]
        system.start("worker")
        system.start("worker")
        system.start("clock")
        yield system


def webhook_url(system: System, receiver: int = 0) -> str:
    return f"{system.receivers[receiver]}/api/whatsapp/webhooks/meta"  # type: ignore[attr-defined]


def post(url: str, body: bytes) -> requests.Response:
    return requests.post(url, data=body, headers=meta.headers(body), timeout=10)


def all_ended(system: System) -> bool:
    return system.store.webhookevents.count_documents({"status": {"$in": ["pending", "processing"]}}) == 0


def test_twenty_copies_at_once_to_two_receivers_take_effect_once(system: System) -> None:
    body = meta.envelope(meta.text("only once", message_id="wamid.TWENTY", sender="447700900777"))

    answers = in_threads(20, lambda i: post(webhook_url(system, i % 2), body).status_code)

    assert answers == [200] * 20
    until(lambda: system.store.messages.find_one({"providerMessageId": "wamid.TWENTY"}), seconds=10, what="the message")
    until(lambda: all_ended(system), seconds=10, what="all webhooks to end")
    assert system.store.webhookevents.count_documents({"rawBody": body}) == 1
    assert system.store.messages.count_documents({"providerMessageId": "wamid.TWENTY"}) == 1
    chat = system.store.chats.find_one({"phoneNumber": "+447700900777"})
    assert chat is not None
    assert chat["unreadCount"] == 1


def test_every_payload_of_the_vendor_is_accounted_for(system: System) -> None:
    payloads = [path for path in sorted(FIXTURES.glob("*.json")) if not path.name.startswith(NOT_WEBHOOKS)]
    assert len(payloads) > 120

    for path in payloads:
        assert post(webhook_url(system), path.read_bytes()).status_code == 200, path.name

    until(lambda: all_ended(system), seconds=30, what="all webhooks to end")
    bodies = {path.read_bytes(): path.name for path in payloads}
    rows = list(system.store.webhookevents.find({"rawBody": {"$in": list(bodies)}}))
    assert len(rows) == len(bodies)
    unaccounted = {
        bodies[row["rawBody"]]: row.get("error") for row in rows if row["status"] == "failed" or not row["items"]
    }
    assert unaccounted == {}
    workers = [process for process in system.processes if process.name == "worker"]
    for worker in workers:
        assert worker.alive
        assert '"level": "error"' not in worker.said()


def test_the_handshake_and_its_refusal(system: System) -> None:
    good = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": meta.VERIFY_TOKEN}

    answer = requests.get(webhook_url(system), params=good, timeout=5)
    wrong = requests.get(webhook_url(system), params={**good, "hub.verify_token": "guess"}, timeout=5)

    assert (answer.status_code, answer.text) == (200, "1158201444")
    assert (wrong.status_code, wrong.text) == (403, "")


def test_what_is_refused_is_not_stored(system: System) -> None:
    before = system.store.webhookevents.count_documents({})
    body = meta.envelope(meta.text("forged"))
    forged = {**meta.headers(body), "X-Hub-Signature-256": meta.signature(body, "0" * 32)}

    def chunks() -> Iterator[bytes]:
        for _ in range(80):
            yield b"x" * 65536

    bad = requests.post(webhook_url(system), data=body, headers=forged, timeout=5)
    large = requests.post(webhook_url(system), data=b"x" * 5_000_000, headers=meta.headers(b""), timeout=5)
    chunked = requests.post(webhook_url(system), data=chunks(), headers=meta.headers(b""), timeout=5)

    assert [bad.status_code, large.status_code, chunked.status_code] == [401, 413, 413]
    assert system.store.webhookevents.count_documents({}) == before


def test_junk_with_a_valid_signature_is_stored_and_marked(system: System) -> None:
    junk = b'{"object": "whatsapp_business_account", "entry": [{'

    assert post(webhook_url(system), junk).status_code == 200

    until(lambda: all_ended(system), seconds=10, what="all webhooks to end")
    row = system.store.webhookevents.find_one({"rawBody": junk})
    assert row is not None
    assert (row["status"], row["error"]) == ("failed", "not_json")


def test_a_new_account_is_known_at_once(system: System) -> None:
    from tests.support.wired import add_meta_account

    add_meta_account(system.services, number_id="555000111222333", secret="e" * 32, business_id="77")
    body = meta.envelope(meta.text("first words"), number_id="555000111222333")

    answer = requests.post(webhook_url(system, 1), data=body, headers=meta.headers(body, "e" * 32), timeout=5)

    assert answer.status_code == 200
    until(lambda: system.store.messages.find_one({"text": "first words"}), seconds=10, what="the message")
