"""Deliver posts as vendors do: several at once, repeated while nobody takes them, as each vendor sees fit.

Deliberately no order between posts: no vendor promises one.
"""

import heapq
import itertools
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import requests
from urllib3.exceptions import NewConnectionError

from sandbox.simulators.endpoint import PATIENCE
from sandbox.simulators.ledger import Ledger
from sandbox.simulators.scribe import Post

#: Deliveries under way at once.
THREADS = 4


class Cause(Enum):
    """Why nobody took a post."""

    #: No connection came about.
    UNCONNECTED = "unconnected"
    #: The answer did not come in time.
    SILENT = "silent"
    #: The connection broke.
    BROKEN = "broken"
    #: An answer came, and it was not the one that counts.
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True)
class Failure:
    """One attempt that came to nothing."""

    cause: Cause
    #: The HTTP status, 0 where there was no answer.
    status: int
    #: How many attempts have failed with this one, and the seconds since the first began.
    number: int
    elapsed: float


class Carrier(ABC):
    """How one vendor brings a post to the endpoint, and what it does when nobody takes it."""

    def __init__(self, webhook: str) -> None:
        """Deliver to an address as it stands in the vendor's settings."""
        self._webhook = webhook

    def url(self, post: Post) -> str:
        """Return the address to call."""
        return post.callback or with_query(self._webhook, post)

    @abstractmethod
    def headers(self, post: Post) -> Mapping[str, str]:
        """Return the headers of an attempt."""

    @abstractmethod
    def pause(self, failure: Failure) -> float | None:
        """Return the seconds until the next attempt, None where the vendor gives up."""

    def timeout(self) -> tuple[float, float]:
        """Return the seconds to connect, and to wait for an answer."""
        return PATIENCE, PATIENCE

    def takes(self, answer: requests.Response) -> bool:
        """Say whether an answer is the one that counts."""
        return answer.status_code == 200


@dataclass(order=True, slots=True)
class _Attempt:
    due: float
    number: int
    post: Post = field(compare=False)
    failures: int = field(compare=False, default=0)
    began: float = field(compare=False, default=0.0)


class Delivery:
    """A queue of posts and the threads that deliver them, until `stop` is set."""

    def __init__(self, carrier: Carrier, *, ledger: Ledger, stop: threading.Event) -> None:
        self._carrier = carrier
        self._ledger = ledger
        self._stop = stop
        self._changed = threading.Condition()
        self._waiting: list[_Attempt] = []
        self._numbers = itertools.count()

    def start(self) -> None:
        """Begin to deliver; the threads end with the process."""
        for number in range(THREADS):
            threading.Thread(target=self._work, name=f"delivery-{number}", daemon=True).start()

    def put(self, post: Post, *, after: float = 0.0) -> None:
        """Deliver a post as soon as a thread is free, but not before so many seconds have passed."""
        self._ledger.planned(post.items)
        self._schedule(_Attempt(time.monotonic() + after, next(self._numbers), post))

    def deliver_now(self, post: Post) -> None:
        """Deliver a post before this returns; what nobody takes is delivered again as ever."""
        self._ledger.planned(post.items)
        with requests.Session() as session:
            self._attempt(session, _Attempt(time.monotonic(), next(self._numbers), post))

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
                if attempt is not None:
                    self._attempt(session, attempt)

    def _next_due(self) -> _Attempt | None:
        """Return an attempt whose time has come, or None after waiting for one."""
        with self._changed:
            now = time.monotonic()
            if self._waiting and self._waiting[0].due <= now:
                return heapq.heappop(self._waiting)
            self._changed.wait(min(self._waiting[0].due - now, 1.0) if self._waiting else 1.0)
            return None

    def _attempt(self, session: requests.Session, attempt: _Attempt) -> None:
        """Deliver once, and see to the next attempt if there is to be one."""
        attempt.began = attempt.began or time.monotonic()
        self._ledger.attempted(attempt.post.items)
        failed = self._failed(session, attempt.post)
        if failed is None:
            self._ledger.acknowledged(attempt.post.items)
            return
        attempt.failures += 1
        elapsed = time.monotonic() - attempt.began
        pause = self._carrier.pause(Failure(*failed, number=attempt.failures, elapsed=elapsed))
        self._ledger.refused(given_up=pause is None)
        if pause is not None:
            attempt.due = time.monotonic() + pause
            self._schedule(attempt)

    def _failed(self, session: requests.Session, post: Post) -> tuple[Cause, int] | None:
        """Call the endpoint; return what went wrong, if anything did."""
        try:
            answer = session.post(
                self._carrier.url(post),
                data=post.body,
                headers=dict(self._carrier.headers(post)),
                timeout=self._carrier.timeout(),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            return _cause(error), 0
        return None if self._carrier.takes(answer) else (Cause.ANSWERED, answer.status_code)


def with_query(url: str, post: Post) -> str:
    """Return an address with what the vendor adds to it for one post."""
    return f"{url}{'&' if '?' in url else '?'}{post.query}" if post.query else url


def doubling(failures: int, *, first: float, longest: float) -> float:
    """Return a pause that doubles from the second failure on; the first repeat comes at once."""
    return 0.0 if failures <= 1 else float(min(first * 2 ** (failures - 2), longest))


def _cause(error: requests.RequestException) -> Cause:
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(error, requests.ConnectTimeout) or isinstance(reason, NewConnectionError):
        return Cause.UNCONNECTED
    return Cause.SILENT if isinstance(error, requests.Timeout) else Cause.BROKEN
