"""Fetching from addresses that strangers chose: nothing of ours is reached, and nothing grows beyond its limits."""

import hashlib
import io
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from runtime.calls import CallError, HttpRequest, NotSent, Unanswered
from runtime.crypto import Secret
from runtime.fetching import Fetched, Fetching, Limits, Unfetchable, is_public, origin_of
from runtime.outgoing import trusting
from tests.support.rawserver import Peer, RawServer, answering, certificate, saying, serving, silent

CANARY = "cAnArY-77"
LIMITS = Limits(max_bytes=1_000_000, deadline=timedelta(seconds=5))
#: Public by its looks; no test gets as far as connecting to it.
PUBLIC = "9.9.9.9"


def open_plainly(address: str) -> HttpRequest:
    return HttpRequest(method="GET", url=address)


def allowing(*servers: RawServer, **more: object) -> Limits:
    configured = frozenset(origin_of(server.url) for server in servers)
    return replace(LIMITS, configured=configured, **more)  # type: ignore[arg-type]


def fetch(
    address: str, limits: Limits = LIMITS, *, into: io.BytesIO | None = None, client: Fetching | None = None
) -> Fetched:
    return (client or Fetching()).fetch(address, open_plainly, into=into or io.BytesIO(), limits=limits)


def refusal(address: str, limits: Limits = LIMITS, *, client: Fetching | None = None) -> str:
    into = io.BytesIO()
    with pytest.raises(CallError) as caught:
        fetch(address, limits, into=into, client=client)
    assert isinstance(caught.value, Unfetchable)
    assert caught.value.__context__ is None
    return caught.value.reason


def test_a_file_comes_with_its_size_and_digest() -> None:
    content = b"picture" * 50_000
    into = io.BytesIO()
    with serving(answering(content, headers="Content-Type: image/jpeg\r\n")) as server:
        fetched = fetch(f"{server.url}/a", allowing(server), into=into)
    assert into.getvalue() == content
    assert (fetched.status, fetched.size, fetched.sha256) == (200, 350_000, hashlib.sha256(content).hexdigest())
    assert fetched.headers["content-type"] == "image/jpeg"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "0", "localhost", "[::1]", "[::]",
        "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::a00:1]",
        "[2002:7f00:1::]", "[fe80::1]", "[fc00::1]", "[fd12::1]", "[fec0::1]", "[ff02::1]", "169.254.169.254",
        "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "100.100.100.200", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "240.0.0.1", "198.18.0.1", "192.0.0.192",
    ],
)  # fmt: skip
def test_no_address_of_ours_is_fetched_from(host: str) -> None:
    assert refusal(f"https://{host}/latest/meta-data") == "private_address"


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://example.com/a", "not_https"),
        ("https://user:pw@example.com/a", "userinfo"),
        ("https://example.com@127.0.0.1/a", "userinfo"),
        ("ftp://example.com/a", "bad_address"),
        ("file:///etc/passwd", "bad_address"),
        ("//example.com/a", "bad_address"),
        ("example.com/a", "bad_address"),
        ("https:///a", "bad_address"),
        ("https://exa mple.com:99999/", "bad_address"),
        ("", "bad_address"),
    ],
)
def test_what_is_no_plain_https_address_is_not_fetched(address: str, reason: str) -> None:
    assert refusal(address) == reason


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("lookaside.fbsbx.com", True),
        ("LookAside.fbsbx.com", True),
        ("cdn.whatsapp.net", True),
        ("a.b.whatsapp.net", True),
        ("evil-lookaside.fbsbx.com", False),
        ("lookaside.fbsbx.com.evil.example", False),
        ("evilwhatsapp.net", False),
    ],
)
def test_only_the_named_hosts_are_fetched_from(host: str, allowed: bool) -> None:
    limits = replace(LIMITS, hosts=frozenset({"lookaside.fbsbx.com", ".whatsapp.net"}))
    here = Fetching(resolve=lambda host, port: ["127.0.0.1"])
    assert refusal(f"https://{host}/a", limits, client=here) == ("private_address" if allowed else "host_not_allowed")


