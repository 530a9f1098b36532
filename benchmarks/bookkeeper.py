"""A simulated Meta for one number, asked over HTTP: it lets customers write, takes messages, and keeps the books.

Deliberately a process of its own, as the vendor is.
"""

import secrets
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import requests

from benchmarks.processes import Running
from benchmarks.stage import Stage
from models.whatsapp_config import WhatsAppConfig
from providers import registry
from sandbox.engines.ports import free_port
from services.wiring import Services

#: How long (s) an answer of the simulator may take.
PATIENCE_S: Final = 30
BUSINESS_ACCOUNT_ID: Final = "209700900150002"


@dataclass(frozen=True, slots=True)
class Bookkeeper:
    """The simulator, and the account that sends to it."""

    url: str
    account: WhatsAppConfig
    process: Running

    def order(self, method: str, path: str, **wish: Any) -> dict[str, Any]:
        """Ask the simulator itself."""
        answer = requests.request(method, f"{self.url}{path}", json=wish or None, timeout=PATIENCE_S)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def books(self) -> "Books":
        """Read the books of sending."""
        return Books(self.order("GET", "/ledger")["sends"])


@dataclass(frozen=True, slots=True)
class Books:
    """What was taken and refused, as the simulator tells it."""

    sends: Mapping[str, Any]

    @property
    def accepted(self) -> int:
        """Messages taken."""
        return int(self.sends["accepted"])

    @property
    def throttled(self) -> int:
        """Requests refused for being too fast."""
        return int(self.sends["refused"].get("130429", 0))

    def times(self) -> dict[str, float]:
        """When (Unix seconds) each message was taken, by our reference."""
        return {row["reference"]: row["at"] for rows in self.sends["byRecipient"].values() for row in rows}

    def faults(self, written: Mapping[str, Sequence[str]]) -> Counter[str]:
        """Count what is lost, doubled or out of order, against what was written to each recipient in order."""
        found: Counter[str] = Counter()
        for recipient, wanted in written.items():
            taken = [row["reference"] for row in self.sends["byRecipient"].get(recipient, [])]
            found["lost"] += len(set(wanted) - set(taken))
            found["doubled"] += len(taken) - len(set(taken))
            found["out of order"] += list(dict.fromkeys(taken)) != list(wanted)
        return found


def open_bookkeeper(stage: Stage, services: Services, receiver: str, number_id: str) -> Bookkeeper:
    """Add an account for a number, and start the vendor it sends to."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    given = {"webhookSecret": secrets.token_hex(16), "webhookVerifyToken": secrets.token_hex(8)}
    token = f"EAA{secrets.token_hex(16)}"
    account = _account(services, given | {"phoneNumberId": number_id, "accessToken": token, "apiBaseUrl": url})
    options = {
        "--webhook": f"{receiver}/api/whatsapp/webhooks/meta/{account.id}",
        "--port": str(port),
        "--phone-number-id": number_id,
        "--business-account-id": BUSINESS_ACCOUNT_ID,
        "--display-phone-number": "+15550192744",
    }
    words = [word for option in options.items() for word in option]
    process = stage.start(
        f"meta-{number_id}",
        *(sys.executable, "-m", "sandbox.simulators.meta", "--silent", *words),
        META_APP_SECRET=given["webhookSecret"],
        META_VERIFY_TOKEN=given["webhookVerifyToken"],
        META_ACCESS_TOKEN=token,
    )
    process.wait_until_it_answers(port, "/ledger")
    return Bookkeeper(url, account, process)


def _account(services: Services, values: Mapping[str, str]) -> WhatsAppConfig:
    provider = registry.by_name("meta-whatsapp")
    assert provider is not None
    return services.connecting.add(provider, {**values, "businessAccountId": BUSINESS_ACCOUNT_ID})


def patiently(is_so: Any, seconds: float, what: str) -> None:
    """Wait until it is so.

    Raises:
        RuntimeError: it is not, in so many seconds.
    """
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {seconds:g} s in vain for {what}")
        time.sleep(0.1)
