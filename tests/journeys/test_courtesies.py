"""What vendors are told besides messages, over real processes: read receipts, typing, and who is blocked."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from models.agent import Role
from tests.support import meta_webhooks as meta
from tests.support.system import System, running
from tests.support.waiting import until


class Graph:
    """As much of Meta's API as is asked here; it writes down every call."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        graph = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                what = self.path.rpartition("/")[2]
                graph.calls.append((self.command, what, body))
                users = {"block_users": {"added_users": [{"input": "x"}]}}
                said = json.dumps(users if what == "block_users" else {"success": True}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def do_POST(self) -> None:
                self._answer()

            def do_DELETE(self) -> None:
                self._answer()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def asked(self, method: str, what: str, **said: Any) -> list[dict[str, Any]]:
        """The bodies of calls of a kind that say all this."""
        found = [body for verb, path, body in self.calls if (verb, path) == (method, what)]
        return [body for body in found if said.items() <= body.items()]


@pytest.fixture
def graph() -> Iterator[Graph]:
    graph = Graph()
    yield graph
    graph.server.shutdown()
    graph.server.server_close()


@pytest.fixture
def system(tmp_path: Path, graph: Graph) -> Iterator[System]:
    with running(tmp_path, META_API_URL=graph.url) as system:
        yield system


def test_a_customer_sees_what_was_read_and_that_somebody_types_until_they_are_blocked(
    system: System, graph: Graph
) -> None:
    api = f"{system.start_api()}/api/whatsapp"
    system.start("worker")
    system.start("clock")
    _deliver(system, meta.text("hello", message_id="wamid.READ", at=_now(system)))
    chat = system.store.chats.find_one()
    assert chat is not None
    token = system.services.tokens.create(name="ruth", role=Role.SUPERVISOR, agent_id="agt_ruth").clear.reveal()
    headers = {"Authorization": f"Bearer {token}"}

    read = requests.put(f"{api}/chats/{chat['id']}/read", headers=headers, timeout=10)
    typing = requests.post(f"{api}/chats/{chat['id']}/typing", headers=headers, timeout=10)
    assert (read.status_code, read.json()["unreadCount"], typing.json()) == (200, 0, {"passedOn": True})

    receipt = {"status": "read", "message_id": "wamid.READ"}
    until(lambda: len(graph.asked("POST", "messages", **receipt)) == 2, seconds=30, what="receipt and typing")
    assert [body.get("typing_indicator") for body in graph.asked("POST", "messages")].count({"type": "text"}) == 1
    assert system.store.receipts.count_documents({}) == 0

    blocked = requests.post(f"{api}/blocked-numbers", headers=headers, json={"phoneNumber": meta.PHONE}, timeout=10)
    assert blocked.status_code == 201
    users = [{"user": f"+{meta.PHONE}"}]
    until(lambda: graph.asked("POST", "block_users", block_users=users), seconds=40, what="the vendor to block")
    _deliver(system, meta.text("again", at=_now(system)))
    assert system.store.messages.count_documents({"blocked": True}) == 1

    requests.delete(f"{api}/blocked-numbers/{blocked.json()['id']}", headers=headers, timeout=10).raise_for_status()
    until(lambda: graph.asked("DELETE", "block_users", block_users=users), seconds=40, what="the vendor to unblock")
    found = system.store.chats.find_one()
    assert found is not None
    assert (found["blocked"], found["unreadCount"]) == (False, 0)


def _now(system: System) -> int:
    return int(system.services.clock.now().timestamp())


def _deliver(system: System, value: dict[str, Any]) -> None:
    """Store a webhook as the receiver does, and apply it."""
    system.services.receiving.receive([system.services.store_webhook_now(meta.envelope(value))])
