"""A small whole flow with canaries in every secret, number and word; then a search for them wherever they must not be.

Over real processes: webhooks good and bad, junk, poison that the database refuses, wrong tokens, answers to customers
that a vendor takes, refuses and quotes, engines that die.
Searched are all logs, metrics, answers to refused requests, what commands print, and every command that ever reached
the queue.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis
import requests

from models.agent import Role
from tests.security.answering import WORDS, Answering, now
from tests.support import meta_webhooks as meta
from tests.support.street import PATH
from tests.support.system import ROOT, Process, System, running
from tests.support.vendor import Vendor
from tests.support.waiting import until
from tests.support.wired import add_meta_account

PHONE = "447700900955"
NUMBER_ID = "777000777000777"
#: What must never be seen, by what it is.
CANARIES = {
    "app secret": "c0ffee11deadbeef" * 2,
    "access token": "EAAcanaryAccess" + "Zx9" * 20,
    "verify token": "canary-verify-81b3",
    "phone number": PHONE,
    "message text": "canary-text-5e0d",
    "caption": "canary-caption-77f1",
    "customer name": "Canary-Name-19aa",
    "junk": "canary-junk-402c",
    "wrong signature": "b" * 63 + "7",
    "guessed token": "canary-guess-6d6d",
    **WORDS,
}
#: What must be seen, or the search looks in the wrong places.
MARKERS = {
    "logs": ("webhook_refused", "part_failed", "unavailable", "sending_paused", "reminder_message", "sender_blocked"),
    "queue": ("evt_", "receive", "deliver", "fetch", "receipts", "hookline:bucket:"),
    "metrics": ('hookline_sends_total{outcome="unknown"', 'hookline_send_pauses_total{reason="auth_error"}'),
    "commands": ("msg_", "No: "),
}


@dataclass
class Seen:
    """Everything the outside could see, by where."""

    places: dict[str, str] = field(default_factory=dict)

    def note(self, place: str, text: str) -> None:
        self.places[place] = self.places.get(place, "") + text

    def holds(self, canary: str) -> list[str]:
        return [place for place, text in self.places.items() if canary in text]


@pytest.fixture(scope="module")
def vendor() -> Iterator[Vendor]:
    vendor = Vendor()
    yield vendor
    vendor.close()


@pytest.fixture(scope="module")
def system(vendor: Vendor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    settings = {"INTAKE_TIMEOUT_SECONDS": "1", "LEASE_SECONDS": "3", "SWEEP_AFTER_SECONDS": "1", "LOG_LEVEL": "INFO"}
    settings["META_API_URL"] = vendor.url
    with running(tmp_path_factory.mktemp("canaries"), **settings) as system:
        yield system


@pytest.fixture(scope="module")
def seen(system: System, vendor: Vendor) -> Seen:
    """Let the whole flow happen, and gather what is to be seen of it."""
    CANARIES["encryption key"] = system.environment["ENCRYPTION_KEYS"]
    seen = Seen()
    with overheard(system.valkey.uri, seen):
        add_account(system)
        ingest, api = system.start_receiver(), system.start_api()
        worker, clock = system.start("worker"), system.start("clock")
        made = system.services.tokens.create(name="canaries", role=Role.ADMIN)
        CANARIES["api token"] = made.clear.reveal()
        receive(system, seen, ingest)
        ask(seen, api, made.clear.reveal())
        Answering(system, vendor, CANARIES, seen.note, api, made.clear.reveal()).all()
        break_engines(system, seen, ingest)
        command(system, seen)
        for url in (ingest, api, *(metrics_of(process) for process in (worker, clock))):
            seen.note("metrics", requests.get(f"{url}/metrics", timeout=5).text)
        keep_keyspace(system.valkey.uri, seen)
    for process in system.processes:
        process.kill()
        seen.note("logs", process.said())
    return seen


def add_account(system: System) -> None:
    config = add_meta_account(
        system.services, number_id=NUMBER_ID, secret=CANARIES["app secret"], business_id="70707070"
    )
    provider = system.services.reader.provider("meta-whatsapp")
    others = {"accessToken": CANARIES["access token"], "webhookVerifyToken": CANARIES["verify token"]}
    system.services.connecting.rotate(config.id, provider, others)


def delivery(*values: dict[str, object], secret: str | None = None, body: bytes | None = None) -> dict[str, object]:
    """The arguments of a POST by the canaries' vendor."""
    body = body if body is not None else meta.envelope(*values, number_id=NUMBER_ID)
    return {"data": body, "headers": meta.headers(body, secret or CANARIES["app secret"]), "timeout": 10}


