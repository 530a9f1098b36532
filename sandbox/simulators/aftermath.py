"""What becomes of a message the vendor took: it is booked, then its way is told, and now and then somebody answers.

Deliberately the same for all vendors; what a status looks like is the scribe's.
"""

import hashlib
import json
import random
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sandbox.simulators.books import Books
from sandbox.simulators.delivery import Delivery
from sandbox.simulators.scribe import Fact, Post, Progress, Scribe, Turn
from sandbox.simulators.stories import REFERRING, Person, Step
from sandbox.simulators.windows import Windows

#: How the way of messages is told.
MODES = frozenset({"normal", "none", "late", "doubled", "shuffled", "before_answer"})
#: Seconds after a message was taken until each of its states is told.
DELAYS = (0.05, 0.5, 1.2, 2.5)
#: The chance that a customer answers an agent, and the seconds they take after reading.
ANSWERS, THINKING = 0.5, (4.0, 9.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """A message the vendor took."""

    person: Person
    #: As in the books: digits of a number, or the id of who has none.
    recipient: str
    reference: str | None
    vendor_id: str
    #: What was to be sent; equal for equal messages.
    content: Mapping[str, Any]
    #: Where its states are told, if not at the webhook.
    callback: str = ""
    #: The states it goes through, if not the vendor's usual ones.
    states: tuple[str, ...] | None = None
    #: The code of an error that ends its way.
    failing: str | None = None
    #: The message as the vendor tells it to the sender himself.
    echo: Fact | None = None


class Aftermath:
    """Books and tells; safe to use from several threads."""

    def __init__(
        self, scribe: Scribe, *, delivery: Delivery, books: Books, windows: Windows, lively: bool = True
    ) -> None:
        self._scribe = scribe
        self._delivery = delivery
        self._books = books
        self._windows = windows
        self._lively = lively
        self._chance = random.Random()
        self._lock = threading.Lock()
        self._mode, self._seconds = "normal", 0.0

    def tell(self, mode: str, seconds: float = 0.0) -> None:
        """Choose how the way of messages is told from now on; `late` by so many seconds.

        Raises:
            ValueError: there is no such mode.
        """
        if mode not in MODES:
            raise ValueError(f"mode is one of {', '.join(sorted(MODES))}")
        with self._lock:
            self._mode, self._seconds = mode, seconds

    def accepted(self, send: Send) -> None:
        """Book a message and see to what follows; when this returns, it may be answered."""
        self._books.accepted(
            reference=send.reference,
            recipient=send.recipient,
            vendor_id=send.vendor_id,
            digest=hashlib.sha256(json.dumps(send.content, sort_keys=True).encode()).hexdigest(),
        )
        with self._lock:
            mode, late = self._mode, self._seconds
        posts = self._way(send)
        for number, (delay, post) in enumerate(_as_told(posts, mode, self._chance)):
            if mode == "before_answer" and number == 0:
                self._delivery.deliver_now(post)
            else:
                self._delivery.put(post, after=delay + late)
        if self._lively and mode != "none" and not send.failing and self._chance.random() < ANSWERS:
            self._answer(send)

    def say(self, person: Person, step: Step, *, refers_to: str | None = None, after: float = 0.0) -> None:
        """Let a customer write."""
        turn = Turn(person=person, step=step, at=int(time.time() + after), refers_to=refers_to, chance=self._chance)
        told = self._scribe.message(turn, self._scribe.new_id(turn))
        self._windows.heard(self._scribe.chat(person))
        for post in self._scribe.pack([told] if told else []):
            self._delivery.put(post, after=after)

    def _way(self, send: Send) -> list[tuple[float, Post]]:
        """Return each state of a message with the seconds until it is told."""
        usual = self._scribe.fates[0]
        states = (self._scribe.failed,) if send.failing else send.states or usual
        facts = [(delay, self._status(send, state, delay)) for state, delay in zip(states, DELAYS, strict=False)]
        echo = [(0.0, send.echo)] if send.echo else []
        return [(delay, post) for delay, fact in [*echo, *facts] for post in self._scribe.pack([fact])]

    def _status(self, send: Send, state: str, delay: float) -> Fact:
        progress = Progress(
            person=send.person,
            message_id=send.vendor_id,
            state=state,
            at=int(time.time() + delay),
            reference=send.reference,
            code=send.failing,
        )
        return replace(self._scribe.status(progress), callback=send.callback)

    def _answer(self, send: Send) -> None:
        kinds = self._scribe.kinds - REFERRING
        step = self._chance.choice([one for one in self._scribe.talk if not one.by_team and one.kind in kinds])
        after = DELAYS[len(self._scribe.fates[0]) - 1] + self._chance.uniform(*THINKING)
        self.say(send.person, step, refers_to=send.vendor_id, after=after)


def _as_told(posts: Sequence[tuple[float, Post]], mode: str, chance: random.Random) -> list[tuple[float, Post]]:
    """Leave out, repeat or shuffle what is told."""
    if mode == "none":
        return []
    if mode == "doubled":
        return [one for one in posts for _ in range(2)]
    if mode == "shuffled":
        delays = [delay for delay, _ in posts]
        chance.shuffle(delays)
        return [(delay, post) for delay, (_, post) in zip(delays, posts, strict=True)]
    return list(posts)
