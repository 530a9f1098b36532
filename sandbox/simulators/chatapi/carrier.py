"""How ChatAPI delivers: unsigned, to an address that holds a secret, up to twenty times until the answer is 200.

That is its setting `guaranteedHooks`; without it a post that nobody takes is gone. How long it waits between two
attempts is documented nowhere: the pauses here are an invention.
"""

from collections.abc import Mapping
from urllib.parse import quote

from sandbox.simulators.delivery import Carrier, Failure, doubling
from sandbox.simulators.scribe import Post

#: Attempts of one post.
ATTEMPTS = 20
#: Seconds between the second and third attempt, and between any two at most.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0


class ChatApiCarrier(Carrier):
    """Delivers for one instance."""

    def __init__(self, webhook: str, *, secret: str, first_pause: float = FIRST_PAUSE) -> None:
        super().__init__(f"{webhook}?token={quote(secret, safe='')}")
        self._first_pause = first_pause

    def headers(self, _post: Post) -> Mapping[str, str]:
        """Name the type of the body; the vendor sends nothing that authenticates."""
        return {"Content-Type": "application/json"}

    def pause(self, failure: Failure) -> float | None:
        """Wait twice as long each time, and then no more."""
        if failure.number >= ATTEMPTS:
            return None
        return doubling(failure.number, first=self._first_pause, longest=LONGEST_PAUSE)