def a_text(message_id: str) -> dict[str, object]:
    return meta.text(
        CANARIES["message text"], message_id=message_id, sender=PHONE, at=now(), name=CANARIES["customer name"]
    )


def receive(system: System, seen: Seen, ingest: str) -> None:
    """Deliver what is good, what is refused and what is poison."""
    url = f"{ingest}{PATH}"

    def post(**arguments: object) -> None:
        answer = requests.post(url, **arguments)  # type: ignore[arg-type]
        seen.note("answers to vendors", f"{answer.status_code} {answer.headers} {answer.text}\n")

    photo = {"type": "image", "image": {"id": "1", "mime_type": "image/jpeg", "caption": CANARIES["caption"]}}
    system.store.database.command("collMod", "messages", validator={"providerMessageId": {"$ne": "wamid.POISON"}})
    for good in (a_text("wamid.GOOD"), meta.message(photo, sender=PHONE), a_text("wamid.POISON")):
        post(**delivery(good))
        post(**delivery(good))
    post(**delivery(body=b'{"' + CANARIES["junk"].encode()))
    post(**delivery({"statuses": [{"id": [CANARIES["junk"]], "recipient_id": PHONE}]}))
    post(**delivery(meta.text(CANARIES["message text"], sender=PHONE), secret="wrong"))
    forged = delivery(a_text("wamid.FORGED"))
    forged["headers"] = {**forged["headers"], "X-Hub-Signature-256": "sha256=" + CANARIES["wrong signature"]}  # type: ignore[dict-item]
    post(**forged)
    post(**delivery(body=CANARIES["junk"].encode() * 400_000))
    post(**{**delivery(a_text("wamid.TYPE")), "headers": {"Content-Type": f"text/{CANARIES['junk']}"}})
    for token in (CANARIES["verify token"], CANARIES["guessed token"]):
        query = {"hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": token}
        answer = requests.get(url, params=query, timeout=5)
        seen.note("answers to vendors", f"{answer.status_code} {answer.text}\n")
    ended = {"status": {"$in": ["pending", "processing"]}}
    until(lambda: not system.store.webhookevents.count_documents(ended), seconds=30, what="all webhooks to end")


def ask(seen: Seen, api: str, token: str) -> None:
    """Ask the desk as somebody known, as a stranger, and for nonsense."""
    good = {"Authorization": f"Bearer {token}"}
    bad = {"Authorization": f"Bearer {CANARIES['guessed token']}"}
    base = f"{api}/api/whatsapp"
    assert PHONE in requests.get(f"{base}/chats", headers=good, timeout=10).text
    for path, headers in (
        ("/chats", bad),
        (f"/chats/{CANARIES['junk']}", good),
        (f"/chats?limit={CANARIES['junk']}", good),
        (f"/chats?cursor={CANARIES['junk']}", good),
        (f"/webhooks/events/{CANARIES['junk']}", good),
    ):
        answer = requests.get(base + path, headers=headers, timeout=10)
        assert answer.status_code >= 400, path
        # The caller's own words may be told back to the caller; nobody else's may.
        seen.note("answers of the desk", answer.text.replace(CANARIES["junk"], ""))


def break_engines(system: System, seen: Seen, ingest: str) -> None:
    """Let the queue and the database die under load, and come back."""
    system.valkey.kill()
    answer = requests.post(f"{ingest}{PATH}", **delivery(a_text("wamid.DEAF")))  # type: ignore[arg-type]
    seen.note("answers to vendors", answer.text)
    system.mongo.kill()
    answer = requests.post(f"{ingest}{PATH}", **delivery(a_text("wamid.LOST")))  # type: ignore[arg-type]
    assert answer.status_code == 503
    seen.note("answers to vendors", answer.text)
    (worker,) = (process for process in system.processes if process.name == "worker")
    until(lambda: "connection error" in worker.said(), seconds=20, what="the worker to notice")
    system.mongo.start()
    system.valkey.start()


