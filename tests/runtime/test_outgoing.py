"""The one HTTP client against servers that do their worst: every end is an answer, NotSent or Unanswered."""

import io
import logging
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from runtime.calls import CallError, HttpAnswer, HttpRequest, NotSent, Part, Unanswered
from runtime.crypto import Secret
from runtime.outgoing import Outgoing, trusting
from tests.support.rawserver import Peer, RawServer, answering, certificate, deaf, saying, serving, silent
from tests.support.waiting import until

SOON = timedelta(seconds=5)
CANARY = "cAnArY-6f1d"


@pytest.fixture
def outgoing() -> Iterator[Outgoing]:
    client = Outgoing()
    yield client
    client.close()


def get(url: str, **more: object) -> HttpRequest:
    return HttpRequest(method="GET", url=url, **more)  # type: ignore[arg-type]


def secret_post(url: str) -> HttpRequest:
    return HttpRequest(
        method="POST",
        url=f"{url}/sendMessage",
        body=b"{}",
        authorization=Secret(f"Bearer {CANARY}"),
        secret_query={"token": Secret(CANARY)},
    )


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def test_an_answer_comes_back_whole(outgoing: Outgoing) -> None:
    with serving(answering(b'{"ok":1}', headers="X-Request-Id: 7\r\n")) as server:
        answer = outgoing.call(secret_post(server.url), deadline=SOON)
    assert (answer.status, answer.body, answer.headers["x-request-id"]) == (200, b'{"ok":1}', "7")
    sent = server.requests[0]
    assert sent.target == f"/sendMessage?token={CANARY}"
    assert sent.header("authorization") == f"Bearer {CANARY}".encode()
    assert sent.header("user-agent") == b"Hookline/0.1"
    assert sent.header("accept-encoding") == b"identity"
    assert sent.body == b"{}"


def test_a_secret_joins_a_query_that_is_there(outgoing: Outgoing) -> None:
    with serving(answering()) as server:
        outgoing.call(get(f"{server.url}/a?b=c", secret_query={"token": Secret("a&b=c d")}), deadline=SOON)
    assert server.requests[0].target == "/a?b=c&token=a%26b%3Dc%20d"


def test_a_request_may_name_its_own_client(outgoing: Outgoing) -> None:
    with serving(answering()) as server:
        outgoing.call(get(server.url, headers={"user-agent": "curl"}), deadline=SOON)
    assert server.requests[0].head.lower().count(b"user-agent") == 1
    assert server.requests[0].header("user-agent") == b"curl"


def test_refused_is_not_sent(outgoing: Outgoing) -> None:
    with pytest.raises(NotSent) as caught:
        outgoing.call(secret_post(f"http://127.0.0.1:{unused_port()}"), deadline=SOON)
    assert caught.value.reason == "connect_refused"


