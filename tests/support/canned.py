"""A vendor's answers, given beforehand, and the requests that were made: HTTP without a network.

Deliberately no judgement: what an answer means is the dialect's to say.
"""

import threading
from collections.abc import Callable
from datetime import timedelta

from runtime.calls import HttpAnswer, HttpRequest

Said = HttpAnswer | Exception


class CannedCalls:
    """Makes no calls: gives the next answer of a list, or the last one again, and remembers what was asked."""

    def __init__(self, *answers: Said) -> None:
        self.requests: list[HttpRequest] = []
        self.answers = list(answers)
        self.meanwhile: Callable[[], object] | None = None
        self._lock = threading.Lock()

    def call(self, request: HttpRequest, *, deadline: timedelta) -> HttpAnswer:
        """Remember the request, let the test do something while it is under way, and answer."""
        with self._lock:
            self.requests.append(request)
            said = self.answers[min(len(self.requests), len(self.answers)) - 1]
        if self.meanwhile is not None:
            self.meanwhile()
        if isinstance(said, Exception):
            raise said
        return said
