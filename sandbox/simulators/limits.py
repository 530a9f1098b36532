"""Rate limits as vendors keep them: so many messages a second, per number or per pair of number and recipient.

Deliberately off until ordered: the demo is gentle, and a test says what it wants.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.simulators.api import Call

#: Whom a limit counts together.
PER: Mapping[str, Callable[[Call], tuple[str, ...]]] = {
    "number": lambda call: (call.sender,),
    "pair": lambda call: (call.sender, call.recipient),
}


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class Limit:
    """One token bucket for each number or pair."""

    def __init__(self, *, per: str, per_second: float, burst: float) -> None:
        self.per = per
        self._per_second = per_second
        self._burst = burst
        self._buckets: dict[tuple[str, ...], _Bucket] = {}

    def takes(self, call: Call) -> bool:
        """Take a token, if there is one."""
        now = time.monotonic()
        bucket = self._buckets.setdefault(PER[self.per](call), _Bucket(self._burst, now))
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.filled_at) * self._per_second)
        bucket.filled_at = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True


class Limits:
    """All limits in force; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._limits: list[Limit] = []

    def order(self, wish: Mapping[str, Any]) -> None:
        """Put a limit in force: `limit_per_second`, `per` (number or pair), `burst` (by default a second's worth).

        Raises:
            ValueError: it is not understood.
        """
        per, per_second = wish.get("per", "number"), float(wish["limit_per_second"])
        if per not in PER or per_second <= 0:
            raise ValueError("a limit needs per: number | pair, and limit_per_second above 0")
        limit = Limit(per=per, per_second=per_second, burst=float(wish.get("burst", max(1.0, per_second))))
        with self._lock:
            self._limits.append(limit)

    def clear(self) -> None:
        """Lift all limits."""
        with self._lock:
            self._limits.clear()

    def exceeded_by(self, call: Call) -> str | None:
        """Return which limit a send exceeds, if any."""
        with self._lock:
            return next((limit.per for limit in self._limits if not limit.takes(call)), None)
