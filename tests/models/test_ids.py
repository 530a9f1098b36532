import os
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.ids import PREFIXES, first_id, new_id
from models.store.collections import COLLECTIONS

#: Microseconds since 1970, up to the year 9999.
MOMENTS = st.integers(0, 253_370_764_800_000_000).map(
    lambda us: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
)
SHAPE = re.compile(r"msg_[0-9a-hjkmnp-tv-z]{26}")


@given(MOMENTS)
def test_an_id_is_a_prefix_and_a_lower_case_ulid(at: datetime) -> None:
    assert SHAPE.fullmatch(new_id("msg", at))


@given(MOMENTS, MOMENTS)
def test_ids_sort_by_the_millisecond_they_were_made(one: datetime, other: datetime) -> None:
    earlier, later = sorted((one, other))
    if later - earlier >= timedelta(milliseconds=1):
        assert new_id("msg", earlier) < new_id("msg", later)


def test_ids_of_one_millisecond_sort_in_the_order_of_their_making() -> None:
    at = datetime.now(UTC)
    ids = [new_id("msg", at) for _ in range(1_000)]
    assert ids == sorted(ids)


def test_they_do_so_too_while_others_are_made_for_other_milliseconds() -> None:
    """Several threads each apply a delivery of their own, whose messages share its moment."""
    at = datetime.now(UTC)
    ids = []
    for n in range(1, 500):
        ids.append(new_id("msg", at))
        new_id("msg", at + timedelta(milliseconds=n))
    assert ids == sorted(ids)


def test_milliseconds_are_not_lost_to_rounding() -> None:
    start = datetime(2026, 11, 22, tzinfo=UTC)
    ids = [new_id("msg", start + timedelta(milliseconds=ms)) for ms in range(1_000)]
    assert ids == sorted(ids)
    assert len({one[:14] for one in ids}) == 1_000


def test_the_first_id_of_a_moment_bounds_it_from_below() -> None:
    at = datetime.now(UTC)
    assert new_id("evt", at - timedelta(milliseconds=1)) < first_id("evt", at) <= new_id("evt", at)


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Let threads take turns after every few instructions."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("eager_threads")
def test_no_id_is_made_twice_by_many_threads() -> None:
    at = datetime.now(UTC)
    with ThreadPoolExecutor(8) as pool:
        batches = pool.map(lambda _: [new_id("msg", at) for _ in range(5_000)], range(8))
        ids = [one for batch in batches for one in batch]
    assert len(set(ids)) == len(ids)


@pytest.mark.skipif(sys.platform == "win32", reason="no fork there")
def test_a_fork_does_not_repeat_its_parents_ids() -> None:
    at = datetime.now(UTC)
    new_id("msg", at)
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.write(writer, new_id("msg", at).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 100).decode() != new_id("msg", at)
    os.close(reader)
    os.close(writer)


def test_every_entity_has_a_prefix_of_its_own() -> None:
    names = {re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "_", cls.__name__).lower() for cls in COLLECTIONS}
    assert {name.replace("whats_app", "whatsapp") for name in names} == set(PREFIXES)
    assert len(set(PREFIXES.values())) == len(PREFIXES)
