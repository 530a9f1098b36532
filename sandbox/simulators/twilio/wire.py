"""How Twilio writes and signs a webhook (documentation: "Webhooks Security", "Webhooks connection overrides").

Deliberately only bytes and addresses: what they say is decided elsewhere.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

#: The header that carries the signature, and the one that is the same at every attempt of one event.
SIGNATURE_HEADER, TOKEN_HEADER = "X-Twilio-Signature", "I-Twilio-Idempotency-Token"


def encode(parameters: Mapping[str, str]) -> bytes:
    """Return the body: a form in UTF-8."""
    return urlencode(parameters).encode("ascii")


def sign(url: str, parameters: Mapping[str, str], auth_token: str) -> str:
    """Return the signature: HMAC-SHA1 of the address and of every name and value, in the names' byte order."""
    ordered = sorted(parameters.items(), key=lambda pair: pair[0].encode())
    text = url + "".join(name + value for name, value in ordered)
    digest = hmac.new(auth_token.encode("ascii"), text.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def without_port(url: str) -> str:
    """Return the address as some of Twilio's products sign it: without an explicit port."""
    parts = urlsplit(url)
    if parts.port is None:
        return url
    return parts._replace(netloc=parts.netloc.removesuffix(f":{parts.port}")).geturl()


def headers(signature: str, token: str) -> dict[str, str]:
    """Return the headers of one delivery."""
    return {
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        "User-Agent": "TwilioProxy/1.1",
        TOKEN_HEADER: token,
        SIGNATURE_HEADER: signature,
    }
