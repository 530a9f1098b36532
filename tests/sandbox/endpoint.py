"""A webhook endpoint that answers as told and remembers what it was sent.

Deliberately knows no vendor but for Meta's handshake, which comes before everything there.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

#: What it answers unless told otherwise: status, media type, body.
TAKEN = (200, "text/xml", b"<Response/>")


@dataclass(frozen=True)
class Received:
    """One POST as it came."""

    target: str
    headers: dict[str, str]
    body: bytes


class Endpoint(ThreadingHTTPServer):
    """The server; `answers` are given in order before it takes everything."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[tuple[int, str, bytes]] = []
        self.handshake = "echo"
        self.received: list[Received] = []
        self.challenges = 0

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def url(self) -> str:
        return f"{self.origin}/hook"

    def refuse(self, *statuses: int) -> None:
        self.answers = [(status, "text/plain", b"no") for status in statuses]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Endpoint

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.received.append(Received(self.path, headers, body))
        self.say(*(self.server.answers.pop(0) if self.server.answers else TAKEN))

    def do_GET(self) -> None:
        self.server.challenges += 1
        query = parse_qs(urlsplit(self.path).query)
        proves = query.get("hub.verify_token") == ["verify-me"] and query.get("hub.mode") == ["subscribe"]
        if self.server.handshake == "echo" and proves:
            self.say(200, "text/plain", query["hub.challenge"][0].encode())
        else:
            self.say(503 if self.server.handshake == "away" else 403, "text/plain", b"no")

    def say(self, code: int, media_type: str, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@contextmanager
def serving() -> Iterator[Endpoint]:
    server = Endpoint()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
