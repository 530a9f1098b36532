"""Who says what next, and how it is packed: single, batched out of order, repeated, early or late.

Deliberately without network and clock: the caller gives the time and delivers what comes out.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sandbox.simulators.meta import payloads, wire
from sandbox.simulators.meta.cast import CAST, SMALL_TALK, STORIES, Person, Step
from sandbox.simulators.meta.ledger import Item
from sandbox.simulators.meta.payloads import Business, Json, Turn

#: Chances, per turn: a former delivery comes again; a turn is a batch; a status overtakes its message.
REPEAT, BATCH, OVERTAKE = 0.1, 0.2, 0.15
#: Messages of one batch.
BATCH_SIZE = (2, 3)
#: Former deliveries that may come again.
REMEMBERED = 50
#: What becomes of a message the team sent.
STATES = ("sent", "delivered", "read")


@dataclass(frozen=True, slots=True)
class Post:
    """One delivery: its bytes, the same at every attempt, and what they tell."""

    body: bytes
    items: tuple[Item, ...]


@dataclass(slots=True)
class _Chat:
    """One person's side of the story."""

    person: Person
    steps: Iterator[Step]
    #: The last message of each side, to answer or react to.
    last_of_team: str | None = None
    statuses: list[tuple[str, str]] = field(default_factory=list)


class Conversation:
    """An endless supply of posts; the same seed and times give the same posts."""

    def __init__(self, business: Business, *, seed: int | None = None) -> None:
        self._business = business
        self._chance = random.Random(seed)
        people = zip(CAST, STORIES, strict=True)
        self._chats = [_Chat(person, self._steps(story)) for person, story in people]
        self._turn = 0
        self._former: list[Post] = []

    def next_posts(self, at: int) -> list[Post]:
        """Return what is delivered in this turn, in this order; `at` is the time in Unix seconds."""
        if self._former and self._chance.random() < REPEAT:
            return [self._chance.choice(self._former)]
        chat = self._next_chat()
        if chat.statuses and self._chance.random() < 0.6:
            return self._kept([self._statuses(chat, at)])
        if self._chance.random() < BATCH:
            return self._kept([self._batch(chat, at)])
        return self._kept(self._single(chat, at))

    def _next_chat(self) -> _Chat:
        """Let everybody speak once before anybody chats on."""
        self._turn += 1
        if self._turn <= len(self._chats):
            return self._chats[self._turn - 1]
        return self._chance.choice(self._chats)

    def _steps(self, story: tuple[Step, ...]) -> Iterator[Step]:
        yield from story
        while True:
            yield self._chance.choice(SMALL_TALK)

    def _single(self, chat: _Chat, at: int) -> list[Post]:
        """One message; of the team's, a status may come before the message itself."""
        message, item = self._message(chat, next(chat.steps), at)
        posts = [self._post(chat, {self._list_of(item): [message]}, [item])]
        if item.kind == "echo" and self._chance.random() < OVERTAKE:
            posts.insert(0, self._statuses(chat, at))
        return posts

    def _batch(self, chat: _Chat, at: int) -> Post:
        """Several messages of one side in one delivery, the newest first, as after a pause in delivery."""
        size = self._chance.choice(BATCH_SIZE)
        made = [self._message(chat, next(chat.steps), at - size + n + 1) for n in range(size)]
        changes, items = [], []
        for message, item in reversed(made):
            changes.append(payloads.change(self._business, chat.person, {self._list_of(item): [message]}))
            items.append(item)
        return _packed(self._business, changes, items)

    def _statuses(self, chat: _Chat, at: int) -> Post:
        """All waiting statuses of a chat in one delivery, in any order."""
        waiting, chat.statuses = chat.statuses, []
        self._chance.shuffle(waiting)
        rows = [
            payloads.status(chat.person, wamid, state, at=at + STATES.index(state))
            for wamid, state in waiting
        ]
        items = [Item("status", wamid, state, chat.person.number) for wamid, state in waiting]
        return self._post(chat, {"statuses": rows}, items)

    def _message(self, chat: _Chat, step: Step, at: int) -> tuple[Json, Item]:
        if step.kind == "reaction" and chat.last_of_team is None:
            step = Step("text", step.words)
        person = chat.person
        wamid = payloads.message_id(person, self._chance, outbound=step.by_team)
        turn = Turn(step=step, refers_to=chat.last_of_team, business=self._business, chance=self._chance)
        build: Callable[..., Json] = payloads.echo if step.by_team else payloads.inbound
        message = build(person, turn, wamid=wamid, at=at)
        if step.by_team:
            chat.last_of_team = wamid
            chat.statuses += [(wamid, state) for state in STATES]
        kind = "echo" if step.by_team else "message"
        return message, Item(kind, wamid, message["type"], person.number)

    def _list_of(self, item: Item) -> str:
        return "message_echoes" if item.kind == "echo" else "messages"

    def _post(self, chat: _Chat, lists: dict[str, list[Json]], items: list[Item]) -> Post:
        return _packed(self._business, [payloads.change(self._business, chat.person, lists)], items)

    def _kept(self, posts: list[Post]) -> list[Post]:
        self._former = [*self._former, *posts][-REMEMBERED:]
        return posts


def _packed(business: Business, changes: list[Json], items: list[Item]) -> Post:
    return Post(wire.encode(payloads.envelope(business, changes)), tuple(items))
