"""The shared readers of vendors' values: total, exact, and storable."""

import math
from datetime import UTC, datetime
from typing import Any

import bson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers import wire

AT = datetime(2026, 10, 27, 11, 30, 37, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "time"),
    [
        (1793100637, AT),
        ("1793100637", AT),
        (1793100637000, AT),
        ("1793100637000", AT),
        (1793100637.0, AT),
        ("1793100637.25", AT.replace(microsecond=250_000)),
        (1793100637250, AT.replace(microsecond=250_000)),
        ("+1793100637", AT),
    ],
)
def test_a_time_is_read_in_seconds_or_milliseconds_as_number_or_string(value: object, time: datetime) -> None:
    assert wire.when(value) == time


@pytest.mark.parametrize(
    "value",
    [
        None, "", "soon", "2026-10-27", True, [], {}, 0, -1, "0", 1, 17931006, 10**11, 10**18, 10**30, "9" * 40,
        math.nan, math.inf, "nan", "1_793_100_637", " 1793100637", "１７９３１００６３７", 5_000_000_000,
    ],
)  # fmt: skip
def test_what_no_clock_shows_is_no_time(value: object) -> None:
    assert wire.when(value) is None


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("447700900381", "+447700900381"),
        (447700900381, "+447700900381"),
        ("+44 7700 900-381", "+447700900381"),
        ("+1 (555) 019.2744", "+15550192744"),
        ("07700900381", None),
        ("123", None),
        ("1" * 16, None),
        ("44770090038x", None),
        ("４４７７００９００３８１", None),
        ("+", None),
        ("", None),
        (None, None),
        (True, None),
    ],
)
def test_a_phone_number_is_e164_or_nothing(value: object, number: str | None) -> None:
    assert wire.phone(value) == number


@pytest.mark.parametrize(
    ("value", "said"),
    [("x", "x"), ("", None), (7, "7"), (2**63, str(2**63)), (True, None), (1.5, None), (None, None), ([], None)],
)
def test_a_string_is_a_string_or_a_whole_number(value: object, said: str | None) -> None:
    assert wire.text(value) == said


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (1, 1.0), (1.5, 1.5), ("34.50", 34.5), ("-2", -2.0), (True, None), ("", None), ("nan", None), ("1e5", None),
        (math.inf, None), (2**70, None), (None, None), ("1_0", None),
    ],
)  # fmt: skip
def test_a_number_is_finite(value: object, found: float | None) -> None:
    assert wire.number(value) == found


@pytest.mark.parametrize(
    ("value", "found"), [(True, True), (False, False), ("true", True), ("False", False), (1, None), ("yes", None)]
)
def test_a_flag_is_a_truth_value_or_its_name(value: object, found: bool | None) -> None:
    assert wire.flag(value) is found


def test_an_object_or_the_first_of_a_list_is_found() -> None:
    assert wire.first({"a": 1}) == wire.first([{"a": 1}, {"b": 2}]) == wire.first([None, {"a": 1}]) == {"a": 1}
    assert wire.first([]) == wire.first("x") == wire.first(None) == {}


def test_leftovers_are_storable_and_none_where_nothing_is_left() -> None:
    assert wire.leftovers({"a": 1, "b": 2**70}, frozenset({"a"})) == {"b": str(2**70)}
    assert wire.leftovers({"a": 1}, frozenset({"a", "z"})) is None


def test_a_fingerprint_is_of_the_content_not_of_its_order() -> None:
    assert wire.fingerprint({"a": 1, "b": [2]}) == wire.fingerprint({"b": [2], "a": 1})
    assert wire.fingerprint({"a": 1}) != wire.fingerprint({"a": 2})


@pytest.mark.parametrize(("value", "kept"), [(math.nan, "nan"), (math.inf, "inf"), (1.5, 1.5), (-0.0, 0.0)])
def test_a_number_that_is_none_is_kept_as_a_word(value: float, kept: object) -> None:
    assert wire.storable(value) == kept


def test_a_number_too_long_to_write_out_is_still_storable() -> None:
    assert wire.storable(10**5_000).startswith("0x")


ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()) | st.integers(), inner, max_size=3)
    ),
)


@settings(max_examples=200, deadline=None, database=None)
@given(value=ANYTHING)
def test_whatever_is_made_storable_is_stored_and_stays_as_it_is(value: Any) -> None:
    once = wire.storable(value)
    assert bson.encode({"value": once})
    assert wire.storable(once) == once


@settings(max_examples=200, deadline=None, database=None)
@given(value=ANYTHING)
def test_every_reader_is_total(value: Any) -> None:
    readers = (
        wire.text, wire.mapping, wire.listed, wire.first, wire.flag, wire.number, wire.when, wire.phone, wire.sha256,
        wire.media_type, wire.file_name, wire.fingerprint,
    )  # fmt: skip
    for reader in readers:
        reader(value)


def nested(levels: int, inside: bytes = b"1") -> bytes:
    return b'{"a":' * levels + inside + b"}" * levels


def test_nesting_is_read_up_to_the_same_depth_whoever_asks() -> None:
    odd = b'"\\ud800"'
    assert wire.load_json(nested(wire.ODD_DEPTH, odd))
    with pytest.raises(wire.NotJsonError):
        wire.load_json(nested(wire.ODD_DEPTH + 1, odd))


def test_brackets_within_strings_nest_nothing() -> None:
    assert wire.load_json(b'["\\ud800", "' + b"[" * 1_000 + b'\\"' + b"{" * 1_000 + b'"]')
