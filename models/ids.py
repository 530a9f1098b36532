"""Our own ids: opaque, short enough to read aloud, sorted by the time they were made.

An id is a prefix that names the entity and a ULID: 48 bits of milliseconds and 80 random bits in
lower-case Crockford base 32. Deliberately nothing reads meaning out of an id but its order.
"""

import os
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Final

#: Entity name (the class, snake_case) -> prefix of its ids.
PREFIXES: Final = {
    "chat": "chat",
    "message": "msg",
    "agent": "agt",
    "label": "lbl",
    "template": "tpl",
    "follow_up": "fup",
    "team_note": "note",
    "blocked_number": "blk",
    "customer": "cus",
    "webhook_event": "evt",
    "chat_assignment": "asg",
    "agent_performance": "prf",
    "whatsapp_config": "cfg",
    "address": "adr",
    "api_token": "tok",
    "audit_entry": "aud",
    "pending_update": "pnd",
    "message_move": "mov",
    "customer_merge": "mrg",
    "outbox": "out",
    "send_pause": "pau",
    "receipt": "rcp",
    "idempotency_key": "idem",
    "media_file": "med",
    "template_usage": "use",
}

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
#: Ten bits -> two characters: half the steps of going five bits at a time.
_PAIRS: Final = [high + low for high in _ALPHABET for low in _ALPHABET]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_NANOSECONDS_PER_MS: Final = 1_000_000
#: Bytes of the random part.
_RANDOM_BYTES: Final = 10
#: Leaves room to count upwards within a millisecond without running out of the 80 bits.
_RANDOM_START: Final = (1 << 79) - 1
#: Milliseconds for which ids may be made in turns, and still be in order.
_REMEMBERED: Final = 1_000


class _Sequence:
    """The random part: drawn anew for each millisecond, counted upwards within one.

    Counting keeps the things of one delivery, which share their millisecond, in their order.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: The next number of each of the latest milliseconds: threads make ids for several in turns.
        self._next: dict[int, int] = {}

    def next(self, ms: int) -> int:
        with self._lock:
            number = self._next.pop(ms, None)
            if number is None:
                number = int.from_bytes(os.urandom(_RANDOM_BYTES), "big") & _RANDOM_START
                if len(self._next) >= _REMEMBERED:
                    del self._next[next(iter(self._next))]
            self._next[ms] = number + 1
            return number

    def forget(self) -> None:
        """Start anew, in a fork that would otherwise count on from its parent's number."""
        self.__init__()  # type: ignore[misc]


_sequence: Final = _Sequence()
os.register_at_fork(after_in_child=_sequence.forget)


def new_id(prefix: str, at: datetime | None = None) -> str:
    """Make an id that sorts after every id of an earlier millisecond.

    Ids made by one process for the same millisecond, one after another, sort in the order of their making.
    """
    ms = time.time_ns() // _NANOSECONDS_PER_MS if at is None else (at - _EPOCH) // _MILLISECOND
    return f"{prefix}_{_encode(ms, 5)}{_encode(_sequence.next(ms), 8)}"


def first_id(prefix: str, at: datetime) -> str:
    """Return the least id that can be made at a moment: the lower bound of a range by time."""
    return f"{prefix}_{_encode((at - _EPOCH) // _MILLISECOND, 5)}{'0' * 16}"


def _encode(number: int, pairs: int) -> str:
    table = _PAIRS
    return "".join([table[number >> shift & 1023] for shift in _SHIFTS[pairs]])


_SHIFTS: Final = {5: (40, 30, 20, 10, 0), 8: (70, 60, 50, 40, 30, 20, 10, 0)}
