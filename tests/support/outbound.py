"""A whole Hookline that sends to a simulated Meta: customers who wrote, agents who answer over the API, and the books.

Everything goes the product's own ways: webhooks in, HTTP requests, processes. Only looking goes to the database.
"""

import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
import requests

from models.agent import Role
from models.whatsapp_config import WhatsAppConfig
from providers import registry
from sandbox.engines.ports import free_port
from tests.support import meta_webhooks as meta
from tests.support.accountant import Accountant, keeping_books
from tests.support.system import Process, System, running
from tests.support.waiting import until

ACCESS_TOKEN = "EAAtest"
#: States in which a message has come to its end, as far as sending goes.
ARRIVED = ("accepted", "sent", "delivered", "read")
#: Leases short enough that a dead worker's message is looked at within seconds; a call has three quarters of one.
SETTINGS = {"LEASE_SECONDS": "4", "SWEEP_AFTER_SECONDS": "2", "RATE_LIMIT": "100000/minute"}


@dataclass(frozen=True)
class Number:
    """One sender number of the business, and its accountant."""

    number_id: str
    accountant: Accountant
    account: WhatsAppConfig


class Office:
    """The system, its callers, and the vendor."""

    #: A second number of the business, where there is one.
    other: "Number"
    #: A third, whose vendor takes another token than the account has.
    moved: "Number"

    def __init__(self, system: System, receiver: str) -> None:
        self.system = system
        self.receiver = receiver
        self.workers: list[Process] = []
        self._token = system.services.tokens.create(name="journeys", role=Role.ADMIN).clear.reveal()
        self._api = ""
        self._people = itertools.count()
        self._session = requests.Session()
        self._session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=32))

    def open(self, *, workers: int = 2) -> None:
        """Start the API, the clock and workers."""
        self._api = self.system.start_api()
        self.system.start("clock")
        self.hire(workers)

    def hire(self, count: int, *, without: str | None = None, **environment: str) -> None:
        """Start workers; those of a negative control lack a mechanism."""
        self.workers += [self.system.start("worker", without=without, **environment) for _ in range(count)]

    def replace_workers(self, count: int = 2, *, without: str | None = None, **environment: str) -> None:
        """Let all workers die, and start others."""
        self.kill_workers()
        self.hire(count, without=without, **environment)

    def forget_throttles(self) -> None:
        """Empty Redis, which costs nobody anything: numbers that were slowed down are not any more."""
        with redis.Redis.from_url(self.system.valkey.uri) as client:
            client.flushall()

    def kill_workers(self) -> None:
        """Let all workers die at once."""
        for worker in self.workers:
            worker.kill()
        self.workers = []

    # --- customers and agents --------------------------------------------------------------------------------------

    def customers(self, count: int, *, number: str = meta.NUMBER_ID) -> dict[str, str]:
        """Let so many people write whom nobody knows yet; return their chats by the number they write from."""
        people = [f"4477009{next(self._people):05d}" for _ in range(count)]
        now = int(time.time())
        for person in people:
            body = meta.envelope(meta.text("Hi!", sender=person, at=now), number_id=number)
            url = f"{self.receiver}/api/whatsapp/webhooks/meta"
            assert requests.post(url, data=body, headers=meta.headers(body), timeout=10).status_code == 200
        until(lambda: len(self._chats(people)) == count, seconds=60, what="the chats")
        return self._chats(people)

    def _chats(self, people: Sequence[str]) -> dict[str, str]:
        rows = self.system.store.chats.find({"phoneNumber": {"$in": [f"+{person}" for person in people]}})
        return {row["phoneNumber"].lstrip("+"): row["id"] for row in rows}

    def post(self, path: str, body: dict[str, Any], **headers: str) -> requests.Response:
        """Ask the API to do something."""
        told = {"Authorization": f"Bearer {self._token}", **headers}
        return self._session.post(f"{self._api}/api/whatsapp/{path}", json=body, headers=told, timeout=30)

    def write(self, chat_id: str, text: str = "On my way!") -> str:
        """Write to a customer; return our id of the message."""
        answer = self.post(f"chats/{chat_id}/messages", {"type": "text", "text": text})
        assert answer.status_code in {200, 201, 202}, answer.text
        return str(answer.json()["id"])

    def write_all(self, chats: Sequence[str], each: int) -> dict[str, list[str]]:
        """Write so many messages to each chat, chats side by side, the messages of each in order."""

        def write_to(chat_id: str) -> list[str]:
            return [self.write(chat_id, f"message {serial}") for serial in range(each)]

        with ThreadPoolExecutor(8) as pool:
            return dict(zip(chats, pool.map(write_to, chats), strict=True))

    def retry(self, message_id: str) -> int:
        """Ask for another attempt; return the HTTP status."""
        return self.post(f"messages/{message_id}/retry", {}).status_code

    @contextmanager
    def another_api(self, *, without: str) -> Iterator[None]:
        """Ask another API for a while, one that lacks a mechanism."""
        usual, self._api = self._api, self.system.start_api(without=without)
        try:
            yield
        finally:
            self._api = usual
            self.system.processes[-1].kill()

    # --- looking ---------------------------------------------------------------------------------------------------

    def row(self, message_id: str) -> dict[str, Any]:
        """A message as stored."""
        found = self.system.store.messages.find_one({"id": message_id})
        assert found is not None
        return dict(found)

    def state(self, message_id: str) -> str:
        """Where a message stands."""
        return str(self.row(message_id)["status"])

    def wait_for(self, message_id: str, *states: str, seconds: float = 30) -> None:
        """Wait until a message stands at one of these."""
        until(lambda: self.state(message_id) in states, seconds=seconds, what=f"{' or '.join(states)}")

    def wait_for_all(self, messages: Iterable[str], *states: str, seconds: float = 60) -> None:
        """Wait until all of some messages stand at one of these."""
        ids = list(messages)
        wanted = {"id": {"$in": ids}, "status": {"$in": list(states)}}
        rows = self.system.store.messages
        until(
            lambda: rows.count_documents(wanted) == len(ids), seconds=seconds, what=f"{len(ids)} {' or '.join(states)}"
        )

    def tries(self, messages: Iterable[str]) -> set[int]:
        """How many attempts some messages have spent."""
        rows = self.system.store.messages.find({"id": {"$in": list(messages)}}, {"tries": 1})
        return {row["tries"] for row in rows}


