"""Wait for a condition instead of sleeping and hoping; deliberately knows nothing of what is waited for."""

import time
from collections.abc import Callable

#: Seconds between two looks.
POLL = 0.02


def wait_until(condition: Callable[[], object], *, seconds: float = 10.0, what: str = "it") -> None:
    """Return once `condition()` is true; fail the test when it never is."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true in {seconds} s")
        time.sleep(POLL)
