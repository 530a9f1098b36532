"""Meta's hand: messages, echoes from the phone app and statuses, many to one delivery where they meet.

Deliberately no shapes: `payloads` has them.
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from sandbox.simulators.ledger import Item
from sandbox.simulators.meta import cast, payloads, wire
from sandbox.simulators.meta.payloads import Business
from sandbox.simulators.scribe import Fact, Json, Post, Progress, Scribe, Turn
from sandbox.simulators.stories import Person, Story

#: Kind of a fact -> the list that holds it.
LISTS = {"message": "messages", "echo": "message_echoes", "status": "statuses"}


class MetaScribe(Scribe):
    """Writes for one business account."""

    people: ClassVar[tuple[Person, ...]] = cast.CAST
    stories: ClassVar[tuple[Story, ...]] = cast.STORIES
    kinds: ClassVar[frozenset[str]] = frozenset(payloads.CONTENT)
    fates: ClassVar[tuple[tuple[str, ...], ...]] = (("sent", "delivered", "read"),)

    def __init__(self, business: Business) -> None:
        self._business = business

    def template(self, template: Json, event: str, at: int) -> Post:
        """Write of a template's new status."""
        body = wire.encode(payloads.template_event(self._business, template, event, at))
        return Post(body, (Item("template", str(template["id"]), event, ""),))

    def person(self, address: str) -> Person:
        """Return who is meant; a stranger, too, always has the same user id."""
        found = super().person(address)
        return found if found.user_id else replace(found, user_id=payloads.user_id(found.number))

    def chat(self, person: Person) -> str:
        """Return the number, or the user id of who has none."""
        return person.number or person.user_id

    def new_id(self, turn: Turn) -> str:
        """Return a fresh wamid."""
        return payloads.message_id(turn)

    def message(self, turn: Turn, message_id: str) -> Fact:
        """Write a message, of the team as an echo."""
        kind, build = ("echo", payloads.echo) if turn.step.by_team else ("message", payloads.inbound)
        part = build(self._business, turn, message_id)
        return Fact(turn.person, Item(kind, message_id, part["type"], self.chat(turn.person)), part)

    def status(self, progress: Progress) -> Fact:
        """Write a status."""
        item = Item("status", progress.message_id, progress.state, self.chat(progress.person))
        return Fact(progress.person, item, payloads.status(progress))

    def pack(self, facts: Sequence[Fact]) -> list[Post]:
        """Put all into one delivery, neighbours of one kind into one change."""
        if not facts:
            return []
        grouped = itertools.groupby(facts, key=lambda fact: (fact.person, LISTS[fact.item.kind]))
        changes = [
            payloads.change(self._business, person, {name: [fact.part for fact in group]})
            for (person, name), group in grouped
        ]
        body = wire.encode(payloads.envelope(self._business, changes))
        return [Post(body, tuple(fact.item for fact in facts))]
