"""`X-Twilio-Signature`: who made a webhook, judged over the URL that Twilio called and every parameter.

Vendor document: "Webhooks Security". The signed text is the URL as configured, then each name and value of
the form, decoded, sorted by name, without separators. Of other bodies the URL carries the SHA-256.
Deliberately takes the URL from our settings and the raw target, never from a header that anybody can send.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl

from providers.base import FORM, Account, WebhookRequest
from providers.twilio.parameters import MAX_FORM_BYTES, MAX_PARAMETERS, read_pairs
from runtime.crypto import Secret

SIGNATURE_HEADER: Final = "x-twilio-signature"
#: Names the algorithm where an account uses shared keys (public beta) in place of its token.
SETTINGS_HEADER: Final = "x-twilio-webhooks-signature-settings"
#: The query parameter that Twilio adds for bodies that are no forms.
BODY_DIGEST: Final = "bodySHA256"
#: The secret fields of an account, and the algorithm each is used with.
TOKEN: Final = "authToken"  # noqa: S105  the name of a field
SHARED_KEY: Final = "webhookSharedKey"

#: Base64 of 20 bytes and of 32. The text itself is compared: its last character has spare bits.
_SIGNATURES: Final = {
    "sha1": re.compile(r"[A-Za-z0-9+/]{27}="),
    "sha256": re.compile(r"[A-Za-z0-9+/]{43}="),
}
_STANDARD_PORTS: Final = {"http": "80", "https": "443"}
_PORT = re.compile(r":([0-9]{1,5})\Z")


def verify(request: WebhookRequest, account: Account) -> bool:
    """Say whether one of the account's secrets signed the request."""
    field, algorithm = _scheme(request.headers)
    given = request.headers.get(SIGNATURE_HEADER, "")
    if not algorithm or not _SIGNATURES[algorithm].fullmatch(given):
        return False
    signed = _signed_part_of_body(request)
    if signed is None:
        return False
    genuine = False
    for secret in account.ring(field):
        # All spellings and secrets are tried, so that the time taken does not tell one from another.
        for made in _signatures(secret, request, signed, algorithm):
            genuine |= bool(secret) and hmac.compare_digest(made, given.encode())
    return genuine


def _scheme(headers: Mapping[str, str]) -> tuple[str, str]:
    """Tell which secrets sign and how; no algorithm where the header asks for one we do not know."""
    asked = headers.get(SETTINGS_HEADER)
    if asked is None:
        return TOKEN, "sha1"
    names = [part.strip() for part in asked.split(",")]
    return SHARED_KEY, "sha256" if "algorithm=HMAC_SHA256" in names and len(names) <= 2 else ""


def _signatures(secret: Secret, request: WebhookRequest, signed: bytes, algorithm: str) -> Iterator[bytes]:
    for origin in origins(request.public_url):
        text = (origin + request.target).encode("utf-8", "surrogatepass") + signed
        yield base64.b64encode(hmac.digest(secret.encode(), text, algorithm))


def _signed_part_of_body(request: WebhookRequest) -> bytes | None:
    """Spell out what of the body is signed after the URL; None where the body is not what was signed.

    Of a GET it is nothing: all its parameters stand in the URL.
    """
    if request.method == "GET":
        return b""
    if request.body and request.content_type == FORM:
        return _spelled_out(request.body)
    if request.body or BODY_DIGEST in request.query:
        return b"" if _is_announced(request) else None
    return b""


def _spelled_out(form: bytes) -> bytes | None:
    """Join names and values, sorted; of a repeated name each different value once, as Twilio's code does."""
    if len(form) > MAX_FORM_BYTES:
        return None
    try:
        pairs = read_pairs(form)
    except ValueError:
        return None
    return "".join(name + value for name, value in sorted(set(pairs))).encode()


def _is_announced(request: WebhookRequest) -> bool:
    """Compare the body with the digest in the URL, which the signature covers."""
    try:
        query = parse_qsl(request.query, keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError:
        return False
    announced = dict(query).get(BODY_DIGEST, "").encode("utf-8", "surrogatepass")
    return hmac.compare_digest(hashlib.sha256(request.body).hexdigest().encode(), announced)


@lru_cache(maxsize=16)
def origins(public_url: str) -> tuple[str, ...]:
    """List the spellings under which Twilio may have signed: with and without port, with and without user."""
    scheme, mark, rest = public_url.partition("://")
    authority, slash, path = rest.partition("/")
    user, at, host = authority.rpartition("@")
    explicit = _PORT.search(host)
    port = explicit[1] if explicit else _STANDARD_PORTS.get(scheme, "443")
    name = _PORT.sub("", host)
    spellings = [
        f"{scheme}{mark}{before}{place}{slash}{path}"
        for before in (user + at, "")
        for place in (name, f"{name}:{port}")
    ]
    return tuple(dict.fromkeys([public_url, *spellings]))
