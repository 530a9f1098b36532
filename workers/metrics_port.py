"""The small port on which a process without an API shows its health and metrics.

Deliberately no more than two paths; in a setup that shares PROMETHEUS_MULTIPROC_DIR each port shows all processes.
"""

import errno
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from runtime.logs import logger
from runtime.metrics import CONTENT_TYPE, render

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


def serve_metrics(bind: str) -> MetricsPort:
    """Serve /metrics and /healthz on host:port."""
    host, _, port = bind.rpartition(":")
    try:
        server = ThreadingHTTPServer((host, int(port)), _Handler)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        _log.warning("metrics_port_taken", bind=bind)
        return MetricsPort(None)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return MetricsPort(server)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        answers: dict[str, Callable[[], tuple[bytes, str]]] = {
            "/metrics": lambda: (render(), CONTENT_TYPE),
            "/healthz": lambda: (b"ok\n", "text/plain"),
        }
        answer = answers.get(self.path)
        body, content_type = answer() if answer else (b"not found\n", "text/plain")
        self.send_response(200 if answer else 404)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it so
        """Say nothing: scrapes are not events."""