def command(system: System, seen: Seen) -> None:
    """Let an operator look at everything."""
    for words in (
        "check",
        "configs list --json",
        "events list --json",
        "messages list --json",
        "messages list --status unknown",
        "messages list --status queued --json",
    ):
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", *words.split()],
            cwd=ROOT,
            env={**os.environ, **system.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        seen.note("commands", done.stdout + done.stderr)


def metrics_of(process: Process) -> str:
    """The address of a process's small port, from its own environment."""
    told = Path(f"/proc/{process._process.pid}/environ").read_bytes().split(b"\0")
    return "http://" + next(one for one in told if one.startswith(b"METRICS_BIND=")).decode().partition("=")[2]


def keep_keyspace(url: str, seen: Seen) -> None:
    """Read every value there is, by its kind: a dump might hide it by compressing."""
    reads = {"string": "GET", "list": "LRANGE {} 0 -1", "set": "SMEMBERS", "zset": "ZRANGE {} 0 -1", "hash": "HGETALL"}
    with redis.Redis.from_url(url) as client:
        for key in client.scan_iter("*"):
            kind = client.type(key).decode()
            words = [
                word if word != "{}" else key for word in (reads[kind] + ("" if "{}" in reads[kind] else " {}")).split()
            ]
            seen.note("queue", f"{key!r} {client.execute_command(*words)!r}\n")


class overheard:  # noqa: N801  used as a word of the story
    """Listen to every command that reaches the queue, scripts included, for as long as it lives."""

    def __init__(self, url: str, seen: Seen) -> None:
        # It may be quiet for long: while processes start, nobody says a word.
        self._client = redis.Redis.from_url(url, socket_timeout=None)
        self._seen = seen

    def __enter__(self) -> None:
        listening = threading.Event()
        threading.Thread(target=self._listen, args=(listening,), daemon=True).start()
        assert listening.wait(5)

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def _listen(self, listening: threading.Event) -> None:
        with self._client.monitor() as monitor:  # type: ignore[no-untyped-call]
            listening.set()
            try:
                for heard in monitor.listen():
                    self._seen.note("queue", f"{heard['command']}\n")
            except (redis.RedisError, OSError, ValueError):
                return  # The queue was killed, as the story has it.


@pytest.mark.parametrize("canary", [*CANARIES, "encryption key", "api token"])
def test_no_canary_is_seen_anywhere(canary: str, seen: Seen) -> None:
    assert seen.holds(CANARIES[canary]) == []


def test_the_canaries_were_really_under_way(system: System, seen: Seen) -> None:
    system.mongo.start()
    row = system.store.messages.find_one({"providerMessageId": "wamid.GOOD"})
    assert row is not None
    assert row["text"] == CANARIES["message text"]
    bodies = b"".join(one["rawBody"] for one in system.store.webhookevents.find())
    for name in ("phone number", "message text", "caption", "customer name", "junk"):
        assert CANARIES[name].encode() in bodies
    statuses = {one["status"] for one in system.store.webhookevents.find()}
    assert {"processed", "failed"} <= statuses


@pytest.mark.parametrize(("place", "marker"), [(place, one) for place, found in MARKERS.items() for one in found])
def test_the_search_looks_where_something_is_to_be_found(place: str, marker: str, seen: Seen) -> None:
    assert marker in seen.places[place]


def test_every_place_was_searched(seen: Seen) -> None:
    assert set(seen.places) == {"logs", "metrics", "queue", "commands", "answers to vendors", "answers of the desk"}
    assert all(len(text) > 200 for text in seen.places.values())


def test_every_line_of_a_log_is_one_event(seen: Seen) -> None:
    lines = [line for line in seen.places["logs"].splitlines() if not line.startswith("[")]

    assert len(lines) > 10
    assert [line for line in lines if not line.startswith("{")] == []
