"""A vendor's own HTTP side: the ledger for whoever checks the books, and the vendor's API.

Deliberately answers 501 to sending and media: they are not played yet, and say so in the vendor's own form.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from sandbox.simulators.ledger import Ledger

#: The only interface a simulator listens on.
LOOPBACK = "127.0.0.1"
#: What an endpoint says that is not played yet; each vendor words its errors in a form of its own.
NOT_PLAYED = "The simulator does not play this endpoint yet"


class VendorServer(ThreadingHTTPServer):
    """Serves /ledger and refuses the rest, in a thread of its own."""

    daemon_threads = True

    def __init__(self, port: int, ledger: Ledger, *, refusal: object) -> None:
        super().__init__((LOOPBACK, port), _Handler)
        self.ledger = ledger
        self.refusal = refusal

    def start(self) -> None:
        """Serve until the process ends."""
        threading.Thread(target=self.serve_forever, name="vendor", daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    server: VendorServer

    def do_GET(self) -> None:
        if self.path == "/ledger":
            self._answer(200, self.server.ledger.as_json())
        else:
            self._answer(501, self.server.refusal)

    def do_POST(self) -> None:
        self._answer(501, self.server.refusal)

    do_DELETE = do_POST  # noqa: N815  (the name the base class looks for)

    def _answer(self, code: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: the ledger tells."""
