"""A vendor's shelf of templates over HTTP, as Meta's Graph API serves it: pages, creations, deletions, and refusals.

Deliberately imports nothing of ours, so that a mistake of the product is not repeated here.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Answer = tuple[int, Any]


def template(name: str, *, status: str = "APPROVED", body: str = "Hello {{1}}.", **fields: Any) -> dict[str, Any]:
    """A template as Meta lists it."""
    return {
        "id": fields.pop("id", str(abs(hash(name)) % 10**15)),
        "name": name,
        "language": "en_GB",
        "status": status,
        "category": "UTILITY",
        "components": [{"type": "BODY", "text": body}],
        **fields,
    }


class Shelf:
    """The templates of a business, and every request for them."""

    def __init__(self, *templates: dict[str, Any], page_size: int = 100) -> None:
        self.templates = list(templates)
        self.page_size = page_size
        self.requests: list[tuple[str, str, Any]] = []
        #: Answers that come before everything else, in order; None closes the connection without one.
        self.instead: list[Answer | None] = []
        #: Called before a page is answered, with the number of its first template.
        self.before_page: Callable[[int], None] = lambda _start: None
        self.url = ""

    def answer(self, method: str, target: str, body: Any) -> Answer | None:
        self.requests.append((method, target, body))
        query = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
        if self.instead:
            return self.instead.pop(0)
        return {"GET": self._page, "POST": self._create, "DELETE": self._delete}[method](query, body)

    def methods(self) -> list[str]:
        return [method for method, _, _ in self.requests]

    def _page(self, query: dict[str, str], _: Any) -> Answer:
        start = int(query.get("after", "0"))
        self.before_page(start)
        end = start + self.page_size
        cursors: dict[str, Any] = {"cursors": {"before": str(start), "after": str(end)}}
        more = {"next": f"https://graph.example/next?after={end}"} if end < len(self.templates) else {}
        return 200, {"data": self.templates[start:end], "paging": cursors | more}

    def _create(self, _: dict[str, str], body: Any) -> Answer:
        self.templates.append({**body, "id": "1730559284410270", "status": "PENDING"})
        return 200, {"id": "1730559284410270", "status": "PENDING", "category": body["category"]}

    def _delete(self, query: dict[str, str], _: Any) -> Answer:
        self.templates = [one for one in self.templates if one["id"] != query["hsm_id"]]
        return 200, {"success": True}


def refusal(code: int, message: str = "no", status: int = 400) -> Answer:
    """An error as Meta words it."""
    return status, {"error": {"message": message, "type": "OAuthException", "code": code}}


@contextmanager
def served(shelf: Shelf) -> Iterator[Shelf]:
    """Serve a shelf on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = self.rfile.read(length)
            found = shelf.answer(self.command, self.path, json.loads(body) if body else None)
            if found is None:
                self.close_connection = True
                return
            status, content = found
            written = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(written)))
            self.end_headers()
            self.wfile.write(written)

        do_GET = do_POST = do_DELETE = _serve  # noqa: N815  the names that http.server calls

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    shelf.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield shelf
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