def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    client = Fetching(resolve=lambda host, port: [PUBLIC, "10.0.0.1"])
    assert refusal("https://files.example/a", client=client) == "private_address"


class Rebinding:
    """A name server that gives a public address to whoever checks and ours to whoever connects."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return [PUBLIC] if self.asked == 1 else ["127.0.0.1"]


def test_a_name_that_changes_its_address_is_connected_to_where_it_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    knocked: list[object] = []

    def knock(sock: object, address: object) -> None:
        knocked.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr("runtime.punctual._Socket.connect", knock)
    names = Rebinding()
    with pytest.raises(NotSent):
        fetch("https://rebind.example:4443/a", client=Fetching(resolve=names))
    assert names.asked == 1
    assert knocked == [(PUBLIC, 4443)]


def test_a_name_is_looked_at_anew_for_every_file(tmp_path: Path) -> None:
    """What was public for the first file may be ours for the second: no kept connection, no kept answer."""
    context, trusted = certificate(tmp_path, "files.example")
    answers = [["127.0.0.1"], ["10.0.0.1"]]
    with serving(answering(), tls=context) as server:
        address = f"https://files.example:{server.port}/a"
        client = Fetching(tls=trusting(trusted), resolve=lambda host, port: answers.pop(0))
        configured = replace(LIMITS, configured=frozenset({origin_of(address)}))
        assert fetch(address, configured, client=client).status == 200
        assert refusal(address, client=client) == "private_address"
    assert answers == []


def test_the_certificate_is_that_of_the_name_and_not_of_the_address(tmp_path: Path) -> None:
    context, trusted = certificate(tmp_path, "files.example")
    with serving(answering(b"mine"), tls=context) as server:
        client = Fetching(tls=trusting(trusted), resolve=lambda host, port: ["127.0.0.1"])
        good, bad = (f"https://{name}.example:{server.port}/a" for name in ("files", "other"))
        limits = replace(LIMITS, configured=frozenset({origin_of(good), origin_of(bad)}))
        assert fetch(good, limits, client=client).size == 4
        assert server.requests[0].header("host") == f"files.example:{server.port}".encode()
        with pytest.raises(NotSent) as caught:
            fetch(bad, limits, client=client)
    assert caught.value.reason == "tls"


def redirecting(to: str, status: str = "302 Found") -> RawServer:
    return RawServer(answering(b"", status=status, headers=f"Location: {to}\r\n"))


@pytest.mark.parametrize("status", ["301 M", "302 F", "303 S", "307 T", "308 P"])
def test_a_redirect_to_ourselves_is_not_followed(status: str) -> None:
    with serving(answering(b"inner secret")) as inner:
        first = redirecting(inner.url.replace("http:", "https:"), status)
        into = io.BytesIO()
        with pytest.raises(Unfetchable) as caught:
            fetch(first.url, allowing(first, redirects=3), into=into)
        first.close()
        assert caught.value.reason == "private_address"
        assert (inner.connections, into.getvalue()) == (0, b"")


@pytest.mark.parametrize(
    ("to", "reason"),
    [
        ("http://example.com/", "not_https"),
        ("file:///etc/passwd", "bad_address"),
        ("https://a:b@example.com/", "userinfo"),
        ("//127.0.0.1/", "not_https"),
        ("https://127.0.0.1:1/", "private_address"),
        ("gopher://x", "bad_address"),
    ],
)
def test_every_hop_is_judged_like_the_first(to: str, reason: str) -> None:
    first = redirecting(to)
    assert refusal(first.url, allowing(first, redirects=3)) == reason
    first.close()


def test_redirects_are_followed_as_far_as_allowed() -> None:
    with serving(answering(b"there")) as last:
        second = redirecting(f"{last.url}/c")
        first = redirecting(f"{second.url}/b")
        limits = allowing(first, second, last)
        assert fetch(first.url, replace(limits, redirects=2)).size == 5
        for hops in (0, 1):
            assert refusal(first.url, replace(limits, redirects=hops)) == "too_many_redirects"
        first.close()
        second.close()


def test_a_loop_of_redirects_ends() -> None:
    with serving(answering(b"", status="302 F", headers="Location: /again\r\n")) as server:
        assert refusal(server.url, allowing(server, redirects=5)) == "too_many_redirects"
        assert len(server.requests) == 6


def test_credentials_go_only_to_whom_they_are_for() -> None:
    def opening(address: str) -> HttpRequest:
        mine = urlsplit(address).port == first.port
        return HttpRequest(method="GET", url=address, authorization=Secret(f"Bearer {CANARY}") if mine else None)

    with serving(answering(b"file")) as storage:
        first = redirecting(f"{storage.url}/signed")
        Fetching().fetch(first.url, opening, into=io.BytesIO(), limits=allowing(first, storage, redirects=1))
        first.close()
    assert first.requests[0].header("authorization") == f"Bearer {CANARY}".encode()
    assert storage.requests[0].header("authorization") is None
    assert CANARY.encode() not in storage.requests[0].head


def test_a_file_that_announces_too_much_is_not_begun() -> None:
    with serving(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n")) as server:
        assert refusal(server.url, allowing(server)) == "too_large"


def test_a_file_without_end_is_cut_off_at_the_limit() -> None:
    def flood(peer: Peer) -> None:
        peer.request()
        peer.say(b"HTTP/1.1 200 OK\r\n\r\n")
        while not peer.server.closing.is_set():
            peer.say(b"x" * 65536)

    into = io.BytesIO()
    with serving(flood) as server, pytest.raises(Unfetchable) as caught:
        fetch(server.url, allowing(server), into=into)
    assert caught.value.reason == "too_large"
    assert len(into.getvalue()) <= LIMITS.max_bytes


def test_a_drip_ends_at_the_deadline() -> None:
    """A hundred megabytes announced, a byte at a time: each well within any timeout per read."""

    def drip(peer: Peer) -> None:
        peer.request()
        peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n")
        peer.drip(b"x" * 1000, every=0.02)

    limits = {"max_bytes": 200_000_000, "deadline": timedelta(seconds=0.5)}
    with serving(drip) as server:
        began = time.monotonic()
        with pytest.raises(Unanswered) as caught:
            fetch(server.url, allowing(server, **limits))
    assert caught.value.reason == "timeout"
    assert time.monotonic() - began < 1.5


def test_the_deadline_is_for_all_hops_together() -> None:
    def slow(peer: Peer) -> None:
        while peer.request() and not peer.server.closing.wait(0.2):
            peer.answer(b"", status="302 F", headers="Location: /again\r\n")

    with serving(slow) as server:
        began = time.monotonic()
        with pytest.raises(CallError) as caught:
            fetch(server.url, allowing(server, redirects=20, deadline=timedelta(seconds=0.5)))
    assert caught.value.reason in {"timeout", "connect_timeout"}
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize("status", ["401 No", "403 No", "404 Gone", "410 Gone", "429 Slow", "500 Oops", "206 Part"])
def test_what_is_no_file_is_said_and_not_kept(status: str) -> None:
    into = io.BytesIO()
    with serving(answering(b"<html>sorry</html>", status=status)) as server:
        assert fetch(server.url, allowing(server), into=into).status == int(status[:3])
    assert into.getvalue() == b""


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (saying(b""), "closed"),
        (saying(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), "cut"),
        (saying(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nhalf"), "malformed"),
        (saying(b"nonsense\r\n\r\n"), "garbage"),
        (silent, "timeout"),
    ],
)
def test_half_an_answer_is_none(script: object, reason: str) -> None:
    with serving(script) as server, pytest.raises(Unanswered) as caught:  # type: ignore[arg-type]
        fetch(server.url, allowing(server, deadline=timedelta(seconds=0.5)))
    assert caught.value.reason == reason


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "157.240.1.1"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", ["", "x", "fe80::1%eth0", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_what_only_looks_public_is_not(address: str) -> None:
    assert not is_public(address)
