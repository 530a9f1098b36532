"""Reading answers of any vendor: waits, bodies, texts."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.answers import MAX_WAIT, MIN_WAIT, TEXT_LENGTH, json_object, retry_after, shown
from runtime.calls import HttpAnswer

NOON = "Tue, 27 Oct 2026 12:00:00 GMT"


def wait(said: str, date: str = NOON) -> timedelta | None:
    return retry_after(HttpAnswer(status=429, headers={"retry-after": said, "date": date}))


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7), (" 30 ", 30), ("1.5", 1.5), ("0", 1), ("1000000000", 3600), ("9" * 5000, 3600),
        ("Tue, 27 Oct 2026 12:01:30 GMT", 90), ("Tue, 27 Oct 2026 11:00:00 GMT", 1),
        ("Tuesday, 27-Oct-26 12:00:20 GMT", 20), ("Wed, 28 Oct 2026 12:00:00 GMT", 3600),
    ],
)  # fmt: skip
def test_a_wait_is_read_in_seconds_or_as_a_date(said: str, seconds: float) -> None:
    assert wait(said) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "said", ["", "soon", "-5", "+5", "1e9", "0x10", "٣", "7 7", "NaN", "Tue, 99 Oct 2026 12:00", "9" * 99 + "x"]
)
def test_what_is_no_wait_is_none(said: str) -> None:
    assert wait(said) is None


def test_a_date_means_nothing_without_the_answers_own() -> None:
    assert wait("Tue, 27 Oct 2026 12:01:30 GMT", date="") is None
    assert wait("Tue, 27 Oct 2026 12:01:30 GMT", date="yesterday") is None
    assert retry_after(HttpAnswer(status=429)) is None


@given(st.text(), st.text())
def test_any_wait_lies_within_its_bounds(said: str, date: str) -> None:
    found = wait(said, date)
    assert found is None or MIN_WAIT <= found <= MAX_WAIT


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"7", b'"x"', b"<html>", b'{"a": 1', b"\xff\xfe{}", b"[" * 2000])
def test_what_is_no_json_object_is_none(body: bytes) -> None:
    assert json_object(HttpAnswer(status=200, body=body)) is None


def test_an_object_is_read() -> None:
    assert json_object(HttpAnswer(status=500, body=b'{"sent": false}')) == {"sent": False}


@given(st.binary())
def test_any_body_can_be_read(body: bytes) -> None:
    assert isinstance(json_object(HttpAnswer(status=200, body=body)), dict | None)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Invalid token: Session has expired", "Invalid token: Session has expired"),
        ("see /me?access_token=EAAabc123&x=1", "see /me?access_token=[redacted]&x=1"),
        ("GET /sendMessage?token=83763g87x", "GET /sendMessage?token=[redacted]"),
        ('{"authToken": "abc", "a": 1}', '{"authToken": "[redacted]", "a": 1}'),
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer [redacted]"),
        ("Authorization: Basic QUM6dG9rZW4=", "Authorization: Basic [redacted]"),
        ("Malformed access token EAAGm0PX4ZCpsBAKZCZDabc", "Malformed access token [redacted]"),
        ("apikey: 0123456789abcdef0123", "apikey: [redacted]"),
    ],
)
def test_credentials_are_cut_out_of_texts(said: str, kept: str) -> None:
    assert shown(said) == kept


@pytest.mark.parametrize("value", [None, "", {}, [], True, 1.5])
def test_what_is_no_text_is_not_shown(value: object) -> None:
    assert shown(value) is None


def test_a_long_text_is_cut() -> None:
    assert shown("x" * 5 * TEXT_LENGTH) == "x" * TEXT_LENGTH
