"""Links to our files that a vendor can follow without a token: signed, and good for a while.

The key is derived from the encryption keys, so that every process has it and none stores it. Deliberately knows only
ids: whether the file is there is found out when somebody comes.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from runtime.clock import Clock
from runtime.crypto import Secret

#: What keys are derived for; another purpose gets other keys.
PURPOSE: Final = b"hookline media links"
#: How long a link is good: vendors fetch at once, and some of them again when a phone comes back.
LIFE: Final = timedelta(hours=24)
#: So many digits last until the year 2286; a calendar has no room for many more.
_SECONDS: Final = re.compile(r"[0-9]{1,10}")


class Links:
    """Makes links and recognises them."""

    def __init__(self, keys: Sequence[Secret], clock: Clock, *, public_url: str) -> None:
        self._keys = [hmac.digest(key.encode(), PURPOSE, "sha256") for key in keys]
        self._clock = clock
        self._base = f"{public_url}/api/whatsapp/media"

    def make(self, media_id: str) -> str:
        """Make a link to a file."""
        expires = str(int((self._clock.now() + LIFE).timestamp()))
        return f"{self._base}/{media_id}/public?expires={expires}&signature={_sign(self._keys[0], media_id, expires)}"

    def is_good(self, media_id: str, *, expires: str, signature: str) -> bool:
        """Say whether a link is ours, unaltered and still good. In constant time as far as signatures go."""
        if not _SECONDS.fullmatch(expires) or datetime.fromtimestamp(int(expires), UTC) <= self._clock.now():
            return False
        given = signature.encode("utf-8", "surrogatepass")
        return any(hmac.compare_digest(_sign(key, media_id, expires).encode(), given) for key in self._keys)


def _sign(key: bytes, media_id: str, expires: str) -> str:
    return hmac.new(key, f"{media_id}\n{expires}".encode(), hashlib.sha256).hexdigest()
