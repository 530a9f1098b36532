"""What a vendor's scribe does: write down what happens in a chat as this vendor would tell it.

Deliberately without network and clock: who speaks when is `conversation`, how posts travel is `delivery`.
"""

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from sandbox.simulators.ledger import Item
from sandbox.simulators.stories import SMALL_TALK, Person, Step, Story

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Post:
    """One delivery: its bytes, the same at every attempt, and what they tell."""

    body: bytes
    items: tuple[Item, ...]
    #: What the vendor adds to the webhook's address for this post.
    query: str = ""
    #: What the vendor calls the event behind this post, the same at every attempt.
    token: str = ""
    #: The whole address to call, where it was given with the message.
    callback: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that happened, as the vendor writes it."""

    person: Person
    item: Item
    part: Json
    #: Where it is to be told, if not at the webhook.
    callback: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What a message is made of: who, what, when, what it refers to, and the dice."""

    person: Person
    step: Step
    #: Unix seconds.
    at: int
    #: The team's last message in this chat.
    refers_to: str | None
    chance: random.Random


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a message of the team has come, and when (Unix seconds)."""

    person: Person
    message_id: str
    state: str
    at: int
    #: The business's own id of the message, where the vendor carries one.
    reference: str | None = None
    #: Why it failed.
    code: str | None = None


class Scribe(ABC):
    """One vendor's hand. A scribe may count, so each conversation has its own."""

    people: ClassVar[tuple[Person, ...]]
    #: Openings; the people take them in turn.
    stories: ClassVar[tuple[Story, ...]]
    #: What people say afterwards.
    talk: ClassVar[Story] = SMALL_TALK
    #: Kinds of steps that this vendor tells; others become words.
    kinds: ClassVar[frozenset[str]]
    #: What may become of a message of the team, as the vendor's words in order; all are equally likely.
    fates: ClassVar[tuple[tuple[str, ...], ...]]
    #: The vendor's word for a message that will never arrive.
    failed: ClassVar[str] = "failed"

    @abstractmethod
    def chat(self, person: Person) -> str:
        """Return what the ledger calls the chat with somebody."""

    def person(self, address: str) -> Person:
        """Return who is meant by a number, a user id or the id of a chat; a stranger has no name but that."""
        bare = address.lstrip("+")
        for person in self.people:
            if bare and bare in {person.number, person.user_id, self.chat(person)}:
                return person
        return Person(bare, bare) if bare.isdigit() else Person(bare, "", bare)

    @abstractmethod
    def new_id(self, turn: Turn) -> str:
        """Return a fresh message id in the vendor's shape."""

    @abstractmethod
    def message(self, turn: Turn, message_id: str) -> Fact | None:
        """Write a message down; None where the vendor does not tell it."""

    @abstractmethod
    def status(self, progress: Progress) -> Fact:
        """Write down how far a message of the team has come."""

    @abstractmethod
    def pack(self, facts: Sequence[Fact]) -> list[Post]:
        """Put facts into deliveries, as many to one as the vendor does."""

    def openings(self) -> Mapping[Person, Fact]:
        """Write down what the vendor tells before somebody's first words."""
        return {}
