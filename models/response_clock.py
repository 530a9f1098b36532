"""How long customers wait: who waits since when, how fast the first answer was, and how fast answers are on average.

Judged by the vendor's times, so that the result does not depend on the order in which messages arrive: a message
that comes in turn moves the clock one step, one that comes late has it counted anew from all turns. Deliberately
no counting of synced history, of system messages, of what blocked people write, or of answers that never arrived.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from models.chat import Chat
from models.message import Message
from models.values import Direction, MessageStatus, MessageType, SenderType

#: Of an answer that was never given.
_NEVER_LEFT: Final = frozenset({MessageStatus.FAILED, MessageStatus.CANCELED})


@dataclass(frozen=True, slots=True, order=True)
class Turn:
    """One side spoke. Of turns of the same moment the customer's comes first."""

    at: datetime
    is_answer: bool


@dataclass(slots=True)
class ResponseClock:
    """A chat's clock; the fields are the chat's."""

    waiting_since: datetime | None = None
    first_response_at: datetime | None = None
    first_response_time: float | None = None
    response_count: int = 0
    response_seconds: float = 0
    avg_response_time: float | None = None

    def take(self, turn: Turn) -> None:
        """Move on by the next turn."""
        if not turn.is_answer:
            self.waiting_since = self.waiting_since or turn.at
        elif self.waiting_since is not None:
            seconds = (turn.at - self.waiting_since).total_seconds()
            if self.first_response_at is None:
                self.first_response_at, self.first_response_time = turn.at, seconds
            self.response_count += 1
            self.response_seconds += seconds
            self.avg_response_time = self.response_seconds / self.response_count
            self.waiting_since = None


@dataclass(slots=True, kw_only=True)
class Spoken:
    """As much of a message as the clock looks at: a chat may have many thousands."""

    id: str
    chat_id: str
    timestamp: datetime
    direction: Direction
    sender_type: SenderType
    type: MessageType
    status: MessageStatus
    history: bool | None = None
    blocked: bool | None = None
    is_deleted: bool = False


_FIELDS = tuple(ResponseClock.__slots__)


def turn_of(message: Message | Spoken) -> Turn | None:
    """The turn a message is, None where it moves no clock. Answers from the phone app count as answers."""
    if message.history or message.blocked or message.is_deleted or message.type is MessageType.REACTION:
        return None
    if message.sender_type is SenderType.CUSTOMER:
        return Turn(message.timestamp, is_answer=False)
    if message.status in _NEVER_LEFT:
        return None
    if message.direction is Direction.OUTBOUND and message.sender_type is not SenderType.SYSTEM:
        return Turn(message.timestamp, is_answer=True)
    return None


def counted(turns: Iterable[Turn]) -> dict[str, Any]:
    """Count the clock anew from all turns, in whatever order they are given."""
    clock = ResponseClock()
    for turn in sorted(turns):
        clock.take(turn)
    return _fields(clock)


def comes_in_turn(chat: Chat, turn: Turn) -> bool:
    """Say whether one step of the clock gives what counting anew would."""
    if not turn.is_answer and chat.waiting_since is not None:
        return turn.at >= chat.waiting_since
    if chat.last_turn_at is None:
        return True
    return turn.at >= chat.last_turn_at if turn.is_answer else turn.at > chat.last_turn_at


def moved(chat: Chat, turn: Turn) -> dict[str, Any]:
    """Move a chat's clock by a turn that comes in turn; return the chat's new fields."""
    clock = ResponseClock(**{name: getattr(chat, name) for name in _FIELDS})
    clock.take(turn)
    return _fields(clock)


def _fields(clock: ResponseClock) -> dict[str, Any]:
    return {name: getattr(clock, name) for name in _FIELDS}
