"""Deliver posts as Meta does: several at once, repeated until the answer is 200, ever more rarely.

Deliberately no order between posts: the real sender promises none.
"""

import heapq
import itertools
import threading
import time
from dataclasses import dataclass, field

import requests

from sandbox.simulators.meta.conversation import Post
from sandbox.simulators.meta.ledger import Ledger
from sandbox.simulators.meta.wire import headers

#: Deliveries under way at once.
THREADS = 4
#: Seconds an answer may take.
PATIENCE = 10.0
#: Seconds between the second and third attempt (the first repeat comes at once), and between any two at most.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0


@dataclass(order=True, slots=True)
class _Attempt:
    due: float
    number: int
    post: Post = field(compare=False)
    failures: int = field(compare=False, default=0)


class Delivery:
    """A queue of posts and the threads that deliver them, until `stop` is set."""

    def __init__(self, url: str, *, app_secret: str, ledger: Ledger, stop: threading.Event) -> None:
        self._url = url
        self._app_secret = app_secret
        self._ledger = ledger
        self._stop = stop
        self._changed = threading.Condition()
        self._waiting: list[_Attempt] = []
        self._numbers = itertools.count()

    def start(self) -> None:
        """Begin to deliver; the threads end with the process."""
        for number in range(THREADS):
            threading.Thread(target=self._work, name=f"delivery-{number}", daemon=True).start()

    def put(self, post: Post) -> None:
        """Deliver a post as soon as a thread is free."""
        self._ledger.planned(post.items)
        self._schedule(_Attempt(time.monotonic(), next(self._numbers), post))

    def backlog(self) -> int:
        """Return how many posts wait for an attempt."""
        with self._changed:
            return len(self._waiting)

    def _schedule(self, attempt: _Attempt) -> None:
        with self._changed:
            heapq.heappush(self._waiting, attempt)
            self._changed.notify()

    def _work(self) -> None:
        with requests.Session() as session:
            while not self._stop.is_set():
                attempt = self._next_due()
                if attempt is not None and not self._is_taken(session, attempt.post):
                    attempt.due = time.monotonic() + pause_after(attempt.failures)
                    attempt.failures += 1
                    self._schedule(attempt)

    def _next_due(self) -> _Attempt | None:
        """Return an attempt whose time has come, or None after waiting for one."""
        with self._changed:
            now = time.monotonic()
            if self._waiting and self._waiting[0].due <= now:
                return heapq.heappop(self._waiting)
            self._changed.wait(min(self._waiting[0].due - now, 1.0) if self._waiting else 1.0)
            return None

    def _is_taken(self, session: requests.Session, post: Post) -> bool:
        """Deliver once; only 200 counts."""
        self._ledger.attempted(post.items)
        try:
            answer = session.post(
                self._url,
                data=post.body,
                headers=headers(post.body, self._app_secret),
                timeout=PATIENCE,
                allow_redirects=False,
            )
        except requests.RequestException:
            self._ledger.refused()
            return False
        if answer.status_code != requests.codes.ok:
            self._ledger.refused()
            return False
        self._ledger.acknowledged(post.items)
        return True


def pause_after(failures: int) -> float:
    """Return the seconds to wait after so many earlier failures: at once, then doubling up to the longest."""
    return 0.0 if failures == 0 else float(min(FIRST_PAUSE * 2 ** (failures - 1), LONGEST_PAUSE))
