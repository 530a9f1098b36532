"""What every simulated vendor does: lively traffic that the real dialect believes and understands, honest books."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests

from providers import registry
from providers.base import Delivery, Provider, WebhookRequest
from providers.events import ContactSynced, Event, Ignored, MessageArrived, ReactionChanged, StatusChanged
from sandbox.engines.ports import free_port
from sandbox.simulators.ledger import Item, Ledger
from sandbox.simulators.stories import Person
from tests.sandbox import played
from tests.sandbox.endpoint import Endpoint, Received, serving
from tests.sandbox.played import Played, decoded, delivering
from tests.support.waiting import until

every_vendor = pytest.mark.parametrize("vendor", played.ALL, ids=lambda vendor: vendor.slug)
#: Beginnings of numbers that are set aside for fiction.
FICTION = ("447700900", "141555501")
#: Word of the ledger for what the dialect calls so.
KINDS = {MessageArrived: "message", StatusChanged: "status", ReactionChanged: "message", ContactSynced: "chat"}


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serving() as server:
        yield server


# --- what is told ----------------------------------------------------------------------------------------------


@every_vendor
def test_the_same_seed_tells_the_same_story_and_no_seed_never_does(vendor: Played) -> None:
    assert vendor.talk(60) == vendor.talk(60)
    unseeded = [[post.body for post in vendor.talk(8, seed=None)] for _ in range(2)]
    assert unseeded[0] != unseeded[1]


@every_vendor
def test_everybody_has_spoken_before_anybody_chats_on(vendor: Played) -> None:
    people = vendor.scribe().people
    chats = {item.chat for post in vendor.talk(len(people) + 8) for item in post.items if item.kind == "message"}
    assert len(chats) == len(people)


@every_vendor
def test_every_item_is_booked_exactly_as_the_body_tells_it(vendor: Played) -> None:
    for post in vendor.talk(300):
        booked = [(i.kind, f"{i.id} {i.what}" if i.kind == "status" else i.id) for i in post.items]
        assert sorted(booked) == vendor.read(post.body)


@every_vendor
def test_ids_are_never_given_twice(vendor: Played) -> None:
    first = {post.body: post for post in vendor.talk(400)}
    ids = [i.id for post in first.values() for i in post.items if i.kind in {"message", "echo"}]
    assert len(ids) > 100
    assert len(ids) == len(set(ids))


@every_vendor
def test_deliveries_come_again_byte_for_byte(vendor: Played) -> None:
    posts = vendor.talk(200)
    repeated = Counter(post.body for post in posts).most_common(1)[0]
    assert repeated[1] > 1
    assert len({post for post in posts if post.body == repeated[0]}) == 1


@every_vendor
def test_a_status_may_come_before_its_message(vendor: Played) -> None:
    seen: set[str] = set()
    early = 0
    for post in vendor.talk(400):
        early += sum(1 for item in post.items if item.kind == "status" and item.id not in seen)
        seen |= {item.id for item in post.items if item.kind == "echo"}
    assert early


@every_vendor
def test_no_number_is_real(vendor: Played) -> None:
    def all_of(person: Person) -> list[Person]:
        return [person, *getattr(person, "members", ())]

    people = [one for person in vendor.scribe().people for one in all_of(person)]
    assert [one for one in people if one.number and not one.number.startswith(FICTION)] == []


# --- what the real dialect makes of it --------------------------------------------------------------------------


def dialect(vendor: Played) -> Provider:
    provider = registry.by_slug(vendor.slug)
    assert provider is not None
    return provider


def as_request(received: Received, endpoint: Endpoint) -> WebhookRequest:
    return WebhookRequest(
        method="POST",
        target=received.target,
        headers=received.headers,
        body=received.body,
        public_url=endpoint.origin,
    )


@every_vendor
def test_the_dialect_knows_every_delivery_for_genuine(vendor: Played, endpoint: Endpoint) -> None:
    posts, provider = vendor.talk(60), dialect(vendor)
    with delivering(vendor.carrier(endpoint.url), *posts) as ledger:
        until(lambda: ledger.as_json()["posts"]["acknowledged"] == len(posts), seconds=10, what="all deliveries")
    assert Counter(one.body for one in endpoint.received) == Counter(post.body for post in posts)
    for received in endpoint.received:
        request = as_request(received, endpoint)
        assert provider.recognises(request)
        assert provider.verify(request, vendor.account)
        assert provider.hinted_keys(request) & set(provider.account_keys(vendor.account))


@every_vendor
def test_the_dialect_understands_every_item(vendor: Played) -> None:
    provider = dialect(vendor)
    for post in vendor.talk(400):
        media_type = "application/json" if post.body.startswith(b"{") else "application/x-www-form-urlencoded"
        events = provider.parse(Delivery(body=post.body, content_type=media_type, query=post.query))
        booked = sorted(("message" if item.kind == "echo" else item.kind) for item in post.items)
        assert sorted(map(kind_of, events)) == booked


def kind_of(event: Event) -> str:
    # ChatAPI's word on a group says nothing of a customer.
    group_told = isinstance(event, Ignored) and event.reason == "group_event"
    return "chat" if group_told else KINDS.get(type(event), f"not understood: {event}")


# --- delivery ----------------------------------------------------------------------------------------------------


@every_vendor
@pytest.mark.parametrize("refusal", [500, 503, 401, 301])
def test_what_nobody_takes_is_delivered_again_with_the_same_bytes(
    vendor: Played, endpoint: Endpoint, refusal: int
) -> None:
    endpoint.refuse(refusal, refusal, refusal)
    post = vendor.talk(1)[0]
    with delivering(vendor.carrier(endpoint.url), post) as ledger:
        until(lambda: not ledger.unacknowledged(), seconds=10, what="the acknowledgement")
    assert [one.body for one in endpoint.received] == [post.body] * 4
    books = ledger.as_json()
    assert books["posts"] == {"attempted": 4, "acknowledged": 1, "refused": 3, "given_up": 0}
    assert {(row["attempts"], row["acknowledged"]) for row in books["items"]} == {(4, 1)}


@every_vendor
def test_an_endpoint_that_is_away_is_tried_until_it_is_back(
    vendor: Played, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    carrier = vendor.carrier(f"http://127.0.0.1:{free_port()}/")
    with delivering(carrier, vendor.talk(1)[0]) as ledger:
        until(lambda: ledger.as_json()["posts"]["refused"] >= 3, seconds=10, what="three attempts")
        assert ledger.unacknowledged()
        monkeypatch.setattr(carrier, "_webhook", endpoint.url)
        until(lambda: not ledger.unacknowledged(), seconds=10, what="the acknowledgement")


def test_the_books_count_each_item_once_however_often_it_comes() -> None:
    ledger, item = Ledger(), Item("message", "wamid.1", "text", "447700900381")
    ledger.planned([item])
    assert ledger.unacknowledged() == 1
    for _ in range(2):
        ledger.attempted([item])
        ledger.acknowledged([item])
    row = {"kind": "message", "id": "wamid.1", "what": "text", "chat": "447700900381"}
    assert ledger.as_json()["items"] == [{**row, "attempts": 2, "acknowledged": 2}]


# --- the process -------------------------------------------------------------------------------------------------


@pytest.fixture(params=played.ALL, ids=lambda vendor: vendor.slug)
def vendor(request: pytest.FixtureRequest) -> Played:
    chosen: Played = request.param
    return chosen


@pytest.fixture
def playing(vendor: Played, endpoint: Endpoint) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The simulator as `hookline up` runs it, and the address of its own HTTP side."""
    port = free_port()
    arguments = {"--webhook": endpoint.url, "--port": str(port), **vendor.arguments}
    command = [sys.executable, "-m", f"sandbox.simulators.{vendor.slug}"]
    process = subprocess.Popen(
        command + [word for pair in arguments.items() for word in pair],
        env={**os.environ, **vendor.environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process, f"http://127.0.0.1:{port}"
    process.kill()
    process.communicate()


def test_it_delivers_what_verifies_and_ends_at_once_on_sigterm(
    vendor: Played, endpoint: Endpoint, playing: tuple[subprocess.Popen[str], str]
) -> None:
    process, url = playing
    until(lambda: len(endpoint.received) >= 3, seconds=15, what="traffic")
    assert all(dialect(vendor).verify(as_request(one, endpoint), vendor.account) for one in endpoint.received)
    books = requests.get(f"{url}/ledger", timeout=5).json()
    assert books["posts"]["attempted"] >= 3
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 0
    assert time.monotonic() - began < 2


def test_it_is_silent_until_the_endpoint_is_there(
    endpoint: Endpoint, playing: tuple[subprocess.Popen[str], str]
) -> None:
    endpoint.handshake = "away"
    until(lambda: endpoint.challenges >= 2, seconds=15, what="two questions")
    assert not endpoint.received
    endpoint.handshake = "echo"
    until(lambda: endpoint.received, seconds=15, what="traffic")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_its_api_says_in_the_vendors_words_that_a_path_leads_nowhere(
    vendor: Played, playing: tuple[subprocess.Popen[str], str], method: str
) -> None:
    _, url = playing
    until(lambda: answers(f"{url}/ledger"), seconds=15, what="the simulator's port")
    answer = requests.request(method, f"{url}/v24.0/nowhere", timeout=5)
    nowhere = {"meta": (400, '"error_subcode": 33'), "twilio": (404, '"code": 20404'), "chatapi": (404, '"error"')}
    status, words = nowhere[vendor.slug]
    assert answer.status_code == status
    assert words in answer.text


def test_secrets_are_no_arguments(vendor: Played, playing: tuple[subprocess.Popen[str], str]) -> None:
    process, _ = playing
    assert played.SECRET not in str(process.args)


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


def test_media_lead_nowhere_real() -> None:
    """Twilio's lie on the simulator, ChatAPI's in a domain that never resolves, Meta's are ids only."""
    hosts: dict[str, set[str | None]] = {}
    for vendor in played.ALL:
        values = [decoded(post.body) for post in vendor.talk(300)]
        urls = {word for word in words_of(values) if word.startswith(("http://", "https://")) and "/pump/" not in word}
        hosts[vendor.slug] = {urlsplit(url).hostname for url in urls}
    assert hosts == {"meta": set(), "twilio": {"127.0.0.1"}, "chatapi": {"store.chat-api.example"}}


def words_of(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from words_of(list(value.values()))
    elif isinstance(value, list):
        for one in value:
            yield from words_of(one)
