"""The threads that send: one looks for chats that are due, the others bring each to its end.

It looks several times a second and whenever it is told to, so neither a lost ring nor a lost Redis delays a message
for long. Of one account at most so many chats are in hand that others find a thread. Deliberately nothing about
messages: `services.sending.delivering` claims and works.
"""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from runtime.logs import clear_contextvars, logger
from services.sending.delivering import Delivering, Turn

#: How long (s) between two looks when nobody rings.
LOOK_EVERY_S: Final = 0.2
#: Share of the threads that one account may have.
SHARE: Final = 0.75
#: How often (s) the chats in hand are held on to, and how long one may be in hand before nobody does any more.
RENEW_EVERY_S: Final = 5.0
LONGEST_S: Final = 300.0
#: How long (s) to wait after a look that failed.
AFTER_FAILURE_S: Final = 1.0

_log = logger(__name__)


class Courier:
    """Sends what is due in threads of its own, from `start` to `stop`; it looks when the bell rings."""

    def __init__(self, delivering: Delivering, bell: threading.Event, *, threads: int) -> None:
        self._delivering = delivering
        self._threads = threads
        self._most_of_one = max(1, int(threads * SHARE))
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="send")
        self._looking = threading.Thread(target=self._look_forever, name="courier", daemon=True)
        self._bell = bell
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        #: The chats in hand, and when (s) each was taken.
        self._in_hand: dict[str, tuple[Turn, float]] = {}
        self._renewed = time.monotonic()
        #: Whether more may be due than there were threads for.
        self._is_full = True

    def start(self) -> None:
        """Begin to look."""
        self._looking.start()

    @property
    def is_alive(self) -> bool:
        """Whether it still looks."""
        return self._looking.is_alive()

    def stop(self) -> None:
        """Take nothing more, begin no further message, and wait until those that were begun have come to their end."""
        self._stopping.set()
        self._bell.set()
        if self._looking.ident is not None:
            self._looking.join()
        self._pool.shutdown(wait=True)

    def _look_forever(self) -> None:
        while not self._stopping.is_set():
            self._bell.wait(LOOK_EVERY_S)
            self._bell.clear()
            try:
                self._look()
            except Exception as error:  # noqa: BLE001  whatever ails the database, the next look may find it well
                _log.warning("courier_look_failed", error=type(error).__name__)
                self._stopping.wait(AFTER_FAILURE_S)

    def _look(self) -> None:
        """Hand out what is due, as far as there are threads for it; note whether more may be."""
        self._hold_on()
        self._is_full = True
        counts = self._counts()
        while (room := self._threads - counts.total()) > 0 and not self._stopping.is_set():
            saturated = [account_id for account_id, count in counts.items() if count >= self._most_of_one]
            turns = self._delivering.claim(limit=room, without=saturated)
            beyond = self._hand_out(turns, counts)
            if len(turns) < room:
                self._is_full = bool(saturated or beyond)
                return
            counts = self._counts()

    def _counts(self) -> Counter[str]:
        """How many chats of each account are in hand."""
        with self._lock:
            return Counter(turn.outbox.config_id for turn, _ in self._in_hand.values())

    def _hand_out(self, turns: Sequence[Turn], counts: Counter[str]) -> int:
        """Hand out what was claimed, but of no account more than its share: the rest is given back, and counted."""
        now, beyond = time.monotonic(), []
        for turn in turns:
            if counts[turn.outbox.config_id] >= self._most_of_one:
                beyond.append(turn)
                continue
            counts[turn.outbox.config_id] += 1
            with self._lock:
                self._in_hand[turn.outbox.id] = turn, now
            self._pool.submit(self._work, turn)
        self._delivering.give_back(beyond)
        return len(beyond)

    def _work(self, turn: Turn) -> None:
        clear_contextvars()
        is_more = True
        try:
            is_more = self._delivering.work(turn, is_leaving=self._stopping.is_set)
        except BaseException as error:
            _log.error("courier_crashed", error=type(error).__name__, exc_info=True)
            raise
        finally:
            with self._lock:
                self._in_hand.pop(turn.outbox.id, None)
            # Where all that was due is in hand, there is nothing to look for.
            if is_more or self._is_full:
                self._bell.set()

    def _hold_on(self) -> None:
        """Renew the leases of what is in hand, now and then, and not for ever."""
        now = time.monotonic()
        if now - self._renewed < RENEW_EVERY_S:
            return
        self._renewed = now
        with self._lock:
            held = [turn for turn, since in self._in_hand.values() if now - since < LONGEST_S]
        self._delivering.renew(held)
