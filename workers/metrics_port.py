"""The small port on which a process without an API shows its health and metrics.

Deliberately no more than three paths; in a setup that shares PROMETHEUS_MULTIPROC_DIR each port shows all processes.
"""

import errno
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from runtime.logs import logger
from runtime.metrics import CONTENT_TYPE, render

#: How often (s) the server looks whether it was told to close.
LOOK_EVERY_S: Final = 0.1

_log = logger(__name__)


class MetricsPort:
    """A server in a daemon thread, or nothing where another process of this machine has the port."""

    def __init__(self, server: ThreadingHTTPServer | None) -> None:
        self._server = server

    def close(self) -> None:
        """Stop serving."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


def serve_metrics(bind: str, problem: Callable[[], str | None] = lambda: None) -> MetricsPort:
    """Serve /metrics, /healthz and /readyz on host:port; `problem` says why the process is not ready, None if it is."""
    host, _, port = bind.rpartition(":")
    try:
        server = _Server((host.strip("[]"), int(port)), problem)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        _log.warning("metrics_port_taken", bind=bind)
        return MetricsPort(None)
    threading.Thread(target=server.serve_forever, args=(LOOK_EVERY_S,), name="metrics", daemon=True).start()
    return MetricsPort(server)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    #: Connections that may wait to be accepted; the base class allows 5.
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], problem: Callable[[], str | None]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.problem = problem
        super().__init__(address, _Handler)

    def answer(self, path: str) -> tuple[int, bytes, str]:
        """Answer a path with status, body and content type."""
        if path == "/metrics":
            return 200, render(), CONTENT_TYPE
        if path == "/healthz":
            return 200, b"ok\n", "text/plain"
        if path == "/readyz":
            problem = self.problem()
            return 503 if problem else 200, f"{problem or 'ready'}\n".encode(), "text/plain"
        return 404, b"not found\n", "text/plain"

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002  the base class names them
        """Say in one line that an answer failed, without the base class's traceback of everything."""
        _log.warning("metrics_not_answered", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    #: Seconds a client may take to send its request.
    timeout = 10

    def do_GET(self) -> None:
        status, body, content_type = self.server.answer(self.path.partition("?")[0])
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it so
        """Say nothing: scrapes are not events."""
