"""How Meta writes and signs a webhook (documentation: "Webhooks", "Validating payloads").

Deliberately only bytes: what they say is decided elsewhere.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

#: The header that carries the signature.
SIGNATURE_HEADER = "X-Hub-Signature-256"


def encode(payload: Mapping[str, Any]) -> bytes:
    """Return the body as Meta sends it: no spaces, everything beyond ASCII and every slash escaped."""
    text = json.dumps(payload, ensure_ascii=True, separators=(",", ":"))
    return text.replace("/", "\\/").encode("ascii")


def sign(body: bytes, app_secret: str) -> str:
    """Return the signature header's value: HMAC-SHA256 of the very bytes under the app's secret."""
    return "sha256=" + hmac.new(app_secret.encode("ascii"), body, hashlib.sha256).hexdigest()


def headers(body: bytes, app_secret: str) -> dict[str, str]:
    """Return the headers of one delivery."""
    return {
        "Content-Type": "application/json",
        "User-Agent": "facebookexternalua",
        SIGNATURE_HEADER: sign(body, app_secret),
    }
