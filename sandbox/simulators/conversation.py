"""Who says what next, and when it is told: single, several at once out of order, repeated, early or late.

Deliberately without network and clock: the caller gives the time and delivers what comes out. What it looks like
is the vendor's scribe's.
"""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from sandbox.simulators.scribe import Fact, Post, Progress, Scribe, Turn
from sandbox.simulators.stories import REFERRING, Person, Step, Story

#: Chances, per turn: a former delivery comes again; a turn is a batch; a status overtakes its message; what
#: became of the team's messages is told before anything else.
REPEAT, BATCH, OVERTAKE, SETTLE = 0.1, 0.2, 0.15, 0.6
#: Messages of one batch.
BATCH_SIZE = (2, 3)
#: Former deliveries that may come again.
REMEMBERED = 50


@dataclass(slots=True)
class _Chat:
    """One person's side of the story."""

    person: Person
    steps: Iterator[Step]
    #: The team's last message, to answer or react to.
    last_of_team: str | None = None
    #: Message id, state, and its rank in time.
    statuses: list[tuple[str, str, int]] = field(default_factory=list)


class Conversation:
    """An endless supply of posts; the same seed and times give the same posts."""

    def __init__(self, scribe: Scribe, *, seed: int | None = None) -> None:
        self._scribe = scribe
        self._chance = random.Random(seed)
        people = zip(scribe.people, itertools.cycle(scribe.stories), strict=False)
        self._chats = [_Chat(person, self._steps(story)) for person, story in people]
        self._openings = scribe.openings()
        self._turn = 0
        self._former: list[Post] = []

    def next_posts(self, at: int) -> list[Post]:
        """Return what is delivered in this turn, in this order; `at` is the time in Unix seconds."""
        if self._former and self._chance.random() < REPEAT:
            return [self._chance.choice(self._former)]
        self._turn += 1
        if self._turn <= len(self._chats):
            return self._kept(self._entrance(self._chats[self._turn - 1], at))
        return self._kept(self._turn_of(self._chance.choice(self._chats), at))

    def _steps(self, story: Story) -> Iterator[Step]:
        yield from story
        while True:
            yield self._chance.choice(self._scribe.talk)

    def _entrance(self, chat: _Chat, at: int) -> list[Post]:
        """Let everybody speak once before anybody chats on."""
        opening = self._openings.get(chat.person)
        return [*self._scribe.pack([opening] if opening else []), *self._turn_of(chat, at)]

    def _turn_of(self, chat: _Chat, at: int) -> list[Post]:
        if chat.statuses and self._chance.random() < SETTLE:
            return self._statuses(chat, at)
        if self._chance.random() < BATCH:
            return self._batch(chat, at)
        return self._single(chat, at)

    def _single(self, chat: _Chat, at: int) -> list[Post]:
        """One message; of the team's, a status may come before the message itself, or in its place."""
        step = next(chat.steps)
        told = self._message(chat, step, at)
        posts = self._scribe.pack([told] if told else [])
        if step.by_team and (not posts or self._chance.random() < OVERTAKE):
            return [*self._statuses(chat, at), *posts]
        return posts

    def _batch(self, chat: _Chat, at: int) -> list[Post]:
        """Several messages of one chat at once, the newest first, as after a pause in delivery."""
        size = self._chance.choice(BATCH_SIZE)
        told = [self._message(chat, next(chat.steps), at - size + n + 1) for n in range(size)]
        return self._scribe.pack([fact for fact in reversed(told) if fact])

    def _statuses(self, chat: _Chat, at: int) -> list[Post]:
        """All waiting statuses of a chat, in any order."""
        waiting, chat.statuses = chat.statuses, []
        self._chance.shuffle(waiting)
        progress = [
            Progress(person=chat.person, message_id=message_id, state=state, at=at + rank)
            for message_id, state, rank in waiting
        ]
        return self._scribe.pack([self._scribe.status(one) for one in progress])

    def _message(self, chat: _Chat, step: Step, at: int) -> Fact | None:
        step = self._as_told_here(chat, step)
        turn = Turn(person=chat.person, step=step, at=at, refers_to=chat.last_of_team, chance=self._chance)
        message_id = self._scribe.new_id(turn)
        told = self._scribe.message(turn, message_id)
        if step.by_team:
            chat.last_of_team = message_id
            fate = self._chance.choice(self._scribe.fates)
            chat.statuses += [(message_id, state, rank) for rank, state in enumerate(fate)]
        return told

    def _as_told_here(self, chat: _Chat, step: Step) -> Step:
        """Say in words what has nothing to refer to, or what the vendor does not tell."""
        lost = step.kind in REFERRING and chat.last_of_team is None
        return replace(step, kind="text") if lost or step.kind not in self._scribe.kinds else step

    def _kept(self, posts: list[Post]) -> list[Post]:
        self._former = [*self._former, *posts][-REMEMBERED:]
        return posts
