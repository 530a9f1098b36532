"""A vendor's own HTTP side: its API, and the ledger and orders of the simulator.

Deliberately only bytes and connections: what is answered is `control`'s and `counter`'s.
"""

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from sandbox.simulators.control import Control
from sandbox.simulators.counter import Counter, HungUp
from sandbox.simulators.exchange import Answer, Asked

#: The only interface a simulator listens on.
LOOPBACK = "127.0.0.1"


class VendorServer(ThreadingHTTPServer):
    """Serves in threads of its own; a connection may be used again."""

    daemon_threads = True
    #: Connections that may wait to be taken.
    request_queue_size = 256

    def __init__(self, port: int, *, control: Control, counter: Counter) -> None:
        super().__init__((LOOPBACK, port), _Handler)
        self.control = control
        self.counter = counter

    def start(self) -> None:
        """Serve until the process ends."""
        threading.Thread(target=self.serve_forever, args=(0.05,), name="vendor", daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    server: VendorServer
    protocol_version = "HTTP/1.1"
    #: Head and body leave together, or the peer's delayed acknowledgement makes every answer slow.
    wbufsize = -1

    def do_GET(self) -> None:
        asked = self._asked()
        try:
            self._answer(self.server.control.answer(asked) or self.server.counter.serve(asked))
        except HungUp:
            self.close_connection = True

    # The names the base class looks for.
    do_POST = do_DELETE = do_PUT = do_HEAD = do_GET  # noqa: N815

    def _asked(self) -> Asked:
        parts = urlsplit(self.path)
        return Asked(
            method=self.command,
            path=parts.path,
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers=_lower(dict(self.headers.items())),
            body=self._body(),
        )

    def _body(self) -> bytes:
        """Read the body, whether its length is told before or chunk by chunk."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _answer(self, answer: Answer) -> None:
        body = answer.body()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.media_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle(self) -> None:
        """Serve a connection; a caller that leaves while we write is no news."""
        try:
            super().handle()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing: the ledger tells."""


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
