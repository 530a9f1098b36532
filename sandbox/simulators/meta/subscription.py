"""Meta's handshake: before anything is delivered, the endpoint proves that it knows the verify token.

Deliberately tells a refusal once, not at every attempt.
"""

import secrets
import threading

from sandbox.simulators.endpoint import AWAY, ask, patiently
from sandbox.simulators.playing import say


class Subscription:
    """One handshake with one challenge."""

    def __init__(self, url: str, verify_token: str) -> None:
        self._url = url
        self._challenge = str(secrets.randbelow(10**10))
        mode = {"hub.mode": "subscribe", "hub.challenge": self._challenge}
        self._query = {**mode, "hub.verify_token": verify_token}
        self._complaint = ""

    def prove(self, stop: threading.Event) -> bool:
        """Ask the endpoint to prove itself until it does; False when told to stop first."""
        return patiently(self._is_proved, stop)

    def _is_proved(self) -> bool:
        status, words = ask(self._url, self._query)
        proved = status == 200 and words == self._challenge
        complaint = f"{status} {words}"[:80]
        if not proved and status != AWAY and complaint != self._complaint:
            self._complaint = complaint
            say(f"the endpoint does not subscribe: {complaint}")
        return proved