def test_a_name_that_does_not_resolve_is_not_sent() -> None:
    def nobody(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(NotSent) as caught:
        Outgoing(resolve=nobody).call(secret_post("https://nobody.invalid"), deadline=SOON)
    assert caught.value.reason == "dns"


def test_a_real_name_that_does_not_resolve_is_not_sent(outgoing: Outgoing) -> None:
    with pytest.raises(NotSent) as caught:
        outgoing.call(secret_post("https://no-such-host.invalid"), deadline=SOON)
    assert caught.value.reason == "dns"


def test_the_next_address_is_tried_where_one_refuses() -> None:
    with serving(answering()) as server:
        client = Outgoing(resolve=lambda host, port: ["127.0.0.2", "127.0.0.1"])
        assert client.call(get(f"http://vendor.example:{server.port}/"), deadline=SOON).status == 200


def test_an_address_that_never_answers_is_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        with ThreadPoolExecutor(4) as fillers:
            # A full backlog drops what knocks: the connection attempt hangs.
            knocking = [socket.socket() for _ in range(4)]
            for one in knocking:
                one.setblocking(False)
                fillers.submit(one.connect_ex, full.getsockname())
        with pytest.raises(NotSent) as caught:
            Outgoing().call(get(f"http://127.0.0.1:{full.getsockname()[1]}/"), deadline=timedelta(seconds=0.5))
        for one in knocking:
            one.close()
    assert caught.value.reason == "connect_timeout"


def test_a_certificate_nobody_vouches_for_is_not_sent(outgoing: Outgoing, tmp_path: Path) -> None:
    context, _ = certificate(tmp_path, "127.0.0.1")
    with serving(answering(), tls=context) as server, pytest.raises(NotSent) as caught:
        outgoing.call(secret_post(server.url), deadline=SOON)
    assert caught.value.reason == "tls"
    assert server.requests == []


def test_a_certificate_for_another_name_is_not_sent(tmp_path: Path) -> None:
    context, trusted = certificate(tmp_path, "other.example")
    with serving(answering(), tls=context) as server, pytest.raises(NotSent) as caught:
        Outgoing(tls=trusting(trusted)).call(secret_post(server.url), deadline=SOON)
    assert caught.value.reason == "tls"
    assert server.requests == []


def test_a_server_that_hangs_up_in_the_handshake_is_not_sent(outgoing: Outgoing) -> None:
    with serving(lambda peer: None) as server, pytest.raises(NotSent) as caught:
        outgoing.call(secret_post(server.url.replace("http:", "https:")), deadline=SOON)
    assert caught.value.reason == "tls"


def test_a_server_silent_in_the_handshake_is_not_sent(outgoing: Outgoing) -> None:
    with serving(deaf) as server, pytest.raises(NotSent) as caught:
        outgoing.call(secret_post(server.url.replace("http:", "https:")), deadline=timedelta(seconds=0.5))
    assert caught.value.reason == "tls"


def test_tls_is_spoken_where_the_certificate_is_right(tmp_path: Path) -> None:
    context, trusted = certificate(tmp_path, "127.0.0.1")
    with serving(answering(b"safe"), tls=context) as server:
        client = Outgoing(tls=trusting(trusted))
        assert [client.call(secret_post(server.url), deadline=SOON).body for _ in range(3)] == [b"safe"] * 3
        assert server.connections == 1


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"", "closed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", "cut"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhalf", "cut"),
        (b"\x16\x03\x01 this is no HTTP\r\n\r\n", "garbage"),
        (b"HTTP/1.1 twohundred OK\r\n\r\n", "garbage"),
        (b"HTTP/1.1 200 OK\r\n" + b"x" * 100_000, "garbage"),
    ],
)
def test_no_whole_answer_is_unanswered(outgoing: Outgoing, said: bytes, reason: str) -> None:
    with serving(saying(said)) as server, pytest.raises(Unanswered) as caught:
        outgoing.call(secret_post(server.url), deadline=SOON)
    assert caught.value.reason == reason
    assert len(server.requests) == 1


def test_a_garbled_answer_after_tls_is_unanswered(tmp_path: Path) -> None:
    """An error of TLS itself, once the request has left, says nothing about what was done."""
    context, trusted = certificate(tmp_path, "127.0.0.1")

    def garble(peer: Peer) -> None:
        peer.request()
        socket.socket(fileno=peer.socket.detach()).sendall(b"plain bytes amid TLS")

    with serving(garble, tls=context) as server, pytest.raises(Unanswered) as caught:
        Outgoing(tls=trusting(trusted)).call(secret_post(server.url), deadline=SOON)
    assert caught.value.reason in {"tls", "closed"}


