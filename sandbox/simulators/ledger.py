"""What was sent and what was acknowledged: the books against which a receiver can be checked.

Deliberately in memory and never trimmed: the demo is gentle, and a book with torn-out pages proves nothing.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Item:
    """One thing a webhook tells: a message or echo by its id and type, or a status of one."""

    #: message | echo | status | chat
    kind: str
    id: str
    #: Message type, or the status reached.
    what: str
    #: The chat it belongs to: the customer's number or id.
    chat: str


@dataclass(slots=True)
class _Entry:
    attempts: int = 0
    acknowledged: int = 0


class Ledger:
    """Counts attempts and acknowledgements of every item; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[Item, _Entry] = {}
        self._posts = dict.fromkeys(("attempted", "acknowledged", "refused", "given_up"), 0)

    def planned(self, items: Iterable[Item]) -> None:
        """Record that these items are to be delivered."""
        with self._lock:
            for item in items:
                self._entries.setdefault(item, _Entry())

    def attempted(self, items: Iterable[Item]) -> None:
        """Record that a delivery left with these items."""
        with self._lock:
            self._posts["attempted"] += 1
            for item in items:
                self._entries[item].attempts += 1

    def acknowledged(self, items: Iterable[Item]) -> None:
        """Record that somebody took a delivery of these items."""
        with self._lock:
            self._posts["acknowledged"] += 1
            for item in items:
                self._entries[item].acknowledged += 1

    def refused(self, *, given_up: bool = False) -> None:
        """Record that nobody took a delivery, and whether the vendor leaves it at that."""
        with self._lock:
            self._posts["refused"] += 1
            self._posts["given_up"] += given_up

    def unacknowledged(self) -> int:
        """Return how many items nobody has acknowledged yet."""
        with self._lock:
            return sum(1 for entry in self._entries.values() if not entry.acknowledged)

    def as_json(self) -> dict[str, Any]:
        """Return the books: posts counted, every item with its attempts and acknowledgements."""
        with self._lock:
            rows = [
                {
                    "kind": item.kind,
                    "id": item.id,
                    "what": item.what,
                    "chat": item.chat,
                    "attempts": entry.attempts,
                    "acknowledged": entry.acknowledged,
                }
                for item, entry in self._entries.items()
            ]
            return {"posts": dict(self._posts), "items": rows}
