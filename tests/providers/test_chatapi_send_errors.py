"""What follows from each answer of ChatAPI's and 1msg's: taken is what says `sent` true, and nothing else."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.message import MessageError
from models.values import MessageStatus
from models.whatsapp_config import HealthState
from providers.outbound import ErrorKind, Receipt, SendError, Throttle
from tests.providers.chatapi_sends import FIXTURES, ONE_MSG, TOKEN, WEB, answer, fixture

FINAL, OURS, THROTTLED = ErrorKind.FINAL, ErrorKind.OURS, ErrorKind.THROTTLED
RETRYABLE, UNKNOWN = ErrorKind.RETRYABLE, ErrorKind.UNKNOWN
LINKED_LATER = "Message has been queued: account is not authenticated, it will be sent after authorization"

#: Answer to a send -> the receipt.
RECEIPTS: dict[str, Receipt] = {
    "response_send_ok": Receipt(
        provider_message_id="true_447700900201@c.us_3EB0F1584B995A477098", metadata={"queueNumber": 101}
    ),
    "response_send_ok_no_queue_number": Receipt(provider_message_id="true_447700900201@c.us_3EB0AB0FD361FDE5C362"),
    "response_send_queued_unauthenticated": Receipt(
        provider_message_id="true_447700900201@c.us_3EB00055C74F1290CE6B",
        provider_status=LINKED_LATER,
        metadata={"queueNumber": 102},
    ),
    "response_onemsg_send_ok": Receipt(provider_message_id="gBGGSRVVVQASAgkEXAMPLE-10"),
}
#: Answer -> HTTP status, kind, closes the window, health.
REFUSALS: dict[str, tuple[int, ErrorKind, bool, HealthState | None]] = {
    "response_send_failed_message_only": (200, FINAL, True, None),
    "response_send_failed_wrong_chat_id": (200, FINAL, False, None),
    "response_401_wrong_token": (401, OURS, False, HealthState.AUTH_ERROR),
    "response_onemsg_429": (429, THROTTLED, False, None),
}
#: Answers to other calls. As the answer to a send they say nothing, or something else than that it was taken.
OTHERS: dict[str, ErrorKind] = {
    "response_actions_queue": UNKNOWN,
    "response_clear_messages_queue": FINAL,
    "response_dialogs": UNKNOWN,
    "response_instance_statuses": UNKNOWN,
    "response_messages": UNKNOWN,
    "response_messages_queue": UNKNOWN,
    "response_read_chat": UNKNOWN,
    "response_settings_updated": UNKNOWN,
    "response_status_authenticated": UNKNOWN,
    "response_status_full_loading": UNKNOWN,
    "response_status_qr": UNKNOWN,
    "response_webhook_set": FINAL,
    "response_webhook_status": UNKNOWN,
    "response_onemsg_hook_info": UNKNOWN,
    "response_onemsg_read_ok": UNKNOWN,
    "response_onemsg_status": UNKNOWN,
    "response_onemsg_templates": UNKNOWN,
}


def refused(status: int, body: object, **headers: str) -> SendError:
    found = WEB.judge(answer(status, body, **headers))
    assert isinstance(found, SendError)
    assert found == ONE_MSG.judge(answer(status, body, **headers))
    assert found.error.kind == found.kind
    assert found.error.retryable is (found.kind in {RETRYABLE, THROTTLED, OURS})
    assert found.error.message
    return found


def test_every_answer_among_the_fixtures_is_judged() -> None:
    found = {path.stem for name in ("chatapi", "onemsg") for path in (FIXTURES / name).glob("response_*.json")}
    assert found == {*RECEIPTS, *REFUSALS, *OTHERS}


@pytest.mark.parametrize("name", sorted(RECEIPTS))
def test_a_message_taken_has_a_receipt(name: str) -> None:
    assert WEB.judge(answer(200, name)) == RECEIPTS[name]
    assert RECEIPTS[name].status is MessageStatus.ACCEPTED


@pytest.mark.parametrize("name", sorted(REFUSALS))
def test_each_documented_refusal_is_judged(name: str) -> None:
    status, kind, closes, health = REFUSALS[name]
    found = refused(status, name)
    assert (found.kind, found.window_closed, found.health) == (kind, closes, health)
    assert (found.throttle is Throttle.NUMBER) is (kind is THROTTLED)


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_no_other_answer_is_taken_for_a_receipt(name: str) -> None:
    assert refused(200, name).kind is OTHERS[name]


def test_without_an_id_the_number_in_the_queue_is_kept() -> None:
    found = WEB.judge(answer(200, {"sent": True, "message": "ok", "queueNumber": "17"}))
    assert found == Receipt(provider_message_id=None, metadata={"queueNumber": 17})


@pytest.mark.parametrize("sent", [1, "true", "1", None, [], {}, 0])
def test_only_true_is_true(sent: object) -> None:
    assert refused(200, {"sent": sent, "id": "true_1@c.us_3EB0"}).kind is UNKNOWN


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Wrong chatId format. Expected something like 12345@c.us", FINAL),
        ("Body is empty", FINAL),
        ("File not available", FINAL),
        ("Request timed out", RETRYABLE),
        ("Timeout of 30000ms exceeded", RETRYABLE),
        ("Sending timed-out", RETRYABLE),
        ("Something went wrong, please try again", RETRYABLE),
        ("Internal server error", RETRYABLE),
        ("A file called internals.pdf is refused", FINAL),
        ("Too many requests", THROTTLED),
        ("Instance is not paid", OURS),
        ("not_paid", OURS),
        ("Your subscription is over", OURS),
    ],
)
def test_the_words_of_a_refusal_decide(text: str, kind: ErrorKind) -> None:
    for status, body in ((200, {"sent": False, "message": text}), (200, {"message": text}), (400, {"error": text})):
        found = refused(status, body)
        assert (found.kind, found.error.message) == (kind, text)
        assert (found.health is HealthState.PAUSED) is (kind is OURS)


def test_a_refusal_without_a_word_is_one() -> None:
    assert refused(200, {"sent": False}).kind is FINAL


@pytest.mark.parametrize("text", ["Session is closed, use a template", "More than 24 hours have passed", "24h window"])
def test_a_closed_session_closes_the_window(text: str) -> None:
    found = refused(200, {"sent": False, "message": text})
    assert (found.kind, found.window_closed) == (FINAL, True)


@pytest.mark.parametrize(
    ("error", "closes", "health"),
    [
        (MessageError(code="131047", title="Re-engagement message"), True, None),
        (MessageError(message="Re-engagement message"), True, None),
        (MessageError(details="more than 24 hours have passed since the customer last replied"), True, None),
        (MessageError(message="Business eligibility payment issue"), False, HealthState.PAUSED),
    ],
)
def test_the_error_of_a_failed_ack_of_1msg_has_its_consequence(
    error: MessageError, closes: bool, health: HealthState | None
) -> None:
    found = ONE_MSG.reported(error)
    assert found is not None
    assert (found.window_closed, found.health) == (closes, health)


def test_a_failed_ack_about_one_person_has_no_consequence_for_others() -> None:
    assert ONE_MSG.reported(MessageError(message="User's number is part of an experiment")) is None
    assert ONE_MSG.reported(MessageError()) is None
    assert WEB.reported(MessageError(message="Session is closed")) is None


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, {"error": "oops"}),
        (500, {"sent": False, "message": "no"}),
        (502, b"<html>Bad Gateway</html>"),
        (503, b""),
        (200, b"<html>hello</html>"),
        (200, b""),
        (200, b'{"sent": tr'),
        (200, {}),
        (200, []),
        (200, True),
        (302, b""),
        (301, {"sent": True, "id": "x"}),
        (404, b"<html>not here</html>"),
    ],
)
def test_of_what_nobody_can_tell_the_fate_is_unknown(status: int, body: object) -> None:
    found = refused(status, body)
    assert (found.kind, found.error.retryable) == (UNKNOWN, False)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, {"error": f'Wrong token "{TOKEN}" for instance "318842". Please provide token as a GET parameter.'}),
        (401, {"error": f"Wrong token '{TOKEN}' for channel 463107."}),
        (401, f"Wrong token {TOKEN}".encode()),
        (200, {"error": f'Wrong token "{TOKEN}" for instance "318842". Please provide token as a GET parameter.'}),
        (403, {"error": f'Wrong token "{TOKEN}"'}),
        (400, {"error": f'Bad request for token "{TOKEN}"'}),
        (500, {"error": f"/instance318842/sendMessage?token={TOKEN} failed"}),
        (400, {"error": f"/instance318842/sendMessage?token={TOKEN} failed"}),
    ],
)
def test_the_token_that_an_answer_quotes_is_kept_nowhere(status: int, body: object) -> None:
    assert TOKEN not in repr(refused(status, body))


def test_a_wrong_token_is_the_accounts_trouble_whatever_the_status() -> None:
    for status in (200, 400, 401, 403, 404, 429):
        for text in (f'Wrong token "{TOKEN}" for instance "318842".', f"Wrong token {TOKEN} for channel 463107"):
            found = refused(status, {"error": text})
            assert (found.kind, found.health) == (OURS, HealthState.AUTH_ERROR)
            assert TOKEN not in repr(found)


@pytest.mark.parametrize("body", [b"Channel is blocked", b"Trial is over", b"", b"<html>", {"error": "blocked"}])
def test_a_blocked_channel_pauses_the_account(body: object) -> None:
    found = refused(403, body)
    assert (found.kind, found.health) == (OURS, HealthState.PAUSED)
    assert "<html>" not in repr(found)


def test_why_a_channel_is_blocked_is_kept() -> None:
    assert refused(403, b"Channel is blocked\n").error.message == "Channel is blocked"


@pytest.mark.parametrize(
    ("text", "kind"), [("Unknown instance 318842", OURS), ("Channel not found", OURS), ("Unknown method", FINAL)]
)
def test_what_is_not_found_is_the_account_or_the_message(text: str, kind: ErrorKind) -> None:
    assert refused(404, {"error": text}).kind is kind


def test_a_throttle_waits_as_long_as_it_is_told() -> None:
    assert refused(429, "response_onemsg_429", retry_after="7").retry_after == timedelta(seconds=7)
    assert refused(429, b"slow down").kind is THROTTLED


@pytest.mark.parametrize(
    ("status", "body", "taken"),
    [
        (200, "response_read_chat", True),
        (200, "response_onemsg_read_ok", True),
        (200, b"", True),
        (401, "response_401_wrong_token", False),
        (500, b"", False),
        (200, {"error": "Wrong token"}, False),
    ],
)
def test_a_read_receipt_is_taken_unless_it_is_refused(status: int, body: object, taken: bool) -> None:
    for sender in (WEB, ONE_MSG):
        assert (sender.taken(answer(status, body)) is None) is taken


KEYS = st.sampled_from(["sent", "id", "message", "error", "queueNumber", "description"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=9,
)


@settings(max_examples=150, deadline=None, database=None)
@given(status=st.integers(100, 599), body=VALUES | st.binary(max_size=60))
def test_every_answer_is_judged(status: int, body: Any) -> None:
    judged = WEB.judge(answer(status, [body] if isinstance(body, str) else body))
    assert isinstance(judged, SendError) or (200 <= status < 300 and body["sent"] is True)


def test_the_fixture_of_a_wrong_token_quotes_one() -> None:
    assert 'Wrong token "' in fixture("response_401_wrong_token")["error"]
