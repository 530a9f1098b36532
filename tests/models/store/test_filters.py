from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.store.filters import Span, matching

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_scalars_lists_and_spans_become_conditions() -> None:
    assert matching({"status": "open", "labels": ["a", "b"], "at": Span(NOON), "n": Span(end=3)}) == {
        "status": "open",
        "labels": {"$in": ["a", "b"]},
        "at": {"$gte": NOON},
        "n": {"$lt": 3},
    }


def test_none_asks_for_nothing() -> None:
    assert matching({"status": None, "blocked": False}) == {"blocked": False}


@pytest.mark.parametrize(
    "value",
    [{"$ne": None}, [{"$gt": ""}], Span({"$gt": ""}), ["a", ["b"]], {"a": 1}, b"x"],  # type: ignore[arg-type]
)
def test_operators_in_disguise_are_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        matching({"token": value})


NESTED = st.recursive(
    st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(NESTED)
def test_no_callers_key_becomes_an_operator(value: Any) -> None:
    try:
        query = matching({"field": value})
    except TypeError:
        return
    assert query in ({}, {"field": value}, {"field": {"$in": value}})
    assert not isinstance(value, dict)
