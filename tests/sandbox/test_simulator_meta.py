"""The simulated Meta: a second opinion on signatures, lively traffic in documented shapes, honest books."""

import base64
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from sandbox.engines.ports import free_port
from sandbox.simulators.meta import delivery as delivery_module
from sandbox.simulators.meta import payloads, wire
from sandbox.simulators.meta.cast import CAST
from sandbox.simulators.meta.conversation import Conversation, Post
from sandbox.simulators.meta.delivery import Delivery, pause_after
from sandbox.simulators.meta.ledger import Item, Ledger
from sandbox.simulators.meta.payloads import Business
from tests.support.waiting import until

BUSINESS = Business(
    phone_number_id="331700900150001",
    business_account_id="209700900150001",
    display_phone_number="14155550100",
)
SECRET = "0f3c1e8a9b7d4c62a5e1d0937b8f4a26"
NOW = 1_793_100_000


class Endpoint(ThreadingHTTPServer):
    """A webhook endpoint that answers as told and remembers what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[int] = []
        self.handshake = "echo"
        self.received: list[tuple[bytes, str]] = []
        self.challenges = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Endpoint

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((body, self.headers["X-Hub-Signature-256"]))
        self.say(self.server.answers.pop(0) if self.server.answers else 200, b"EVENT_RECEIVED")

    def do_GET(self) -> None:
        self.server.challenges += 1
        query = parse_qs(urlsplit(self.path).query)
        wanted = query["hub.verify_token"] == ["verify-me"] and query["hub.mode"] == ["subscribe"]
        if self.server.handshake == "echo" and wanted:
            self.say(200, query["hub.challenge"][0].encode())
        else:
            self.say(403, b"no")

    def say(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def talk(turns: int, *, seed: int = 1) -> list[Post]:
    conversation = Conversation(BUSINESS, seed=seed)
    return [post for turn in range(turns) for post in conversation.next_posts(NOW + turn)]


def values(post: Post) -> list[dict[str, Any]]:
    return [change["value"] for entry in json.loads(post.body)["entry"] for change in entry["changes"]]


def told(post: Post) -> list[tuple[str, str]]:
    """Return what a body tells, read independently of what the simulator says it tells."""
    found: list[tuple[str, str]] = []
    for value in values(post):
        found += [("message", message["id"]) for message in value.get("messages", [])]
        found += [("echo", message["id"]) for message in value.get("message_echoes", [])]
        found += [("status", f"{row['id']} {row['status']}") for row in value.get("statuses", [])]
    return found


def test_the_signature_is_the_documented_one() -> None:
    body = b'{"object":"whatsapp_business_account","entry":[]}'
    assert wire.sign(body, SECRET) == ("sha256=4c1c1065440e30751162900d2fe5f228cbc32a633f39d877d2033d2f5bfe9785")


def test_bodies_escape_what_meta_escapes() -> None:
    body = wire.encode({"text": "Café 😀 https://a.example/b"})
    assert body == rb'{"text":"Caf\u00e9 \ud83d\ude00 https:\/\/a.example\/b"}'


def test_the_same_seed_tells_the_same_story_and_no_seed_never_does() -> None:
    assert talk(60) == talk(60)
    unseeded = [Conversation(BUSINESS).next_posts(NOW)[0].body for _ in range(2)]
    assert unseeded[0] != unseeded[1]


def test_within_thirty_seconds_of_opening_every_chat_speaks_in_all_its_ways() -> None:
    posts = talk(45)
    messages = [m for post in posts for value in values(post) for m in value.get("messages", [])]
    kinds = {m["type"] for m in messages}
    assert kinds >= {"text", "image", "audio", "location", "interactive", "reaction"}
    assert {m["from"] for m in messages} == {person.number for person in CAST}
    assert {item.what for post in posts for item in post.items if item.kind == "status"} == {
        "sent",
        "delivered",
        "read",
    }


def test_deliveries_repeat_bytes_batch_out_of_order_and_overtake() -> None:
    posts = talk(400)
    repeats = Counter(post.body for post in posts)
    assert max(repeats.values()) > 1

    stamps = [[int(m["timestamp"]) for v in values(post) for m in v.get("messages", [])] for post in posts]
    assert any(len(batch) > 1 and batch != sorted(batch) for batch in stamps)

    seen: set[str] = set()
    early = 0
    for post in posts:
        early += sum(1 for item in post.items if item.kind == "status" and item.id not in seen)
        seen |= {item.id for item in post.items if item.kind == "echo"}
    assert early, "no status came before its message"


def test_every_item_is_booked_exactly_as_the_body_tells_it() -> None:
    for post in talk(300):
        booked = [(i.kind, f"{i.id} {i.what}" if i.kind == "status" else i.id) for i in post.items]
        assert sorted(booked) == sorted(told(post))


def test_ids_are_never_given_twice() -> None:
    first = {post.body: post for post in talk(400)}
    ids = [i.id for post in first.values() for i in post.items if i.kind != "status"]
    assert len(ids) == len(set(ids))
    assert all(len(one) < 255 and one.startswith("wamid.") for one in ids)


def test_answers_and_reactions_refer_to_messages_of_the_team_in_that_chat() -> None:
    chats: dict[str, str] = {}
    references = 0
    for post in talk(400):
        for value in values(post):
            chats |= {echo["id"]: echo["to"] for echo in value.get("message_echoes", [])}
    for post in talk(400):
        for message in (m for value in values(post) for m in value.get("messages", [])):
            target = message.get("reaction", {}).get("message_id") or message.get("context", {}).get("id")
            if target:
                references += 1
                assert chats[target] == message["from"]
    assert references > 20


def test_media_carry_the_digest_of_what_their_id_stands_for_and_no_address() -> None:
    media = [
        m.get("image") or m.get("audio") for post in talk(200) for v in values(post) for m in v.get("messages", [])
    ]
    found = [one for one in media if one]
    assert found
    for one in found:
        digest = hashlib.sha256(payloads.media_content(one["id"])).digest()
        assert base64.b64decode(one["sha256"]) == digest
        assert "url" not in one


def test_no_number_is_real() -> None:
    for person in CAST:
        assert person.number.startswith(("447700900", "141555501"))


def delivering(endpoint: Endpoint, *posts: Post) -> tuple[Delivery, Ledger, threading.Event]:
    ledger, stop = Ledger(), threading.Event()
    delivery = Delivery(endpoint.url, app_secret=SECRET, ledger=ledger, stop=stop)
    for post in posts:
        delivery.put(post)
    delivery.start()
    return delivery, ledger, stop


def test_deliveries_are_signed_over_their_very_bytes(endpoint: Endpoint) -> None:
    posts = talk(10)
    _, ledger, stop = delivering(endpoint, *posts)
    until(lambda: len(endpoint.received) == len(posts), seconds=10, what="all deliveries")
    stop.set()
    for body, signature in endpoint.received:
        digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        assert signature == f"sha256={digest}"
    assert Counter(body for body, _ in endpoint.received) == Counter(post.body for post in posts)
    until(lambda: not ledger.unacknowledged(), seconds=5, what="the books")


@pytest.mark.parametrize("refusal", [500, 503, 401, 301, 202])
def test_anything_but_200_is_delivered_again_with_the_same_bytes(
    endpoint: Endpoint, refusal: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_module, "FIRST_PAUSE", 0.05)
    endpoint.answers = [refusal, refusal, refusal]
    post = talk(1)[0]
    _, ledger, stop = delivering(endpoint, post)
    until(lambda: not ledger.unacknowledged(), seconds=10, what="the acknowledgement")
    stop.set()
    assert [body for body, _ in endpoint.received] == [post.body] * 4
    books = ledger.as_json()
    assert books["posts"] == {"attempted": 4, "acknowledged": 1, "refused": 3}
    assert {(row["attempts"], row["acknowledged"]) for row in books["items"]} == {(4, 1)}


def test_an_endpoint_that_is_away_is_tried_until_it_is_back(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_module, "FIRST_PAUSE", 0.05)
    ledger, stop = Ledger(), threading.Event()
    away = Delivery(f"http://127.0.0.1:{free_port()}/", app_secret=SECRET, ledger=ledger, stop=stop)
    away.put(talk(1)[0])
    away.start()
    until(lambda: ledger.as_json()["posts"]["refused"] >= 3, seconds=10, what="three attempts")
    assert ledger.unacknowledged()
    monkeypatch.setattr(away, "_url", endpoint.url)
    until(lambda: not ledger.unacknowledged(), seconds=10, what="the acknowledgement")
    stop.set()


def test_pauses_grow_to_a_minute() -> None:
    pauses = [pause_after(failures) for failures in range(12)]
    assert pauses[:4] == [0.0, 1.0, 2.0, 4.0]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 60.0


def test_the_books_count_each_item_once_however_often_it_comes() -> None:
    ledger, item = Ledger(), Item("message", "wamid.1", "text", "447700900381")
    ledger.planned([item])
    assert ledger.unacknowledged() == 1
    for _ in range(2):
        ledger.attempted([item])
        ledger.acknowledged([item])
    assert ledger.as_json()["items"] == [
        {
            "kind": "message",
            "id": "wamid.1",
            "what": "text",
            "chat": "447700900381",
            "attempts": 2,
            "acknowledged": 2,
        }
    ]


@pytest.fixture
def playing(endpoint: Endpoint) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The simulator as `hookline up` runs it, and the address of its own HTTP side."""
    port = free_port()
    arguments = {
        "--webhook": endpoint.url,
        "--port": str(port),
        "--phone-number-id": BUSINESS.phone_number_id,
        "--business-account-id": BUSINESS.business_account_id,
        "--display-phone-number": BUSINESS.display_phone_number,
    }
    command = [sys.executable, "-m", "sandbox.simulators.meta"]
    process = subprocess.Popen(
        command + [word for pair in arguments.items() for word in pair],
        env={**os.environ, "META_APP_SECRET": SECRET, "META_VERIFY_TOKEN": "verify-me"},
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process, f"http://127.0.0.1:{port}"
    process.kill()
    process.communicate()


def test_it_delivers_only_after_the_handshake_and_ends_at_once_on_sigterm(
    endpoint: Endpoint, playing: tuple[subprocess.Popen[str], str]
) -> None:
    process, url = playing
    until(lambda: len(endpoint.received) >= 3, seconds=15, what="traffic")
    assert endpoint.challenges == 1
    books = requests.get(f"{url}/ledger", timeout=5).json()
    assert books["posts"]["attempted"] >= 3
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 0
    assert time.monotonic() - began < 2


def test_it_is_silent_while_the_endpoint_refuses_the_handshake(
    endpoint: Endpoint, playing: tuple[subprocess.Popen[str], str]
) -> None:
    endpoint.handshake = "refuse"
    until(lambda: endpoint.challenges >= 2, seconds=15, what="two handshakes")
    assert not endpoint.received
    endpoint.handshake = "echo"
    until(lambda: endpoint.received, seconds=15, what="traffic")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v24.0/331700900150001/messages"),
        ("GET", "/v24.0/1480226193371558"),
        ("DELETE", "/v24.0/1"),
    ],
)
def test_the_graph_api_says_that_it_is_not_played_yet(
    playing: tuple[subprocess.Popen[str], str], method: str, path: str
) -> None:
    _, url = playing
    until(lambda: _answers(f"{url}/ledger"), seconds=15, what="the simulator's port")
    answer = requests.request(method, url + path, timeout=5)
    assert answer.status_code == 501
    assert "does not play" in answer.json()["error"]["message"]


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False
