"""What was there at the start is permanent; what comes later is still collected."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from runtime.heap import settle_heap


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    usual = gc.get_threshold()
    yield
    gc.set_threshold(*usual)
    gc.unfreeze()


class Ring:
    """Something that only the collector can take away."""

    def __init__(self) -> None:
        self.itself = self


def test_the_start_is_not_looked_at_again() -> None:
    settle_heap()

    assert gc.get_freeze_count() > 10_000
    assert gc.get_threshold()[0] > 700


def test_cycles_made_later_are_taken_away() -> None:
    settle_heap()
    late = Ring()
    seen = weakref.ref(late)

    del late
    gc.collect()

    assert seen() is None
