"""`X-Twilio-Signature`: the vectors of the protocol, and everything that must not pass."""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.base import JSON, Account, WebhookRequest
from providers.twilio import PROVIDER
from providers.twilio.parameters import MAX_FORM_BYTES, MAX_PARAMETERS
from runtime.crypto import Secret
from tests.fixtures.twilio.conformance import FORM, KIT, signature
from tests.support.signing import hmac_by_hand

DOCUMENT: dict[str, Any] = json.loads((Path(KIT.folder) / "vectors" / "signatures.json").read_text("utf-8"))
VECTORS: list[dict[str, Any]] = DOCUMENT["vectors"]
BY_NUMBER = {vector["name"].split()[0]: vector for vector in VECTORS}
TOKEN = DOCUMENT["auth_token"]
SHARED_KEY = BY_NUMBER["V18"]["key"]
HEADER = "x-twilio-signature"
SETTINGS = "x-twilio-webhooks-signature-settings"

every_vector = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"].split()[0])


def account(*tokens: str, shared: str | None = SHARED_KEY) -> Account:
    secrets = {"authToken": tuple(Secret(one) for one in tokens or (TOKEN,))}
    if shared is not None:
        secrets["webhookSharedKey"] = (Secret(shared),)
    return Account(id="cfg_1", provider="twilio", fields={}, secrets=secrets)


def request_of(vector: dict[str, Any], *, origin: str | None = None) -> WebhookRequest:
    """Make the request of a vector, as an app sees it that takes `origin` for its own address."""
    scheme, _, rest = vector["url"].partition("://")
    authority, slash, target = rest.partition("/")
    headers = {"content-type": FORM, HEADER: vector["signature"]}
    body = b"&".join(b"=".join(map(quoted, pair)) for pair in vector.get("params", []))
    if "body" in vector:
        body, headers["content-type"] = vector["body"].encode(), JSON
    if "key" in vector:
        headers[SETTINGS] = "key=webhooks_sharedkey_01,algorithm=HMAC_SHA256"
    return WebhookRequest(
        method="POST",
        target=slash + target,
        headers=headers,
        body=body,
        public_url=f"{scheme}://{authority}" if origin is None else origin,
    )


def quoted(value: str) -> bytes:
    return KIT.encode({"": value})[1:]


def passes(request: WebhookRequest, holder: Account | None = None) -> bool:
    return PROVIDER.verify(request, holder or account())


def vector(number: str, **of: Any) -> WebhookRequest:
    return request_of(BY_NUMBER[number], **of)


def test_there_are_eighteen_vectors() -> None:
    assert sorted(BY_NUMBER) == sorted(f"V{number}" for number in range(1, 19))


@every_vector
def test_a_vector_verifies(vector: dict[str, Any]) -> None:
    assert passes(request_of(vector))


@every_vector
def test_a_vector_fails_with_any_other_token(vector: dict[str, Any]) -> None:
    assert not passes(request_of(vector), account(TOKEN[::-1], shared=TOKEN))
    assert not passes(request_of(vector), account("", shared=""))
    assert not passes(request_of(vector), Account(id="cfg_1", provider="twilio", fields={}, secrets={}))


@every_vector
def test_any_flipped_byte_of_a_vector_fails(vector: dict[str, Any]) -> None:
    request = request_of(vector)
    forged = [*flipped_signature(request), *flipped_target(request), *KIT.flipped_bodies(request)]
    assert len(forged) > len(request.target) + len(vector["signature"])
    assert [one for one in forged if passes(one)] == []


def flipped_signature(request: WebhookRequest) -> Iterator[WebhookRequest]:
    for text in flipped(request.headers[HEADER]):
        yield replace(request, headers={**request.headers, HEADER: text})


def flipped_target(request: WebhookRequest) -> Iterator[WebhookRequest]:
    for text in flipped(request.target):
        yield replace(request, target=text)


def flipped(text: str) -> Iterator[str]:
    for index, character in enumerate(text):
        for bit in range(7):
            yield text[:index] + chr(ord(character) ^ 1 << bit) + text[index + 1 :]


@every_vector
def test_a_vector_fails_over_another_scheme_or_host(vector: dict[str, Any]) -> None:
    for origin in ("http://hooks.example.net", "https://hooks.example.com", "https://hooks.example.net.evil", ""):
        assert not passes(request_of(vector, origin=origin))


def test_a_trailing_space_is_part_of_the_message() -> None:
    request = vector("V1")
    assert not passes(replace(request, body=request.body.replace(b"Hello+there", b"Hello+there+")))


def test_a_removed_parameter_fails_even_an_empty_one() -> None:
    for number in ("V1", "V4"):
        request = vector(number)
        parts = request.body.split(b"&")
        for index in range(len(parts)):
            body = b"&".join(parts[:index] + parts[index + 1 :])
            # V1 and V4 hold no parameter twice, so each one counts.
            assert not passes(replace(request, body=body))