def test_silence_ends_at_the_deadline(outgoing: Outgoing) -> None:
    with serving(silent) as server:
        began = time.monotonic()
        with pytest.raises(Unanswered) as caught:
            outgoing.call(secret_post(server.url), deadline=timedelta(seconds=0.4))
    assert caught.value.reason == "timeout"
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize("dripped", [b"HTTP/1.1 200 OK\r\nX: " + b"y" * 900, b"body"])
def test_a_drip_ends_at_the_deadline(outgoing: Outgoing, dripped: bytes) -> None:
    """Each byte comes well within any timeout per read."""

    def drip(peer: Peer) -> None:
        peer.request()
        if dripped == b"body":
            peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        peer.drip(dripped * 10, every=0.02)

    with serving(drip) as server:
        began = time.monotonic()
        with pytest.raises(Unanswered) as caught:
            outgoing.call(secret_post(server.url), deadline=timedelta(seconds=0.5))
    assert caught.value.reason == "timeout"
    assert time.monotonic() - began < 1.5


def test_a_drip_over_tls_ends_at_the_deadline(tmp_path: Path) -> None:
    context, trusted = certificate(tmp_path, "127.0.0.1")

    def drip(peer: Peer) -> None:
        peer.request()
        peer.drip(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 900, every=0.02)

    with serving(drip, tls=context) as server:
        began = time.monotonic()
        with pytest.raises(Unanswered) as caught:
            Outgoing(tls=trusting(trusted)).call(secret_post(server.url), deadline=timedelta(seconds=0.5))
    assert caught.value.reason == "timeout"
    assert time.monotonic() - began < 1.5


def test_a_server_that_reads_nothing_ends_at_the_deadline(outgoing: Outgoing) -> None:
    with serving(deaf) as server, pytest.raises(Unanswered) as caught:
        outgoing.call(
            HttpRequest(method="POST", url=server.url, body=b"x" * 30_000_000), deadline=timedelta(seconds=0.5)
        )
    assert caught.value.reason == "timeout"


def test_of_an_endless_body_the_first_bytes_are_handed_over(outgoing: Outgoing) -> None:
    sent = threading.Event()

    def flood(peer: Peer) -> None:
        peer.request()
        peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 52428800\r\n\r\n")
        for _ in range(50):
            peer.say(b"x" * 1024 * 1024)
        sent.set()

    with serving(flood) as server:
        answer = outgoing.call(get(server.url), deadline=SOON, max_bytes=1000)
        assert (answer.status, len(answer.body)) == (200, 1000)
        # The rest was never read.
        assert not sent.is_set()
        # Nor may the next call find it on a connection that is used again.
        assert outgoing.call(get(server.url), deadline=SOON, max_bytes=10).body == b"x" * 10
    assert server.connections == 2


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
def test_a_redirect_is_an_answer(outgoing: Outgoing, status: str) -> None:
    with serving(answering()) as elsewhere:
        with serving(answering(b"", status=status, headers=f"Location: {elsewhere.url}/\r\n")) as server:
            answer = outgoing.call(secret_post(server.url), deadline=SOON)
        assert answer.status == int(status[:3])
        assert elsewhere.requests == []


@pytest.mark.parametrize("status", ["429 Slow", "500 Oops", "503 Away"])
def test_no_call_is_made_twice_by_itself(outgoing: Outgoing, status: str) -> None:
    with serving(answering(b"", status=status, headers="Retry-After: 0\r\n")) as server:
        assert outgoing.call(secret_post(server.url), deadline=SOON).status == int(status[:3])
    assert len(server.requests) == 1


def test_connections_are_used_again_by_many_threads(outgoing: Outgoing) -> None:
    with serving(answering(b"x" * 1000)) as server, ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: outgoing.call(get(server.url), deadline=SOON), range(200)))
    assert [answer.body for answer in answers] == [b"x" * 1000] * 200
    assert server.connections <= 8


def test_a_kept_connection_that_the_server_closed_costs_nothing(outgoing: Outgoing) -> None:
    """It is seen before the request leaves, so the call goes out on a new one and is answered."""
    with serving(answering()) as server:
        for _ in range(20):
            outgoing.call(secret_post(server.url), deadline=SOON)
            server.hang_up()
            until(lambda: _closed(outgoing), seconds=2, what="the server's goodbye")
        assert len(server.requests) == 20
        assert server.connections == 20


