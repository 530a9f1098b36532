"""How Twilio's hosts are reached: which of them a call goes to, and who we say we are.

    https://api.twilio.com                  https://content.twilio.com    https://messaging.twilio.com
    https://api.dublin.ie1.twilio.com       https://content.dublin.ie1.twilio.com

Deliberately knows no paths: each ability has its own.
"""

import base64
import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from providers.base import Account
from providers.twilio.signature import TOKEN
from runtime.crypto import Secret

BASE_URL: Final = "https://api.twilio.com"
CONTENT: Final = "content"
MESSAGING: Final = "messaging"

#: A name with a top-level domain that is no number and not this machine's.
_PUBLIC_NAME = re.compile(r"(?:[^.]+\.)+(?!local(?:host)?\Z)[^.]*[^.0-9][^.]*\.?")
_API: Final = "api."
_TWILIO: Final = ".twilio.com"


def host_of(product: str, base_url: str) -> str:
    """Name another product's host beside the API's; whoever stands in for Twilio serves all of them under one."""
    parts = urlsplit(base_url)
    if not _is_twilios(parts.netloc):
        return base_url
    return f"{parts.scheme}://{product}.{parts.netloc.removeprefix(_API)}"


def is_callable(url: str, base_url: str) -> bool:
    """Say whether Twilio can call an address back; one without a public host name it answers with an error (21609).

    That leaves the message's fate open, for nothing. Whoever stands in for Twilio may be on this very machine.
    """
    host = urlsplit(url).hostname or ""
    if "_" in host or not host:
        return False
    return not _is_twilios(urlsplit(base_url).netloc) or _is_public(host)


def _is_public(host: str) -> bool:
    try:
        return ip_address(host).is_global
    except ValueError:
        return _PUBLIC_NAME.fullmatch(host) is not None


def _is_twilios(host: str) -> bool:
    return host.startswith(_API) and host.endswith(_TWILIO)


def credentials(account: Account) -> Secret | None:
    """Make the Authorization header of an account: its SID and its newest token."""
    sid, token = account.field("accountSid"), account.secret(TOKEN)
    if not (sid and token):
        return None
    return Secret("Basic " + base64.b64encode(f"{sid}:{token.reveal()}".encode()).decode())