def test_an_added_parameter_fails_even_an_unknown_empty_one() -> None:
    request = vector("V1")
    for extra in (b"&Novel=1", b"&Novel=", b"&Novel"):
        assert not passes(replace(request, body=request.body + extra))


def test_order_and_percent_encoding_of_parameters_do_not_matter() -> None:
    request = vector("V8")
    reversed_body = b"&".join(reversed(request.body.split(b"&")))
    for body in (reversed_body, request.body.replace(b"+", b"%20"), request.body.replace(b"%2B", b"%2b")):
        assert passes(replace(request, body=body))


def test_a_repeated_parameter_counts_each_different_value_once() -> None:
    request = vector("V6")
    assert passes(replace(request, body=b"Tag=alpha&Tag=beta&Body=x"))
    assert not passes(replace(request, body=b"Tag=beta&Body=x"))


@pytest.mark.parametrize(
    ("number", "seen"),
    [
        ("V9", "https://hooks.example.net:443"),
        ("V10", "https://hooks.example.net"),
        ("V12", "https://hooks.example.net:8443"),
        ("V13", "https://hookuser:s3cret@hooks.example.net:443"),
    ],
)
def test_a_port_may_be_added_or_removed_on_either_side(number: str, seen: str) -> None:
    assert passes(vector(number, origin=seen))


@pytest.mark.parametrize(
    ("number", "seen"),
    [
        ("V10", "https://hooks.example.net:8443"),
        ("V11", "https://hooks.example.net"),
        ("V11", "https://hooks.example.net:443"),
        ("V13", "https://hooks.example.net"),
        ("V13", "https://other:s3cret@hooks.example.net"),
    ],
)
def test_another_port_or_user_is_another_url(number: str, seen: str) -> None:
    assert not passes(vector(number, origin=seen))


def test_a_user_in_our_url_may_be_left_out_by_the_signer() -> None:
    assert passes(vector("V9", origin="https://hookuser:s3cret@hooks.example.net"))


def test_a_public_url_with_a_path_is_signed_with_it() -> None:
    request = vector("V9")
    stripped = replace(request, public_url=f"{request.public_url}/twilio", target="/wa/inbound")
    assert passes(stripped)


def test_forwarded_headers_change_nothing() -> None:
    """The URL is ours to say: whoever may send a header could choose what is checked otherwise."""
    forwarded = {"x-forwarded-proto": "https", "x-forwarded-host": "hooks.example.net", "host": "hooks.example.net"}
    wrong = vector("V1", origin="https://elsewhere.example")
    assert not passes(replace(wrong, headers={**wrong.headers, **forwarded}))
    right = vector("V1")
    misleading = dict.fromkeys(forwarded, "elsewhere.example")
    assert passes(replace(right, headers={**right.headers, **misleading}))


@pytest.mark.parametrize("number", ["V15", "V16"])
def test_a_body_that_is_no_form_needs_its_digest_in_the_url(number: str) -> None:
    request = vector(number)
    assert not passes(replace(request, body=request.body + b" "))
    assert not passes(replace(request, body=b""))
    assert not passes(replace(request, headers={**request.headers, "content-type": FORM}))
    path = request.target.partition("?")[0]
    signed_without = replace(request, target=path, headers={**request.headers, HEADER: sign(path, b"")})
    assert not passes(signed_without), "whoever strips the digest gets no unsigned body through"


def test_the_last_digest_in_the_url_counts_since_twilio_appends_it() -> None:
    body = b'{"MessageSid":"SM1"}'
    theirs = f"bodySHA256={hashlib.sha256(body).hexdigest()}"
    for query, expected in ((f"bodySHA256=00&{theirs}", True), (f"{theirs}&bodySHA256=00", False)):
        target = f"/twilio?{query}"
        headers = {"content-type": JSON, HEADER: sign(target, b"")}
        request = WebhookRequest(
            method="POST", target=target, headers=headers, body=body, public_url="https://hooks.example.net"
        )
        assert passes(request) is expected


def test_a_right_digest_under_a_wrong_signature_fails() -> None:
    request = vector("V15")
    body = b'{"identity":"somebody else"}'
    digest = hashlib.sha256(body).hexdigest()
    assert not passes(replace(request, body=body, target=f"/twilio/wa/inbound?bodySHA256={digest}"))


def test_a_request_without_parameters_is_signed_by_its_url_alone() -> None:
    request = vector("V5")
    for kind in ("", FORM, JSON):
        assert passes(replace(request, headers={**request.headers, "content-type": kind}))
        get = replace(request, method="GET", headers={**request.headers, "content-type": kind})
        assert passes(get)
    assert not passes(replace(request, body=b"Body=hi"))


