"""The garbage collector of a long-running process, told what it need not look at again and again.

A batch of webhooks makes tens of thousands of objects, none of them in a cycle. With Python's own setting the
collector goes over all of them several times, and over everything that was loaded at the start whenever they have
become a quarter of it, which costs a quarter of the worker's CPU. Deliberately not switched off: exceptions and drivers
make cycles.
"""

import gc
from typing import Final

#: Objects made before the youngest are looked at, and how often before the older are, and the oldest.
_THRESHOLDS: Final = (10_000, 20, 50)


def settle_heap() -> None:
    """Take all that is there now for permanent, and look at what comes less often; called when a start is over."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
