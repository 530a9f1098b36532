"""A vendor's send API as a real HTTP server that keeps books: what it took it writes down before it answers.

It speaks Meta's send API, since that is the richest; what it does with each request is scripted by the test.
Deliberately imports nothing of ours.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What the vendor does with a request: takes it or not, and what it says."""

    takes: bool = True
    status: int = 200
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    #: Close the connection without a word.
    closes: bool = False
    #: Say nothing until the test lets go.
    hangs: bool = False


OK = Answer()
TAKES_AND_CLOSES = Answer(closes=True)
TAKES_AND_HANGS = Answer(hangs=True)
GARBAGE = Answer(body=b"<html>\xff\xfe gateway")
NO_ID = Answer(body=b'{"messaging_product": "whatsapp"}')
ENORMOUS = Answer(body=b'{"x": "' + b"y" * 50_000_000 + b'"}')


def error(code: int, *, status: int = 400, details: str = "", headers: dict[str, str] | None = None) -> Answer:
    """A refusal with one of Meta's codes."""
    content = {"message": f"(#{code}) {details}", "type": "OAuthException", "code": code, "fbtrace_id": "Atest"}
    body = json.dumps({"error": content | {"error_data": {"details": details}}}).encode()
    return Answer(takes=False, status=status, body=body, headers=headers or {})


THROTTLED = error(130429)
PAIR_THROTTLED = error(131056)
EXPIRED = error(190, status=401)
DOWN = Answer(takes=False, status=503, body=b"upstream")
Script = Callable[[str, int], Answer]


@dataclass(frozen=True)
class Booked:
    """One message the vendor took."""

    ref: str
    to: str
    provider_message_id: str
    number_id: str
    body: dict[str, Any]


class Vendor:
    """The server and its books."""

    def __init__(self) -> None:
        self.books: list[Booked] = []
        #: Refs of all requests, taken or not, in their order, and the tokens they came with.
        self.asked: list[str] = []
        self.tokens: list[str] = []
        self.script: Script = lambda _ref, _n: OK
        #: Called when a message has been taken and before it is answered.
        self.on_taken: Callable[[Booked], None] = lambda _booked: None
        self.release = threading.Event()
        self._lock = threading.Lock()
        self._server = self._started(0)
        self.port = self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answers(self, *answers: Answer, then: Answer = OK) -> None:
        """Answer the next requests so, and all others as `then` says."""
        waiting = list(answers)

        def script(_ref: str, _n: int) -> Answer:
            with self._lock:
                return waiting.pop(0) if waiting else then

        self.script = script

    def accepted(self, ref: str) -> int:
        """How often a message was taken."""
        return sum(booked.ref == ref for booked in self.books)

    def requests(self, ref: str) -> int:
        """How often a message was asked to be sent."""
        return self.asked.count(ref)

    def close(self) -> None:
        """Refuse connections."""
        self.release.set()
        self._server.shutdown()
        self._server.server_close()

    def open(self) -> None:
        """Take connections again, on the same port."""
        self.release = threading.Event()
        self._server = self._started(self.port)

    def handle(self, number_id: str, body: dict[str, Any], token: str) -> tuple[Answer, Booked | None]:
        """Book a request and say what is to be answered."""
        ref = body.get("biz_opaque_callback_data", "")
        with self._lock:
            self.asked.append(ref)
            self.tokens.append(token)
            count = self.asked.count(ref)
        answer = self.script(ref, count)
        if not answer.takes:
            return answer, None
        to = body.get("to") or body.get("recipient") or ""
        with self._lock:
            booked = Booked(ref, to, f"wamid.VENDOR{len(self.books):06d}", number_id, body)
            self.books.append(booked)
        self.on_taken(booked)
        return answer, booked

    def _started(self, port: int) -> ThreadingHTTPServer:
        server = _Server(("127.0.0.1", port), _Handler)
        server.vendor = self
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server


class _Server(ThreadingHTTPServer):
    vendor: Vendor
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("/media"):
            self._say(Answer(), b'{"id": "901700000000001"}')
            return
        body = json.loads(content)
        number_id = self.path.split("/")[-2]
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        answer, booked = self.server.vendor.handle(number_id, body, token)
        if answer.hangs:
            self.server.vendor.release.wait(60)
        if answer.hangs or answer.closes:
            self.close_connection = True
            return
        self._say(answer, answer.body if answer.body is not None else _receipt(booked))

    def _say(self, answer: Answer, content: bytes) -> None:
        try:
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it so
        """Say nothing."""


def _receipt(booked: Booked | None) -> bytes:
    assert booked is not None
    contact = {"input": booked.to, "wa_id": booked.to.lstrip("+")}
    message = {"id": booked.provider_message_id}
    return json.dumps({"messaging_product": "whatsapp", "contacts": [contact], "messages": [message]}).encode()
