"""What follows from each answer of Twilio's, by its code; whatever comes, an answer is judged."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.message import MessageError
from models.values import MessageStatus
from models.whatsapp_config import HealthState
from providers.outbound import ErrorKind, Receipt, SendError, Throttle
from providers.twilio.errors import CONSEQUENCES, TITLES
from tests.providers.twilio_sends import BSUID, FIXTURES, PHONE, SENDER, answer, fixture

FINAL, OURS, THROTTLED = ErrorKind.FINAL, ErrorKind.OURS, ErrorKind.THROTTLED
RETRYABLE, UNKNOWN = ErrorKind.RETRYABLE, ErrorKind.UNKNOWN


def refused(code: int | str, status: int = 400, **more: Any) -> SendError:
    """Judge a refusal with a code."""
    found = SENDER.judge(answer(status, {"code": code, "message": "m", "status": status}, **more))
    assert isinstance(found, SendError)
    assert found.error.kind == found.kind
    return found


@pytest.mark.parametrize(
    ("name", "status", "word"),
    [
        ("message_created_201", 201, "queued"),
        ("message_created_service_201", 201, "accepted"),
        ("message_scheduled_201", 201, "scheduled"),
    ],
)
def test_a_message_taken_has_a_receipt(name: str, status: int, word: str) -> None:
    assert SENDER.judge(answer(status, name)) == Receipt(
        provider_message_id=fixture(name)["sid"],
        status=MessageStatus.ACCEPTED,
        provider_status=word,
        phone=PHONE,
    )


def test_twilios_own_id_of_the_call_is_kept() -> None:
    headers = {"twilio_request_id": "RQ8277e0910d750195b448797616e091ad"}
    for found in (
        SENDER.judge(answer(201, "message_created_201", **headers)),
        SENDER.judge(answer(400, "error_400_21211", **headers)),
    ):
        assert found.request_id == headers["twilio_request_id"]


def test_a_receipt_tells_a_user_id() -> None:
    body = fixture("message_created_201") | {"to": f"whatsapp:{BSUID}"}
    found = SENDER.judge(answer(201, body))
    assert isinstance(found, Receipt)
    assert (found.phone, found.user_id) == (None, BSUID)


def test_a_message_that_failed_at_once_has_no_receipt() -> None:
    found = SENDER.judge(answer(200, "message_fetched_failed_200"))
    assert isinstance(found, SendError)
    assert (found.kind, found.error.code, found.window_closed) == (FINAL, "63016", True)


#: Fixture -> HTTP status, kind, code, throttle, health.
JUDGED = {
    "error_400_21211": (400, FINAL, "21211", None, None),
    "error_400_21617": (400, FINAL, "21617", None, None),
    "error_401": (401, OURS, "20003", None, HealthState.AUTH_ERROR),
    "error_404": (404, OURS, "20404", None, HealthState.PAUSED),
    "error_429": (429, THROTTLED, "20429", Throttle.ACCOUNT, None),
}


@pytest.mark.parametrize("name", sorted(JUDGED))
def test_each_documented_error_is_judged(name: str) -> None:
    status, kind, code, throttle, health = JUDGED[name]
    found = SENDER.judge(answer(status, name))
    assert isinstance(found, SendError)
    assert (found.kind, found.error.code, found.throttle, found.health) == (kind, code, throttle, health)
    assert found.error.message == fixture(name)["message"]
    assert found.error.title == TITLES[code]
    assert found.error.href == f"https://www.twilio.com/docs/api/errors/{code}"
    assert found.error.retryable is (kind is not FINAL)


def test_no_error_among_the_fixtures_is_left_out() -> None:
    assert {path.stem for path in FIXTURES.glob("error_*.json")} == set(JUDGED)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (21610, FINAL),
        (21408, FINAL),
        (63024, FINAL),
        (63049, FINAL),
        (63016, FINAL),
        (63018, THROTTLED),
        (63017, THROTTLED),
        (21611, THROTTLED),
        (63038, THROTTLED),
        (63007, OURS),
        (21603, OURS),
        (30002, OURS),
        (63051, OURS),
        (63012, RETRYABLE),
        (63019, RETRYABLE),
        (20409, RETRYABLE),
        (21609, UNKNOWN),
        (63999, FINAL),
        ("21211", FINAL),
    ],
)
def test_the_code_decides(code: int | str, kind: ErrorKind) -> None:
    """A throttle that comes as 400 is one; so is a refusal that comes as 403."""
    assert {refused(code, status).kind for status in (400, 403, 404, 409)} == {kind}


def test_only_a_closed_window_closes_the_window() -> None:
    closing = {code for code, found in CONSEQUENCES.items() if found.window_closed}
    assert closing == {"63016"}
    assert refused(63016).window_closed
    assert not refused(63015).window_closed


def test_what_is_worth_one_more_try_says_so() -> None:
    assert (refused(63019).tries, refused(63012).tries) == (2, None)


def test_every_consequence_is_whole() -> None:
    assert CONSEQUENCES.keys() == TITLES.keys()
    for code, found in CONSEQUENCES.items():
        assert (found.health is not None) == (found.kind is OURS), code
        assert (found.throttle is not None) == (found.kind is THROTTLED), code


@pytest.mark.parametrize(
    ("headers", "waits"),
    [
        ({}, None),
        ({"retry_after": "7"}, timedelta(seconds=7)),
        ({"retry_after": "1000000000"}, timedelta(hours=1)),
        ({"retry_after": "soon"}, None),
        (
            {"retry_after": "Sun, 22 Nov 2026 15:05:05 GMT", "date": "Sun, 22 Nov 2026 15:04:05 GMT"},
            timedelta(minutes=1),
        ),
    ],
)
def test_a_throttle_waits_as_long_as_it_is_told(headers: dict[str, str], waits: timedelta | None) -> None:
    found = SENDER.judge(answer(429, "error_429", **headers))
    assert isinstance(found, SendError)
    assert found.retry_after == waits


def test_a_quota_waits_though_nothing_is_told() -> None:
    assert refused(63038).retry_after == timedelta(hours=1)
    assert refused(63038, retry_after="5").retry_after == timedelta(seconds=5)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b""),
        (500, {"code": 20500, "message": "Internal Server Error", "status": 500}),
        (503, {"code": 20503, "message": "Service Unavailable", "status": 503}),
        (500, {"code": 77777, "message": "?"}),
        (502, b"<html>Bad Gateway</html>"),
        (504, b""),
        (201, b""),
        (201, b"<html>"),
        (201, b'{"sid": "SM0cc1'),
        (201, {}),
        (201, []),
        (201, {"sid": None, "status": "queued"}),
        (200, {"status": "queued"}),
        (204, b""),
        (302, b""),
        (307, {"sid": "SM1"}),
    ],
)
def test_of_what_nobody_can_tell_the_fate_is_unknown(status: int, body: object) -> None:
    found = SENDER.judge(answer(status, body))
    assert isinstance(found, SendError)
    assert (found.kind, found.error.retryable) == (UNKNOWN, False)
    assert str(status) in (found.error.message or "") or found.error.code


@pytest.mark.parametrize("code", [21211, 21610, 20003, 63018])
def test_a_plain_word_on_the_message_counts_although_something_broke(code: int) -> None:
    assert refused(code, 500).kind is CONSEQUENCES[str(code)].kind


@pytest.mark.parametrize(
    ("status", "kind"), [(400, RETRYABLE), (403, RETRYABLE), (408, RETRYABLE), (401, OURS), (429, THROTTLED)]
)
def test_a_refusal_that_is_not_twilios_never_ends_a_message(status: int, kind: ErrorKind) -> None:
    """Twilio gives a code with each; what has none was made by a proxy, and never came to Twilio."""
    found = SENDER.judge(answer(status, b"<html>Access denied</html>"))
    assert isinstance(found, SendError)
    assert (found.kind, found.error.code) == (kind, None)
    assert str(status) in (found.error.message or "")
    assert "Access denied" not in repr(found)


def test_no_credential_stays_in_a_text() -> None:
    said = "AuthToken=5a1e0d9307b8f4a26c0f3c1e8a9b7d4c is wrong"
    found = SENDER.judge(answer(401, {"code": 20003, "message": said}))
    assert isinstance(found, SendError)
    assert "5a1e0d93" not in repr(found)


@pytest.mark.parametrize(
    ("code", "kind", "closes"),
    [("63016", FINAL, True), ("63018", THROTTLED, False), ("21610", FINAL, False), ("63007", OURS, False)],
)
def test_a_callbacks_code_has_the_same_consequence(code: str, kind: ErrorKind, closes: bool) -> None:
    found = SENDER.reported(MessageError(code=code))
    assert found is not None
    assert (found.kind, found.window_closed) == (kind, closes)


@pytest.mark.parametrize("code", [None, "63999", "nonsense"])
def test_of_an_unknown_callback_nothing_follows(code: str | None) -> None:
    assert SENDER.reported(MessageError(code=code)) is None


KEYS = st.sampled_from(["sid", "status", "code", "error_code", "message", "to", "details"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=9) | st.sampled_from(["queued", "SM1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=9,
)


@settings(max_examples=150, deadline=None, database=None)
@given(status=st.integers(100, 599), body=VALUES | st.binary(max_size=60))
def test_every_answer_is_judged(status: int, body: Any) -> None:
    judged = SENDER.judge(answer(status, [body] if isinstance(body, str) else body))
    assert isinstance(judged, (Receipt, SendError))
    assert isinstance(judged, SendError) or (200 <= status < 300 and judged.provider_message_id)
