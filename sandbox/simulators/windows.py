"""Who wrote when: outside 24 hours after a customer's last words, vendors deliver templates only.

Deliberately one clock, this machine's.
"""

import threading
import time
from collections.abc import Iterable

#: Seconds that the window stays open.
OPEN_FOR = 24 * 3600.0


class Windows:
    """When each customer wrote last; safe to use from several threads."""

    def __init__(self, acquainted: Iterable[str], *, everybody: bool = False) -> None:
        """Begin with those who have just written; `everybody` takes strangers for such, too."""
        self._lock = threading.Lock()
        self._everybody = everybody
        self._heard = dict.fromkeys(acquainted, time.time())

    def heard(self, address: str, *, ago: float = 0.0) -> None:
        """Note that somebody wrote, so many seconds ago."""
        with self._lock:
            self._heard[address] = time.time() - ago

    def is_open(self, *addresses: str) -> bool:
        """Say whether somebody, by any of their addresses, may be written to freely."""
        with self._lock:
            known = [self._heard[address] for address in addresses if address in self._heard]
        return time.time() - max(known) < OPEN_FOR if known else self._everybody
