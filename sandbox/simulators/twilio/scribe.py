"""Twilio's hand: one form for each message of a customer, and one for each step of a message of the team.

Deliberately nothing of the team's own words: Twilio does not tell them. No shapes: `payloads` has them.
"""

from collections.abc import Sequence
from typing import ClassVar

from sandbox.simulators.ledger import Item
from sandbox.simulators.scribe import Fact, Post, Progress, Scribe, Turn
from sandbox.simulators.stories import Person, Story
from sandbox.simulators.twilio import cast, payloads, wire
from sandbox.simulators.twilio.payloads import Sender

#: What becomes of the team's messages: most are read, one in six does not arrive.
READ, UNREACHABLE = ("queued", "sent", "delivered", "read"), ("queued", "sent", "undelivered")


class TwilioScribe(Scribe):
    """Writes for one number of one account."""

    people: ClassVar[tuple[Person, ...]] = cast.CAST
    stories: ClassVar[tuple[Story, ...]] = cast.STORIES
    talk: ClassVar[Story] = cast.TALK
    kinds: ClassVar[frozenset[str]] = frozenset(payloads.CONTENT)
    fates: ClassVar[tuple[tuple[str, ...], ...]] = (*(READ,) * 5, UNREACHABLE)

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def chat(self, person: Person) -> str:
        """Return the address."""
        return payloads.address(person)

    def new_id(self, turn: Turn) -> str:
        """Return a fresh SID; messages with files have a kind of their own."""
        return payloads.sid("MM" if turn.step.kind in payloads.FILES else "SM", turn.chance)

    def message(self, turn: Turn, message_id: str) -> Fact | None:
        """Write a customer's message."""
        if turn.step.by_team:
            return None
        part = payloads.inbound(self._sender, turn, message_id)
        return Fact(turn.person, Item("message", message_id, part["MessageType"], part["From"]), part)

    def status(self, progress: Progress) -> Fact:
        """Write a callback; Twilio tells no time."""
        part = payloads.callback(self._sender, progress)
        return Fact(progress.person, Item("status", progress.message_id, progress.state, part["To"]), part)

    def pack(self, facts: Sequence[Fact]) -> list[Post]:
        """Deliver each on its own."""
        return [_post(fact) for fact in facts]


def _post(fact: Fact) -> Post:
    """Callbacks go to the address that was given with the message: it has the business's own id of it."""
    own_id = f"mid={own_id_of(fact.item.id)}" if fact.item.kind == "status" and not fact.callback else ""
    token = f"{fact.item.id[2:]}-{fact.item.what}"
    return Post(wire.encode(fact.part), (fact.item,), query=own_id, token=token, callback=fact.callback)


def own_id_of(message_id: str) -> str:
    """Return what the business calls a message of the team, the same in all its callbacks."""
    return f"msg_{message_id[-26:]}"
