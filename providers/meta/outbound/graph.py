"""Calls to the Graph API: addresses, versions and who asks.

Vendor document: "Graph API: Overview, Versioning". Deliberately knows no content and reads no answer.
"""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

import orjson

from providers.base import JSON, Account
from runtime.calls import HttpRequest
from runtime.crypto import Secret
from runtime.errors import Invalid

BASE_URL: Final = "https://graph.facebook.com"
#: The version of an account that names none: the one that ends last. A call without any would get the app's oldest.
API_VERSION: Final = "v26.0"

_VERSION = re.compile(r"v?([1-9][0-9]{0,2})(?:\.([0-9]))?")


def version_of(said: str) -> str | None:
    """Bring a version into Meta's spelling: v26.0 also from 26 or v26; None for what is no version."""
    found = _VERSION.fullmatch(said.strip())
    return f"v{found[1]}.{found[2] or 0}" if found else None


def owned(account: Account, name: str) -> str:
    """Read the id of something of the account's that an address is made of.

    Raises:
        Invalid: the account does not have it.
    """
    found = account.field(name)
    if not found:
        raise Invalid(f"the account has no {name}", fields={name: ["is needed for this call"]})
    return found


def ask(
    account: Account,
    method: str,
    base_url: str,
    *path: str,
    query: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
) -> HttpRequest:
    """Build a call to one object of the graph, in the account's version and with its token."""
    version = version_of(account.field("apiVersion") or "") or API_VERSION
    address = "/".join([base_url, version, *(quote(part, safe="") for part in path)])
    return HttpRequest(
        method=method,
        url=f"{address}?{urlencode(query)}" if query else address,
        headers={"accept": JSON} if body is None else {"accept": JSON, "content-type": JSON},
        body=b"" if body is None else orjson.dumps(body),
        authorization=token_of(account),
    )


def token_of(account: Account) -> Secret | None:
    """Make the Authorization header; None without a token, which Meta answers as it does a wrong one."""
    token = account.secret("accessToken")
    return Secret(f"Bearer {token.reveal()}") if token else None
