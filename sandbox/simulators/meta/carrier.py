"""How Meta delivers: signed, and again and again until the answer is 200, ever more rarely.

Deliberately gives up never: Meta goes on for days, longer than any demo.
"""

from collections.abc import Mapping

from sandbox.simulators.delivery import Carrier, Failure, doubling
from sandbox.simulators.meta.wire import headers
from sandbox.simulators.scribe import Post

#: Seconds between the second and third attempt (the first repeat comes at once), and between any two at most.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0


class MetaCarrier(Carrier):
    """Delivers for one app."""

    def __init__(self, webhook: str, *, app_secret: str, first_pause: float = FIRST_PAUSE) -> None:
        super().__init__(webhook)
        self._app_secret = app_secret
        self._first_pause = first_pause

    def headers(self, post: Post) -> Mapping[str, str]:
        """Sign the very bytes."""
        return headers(post.body, self._app_secret)

    def pause(self, failure: Failure) -> float:
        """Wait twice as long each time."""
        return doubling(failure.number, first=self._first_pause, longest=LONGEST_PAUSE)
