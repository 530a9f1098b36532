"""The three simulated vendors as tests see them: how to set one up, how to read what it tells, whom it plays for.

Reading is a third opinion, from the vendors' documents: deliberately neither the simulator's nor the dialect's.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from providers.base import Account
from runtime.crypto import Secret
from sandbox.simulators.chatapi.carrier import ChatApiCarrier
from sandbox.simulators.chatapi.payloads import Instance
from sandbox.simulators.chatapi.scribe import ChatApiScribe
from sandbox.simulators.conversation import Conversation
from sandbox.simulators.delivery import Carrier, Delivery
from sandbox.simulators.ledger import Ledger
from sandbox.simulators.meta.carrier import MetaCarrier
from sandbox.simulators.meta.payloads import Business
from sandbox.simulators.meta.scribe import MetaScribe
from sandbox.simulators.scribe import Post, Scribe
from sandbox.simulators.twilio.carrier import TwilioCarrier
from sandbox.simulators.twilio.payloads import Sender
from sandbox.simulators.twilio.scribe import TwilioScribe

SECRET = "0f3c1e8a9b7d4c62a5e1d0937b8f4a26"
#: What opens the vendors' APIs, but for Twilio's, which takes the secret.
TOKEN = "EAAplayed"
NOW = 1_793_100_000
#: Seconds between two attempts where a test waits for several.
SOON = 0.05


@dataclass(frozen=True)
class Played:
    """One vendor."""

    slug: str
    scribe: Callable[[], Scribe]
    carrier: Callable[[str], Carrier]
    account: Account
    #: Command line and environment of the simulator's process, but for webhook and port.
    arguments: Mapping[str, str]
    environment: Mapping[str, str]
    #: What a body tells: kind and id of each part, of a status also its word.
    told: Callable[[Mapping[str, Any]], Iterator[tuple[str, str]]] = field(repr=False)

    def talk(self, turns: int, *, seed: int | None = 1) -> list[Post]:
        conversation = Conversation(self.scribe(), seed=seed)
        return [post for turn in range(turns) for post in conversation.next_posts(NOW + turn)]

    def read(self, body: bytes) -> list[tuple[str, str]]:
        return sorted(self.told(decoded(body)))


def decoded(body: bytes) -> dict[str, Any]:
    """Read a body, JSON or form."""
    if body.startswith(b"{"):
        found: dict[str, Any] = json.loads(body)
        return found
    return dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))


def _told_by_meta(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for value in (change["value"] for entry in body["entry"] for change in entry["changes"]):
        yield from (("message", message["id"]) for message in value.get("messages", []))
        yield from (("echo", message["id"]) for message in value.get("message_echoes", []))
        yield from (("status", f"{row['id']} {row['status']}") for row in value.get("statuses", []))


def _told_by_twilio(form: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "MessageStatus" in form:
        yield "status", f"{form['MessageSid']} {form['MessageStatus']}"
    else:
        yield "message", form["MessageSid"]


def _told_by_chatapi(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from (("echo" if one["fromMe"] else "message", one["id"]) for one in body.get("messages", []))
    yield from (("status", f"{one['id']} {one['status']}") for one in body.get("ack", []))
    yield from (("chat", one["new"]["id"]) for one in body.get("chatUpdate", []))


def _account(provider: str, secret: str, **fields: str) -> Account:
    return Account(id=f"cfg_{provider}", provider=provider, fields=fields, secrets={secret: (Secret(SECRET),)})


META = Played(
    slug="meta",
    scribe=lambda: MetaScribe(
        Business(
            phone_number_id="331700900150001",
            business_account_id="209700900150001",
            display_phone_number="14155550100",
        )
    ),
    carrier=lambda url: MetaCarrier(url, app_secret=SECRET, first_pause=SOON),
    account=_account("meta-whatsapp", "webhookSecret", phoneNumberId="331700900150001"),
    arguments={
        "--phone-number-id": "331700900150001",
        "--business-account-id": "209700900150001",
        "--display-phone-number": "+14155550100",
    },
    environment={"META_APP_SECRET": SECRET, "META_VERIFY_TOKEN": "verify-me", "META_ACCESS_TOKEN": TOKEN},
    told=_told_by_meta,
)
ACCOUNT_SID = "AC00700900150001007009001500010070"
TWILIO = Played(
    slug="twilio",
    scribe=lambda: TwilioScribe(
        Sender(account_sid=ACCOUNT_SID, number="+14155550101", media_host="http://127.0.0.1:4711")
    ),
    carrier=lambda url: TwilioCarrier(url, configured=f"{url}#rc=5&rp=all", auth_token=SECRET, pause=SOON),
    account=_account("twilio", "authToken", accountSid=ACCOUNT_SID, phoneNumber="+14155550101"),
    arguments={"--account-sid": ACCOUNT_SID, "--from": "+14155550101"},
    environment={"TWILIO_AUTH_TOKEN": SECRET},
    told=_told_by_twilio,
)
CHATAPI = Played(
    slug="chatapi",
    scribe=lambda: ChatApiScribe(Instance(instance_id="318842", number="447700900100")),
    carrier=lambda url: ChatApiCarrier(url, secret=SECRET, first_pause=SOON),
    account=_account("chatapi", "webhookSecret", instanceId="318842"),
    arguments={"--instance-id": "318842", "--display-phone-number": "+447700900100"},
    environment={"CHATAPI_WEBHOOK_SECRET": SECRET, "CHATAPI_TOKEN": TOKEN},
    told=_told_by_chatapi,
)
ALL = (META, TWILIO, CHATAPI)


@contextmanager
def delivering(carrier: Carrier, *posts: Post) -> Iterator[Ledger]:
    """Deliver posts while the block runs."""
    ledger, stop = Ledger(), threading.Event()
    delivery = Delivery(carrier, ledger=ledger, stop=stop)
    for post in posts:
        delivery.put(post)
    delivery.start()
    try:
        yield ledger
    finally:
        stop.set()
