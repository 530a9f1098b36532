"""The ledger: an honest vendor that writes down every acknowledged message, and an oracle that looks for each.

The vendor signs, sends each message until it is acknowledged (and now and then once more), and notes the id the
moment it sees a 200. Deliberately knows nothing of the product but its URL and its collections.
"""

import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import requests
from pymongo.database import Database

from tests.support import meta_webhooks as meta

#: Seconds the vendor waits for an answer before it sends again.
PATIENCE = 6
#: One message in so many is sent again although it was acknowledged.
REPEATS = 10


@dataclass
class Ledger:
    """What was acknowledged, by message id."""

    acknowledged: dict[str, str] = field(default_factory=dict)
    refused: Counter[int] = field(default_factory=Counter)

    def account(self, database: "Database[dict[str, Any]]") -> "Account":
        """Compare with what the product holds."""
        held = Counter(row["providerMessageId"] for row in database["messages"].find({}, {"providerMessageId": 1}))
        unread = sum(row["unreadCount"] for row in database["chats"].find({}, {"unreadCount": 1}))
        chats = Counter(row["addressId"] for row in database["chats"].find({}, {"addressId": 1}))
        open_rows = database["webhookevents"].count_documents({"status": {"$in": ["pending", "processing"]}})
        return Account(
            missing={one for one in self.acknowledged if not held[one]},
            doubled={one for one, count in held.items() if count > 1},
            unread_drift=unread - sum(held.values()),
            doubled_chats=sum(1 for count in chats.values() if count > 1),
            waiting=open_rows,
        )


@dataclass
class Account:
    """Where the product differs from the ledger; all of it must be empty."""

    missing: set[str]
    doubled: set[str]
    unread_drift: int
    doubled_chats: int
    waiting: int

    @property
    def balanced(self) -> bool:
        return not (self.missing or self.doubled or self.unread_drift or self.doubled_chats or self.waiting)


class Vendor:
    """Sends texts of many people from several threads until it is stopped."""

    def __init__(self, *urls: str, threads: int = 4, seed: int = 1) -> None:
        self.ledger = Ledger()
        self._urls = [f"{url}/api/whatsapp/webhooks/meta" for url in urls]
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(seed * 100 + i,)) for i in range(threads)]

    def __enter__(self) -> "Vendor":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def sent(self, count: int) -> bool:
        """Whether so many were acknowledged by now."""
        return len(self.ledger.acknowledged) >= count

    def _send(self, seed: int) -> None:
        chance = random.Random(seed)
        session = requests.Session()
        while not self._stop.is_set():
            message_id = meta.wamid()
            sender = f"4477009{chance.randrange(900, 940):05d}"
            body = meta.envelope(
                meta.text("x", message_id=message_id, sender=sender, at=meta.NOON + chance.randrange(9999))
            )
            for _ in range(2 if chance.randrange(REPEATS) == 0 else 1):
                self._deliver(session, chance, body, message_id)

    def _deliver(self, session: requests.Session, chance: random.Random, body: bytes, message_id: str) -> None:
        """Send, to any receiver, until acknowledged; what is never acknowledged is nobody's promise."""
        while not self._stop.is_set():
            url = chance.choice(self._urls)
            try:
                answer = session.post(url, data=body, headers=meta.headers(body), timeout=PATIENCE)
            except requests.RequestException:
                self._stop.wait(0.1)
                continue
            if answer.status_code == 200:
                self.ledger.acknowledged[message_id] = url
                return
            self.ledger.refused[answer.status_code] += 1
            self._stop.wait(0.2)
