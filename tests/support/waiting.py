"""Waiting for a condition instead of sleeping, with a clear word on what did not happen.

Deliberately the only place of the tests that sleeps.
"""

import time
from collections.abc import Callable

#: Seconds between two looks.
POLL = 0.05


def until(condition: Callable[[], object], *, seconds: float, what: str) -> float:
    """Wait until the condition holds; return how long (s) that took.

    Raises:
        AssertionError: it did not hold in time.
    """
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise AssertionError(f"waited {seconds} s in vain for {what}")
        time.sleep(POLL)
    return time.monotonic() - began
