"""Meta's signature: over the bytes received, with the app secret, and nothing else."""

import base64
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from providers.base import Account, WebhookRequest
from providers.meta import PROVIDER
from runtime.crypto import Secret
from tests.fixtures.meta.conformance import KIT
from tests.support.signing import hmac_by_hand

VECTORS: dict[str, Any] = json.loads((Path(KIT.folder) / "signature_vectors.json").read_text())
SECRET = "0f3c1e8a9b7d4c62a5e1d0937b8f4a26"
BODY = base64.b64decode(VECTORS["vectors"][0]["body_base64"])
VALID = VECTORS["vectors"][0]["x_hub_signature_256"]


def posted(body: bytes, **headers: str) -> WebhookRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return WebhookRequest(method="POST", target="/api/whatsapp/webhooks/meta", headers=named, body=body)


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["name"])
def test_a_vector_verifies_over_its_raw_bytes(vector: dict[str, Any]) -> None:
    body, account = base64.b64decode(vector["body_base64"]), KIT.account(vector["app_secret"])
    assert PROVIDER.verify(posted(body, x_hub_signature_256=vector["x_hub_signature_256"]), account)


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["name"])
def test_a_digest_over_rewritten_json_is_refused_where_it_differs(vector: dict[str, Any]) -> None:
    body, account = base64.b64decode(vector["body_base64"]), KIT.account(vector["app_secret"])
    rewritten = vector["digest_after_json_reserialise_must_not_be_used"]
    same = rewritten == vector["x_hub_signature_256"]
    assert PROVIDER.verify(posted(body, x_hub_signature_256=rewritten), account) is same


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["name"])
def test_the_sha1_signature_alone_is_not_accepted(vector: dict[str, Any]) -> None:
    body, account = base64.b64decode(vector["body_base64"]), KIT.account(vector["app_secret"])
    legacy = vector["x_hub_signature_sha1_legacy"]
    assert legacy == f"sha1={hmac_by_hand(vector['app_secret'].encode(), body, 'sha1').hex()}"
    assert not PROVIDER.verify(posted(body, x_hub_signature=legacy), account)
    assert not PROVIDER.verify(posted(body, x_hub_signature_256=legacy), account)


@pytest.mark.parametrize("header", VECTORS["invalid_headers_that_must_be_rejected"])
def test_a_listed_invalid_header_is_refused(header: str) -> None:
    assert not PROVIDER.verify(posted(BODY, x_hub_signature_256=header), KIT.account(SECRET))


@pytest.mark.parametrize(
    "header",
    [
        VALID[7:],
        VALID[:-1],
        VALID + "0",
        f" {VALID}",
        f"{VALID}\n",
        VALID.replace("sha256", "SHA256"),
        VALID.replace("sha256=", "sha256 = "),
        f"{VALID},{VALID}",
        f"{VALID}, sha256={'0' * 64}",
        "sha256=" + "４" * 64,
        "sha256=" + "é" * 64,
        "sha256=" + " 0" * 32,
        "sha256=" + "\udc80" * 64,
        "sha256=" + "0" * 64,
    ],
)
def test_a_misshapen_header_is_refused_without_an_exception(header: str) -> None:
    assert not PROVIDER.verify(posted(BODY, x_hub_signature_256=header), KIT.account(SECRET))


def test_a_missing_header_is_refused() -> None:
    assert not PROVIDER.verify(posted(BODY), KIT.account(SECRET))


def test_upper_case_hex_is_accepted() -> None:
    header = f"sha256={VALID[7:].upper()}"
    assert PROVIDER.verify(posted(BODY, x_hub_signature_256=header), KIT.account(SECRET))


def test_the_sha1_signature_beside_the_right_one_is_ignored() -> None:
    both = posted(BODY, x_hub_signature_256=VALID, x_hub_signature="sha1=" + "0" * 40)
    assert PROVIDER.verify(both, KIT.account(SECRET))


def test_every_secret_of_the_ring_is_tried_whichever_fits() -> None:
    asked: list[str] = []

    class Counting(Secret):
        def encode(self) -> bytes:
            asked.append(self.reveal())
            return super().encode()

    ring = tuple(Counting(value) for value in (SECRET, "an-older-one", "the-oldest-one"))
    account = Account(id="a", provider="meta-whatsapp", fields={}, secrets={"webhookSecret": ring})
    assert PROVIDER.verify(posted(BODY, x_hub_signature_256=VALID), account)
    assert asked == [SECRET, "an-older-one", "the-oldest-one"]


def test_an_empty_body_has_a_signature_of_its_own() -> None:
    account = KIT.account(SECRET)
    request = KIT.sign(b"", SECRET)
    assert PROVIDER.verify(request, account)
    assert not PROVIDER.verify(replace(request, body=b" "), account)


def test_a_plain_hash_of_the_body_is_no_signature() -> None:
    header = f"sha256={hashlib.sha256(BODY).hexdigest()}"
    assert not PROVIDER.verify(posted(BODY, x_hub_signature_256=header), KIT.account(SECRET))
