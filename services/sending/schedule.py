"""When a message that was not sent is tried again, and how often.

Deliberately no state: what was spent is counted in the message.
"""

import random
from datetime import timedelta
from typing import Final

#: Attempts in all, where the vendor's code does not say how many it is worth.
MAX_TRIES: Final = 8
#: The wait after the first attempt; each further one is twice as long, up to the longest.
FIRST_WAIT: Final = timedelta(seconds=2)
LONGEST_WAIT: Final = timedelta(minutes=10)
#: What chance adds, at most, as a share of the wait: many that failed together do not come back together.
JITTER: Final = 0.25


def wait_after(tries: int, *, asked: timedelta | None = None, chance: float | None = None) -> timedelta:
    """Say how long to wait after so many attempts; never less than the vendor asked for. `chance` is 0 to 1."""
    doubled: timedelta = FIRST_WAIT * 2.0 ** min(max(tries - 1, 0), 16)
    wait = max(min(doubled, LONGEST_WAIT), asked or timedelta(0))
    return wait * (1.0 + JITTER * (random.random() if chance is None else chance))  # noqa: S311  not a secret


def is_worth_another(tries: int, limit: int | None) -> bool:
    """Say whether after so many attempts there is to be one more."""
    return tries < (MAX_TRIES if limit is None else min(limit, MAX_TRIES))
