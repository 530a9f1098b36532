"""Meta's answers to a send: what was taken, what follows from each code, what nobody knows."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.message import MessageError
from models.values import MessageStatus
from providers.meta.outbound.errors import MEANINGS
from providers.outbound import ErrorKind, Receipt, Throttle
from runtime.calls import HttpAnswer
from tests.providers.meta_sends import (
    BLOCKS,
    BOOK,
    BSUID,
    FIXTURES,
    MEDIA,
    PHONE,
    SENDER,
    TOKEN,
    answer,
    failed,
    fixture,
)

K = ErrorKind
OUT = "wamid.HBgMNDQ3NzAwOTAwMzgxFQIAERgSNkQ5NkYyOTgyOUZBOTI3NjVEAA=="
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)

#: The documented error -> what follows: kind, throttle, tries, health, window closed.
ERRORS: dict[str, tuple[ErrorKind, Throttle | None, int | None, str | None, bool]] = {
    "allowed_list_131030": (K.FINAL, None, None, None, False),
    "app_rate_4": (K.THROTTLED, Throttle.ACCOUNT, None, None, False),
    "blocklist_concurrent_139102": (K.RETRYABLE, None, None, None, False),
    "bsuid_unsupported_131062": (K.FINAL, None, None, None, False),
    "expired_token_190": (K.OURS, None, None, "auth_error", False),
    "invalid_param_100": (K.FINAL, None, None, None, False),
    "invalid_token_190": (K.OURS, None, None, "auth_error", False),
    "maintenance_131057": (K.RETRYABLE, None, None, None, False),
    "missing_param_131008": (K.FINAL, None, None, None, False),
    "not_registered_133010": (K.OURS, None, None, "paused", False),
    "pair_rate_131056": (K.THROTTLED, Throttle.PAIR, None, None, False),
    "permission_200": (K.OURS, None, None, "auth_error", False),
    "policy_368": (K.OURS, None, None, "restricted", False),
    "rate_limit_130429": (K.THROTTLED, Throttle.NUMBER, None, None, False),
    "service_unavailable_2": (K.RETRYABLE, None, None, None, False),
    "template_format_132012": (K.FINAL, None, None, None, False),
    "template_missing_132001": (K.FINAL, None, None, None, False),
    "template_params_132000": (K.FINAL, None, None, None, False),
    "unknown_131000": (K.RETRYABLE, None, 3, None, False),
    "unsupported_get_100_33": (K.OURS, None, None, "paused", False),
    "value_131009": (K.FINAL, None, None, None, False),
    "waba_rate_80007": (K.THROTTLED, Throttle.ACCOUNT, None, None, False),
    "window_131047": (K.FINAL, None, None, None, True),
    "with_user_fields": (K.FINAL, None, None, None, False),
}
#: The documented answer to a send -> number, user id and state of the recipient's.
RECEIPTS: dict[str, tuple[str | None, str | None, str | None]] = {
    "send_phone": (PHONE, None, None),
    "send_bsuid": (None, BSUID, None),
    "send_group": (None, None, None),
    "send_template_accepted": (PHONE, None, "accepted"),
    "send_template_held": (PHONE, None, "held_for_quality_assessment"),
}


def code(number: int, *, status: int = 400, headers: dict[str, str] | None = None, **more: object) -> HttpAnswer:
    """An answer that is an error with a code."""
    body = json.dumps({"error": {"message": f"(#{number}) Words", "code": number, **more}}).encode()
    return HttpAnswer(status=status, headers=headers or {}, body=body)


def test_every_documented_error_is_in_the_table() -> None:
    assert {path.stem.removeprefix("error_") for path in FIXTURES.glob("error_*.json")} == ERRORS.keys()


@pytest.mark.parametrize("status", [200, 400, 401, 403, 429, 500, 503, 504])
@pytest.mark.parametrize("name", ERRORS)
def test_the_code_decides_whatever_the_http_status(name: str, status: int) -> None:
    found = failed(SENDER.judge(answer(fixture(f"error_{name}"), status)))
    assert (found.kind, found.throttle, found.tries, found.health, found.window_closed) == ERRORS[name]
    assert found.error.retryable is (found.kind in {K.RETRYABLE, K.THROTTLED, K.OURS})
    assert found.request_id == fixture(f"error_{name}")["error"]["fbtrace_id"]


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_keeps_what_meta_says(name: str) -> None:
    said = fixture(f"error_{name}")["error"]
    error = failed(SENDER.judge(answer(fixture(f"error_{name}"), 400))).error
    assert (error.code, error.message) == (str(said["code"]), said["message"])
    assert error.title
    assert not error.title.startswith("(#")
    details = said.get("error_data", {}).get("details") or said.get("error_user_msg")
    assert error.details == details if details else error.details


@pytest.mark.parametrize("name", RECEIPTS)
def test_a_send_that_was_taken_tells_whom_meta_knows(name: str) -> None:
    found = SENDER.judge(answer(fixture(f"resp_{name}"), x_fb_trace_id="Trace1"))
    assert isinstance(found, Receipt)
    assert (found.phone, found.user_id, found.provider_status) == RECEIPTS[name]
    assert found.provider_message_id == fixture(f"resp_{name}")["messages"][0]["id"]
    assert (found.status, found.request_id) == (MessageStatus.ACCEPTED, "Trace1")


def test_every_documented_answer_to_a_send_is_in_the_table() -> None:
    assert {path.stem.removeprefix("resp_") for path in FIXTURES.glob("resp_send_*.json")} == RECEIPTS.keys()


#: Code -> kind, for codes without a documented example: throttles, our account's troubles, Meta's own.
CODES: dict[ErrorKind, tuple[int, ...]] = {
    K.THROTTLED: (4, 17, 32, 613, 80007, 130429, 131048, 131056, 131064, 133016),
    K.OURS: (0, 3, 10, 33, 190, 200, 219, 299, 131005, 131031, 131037, 131042, 131044, 131045, 133006, 133010, 368),
    K.RETRYABLE: (1, 2, 131000, 131014, 131016, 131053, 131057, 132069, 133000, 133004, 134101, 139103, 2494100),
    K.FINAL: (
        100, 1026, 130403, 130472, 130497, 131008, 131009, 131021, 131026, 131030, 131047, 131049, 131050, 131051,
        131052, 131062, 131063, 132000, 132001, 132005, 132007, 132008, 132012, 132015, 132016, 132018, 132068,
        135000, 137000, 139000, 2388299,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "number"), [(kind, one) for kind, numbers in CODES.items() for one in numbers])
def test_a_code_has_its_kind(kind: ErrorKind, number: int) -> None:
    assert failed(SENDER.judge(code(number))).kind is kind


@pytest.mark.parametrize("number", sorted(MEANINGS))
def test_every_row_says_what_can_be_done(number: int) -> None:
    found = failed(SENDER.judge(code(number)))
    assert found.error.details
    assert (found.throttle is not None) == (found.kind is K.THROTTLED)
    assert (found.health is not None) == (found.kind is K.OURS)
    assert found.tries is None or found.kind is K.RETRYABLE


@pytest.mark.parametrize(("number", "tries"), [(1, 3), (131000, 3), (131014, 3), (131053, 2), (131016, None)])
def test_some_codes_are_worth_a_few_tries_only(number: int, tries: int | None) -> None:
    assert failed(SENDER.judge(code(number))).tries == tries


@pytest.mark.parametrize("number", [7, 199, 300, 131099, 999999])
@pytest.mark.parametrize("status", [400, 404, 429])
def test_a_code_we_do_not_know_is_final_and_shown(number: int, status: int) -> None:
    found = failed(SENDER.judge(code(number, status=status)))
    assert (found.kind, found.error.code, found.error.message) == (K.FINAL, str(number), f"(#{number}) Words")


@pytest.mark.parametrize("status", [500, 503])
def test_a_code_we_do_not_know_is_tried_a_few_times_where_something_broke_at_meta(status: int) -> None:
    found = failed(SENDER.judge(code(131099, status=status)))
    assert (found.kind, found.tries, found.error.code) == (K.RETRYABLE, 3, "131099")
    assert failed(SENDER.judge(code(131026, status=status))).kind is K.FINAL


@pytest.mark.parametrize("status", [502, 504, 520, 408])
def test_a_code_we_do_not_know_of_what_may_be_a_go_between_says_nothing(status: int) -> None:
    found = failed(SENDER.judge(code(status, status=status)))
    assert (found.kind, found.error.code, found.error.retryable) == (K.UNKNOWN, str(status), False)


def test_a_code_we_do_not_know_is_tried_again_where_meta_calls_it_transient() -> None:
    assert failed(SENDER.judge(code(131099, is_transient=True))).kind is K.RETRYABLE
    assert failed(SENDER.judge(code(131099, is_transient=False))).kind is K.FINAL
    assert failed(SENDER.judge(code(131026, is_transient=True))).kind is K.FINAL


#: Bodies without a code, as edges and proxies write them.
CODELESS = [b"", b"<html><h1>Sorry</h1></html>", b'{"error": {"mess', b"{}", b'{"error": "down"}', b'{"error": {}}']


@pytest.mark.parametrize("raw", CODELESS)
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        # The status says that it was not done.
        (500, K.RETRYABLE), (503, K.RETRYABLE), (301, K.RETRYABLE), (400, K.RETRYABLE), (404, K.RETRYABLE),
        (413, K.RETRYABLE), (429, K.THROTTLED), (401, K.OURS),
        # A go-between that got no answer, or gave up waiting for one: it may have been done.
        (502, K.UNKNOWN), (504, K.UNKNOWN), (520, K.UNKNOWN), (524, K.UNKNOWN), (408, K.UNKNOWN),
        # A success without an id.
        (200, K.UNKNOWN), (202, K.UNKNOWN), (204, K.UNKNOWN), (102, K.UNKNOWN), (0, K.UNKNOWN),
    ],
)  # fmt: skip
def test_without_a_code_only_a_clear_refusal_allows_another_try(raw: bytes, status: int, kind: ErrorKind) -> None:
    found = failed(SENDER.judge(answer(raw, status)))
    assert (found.kind, found.error.code) == (kind, None)
    assert str(status) in (found.error.message or "")


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"id": None}]}, {"messages": [{}]}, {"messages": []}, {"messages": "x"}, {"messages": [7]},
        {"messages": [{"id": ""}]}, {"success": True}, {"contacts": [{"wa_id": "447700900381"}]}, [], None, "x",
    ],
)  # fmt: skip
def test_a_success_without_a_message_id_is_unknown(body: object) -> None:
    assert failed(SENDER.judge(answer(body, 200))).kind is K.UNKNOWN


def test_a_success_cut_short_is_unknown() -> None:
    whole = json.dumps(fixture("resp_send_phone")).encode()
    kinds = {failed(SENDER.judge(answer(whole[:length]))).kind for length in range(len(whole))}
    assert kinds == {K.UNKNOWN}


def test_an_id_and_an_error_together() -> None:
    both = fixture("resp_send_phone") | fixture("error_unknown_131000")
    assert isinstance(SENDER.judge(answer(both, 206)), Receipt)
    assert failed(SENDER.judge(answer(both, 500))).kind is K.UNKNOWN


@pytest.mark.parametrize(
    "error",
    [
        {"code": 190}, {"code": "190"}, {"code": 190, "error_data": "words"}, {"code": 190, "error_data": ["x"]},
        {"code": 190, "error_subcode": {}, "message": {}, "fbtrace_id": []},
    ],
)  # fmt: skip
def test_an_oddly_shaped_error_is_still_read(error: dict[str, object]) -> None:
    assert failed(SENDER.judge(answer({"error": error}, 401))).kind is K.OURS


@pytest.mark.parametrize("odd", [True, None, "x", 1.5, -1, [190], "9" * 40])
def test_what_is_no_code_decides_nothing(odd: object) -> None:
    assert failed(SENDER.judge(answer({"error": {"code": odd}}, 502))).kind is K.UNKNOWN


def test_details_that_are_a_string_are_kept() -> None:
    assert failed(SENDER.judge(code(131009, error_data="Too long"))).error.details == "Too long"


def test_what_meta_says_to_users_is_the_title() -> None:
    error = failed(SENDER.judge(answer(fixture("error_with_user_fields"), 400))).error
    assert error.title == "Leading or trailing parameters not allowed"
    assert error.details == "Variables cannot be at the start or end of the template."


def test_a_token_within_a_message_is_cut_out() -> None:
    found = failed(SENDER.judge(code(190, message=f"Malformed access token {TOKEN}")))
    assert TOKEN not in repr(found)


USAGE = json.dumps(
    {
        "209145368820417": [
            {"type": "messaging", "call_count": 100, "estimated_time_to_regain_access": 4},
            {"type": "whatsapp", "estimated_time_to_regain_access": "9"},
        ]
    }
)


@pytest.mark.parametrize(
    ("number", "headers", "wait"),
    [
        (130429, {"retry-after": "20"}, timedelta(seconds=20)),
        (130429, {"retry-after": "1000000000"}, HOUR),
        (130429, {"retry-after": "garbage"}, None),
        (80007, {"x-business-use-case-usage": USAGE}, 9 * MINUTE),
        (80007, {"x-business-use-case-usage": USAGE, "retry-after": "5"}, timedelta(seconds=5)),
        (4, {"x-business-use-case-usage": "[]"}, None),
        (4, {"x-business-use-case-usage": '{"1": [{"estimated_time_to_regain_access": 0}]}'}, None),
        (4, {"x-business-use-case-usage": '{"1": [{"estimated_time_to_regain_access": 9e9}]}'}, HOUR),
        (131057, {}, MINUTE),
        (131048, {}, HOUR),
        (131016, {"retry-after": "7"}, timedelta(seconds=7)),
        (131016, {"x-business-use-case-usage": USAGE}, None),
        (131026, {"retry-after": "7"}, None),
    ],
)
def test_the_wait_is_the_answers_or_as_the_code_lasts(number: int, headers: dict[str, str], wait: timedelta) -> None:
    assert failed(SENDER.judge(code(number, headers=headers))).retry_after == wait


def test_a_plain_429_is_waited_for() -> None:
    found = failed(SENDER.judge(answer(b"", 429, retry_after="3")))
    assert (found.throttle, found.retry_after) == (Throttle.NUMBER, timedelta(seconds=3))


def test_a_read_receipt_is_taken_or_may_be_sent_again() -> None:
    assert SENDER.taken(answer(fixture("resp_success_true"))) is None
    assert SENDER.taken(answer(b"", 200)) is None
    assert failed(SENDER.taken(answer(b"", 504))).kind is K.RETRYABLE
    assert failed(SENDER.taken(answer({"success": False}))).kind is K.FINAL
    assert failed(SENDER.taken(answer(fixture("error_expired_token_190"), 401))).kind is K.OURS
    assert failed(SENDER.taken(answer(fixture("error_value_131009"), 200))).kind is K.FINAL


@pytest.mark.parametrize("number", sorted(MEANINGS))
def test_a_code_in_a_status_means_what_it_means_in_an_answer(number: int) -> None:
    found, judged = failed(SENDER.reported(MessageError(code=str(number)))), failed(SENDER.judge(code(number)))
    assert (found.kind, found.throttle, found.health, found.window_closed, found.tries) == (
        judged.kind,
        judged.throttle,
        judged.health,
        judged.window_closed,
        judged.tries,
    )
    assert found.error.details


@pytest.mark.parametrize("number", [4, 130429, 131000, 131053, 131056])
def test_no_status_promises_that_a_message_is_tried_again(number: int) -> None:
    details = failed(SENDER.reported(MessageError(code=str(number)))).error.details
    assert details == "WhatsApp took the message but could not deliver it. It can be sent again."


def test_a_status_keeps_its_own_words() -> None:
    error = MessageError(code="131047", title="Re-engagement message", details="24 hours", href="https://a.example")
    found = failed(SENDER.reported(error))
    assert (found.error.title, found.error.details, found.error.href) == (error.title, error.details, error.href)
    assert (found.window_closed, error.kind) == (True, None)


@pytest.mark.parametrize("number", [None, "", "x", "999999", "http_500"])
def test_nothing_follows_from_a_code_in_a_status_that_we_do_not_know(number: str | None) -> None:
    assert SENDER.reported(MessageError(code=number)) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMED = st.dictionaries(st.sampled_from(["error", "messages", "contacts", "data", "block_users", "id", "url"]), JSON)
ERROR = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(["code", "error_subcode", "message", "error_data", "is_transient", "fbtrace_id"], JSON),
)


@given(
    st.integers(0, 599),
    st.one_of(st.binary(), JSON.map(str), NAMED, st.fixed_dictionaries({"error": ERROR})),
    st.dictionaries(st.sampled_from(["retry-after", "date", "x-business-use-case-usage", "x-fb-trace-id"]), st.text()),
)
def test_any_answer_is_judged(status: int, body: object, headers: dict[str, str]) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    given_ = HttpAnswer(status=status, headers=headers, body=raw)
    found = SENDER.judge(given_)
    assert isinstance(found, Receipt) or found.error.kind == found.kind
    for read in (SENDER.taken, MEDIA.found, MEDIA.uploaded, BOOK.read, BOOK.created, BOOK.deleted, BLOCKS.changed):
        read(given_)


def test_only_a_message_id_makes_a_receipt() -> None:
    """No answer documented for another call is mistaken for a send that was taken."""
    others = [path for path in FIXTURES.glob("resp_*.json") if not path.stem.startswith("resp_send_")]
    assert others
    for path in others:
        status = 400 if "http400" in path.stem else 200
        judged = failed(SENDER.judge(answer(json.loads(path.read_bytes()), status)))
        assert judged.kind in {K.UNKNOWN, K.FINAL}, path.stem


def test_the_fixtures_id_is_read_whole() -> None:
    found = SENDER.judge(answer(fixture("resp_send_phone")))
    assert isinstance(found, Receipt)
    assert found.provider_message_id == OUT
