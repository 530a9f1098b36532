"""What a vendor's API is to the simulator: calls with a name, a check and an effect, and errors in its own words.

Deliberately no faults and no limits: `counter` puts those around every call.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sandbox.simulators.exchange import Answer, Asked

#: The name of the calls that send a message to somebody; only those are booked.
SEND = "send"


class Refused(Exception):
    """The vendor does not do what was asked."""

    def __init__(self, answer: Answer, reason: str) -> None:
        super().__init__(reason)
        self.answer = answer
        #: A word or code for the books.
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, understood so far that faults can be ordered for it."""

    #: send, read, upload, media, templates, …
    name: str
    #: Checks and acts; it raises `Refused`. A code makes an accepted send fail afterwards.
    act: Callable[[str | None], Answer]
    #: Whose number or instance sends.
    sender: str = ""
    #: Digits of a number, or the id of who has none.
    recipient: str = ""
    #: Our own id of the message, where the vendor carries one.
    reference: str | None = None


#: Method, pattern of the path, and what makes a call of it.
Route = tuple[str, re.Pattern[str], Callable[[Asked, re.Match[str]], Call]]


class Api(ABC):
    """One vendor's API."""

    def call(self, asked: Asked) -> Call:
        """Understand a request.

        Raises:
            Refused: there is no such endpoint.
        """
        for method, pattern, build in self.routes():
            found = pattern.fullmatch(asked.path)
            if found and method == asked.method:
                return build(asked, found)
        raise self.unknown(asked)

    @abstractmethod
    def routes(self) -> Sequence[Route]:
        """Return what is played."""

    @abstractmethod
    def unknown(self, asked: Asked) -> Refused:
        """Return what the vendor says to a path that leads nowhere."""

    @abstractmethod
    def error(self, code: str, status: int | None = None) -> Answer:
        """Return an error as the vendor words it, by its code."""

    @abstractmethod
    def throttled(self, per: str) -> Refused:
        """Return what the vendor says to who is too fast, per `number` or per `pair`."""


def refusing(api: Api, code: str, status: int | None = None) -> Refused:
    """Return a refusal with one of the vendor's errors."""
    return Refused(api.error(code, status), code)
