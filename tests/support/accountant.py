"""A simulated vendor as accountant of what the product sends: a real process, its books, and orders for it.

Deliberately asked over HTTP only, as by anybody who checks the product from outside.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from sandbox.engines.ports import free_port
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Accountant:
    """One simulator that runs."""

    url: str
    process: "subprocess.Popen[bytes]"

    def ask(self, method: str, path: str, wish: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask the simulator itself."""
        answer = requests.request(method, f"{self.url}{path}", json=wish, timeout=30)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def fault(self, do: str, *, match: Mapping[str, Any] | None = None, **wish: Any) -> None:
        """Order a fault."""
        self.ask("POST", "/faults", {"do": do, "match": dict(match or {}), **wish})

    def limit(self, per_second: float, **wish: Any) -> None:
        """Order a rate limit."""
        self.ask("POST", "/limits", {"limit_per_second": per_second, **wish})

    def statuses(self, mode: str, seconds: float = 0) -> None:
        """Choose how the way of messages is told."""
        self.ask("POST", "/statuses", {"mode": mode, "seconds": seconds})

    def recover(self) -> None:
        """Lift all faults and limits, and tell statuses as usual."""
        self.ask("DELETE", "/faults")
        self.ask("DELETE", "/limits")
        self.statuses("normal")

    @property
    def sends(self) -> dict[str, Any]:
        """The books of sending."""
        found: dict[str, Any] = self.ask("GET", "/ledger")["sends"]
        return found

    def accepts(self, reference: str) -> int:
        """How often the message with this reference of ours was taken."""
        return int(self.sends["byReference"].get(reference, {}).get("accepts", 0))

    def sequence(self, recipient: str) -> list[str]:
        """The references of what one recipient was sent, in the order it was taken."""
        return [row["reference"] for row in self.sends["byRecipient"].get(recipient, [])]


@contextmanager
def keeping_books(
    slug: str,
    *,
    webhook: str,
    arguments: Mapping[str, str],
    environment: Mapping[str, str],
    silent: bool = True,
    port: int | None = None,
) -> Iterator[Accountant]:
    """Run a simulator; silent, nobody writes but it, and it tells only what becomes of messages."""
    port = port or free_port()
    told = {"--webhook": webhook, "--port": str(port), **arguments}
    words = [word for pair in told.items() for word in pair] + ["--silent"] * silent
    process = subprocess.Popen(
        [sys.executable, "-m", f"sandbox.simulators.{slug}", *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
    )
    accountant = Accountant(f"http://127.0.0.1:{port}", process)
    try:
        until(lambda: _answers(accountant.url), seconds=30, what=f"the simulated {slug}")
        yield accountant
    finally:
        process.kill()
        process.wait(10)


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/ledger", timeout=2).ok
    except requests.RequestException:
        return False
