"""How Twilio's hosts are reached: which of them a call goes to, and who we say we are.

    https://api.twilio.com                  https://content.twilio.com    https://messaging.twilio.com
    https://api.dublin.ie1.twilio.com       https://content.dublin.ie1.twilio.com

Deliberately knows no paths: each ability has its own.
"""

import base64
from typing import Final
from urllib.parse import urlsplit

from providers.base import Account
from providers.twilio.signature import TOKEN
from runtime.crypto import Secret

BASE_URL: Final = "https://api.twilio.com"
CONTENT: Final = "content"
MESSAGING: Final = "messaging"

_API: Final = "api."
_TWILIO: Final = ".twilio.com"


def host_of(product: str, base_url: str) -> str:
    """Name another product's host beside the API's; whoever stands in for Twilio serves all of them under one."""
    parts = urlsplit(base_url)
    host = parts.netloc
    if not (host.startswith(_API) and host.endswith(_TWILIO)):
        return base_url
    return f"{parts.scheme}://{product}.{host.removeprefix(_API)}"


def credentials(account: Account) -> Secret | None:
    """Make the Authorization header of an account: its SID and its newest token."""
    sid, token = account.field("accountSid"), account.secret(TOKEN)
    if not (sid and token):
        return None
    return Secret("Basic " + base64.b64encode(f"{sid}:{token.reveal()}".encode()).decode())
