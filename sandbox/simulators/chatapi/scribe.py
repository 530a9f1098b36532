"""ChatAPI's hand: messages of both sides in one list, acks in another, chats in a third.

Deliberately no shapes: `payloads` has them.
"""

import itertools
import time
from collections.abc import Mapping, Sequence
from typing import ClassVar

from sandbox.simulators.chatapi import cast, payloads
from sandbox.simulators.chatapi.payloads import Instance
from sandbox.simulators.ledger import Item
from sandbox.simulators.scribe import Fact, Json, Post, Progress, Scribe, Turn
from sandbox.simulators.stories import Person, Story

#: Kind of a fact -> the list that holds it.
LISTS = {"message": "messages", "echo": "messages", "status": "ack", "chat": "chatUpdate"}
#: The number that the next message of the instance gets, at first.
FIRST_NUMBER = 3001


class ChatApiScribe(Scribe):
    """Writes for one instance."""

    people: ClassVar[tuple[Person, ...]] = cast.CAST
    stories: ClassVar[tuple[Story, ...]] = cast.STORIES
    talk: ClassVar[Story] = cast.TALK
    kinds: ClassVar[frozenset[str]] = frozenset(payloads.CONTENT)
    fates: ClassVar[tuple[tuple[str, ...], ...]] = (("sent", "delivered", "viewed"),)

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._numbers = itertools.count(FIRST_NUMBER)

    def chat(self, person: Person) -> str:
        """Return the id of the chat."""
        return payloads.chat_id(person)

    def sent(self, person: Person, message_id: str, content: Json) -> Fact:
        """Write down what was sent through the API: the vendor tells that, too."""
        place = {"time": int(time.time()), "messageNumber": next(self._numbers)}
        part = {**payloads.sent(self._instance, person, message_id, content), **place}
        return Fact(person, Item("echo", message_id, part["type"], part["chatId"]), part)

    def new_id(self, turn: Turn) -> str:
        """Return a fresh id in the Web variant's shape."""
        return payloads.message_id(turn)

    def message(self, turn: Turn, message_id: str) -> Fact:
        """Write a message of either side."""
        part = {**payloads.message(self._instance, turn, message_id), "messageNumber": next(self._numbers)}
        kind = "echo" if turn.step.by_team else "message"
        return Fact(turn.person, Item(kind, message_id, part["type"], part["chatId"]), part)

    def status(self, progress: Progress) -> Fact:
        """Write an ack; ChatAPI tells no time."""
        part = payloads.ack(progress)
        return Fact(progress.person, Item("status", progress.message_id, progress.state, part["chatId"]), part)

    def openings(self) -> Mapping[Person, Fact]:
        """Tell of the new chats."""
        ids = {person: payloads.chat_id(person) for person in self.people}
        return {
            person: Fact(person, Item("chat", own, "new", own), payloads.chat_update(person))
            for person, own in ids.items()
        }

    def pack(self, facts: Sequence[Fact]) -> list[Post]:
        """Put all into one delivery."""
        lists: dict[str, list[Json]] = {}
        for fact in facts:
            lists.setdefault(LISTS[fact.item.kind], []).append(fact.part)
        return [Post(payloads.body(self._instance, lists), tuple(fact.item for fact in facts))] if facts else []