def test_a_connection_idle_for_long_is_not_used_again(outgoing: Outgoing, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(answering()) as server:
        outgoing.call(get(server.url), deadline=SOON)
        outgoing.call(get(server.url), deadline=SOON)
        assert server.connections == 1
        monkeypatch.setattr("runtime.punctual.IDLE_S", 0.0)
        outgoing.call(get(server.url), deadline=SOON)
        assert server.connections == 2


def test_a_call_after_a_failed_one_is_answered(outgoing: Outgoing) -> None:
    ends: list[bytes] = [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut", b"nonsense\r\n\r\n"]

    def script(peer: Peer) -> None:
        if ends:
            peer.request()
            peer.say(ends.pop())
        else:
            answering(b"fine")(peer)

    with serving(script) as server:
        for _ in range(3):
            with pytest.raises(Unanswered):
                outgoing.call(get(server.url), deadline=SOON)
        assert outgoing.call(get(server.url), deadline=SOON).body == b"fine"


def test_header_values_of_any_alphabet_travel_as_utf8(outgoing: Outgoing) -> None:
    with serving(answering()) as server:
        outgoing.call(get(server.url, headers={"X-Name": "Zoë 日本"}), deadline=SOON)
    assert server.requests[0].header("x-name") == "Zoë 日本".encode()


@pytest.mark.parametrize(
    "request_",
    [
        get("http://127.0.0.1:1/", headers={"X-Name": f"a\r\nX-Evil: {CANARY}"}),
        get(f"http://127.0.0.1:1:2/{CANARY}"),
        get(f"ftp://127.0.0.1/{CANARY}"),
        get(f"http:///{CANARY}"),
        get(f"{CANARY}"),
        HttpRequest(method=f"GET {CANARY}\r\nX:", url="http://127.0.0.1:1/"),
    ],
)
def test_what_is_malformed_is_not_sent_and_not_quoted(outgoing: Outgoing, request_: HttpRequest) -> None:
    with pytest.raises(NotSent) as caught:
        outgoing.call(request_, deadline=SOON)
    assert CANARY not in told(caught.value)


def told(error: CallError) -> str:
    """Everything an error tells: itself, its chain and the traceback that a log would show."""
    chain = (error, error.__cause__, error.__context__)
    return "".join(map(repr, chain)) + str(error) + "".join(traceback.format_exception(error))


def outcome(outgoing: Outgoing, server: RawServer) -> str:
    try:
        return repr(outgoing.call(secret_post(server.url), deadline=timedelta(seconds=0.5)))
    except CallError as error:
        return told(error)


SCRIPTS = {
    "closed": saying(b""),
    "cut": saying(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
    "garbage": saying(b"nonsense\r\n\r\n"),
    "odd_headers": saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n: no name\r\nno colon\r\n\r\n"),
    "redirect": answering(b"", status="302 Found", headers="Location: http://127.0.0.1:1/\r\n"),
    "silence": silent,
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_secrets_are_in_no_error_and_no_log(outgoing: Outgoing, script: str, caplog: pytest.LogCaptureFixture) -> None:
    for name in (None, "urllib3", "urllib3.connection", "urllib3.connectionpool"):
        caplog.set_level(logging.DEBUG, logger=name)
    with serving(SCRIPTS[script]) as server:
        assert CANARY not in outcome(outgoing, server)
        assert CANARY in server.requests[0].target
    with pytest.raises(NotSent) as caught:
        outgoing.call(secret_post("http://127.0.0.1:1"), deadline=SOON)
    assert CANARY not in told(caught.value)
    assert CANARY not in caplog.text


def test_a_file_is_streamed_as_one_part_of_a_form(outgoing: Outgoing) -> None:
    request = HttpRequest(
        method="POST",
        url="",
        form={"messaging_product": "whatsapp", "type": "text/plain"},
        file=Part("file", 'Zoë "1".txt\r\nX: y', "text/plain"),
    )
    content = io.BytesIO(b"skipped" + b"z" * 200_000)
    content.seek(7)
    with serving(answering()) as server:
        request = HttpRequest(method="POST", url=server.url, form=request.form, file=request.file)
        outgoing.call(request, deadline=SOON, file=content)
    sent = server.requests[0]
    boundary = (sent.header("content-type") or b"").partition(b"boundary=")[2]
    parts = sent.body.split(b"--" + boundary)
    assert parts[0] == b""
    assert parts[1] == b'\r\nContent-Disposition: form-data; name="messaging_product"\r\n\r\nwhatsapp\r\n'
    head, _, file = parts[3].partition(b"\r\n\r\n")
    assert head.decode() == (
        '\r\nContent-Disposition: form-data; name="file"; filename="Zoë %221%22.txt%0D%0AX: y"\r\n'
        "Content-Type: text/plain"
    )
    assert file == b"z" * 200_000 + b"\r\n"
    assert parts[4] == b"--\r\n"


class Counting(io.BytesIO):
    """A file that knows the most it was asked for at once."""

    most = 0

    def read(self, size: int | None = -1) -> bytes:
        self.most = max(self.most, self.getbuffer().nbytes if size is None or size < 0 else size)
        return super().read(size)


def test_a_large_file_is_never_read_at_once(outgoing: Outgoing) -> None:
    file = Counting(b"z" * 20_000_000)
    with serving(answering()) as server:
        request = HttpRequest(method="POST", url=server.url, file=Part("file", "a.bin", "application/octet-stream"))
        assert outgoing.call(request, deadline=timedelta(seconds=20), file=file).status == 200
        assert len(server.requests[0].body) > 20_000_000
    assert file.most <= 64 * 1024


def test_a_file_whose_reading_fails_is_its_own_error_and_spoils_no_connection(outgoing: Outgoing) -> None:
    class Torn(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise RuntimeError("the disk")

    with serving(answering()) as server:
        request = HttpRequest(method="POST", url=server.url, file=Part("file", "a", "text/plain"))
        with pytest.raises(RuntimeError, match="the disk"):
            outgoing.call(request, deadline=SOON, file=Torn(b"abc"))
        assert outgoing.call(get(server.url), deadline=SOON).status == 200


def test_cookies_are_not_kept(outgoing: Outgoing) -> None:
    with serving(answering(headers="Set-Cookie: a=b\r\n")) as server:
        outgoing.call(get(server.url), deadline=SOON)
        outgoing.call(get(server.url), deadline=SOON)
    assert [request.header("cookie") for request in server.requests] == [None, None]


def test_an_answer_without_a_body_or_a_length_is_read(outgoing: Outgoing) -> None:
    with serving(saying(b"HTTP/1.1 204 No Content\r\n\r\n")) as server:
        assert outgoing.call(get(server.url), deadline=SOON) == HttpAnswer(status=204)
    with serving(saying(b"HTTP/1.0 200 OK\r\n\r\nuntil I go")) as server:
        assert outgoing.call(get(server.url), deadline=SOON).body == b"until I go"


def _closed(outgoing: Outgoing) -> bool:
    """Whether the goodbye has arrived at this end: a real socket takes a moment even on loopback."""
    manager = outgoing._pools
    pools = [manager.pools.get(key) for key in manager.pools.keys()]  # noqa: SIM118  its container is no dict
    kept = [one for pool in pools if pool is not None and pool.pool is not None for one in pool.pool.queue if one]
    return all(not one.is_connected for one in kept)


def test_the_server_counts_connections() -> None:
    """The tool itself: what the tests above rest on."""
    server = RawServer(answering())
    with socket.create_connection(("127.0.0.1", server.port)):
        until(lambda: server.connections == 1, seconds=2, what="the connection")
    server.close()
