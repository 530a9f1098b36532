"""The demo as a newcomer starts it: real processes, three vendors side by side, an end and a second beginning."""

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.engines.ports import free_port, is_listening
from sandbox.vendors import VENDORS
from tests.sandbox.leftovers import alive, belonging
from tests.support.waiting import until

PROVIDERS = {"meta-whatsapp", "twilio", "chatapi"}
#: Seconds within which a newcomer sees chats.
PROMISED = 30
HOOKLINE = Path(sys.executable).parent / "hookline"


class Demo:
    """One `hookline up --demo` in the foreground of a terminal of its own."""

    def __init__(self, data: Path, port: int) -> None:
        self.data = data
        self.url = f"http://127.0.0.1:{port}"
        self.log = data.parent / "up.log"
        given = {name: value for name, value in os.environ.items() if not name.endswith(("_URI", "_URL"))}
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [HOOKLINE, "up", "--data", str(data), "--port", str(port)],
                cwd=data.parent,
                env=given,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        until(lambda: "Ctrl-C" in self.said() or self.process.poll() is not None, seconds=90, what="the greeting")
        assert self.process.poll() is None, self.said()

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def token(self) -> str:
        found = re.search(r"Login token +(\S+)", self.said())
        assert found
        return found[1]

    def ask(self, path: str) -> list[dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = requests.get(f"{self.url}/api/whatsapp/{path}", headers=headers, params={"limit": 200}, timeout=10)
        answer.raise_for_status()
        rows: list[dict[str, Any]] = answer.json()["data"]
        return rows

    def answer(self, provider: str) -> str:
        """Write to one of a vendor's chats, as the greeting shows; return our id of the message."""
        chat = next(chat["id"] for chat in self.ask("chats") if chat["provider"] == provider)
        url, headers = f"{self.url}/api/whatsapp/chats/{chat}/messages", {"Authorization": f"Bearer {self.token}"}
        answer = requests.post(url, json={"type": "text", "text": "On my way!"}, headers=headers, timeout=10)
        assert answer.ok, answer.text
        return str(answer.json()["id"])

    def state(self, message_id: str) -> str:
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = requests.get(f"{self.url}/api/whatsapp/messages/{message_id}", headers=headers, timeout=10)
        return str(answer.json()["status"])

    def ledgers(self) -> dict[str, Any]:
        """The books of each simulator, which listens where its port file says."""
        ports = {vendor.slug: int((self.data / f"{vendor.slug}.port").read_text()) for vendor in VENDORS}
        urls = {slug: f"http://127.0.0.1:{port}/ledger" for slug, port in ports.items()}
        return {slug: requests.get(url, timeout=5).json() for slug, url in urls.items()}

    def interrupt(self) -> int:
        """Press Ctrl-C: the terminal tells everybody in the foreground."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(40)

    def own(self) -> list[int]:
        """Every process of the run that still lives, the simulators among them."""
        started = map(int, re.findall(r"started \(pid=(\d+)\)", self.said()))
        return [pid for pid in {*started, *belonging(self.data)} if alive(pid)]


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "data"
    yield directory
    for pid in belonging(directory):
        os.kill(pid, signal.SIGKILL)


def providers_seen(demo: Demo) -> set[str]:
    return {chat["provider"] for chat in demo.ask("chats")}


def listed(data: Path) -> subprocess.CompletedProcess[str]:
    command = [str(HOOKLINE), "configs", "list", "--data", str(data), "--json"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.timeout(240)
def test_three_vendors_side_by_side_until_ctrl_c_and_again_after_it(data: Path) -> None:
    port = free_port()

    first = Demo(data, port)
    until(lambda: providers_seen(first) == PROVIDERS, seconds=PROMISED, what="chats of all vendors")
    before = {chat["id"] for chat in first.ask("chats")}
    answers = [first.answer(provider) for provider in sorted(PROVIDERS)]
    until(lambda: [first.state(one) for one in answers] == ["read"] * 3, seconds=PROMISED, what="answers to be read")
    ledgers = first.ledgers()
    assert [books["sends"]["accepted"] for books in ledgers.values()] == [1, 1, 1]
    assert {slug: books["posts"]["given_up"] for slug, books in ledgers.items()} == dict.fromkeys(ledgers, 0)
    token = first.token
    assert first.interrupt() == 0
    assert first.own() == []
    assert not any(is_listening(int(path.read_text())) for path in data.glob("*.port"))

    second = Demo(data, port)
    assert second.token == token
    assert before <= {chat["id"] for chat in second.ask("chats")}
    until(lambda: all(len(b["items"]) for b in second.ledgers().values()), seconds=PROMISED, what="new traffic")
    assert Counter(row["provider"] for row in json.loads(listed(data).stdout)) == dict.fromkeys(PROVIDERS, 1)

    # Killed, it cannot clean up; whoever asks for it is told so instead of being led to dead engines.
    second.process.kill()
    second.process.wait()
    until(lambda: not second.own(), seconds=45, what="the end of everybody")
    assert (data / "run.json").exists()
    asked = listed(data)
    assert asked.returncode == 1
    assert asked.stderr == (
        f"hookline: --data {data}: no `hookline up --data {data}` is running; the last one was killed, start it again\n"
    )
