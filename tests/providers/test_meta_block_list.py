"""Meta's block list: one sender at a time, and answers that are two things at once."""

import pytest

from providers.meta.outbound.graph import API_VERSION
from providers.outbound import Destination, ErrorKind
from tests.providers.meta_sends import (
    BASE,
    BLOCKS,
    NUMBER_ID,
    PHONE,
    TO_PHONE,
    account,
    answer,
    failed,
    fixture,
    loaded,
)

TO_OTHER = Destination(user_id="US.70331845520917746028")


@pytest.mark.parametrize(("blocked", "method"), [(True, "POST"), (False, "DELETE")])
def test_a_sender_is_blocked_and_unblocked_alike(blocked: bool, method: str) -> None:
    request = BLOCKS.change(account(), base_url=BASE, who=TO_PHONE, blocked=blocked)
    assert (request.method, request.url) == (method, f"{BASE}/{API_VERSION}/{NUMBER_ID}/block_users")
    assert loaded(request) == {"messaging_product": "whatsapp", "block_users": [{"user": PHONE}]}
    assert request.authorization is not None


def test_the_documented_request_names_each_as_we_do() -> None:
    made = [loaded(BLOCKS.change(account(), base_url=BASE, who=who, blocked=True)) for who in (TO_PHONE, TO_OTHER)]
    together = {"messaging_product": "whatsapp", "block_users": [one["block_users"][0] for one in made]}
    assert together == fixture("req_block_users")


@pytest.mark.parametrize("name", ["resp_block_users_ok", "resp_unblock_users_ok"])
def test_either_way_of_saying_done_counts(name: str) -> None:
    assert BLOCKS.changed(answer(fixture(name))) is None


def test_a_mixed_answer_tells_why_by_the_senders_own_error() -> None:
    found = failed(BLOCKS.changed(answer(fixture("resp_block_users_partial_http400"), 400)))
    assert (found.kind, found.error.code) == (ErrorKind.FINAL, "131047")
    assert found.error.details == "Only users that messaged the business in the last 24 hours can be blocked."


def test_a_sender_left_as_it_is_without_a_reason_is_no_success() -> None:
    both = {"block_users": {"added_users": [{"input": "x"}], "failed_users": [{"input": PHONE}]}}
    assert BLOCKS.changed(answer(both)) is not None
    with_error = both | {"error": {"code": 139100, "message": "Failed"}}
    assert failed(BLOCKS.changed(answer(with_error, 400))).error.code == "139100"


@pytest.mark.parametrize(
    ("payload", "status", "kind"),
    [
        (fixture("error_blocklist_concurrent_139102"), 400, ErrorKind.RETRYABLE),
        ({"error": {"code": 139101}}, 400, ErrorKind.FINAL),
        (fixture("error_invalid_token_190"), 401, ErrorKind.OURS),
        ({"messaging_product": "whatsapp"}, 200, ErrorKind.RETRYABLE),
        (b"<html>", 504, ErrorKind.RETRYABLE),
    ],
)
def test_what_was_not_done_says_what_follows(payload: object, status: int, kind: ErrorKind) -> None:
    assert failed(BLOCKS.changed(answer(payload, status))).kind is kind
