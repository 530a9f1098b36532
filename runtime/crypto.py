"""Sealing of credentials with a ring of Fernet keys, and a type that keeps them out of sight.

Fernet has no associated data, so the place a secret belongs to is sealed in with it: a ciphertext
copied to another row or field does not open there. Deliberately no key storage: keys come from settings.
"""

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from runtime.errors import CryptoError, SettingsError

REDACTED: Final = "[redacted]"


class Secret:
    """A string that shows itself only when asked by name."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The plain value, for the one line that needs it."""
        return self._value

    def encode(self) -> bytes:
        """The plain value as UTF-8 bytes, for keyed digests."""
        return self._value.encode()

    def matches(self, other: str) -> bool:
        """Compare in constant time, whatever the alphabet."""
        return hmac.compare_digest(self.encode(), other.encode("utf-8", "surrogatepass"))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self.encode(), other.encode())

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return f"Secret({REDACTED})"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")


class KeyRing:
    """Seals with the newest key, opens with any."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise SettingsError("ENCRYPTION_KEYS: at least one Fernet key is needed")
        try:
            self._fernets = [Fernet(key) for key in keys]
        except ValueError as error:
            raise SettingsError(
                "ENCRYPTION_KEYS: each key must be 32 url-safe base64-encoded bytes (hookline keys generate)"
            ) from error
        self._ring = MultiFernet(self._fernets)

    def seal(self, value: str, *, context: str) -> str:
        """Encrypt a value together with the place it belongs to, e.g. "cfg_…/accessToken"."""
        return self._ring.encrypt(json.dumps([context, value]).encode()).decode()

    def open(self, token: str, *, context: str) -> Secret:
        """Decrypt a value in its place.

        Raises:
            CryptoError: no key fits, or the value was sealed for another place.
        """
        try:
            sealed_for, value = json.loads(self._ring.decrypt(token.encode()))
        except (InvalidToken, ValueError, TypeError) as error:
            raise CryptoError(f"cannot open the secret of {context}: no key of the ring fits") from error
        if not hmac.compare_digest(str(sealed_for).encode(), context.encode()):
            raise CryptoError(f"the secret of {context} was sealed for another place")
        return Secret(str(value))

    def reseal(self, token: str, *, context: str) -> str:
        """Encrypt under the newest key what an older one sealed."""
        return self.seal(self.open(token, context=context).reveal(), context=context)

    def is_current(self, token: str) -> bool:
        """Whether the newest key sealed this token."""
        try:
            self._fernets[0].decrypt(token.encode())
        except InvalidToken:
            return False
        return True


def digest(token: str) -> str:
    """SHA-256 hex of a high-entropy token, for storage and look-up."""
    return hashlib.sha256(token.encode()).hexdigest()