def test_both_tokens_pass_during_rotation() -> None:
    assert passes(vector("V1"), account("a-newer-token", TOKEN))
    assert passes(vector("V1"), account(TOKEN, "an-older-token"))
    assert not passes(vector("V1"), account("a-newer-token", "an-older-token"))


def test_a_shared_key_signs_only_by_its_own_algorithm() -> None:
    request = vector("V18")
    assert not passes(request, account(SHARED_KEY, shared=None)), "the token is no shared key"
    without = {name: value for name, value in request.headers.items() if name != SETTINGS}
    assert not passes(replace(request, headers=without))
    for asked in ("", "algorithm=", "algorithm=HMAC_SHA1", "algorithm=none", "key=x,algorithm=HMAC_SHA512"):
        assert not passes(replace(request, headers={**request.headers, SETTINGS: asked}))


def test_an_algorithm_we_do_not_know_is_no_weaker_one() -> None:
    request = vector("V18")
    made = signature(BY_NUMBER["V18"]["url"], request.body, SHARED_KEY)
    asked = {SETTINGS: "key=x,algorithm=HMAC_SHA1", HEADER: made}
    assert not passes(replace(request, headers={**request.headers, **asked}))


def test_the_settings_header_never_falls_back_to_the_token() -> None:
    request = vector("V9")
    for asked in ("", "algorithm=HMAC_SHA1", "key=x,algorithm=HMAC_SHA256", "algorithm=unheard_of"):
        assert not passes(replace(request, headers={**request.headers, SETTINGS: asked}))


@pytest.mark.parametrize(
    "header",
    [
        "",
        "=",
        "am+GUv0zG4QLcXnHqHDl0Udsv2I",
        " am+GUv0zG4QLcXnHqHDl0Udsv2I=",
        "am+GUv0zG4QLcXnHqHDl0Udsv2I=\n",
        "ä" * 28,
        "\ud800" * 28,
        "am+GUv0zG4QLcXnHqHDl0Udsv2J=",
        "am+GUv0zG4QLcXnHqHDl0Udsv2I=,am+GUv0zG4QLcXnHqHDl0Udsv2I=",
    ],
)
def test_an_odd_signature_is_refused_without_a_fault(header: str) -> None:
    request = vector("V1")
    assert not passes(replace(request, headers={**request.headers, HEADER: header}))


def test_a_missing_signature_is_refused() -> None:
    request = vector("V1")
    assert not passes(replace(request, headers={"content-type": FORM}))


@pytest.mark.parametrize(
    "body",
    [
        b"Body=\xff",
        b"Body=%FF",
        b"&".join(b"k%d=1" % index for index in range(MAX_PARAMETERS + 1)),
        b"Body=" + b"x" * MAX_FORM_BYTES,
    ],
    ids=["bytes", "escapes", "many", "long"],
)
def test_a_form_that_twilio_never_sends_is_refused_although_signed(body: bytes) -> None:
    text = "https://hooks.example.net/" + body.decode("latin-1").replace("=", "").replace("&", "")
    made = base64.b64encode(hmac_by_hand(TOKEN.encode(), text.encode(), "sha1")).decode()
    request = WebhookRequest(
        method="POST",
        target="/",
        headers={"content-type": FORM, HEADER: made},
        body=body,
        public_url="https://hooks.example.net",
    )
    assert not passes(request)


@settings(max_examples=300, deadline=None, database=None)
@given(
    body=st.binary(max_size=60),
    target=st.text(max_size=30),
    url=st.text(max_size=30)
    | st.sampled_from(["https://[::1", "https://a:b", "https://@:99999/", "://", "https://[::1]:8"]),
    headers=st.dictionaries(st.sampled_from([HEADER, SETTINGS]), st.text(max_size=30) | st.just("A" * 27 + "=")),
    kind=st.sampled_from([FORM, JSON, "", "text/plain"]),
)
def test_verify_is_total(body: bytes, target: str, url: str, headers: dict[str, str], kind: str) -> None:
    request = WebhookRequest(
        method="POST", target=target, headers={**headers, "content-type": kind}, body=body, public_url=url
    )
    assert passes(request) is False


@settings(max_examples=200, deadline=None, database=None)
@given(
    pairs=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6), st.text(
        st.characters(exclude_categories=["Cs"]), max_size=12), min_size=1, max_size=6),
    query=st.from_regex(r"[a-z0-9=&%+.~-]{0,20}", fullmatch=True),
)  # fmt: skip
def test_whatever_twilio_signs_verifies(pairs: dict[str, str], query: str) -> None:
    target = f"/twilio?{query}"
    body = KIT.encode(pairs)
    request = WebhookRequest(
        method="POST",
        target=target,
        headers={"content-type": FORM, HEADER: sign(target, body)},
        body=body,
        public_url="https://hooks.example.net",
    )
    assert passes(request)


def sign(target: str, form: bytes) -> str:
    return signature(f"https://hooks.example.net{target}", form, TOKEN)