@contextmanager
def office(directory: Path, **settings: str) -> Iterator[tuple[Office, Number]]:
    """Run a system whose Meta account sends to an accountant; API, clock and workers are not started yet."""
    street = f"127.0.0.1:{free_port()}"
    # Vendors call back where they were told to: at the street door itself.
    with running(directory, **{**SETTINGS, "PUBLIC_URL": f"http://{street}", **settings}) as system:
        receiver = system.start_receiver(street)
        with _accountant(receiver, meta.NUMBER_ID, "15550192744") as accountant:
            system.extra["META_API_URL"] = accountant.url
            yield Office(system, receiver), Number(meta.NUMBER_ID, accountant, system.services.account)


@contextmanager
def another_number(office_: Office, number_id: str, shown: str, *, takes: str = ACCESS_TOKEN) -> Iterator[Number]:
    """Give the business another number, at an accountant of its own, which takes this token."""
    provider = registry.by_slug("meta")
    assert provider is not None
    with _accountant(office_.receiver, number_id, shown, takes=takes) as accountant:
        values = {
            "phoneNumberId": number_id,
            "businessAccountId": meta.BUSINESS_ID,
            "webhookSecret": meta.SECRET,
            "webhookVerifyToken": meta.VERIFY_TOKEN,
            "accessToken": ACCESS_TOKEN,
            "apiBaseUrl": accountant.url,
        }
        yield Number(number_id, accountant, office_.system.services.connecting.add(provider, values))


def vendor_of(office_: Office, number_id: str, shown: str, *, port: int) -> Any:
    """The vendor of a number at a port, where an account that is there already calls it."""
    return _accountant(office_.receiver, number_id, shown, port=port)


def _accountant(
    receiver: str, number_id: str, shown: str, *, takes: str = ACCESS_TOKEN, port: int | None = None
) -> Any:
    return keeping_books(
        "meta",
        port=port,
        webhook=f"{receiver}/api/whatsapp/webhooks/meta",
        arguments={
            "--phone-number-id": number_id,
            "--business-account-id": meta.BUSINESS_ID,
            "--display-phone-number": f"+{shown}",
        },
        environment={
            "META_APP_SECRET": meta.SECRET,
            "META_VERIFY_TOKEN": meta.VERIFY_TOKEN,
            "META_ACCESS_TOKEN": takes,
        },
    )


def all_of(written: dict[str, list[str]]) -> list[str]:
    """All messages that were written, chat by chat."""
    return list(itertools.chain.from_iterable(written.values()))


def assert_sound(number: Number, people: dict[str, str], written: dict[str, list[str]]) -> None:
    """None is lost, none doubled, and each chat's are in order."""
    books = number.accountant.sends
    accepts = {message: books["byReference"].get(message, {}).get("accepts", 0) for message in all_of(written)}
    assert accepts == dict.fromkeys(accepts, 1)
    for person, chat in people.items():
        assert [row["reference"] for row in books["byRecipient"][person]] == written[chat]


def assert_linked(here: Office, number: Number, message: str) -> None:
    """The message has the id under which the vendor took it."""
    taken = number.accountant.sends["byReference"][message]["vendorIds"]
    assert [here.row(message)["providerMessageId"]] == taken


def let_pass(seconds: float) -> None:
    """Here time itself is the condition."""
    end = time.monotonic() + seconds
    until(lambda: time.monotonic() >= end, seconds=seconds + 5, what="time to pass")
