"""The simulated Twilio: a second opinion on signatures, documented parameters, and retries that end soon."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from sandbox.simulators.delivery import Cause, Failure
from sandbox.simulators.scribe import Post
from sandbox.simulators.twilio import wire
from sandbox.simulators.twilio.carrier import TwilioCarrier, overrides
from tests.sandbox.endpoint import Endpoint, serving
from tests.sandbox.played import SECRET, SOON, TWILIO, decoded, delivering
from tests.support.waiting import until

VECTORS = Path(__file__).parents[1] / "fixtures" / "twilio" / "vectors" / "signatures.json"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serving() as server:
        yield server


def forms(turns: int) -> list[dict[str, Any]]:
    return [decoded(post.body) for post in TWILIO.talk(turns)]


def callbacks(turns: int) -> list[Post]:
    return [post for post in TWILIO.talk(turns) if post.items[0].kind == "status"]


def carrier(url: str, fragment: str = "") -> TwilioCarrier:
    return TwilioCarrier(url, configured=url + fragment, auth_token=SECRET, pause=SOON)


# --- signatures ------------------------------------------------------------------------------------------------


def vectors() -> list[dict[str, Any]]:
    document = json.loads(VECTORS.read_text())
    forms = [one for one in document["vectors"] if "params" in one and "key" not in one]
    # A name that comes twice is nothing that this vendor sends; it has a vector for others.
    usual = [one for one in forms if len(dict(one["params"])) == len(one["params"])]
    return [{**one, "token": document["auth_token"]} for one in usual]


def test_there_are_vectors() -> None:
    assert len(vectors()) == 13


@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector["name"].split()[0])
def test_the_signature_is_the_documented_one(vector: dict[str, Any]) -> None:
    assert wire.sign(vector["url"], dict(vector["params"]), vector["token"]) == vector["signature"]


def test_an_explicit_port_is_left_out_where_it_is_not_signed() -> None:
    assert wire.without_port("https://hooks.example:8443/a?b=%20c") == "https://hooks.example/a?b=%20c"
    assert wire.without_port("http://[::1]:8000/a") == "http://[::1]/a"
    assert wire.without_port("https://hooks.example/a:80") == "https://hooks.example/a:80"


def test_what_is_signed_is_the_address_known_outside(endpoint: Endpoint) -> None:
    posts = [TWILIO.talk(1)[0], callbacks(60)[0]]
    outside = TwilioCarrier(endpoint.url, configured="https://hooks.example:8443/in?t=1#rc=2", auth_token=SECRET)
    with delivering(outside, *posts):
        until(lambda: len(endpoint.received) == 2, seconds=10, what="both deliveries")
    signed = {one.target: one.headers["x-twilio-signature"] for one in endpoint.received}
    own_id = posts[1].query
    urls = {"/hook": "https://hooks.example:8443/in?t=1", f"/hook?{own_id}": f"https://hooks.example/in?t=1&{own_id}"}
    bodies = dict(zip(urls, posts, strict=True))
    assert signed == {target: wire.sign(url, decoded(bodies[target].body), SECRET) for target, url in urls.items()}


# --- parameters ------------------------------------------------------------------------------------------------


def test_within_thirty_seconds_of_opening_everything_twilio_tells_has_been_told() -> None:
    told = forms(45)
    assert {one.get("MessageType") for one in told} >= {"text", "image", "audio", "location", "button", "document"}
    assert {one["NumMedia"] for one in told if "NumMedia" in one} == {"0", "1", "2"}
    assert [one for one in told if one.get("OriginalRepliedMessageSid") and one["MessageType"] == "text"]
    assert {one["MessageStatus"] for one in told if "MessageStatus" in one} >= {"queued", "sent", "delivered", "read"}
    assert [one for one in told if one["From"].startswith("whatsapp:GB.") and "WaId" not in one]


def test_every_file_that_is_counted_has_an_address_and_a_type_below_its_message() -> None:
    told = [one for one in forms(300) if one.get("NumMedia", "0") != "0"]
    assert told
    for one in told:
        indexes = range(int(one["NumMedia"]))
        assert all(f"/Messages/{one['MessageSid']}/Media/ME" in one[f"MediaUrl{n}"] for n in indexes)
        assert all("/" in one[f"MediaContentType{n}"] for n in indexes)
        assert one["MessageSid"].startswith("MM")


def test_callbacks_of_one_message_come_to_one_address_with_our_own_id() -> None:
    queries: dict[str, set[str]] = {}
    for post in callbacks(300):
        queries.setdefault(post.items[0].id, set()).add(post.query)
    assert len(queries) > 20
    assert all(len(found) == 1 for found in queries.values())
    owned = [dict(parse_qsl(query))["mid"] for found in queries.values() for query in found]
    assert len(set(owned)) == len(owned)


def test_some_messages_do_not_arrive_and_say_why() -> None:
    failed = [one for one in forms(400) if one.get("MessageStatus") == "undelivered"]
    assert failed
    assert {one["ErrorCode"] for one in failed} == {"63024"}
    ends = Counter(one["MessageSid"] for one in forms(400) if one.get("MessageStatus") in {"undelivered", "read"})
    assert len(ends) > len(failed)


def test_the_same_event_has_the_same_token_at_every_attempt_and_another_has_another(endpoint: Endpoint) -> None:
    endpoint.refuse(500)
    with delivering(carrier(endpoint.url, "#rp=all"), *callbacks(60)[:2]) as ledger:
        until(lambda: not ledger.unacknowledged(), seconds=10, what="the acknowledgements")
    tokens = {one.body: one.headers["i-twilio-idempotency-token"] for one in endpoint.received}
    assert len(endpoint.received) == 3
    assert len(tokens) == len(set(tokens.values())) == 2


# --- retries ---------------------------------------------------------------------------------------------------


def given_up(endpoint: Endpoint, fragment: str) -> int:
    """Deliver to whom refuses everything; return the attempts until Twilio left it at that."""
    endpoint.refuse(*[503] * 20)
    with delivering(carrier(endpoint.url, fragment), TWILIO.talk(1)[0]) as ledger:
        until(lambda: ledger.as_json()["posts"]["given_up"], seconds=10, what="the end of all attempts")
    assert ledger.unacknowledged() == 1
    return len(endpoint.received)


@pytest.mark.parametrize(
    ("fragment", "attempts"), [("", 1), ("#rc=3", 1), ("#rc=3&rp=4xx,rt", 1), ("#rc=3&rp=5xx", 4), ("#rp=all", 2)]
)
def test_an_answer_is_repeated_only_where_the_address_asks_for_it(
    endpoint: Endpoint, fragment: str, attempts: int
) -> None:
    assert given_up(endpoint, fragment) == attempts


def failure(cause: Cause, *, number: int = 1, elapsed: float = 0.0, status: int = 0) -> Failure:
    return Failure(cause, status, number, elapsed)


def test_without_overrides_only_a_missing_connection_is_repeated_and_once() -> None:
    usual = carrier("http://hooks.example/")
    assert usual.pause(failure(Cause.UNCONNECTED)) is not None
    assert usual.pause(failure(Cause.UNCONNECTED, number=2)) is None
    assert usual.pause(failure(Cause.SILENT)) is None
    assert usual.pause(failure(Cause.BROKEN)) is None
    assert usual.timeout() == (5.0, 15.0)


def test_no_attempt_begins_after_the_total_time() -> None:
    patient = carrier("http://hooks.example/", "#rc=5&rp=all&tt=2000")
    assert patient.pause(failure(Cause.SILENT, elapsed=1.0)) is not None
    assert patient.pause(failure(Cause.SILENT, elapsed=2.0)) is None


def test_overrides_are_read_from_the_fragment_and_it_is_not_part_of_the_address() -> None:
    chosen = overrides("ct=100&rt=2500&rc=0&rp=4xx,5xx")
    assert (chosen.connect, chosen.read, chosen.total, chosen.repeats) == (0.1, 2.5, 15.0, 0)
    assert chosen.policy == {"4xx", "5xx"}
    assert not urlsplit(carrier("http://hooks.example/a", "#rc=5").url(TWILIO.talk(1)[0])).fragment


@pytest.mark.parametrize(
    ("answer", "taken"),
    [
        ((200, "text/xml", b'<?xml version="1.0" encoding="UTF-8"?><Response/>'), True),
        ((204, "text/plain", b""), True),
        ((200, "text/plain", b"OK"), False),
        ((200, "application/json", b"{}"), False),
        ((200, "text/xml", b"<Response><Message>hi</Message></Response>"), False),
    ],
)
def test_an_answer_that_would_write_to_the_customer_is_no_acknowledgement(
    endpoint: Endpoint, answer: tuple[int, str, bytes], *, taken: bool
) -> None:
    endpoint.answers = [answer]
    with delivering(carrier(endpoint.url), TWILIO.talk(1)[0]) as ledger:
        until(lambda: sum(ledger.as_json()["posts"].values()) > 1, seconds=10, what="the first answer")
    assert (ledger.unacknowledged() == 0) is taken
