"""Meta's media calls: fresh addresses, who gets the token, uploads."""

import base64
from datetime import timedelta

import pytest

from models.message import Media
from providers.meta.outbound.graph import API_VERSION
from providers.outbound import ErrorKind, MediaSource
from tests.providers.meta_sends import BASE, MEDIA, NUMBER_ID, TOKEN, account, answer, failed, fixture

URL = "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1480226193371558&ext=1793101500&hash=ARexample"
DIGEST = "b29814cf5792e684cd75d6a7fce7a67a11887e312f87ca2ac2496d81f365ff72"


def test_a_file_is_looked_up_by_its_id_and_our_number() -> None:
    request = MEDIA.look_up(account(), base_url=BASE, media=Media(media_id="1480226193371558", source_url=URL))
    assert request is not None
    assert (request.method, request.body) == ("GET", b"")
    assert request.url == f"{BASE}/{API_VERSION}/1480226193371558?phone_number_id={NUMBER_ID}"
    assert request.authorization is not None
    assert request.authorization.reveal() == f"Bearer {TOKEN}"


@pytest.mark.parametrize("media_id", [None, "", "..", "1/2", "1?x=1", "1#x", "a b", "9" * 129])
def test_what_is_no_id_is_not_looked_up(media_id: str | None) -> None:
    assert MEDIA.look_up(account(), base_url=BASE, media=Media(media_id=media_id, source_url=URL)) is None


@pytest.mark.parametrize("name", ["resp_media_get", "resp_media_get_numeric_size"])
def test_a_file_is_found_with_all_that_is_known_of_it(name: str) -> None:
    found = MEDIA.found(answer(fixture(name)))
    assert found == MediaSource(url=URL, mime_type="image/jpeg", sha256=DIGEST, size=184213)


@pytest.mark.parametrize(
    ("digest", "read"),
    [
        (base64.b64encode(bytes.fromhex(DIGEST)).decode(), DIGEST), (DIGEST.upper(), DIGEST), ("garbage", None),
        (None, None),
    ],
)  # fmt: skip
def test_a_digest_is_hex_whatever_its_spelling(digest: str | None, read: str | None) -> None:
    found = MEDIA.found(answer(fixture("resp_media_get") | {"sha256": digest}))
    assert isinstance(found, MediaSource)
    assert found.sha256 == read


@pytest.mark.parametrize(("size", "read"), [("184213", 184213), (0, 0), (-1, None), ("big", None), (None, None)])
def test_a_size_is_a_number_or_none(size: object, read: int | None) -> None:
    found = MEDIA.found(answer(fixture("resp_media_get") | {"file_size": size}))
    assert isinstance(found, MediaSource)
    assert found.size == read


@pytest.mark.parametrize("payload", [{}, [], b"", b"<html>", {"url": ""}, {"url": 7.5}])
def test_an_answer_without_an_address_is_asked_for_again(payload: object) -> None:
    assert failed(MEDIA.found(answer(payload))).kind is ErrorKind.RETRYABLE


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [
        ("error_unsupported_get_100_33", 400, ErrorKind.FINAL),
        ("error_invalid_param_100", 400, ErrorKind.FINAL),
        ("error_expired_token_190", 401, ErrorKind.OURS),
        ("error_app_rate_4", 400, ErrorKind.THROTTLED),
        ("error_service_unavailable_2", 503, ErrorKind.RETRYABLE),
    ],
)
def test_a_look_up_that_fails_says_what_follows(name: str, status: int, kind: ErrorKind) -> None:
    found = failed(MEDIA.found(answer(fixture(name), status)))
    assert found.kind is kind
    assert (found.health is not None) == (kind is ErrorKind.OURS)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_reading_may_be_tried_again_whatever_the_edge_says(status: int) -> None:
    assert failed(MEDIA.found(answer(b"", status))).kind is ErrorKind.RETRYABLE


def test_only_a_trusted_host_gets_the_token() -> None:
    trusted = MEDIA.download(account(), url=URL, trusted=True)
    assert trusted.authorization is not None
    assert trusted.authorization.reveal() == f"Bearer {TOKEN}"
    other = MEDIA.download(account(), url="https://files.example/1", trusted=False)
    assert (other.method, other.url, other.authorization) == ("GET", "https://files.example/1", None)
    assert trusted.headers["user-agent"]


def test_the_token_goes_to_metas_own_hosts_alone() -> None:
    assert MEDIA.trusted_hosts == {"lookaside.fbsbx.com"}
    assert all(host.endswith((".fbsbx.com", ".fbcdn.net", ".whatsapp.net")) for host in MEDIA.hosts)
    assert MEDIA.hosts


def test_a_file_is_handed_over_as_a_form() -> None:
    request = MEDIA.upload(account(), base_url=BASE, file_name="quote.pdf", mime_type="application/pdf")
    assert request is not None
    assert (request.method, request.url) == ("POST", f"{BASE}/{API_VERSION}/{NUMBER_ID}/media")
    assert request.form == {"messaging_product": "whatsapp", "type": "application/pdf"}
    assert request.file is not None
    assert (request.file.field, request.file.file_name, request.file.mime_type) == (
        "file", "quote.pdf", "application/pdf",
    )  # fmt: skip
    assert (request.body, "content-type" in request.headers) == (b"", False)
    assert request.authorization is not None


def test_an_upload_has_an_id() -> None:
    assert MEDIA.uploaded(answer(fixture("resp_media_upload"))) == "1480226193371558"


@pytest.mark.parametrize(
    ("payload", "status", "kind"),
    [
        ({}, 200, ErrorKind.RETRYABLE),
        (b"", 504, ErrorKind.RETRYABLE),
        ({"error": {"code": 131053}}, 400, ErrorKind.RETRYABLE),
        ({"error": {"code": 100}}, 400, ErrorKind.FINAL),
        ({"error": {"code": 190}, "id": "1"}, 401, ErrorKind.OURS),
    ],
)
def test_an_upload_that_fails_says_what_follows(payload: object, status: int, kind: ErrorKind) -> None:
    assert failed(MEDIA.uploaded(answer(payload, status))).kind is kind


def test_ids_last_as_long_as_meta_keeps_them() -> None:
    assert (MEDIA.kept, MEDIA.uploads_kept) == (timedelta(days=7), timedelta(days=30))
