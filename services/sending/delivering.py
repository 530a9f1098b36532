"""Sending what is queued: chat by chat, message by message, each exactly once per attempt.

    claim an outbox      thrift: one worker looks at a chat
    look at its head     the first message that is queued or being sent; one being sent by a dead worker is `unknown`
    take its tokens      nothing is spent while they are waited for
    begin                queued -> sending with an attempt, in one update: whoever makes it sends
    call                 once
    record               what came of it, with all that follows

Deliberately no threads: `workers.courier` has them.
"""

import itertools
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from models.message import Attempt, Message, MessageError
from models.outbox import Outbox
from models.send_pause import SendPause
from models.store.outboxes import Outboxes
from models.store.sending import Sends
from models.values import MessageStatus
from providers.outbound import ErrorKind, Receipt, SendError
from runtime.clock import Clock
from runtime.errors import Conflict
from runtime.logs import logger
from runtime.metrics import SENDS
from services.sending.calling import CHAT_UNITED, Calling, Ready, final
from services.sending.learning import Learning
from services.sending.pacing import PATIENCE, Pacing
from services.sending.pausing import Pausing
from services.sending.recording import Recording
from services.sending.schedule import is_worth_another, wait_after

#: Messages of one chat sent in a row before others have their turn.
IN_A_ROW: Final = 20
#: How long a chat waits whose account is not there (it may be switched on again).
WITHOUT_ACCOUNT: Final = timedelta(minutes=1)
#: How long a chat waits after something of ours failed.
AFTER_CRASH: Final = timedelta(seconds=2)
#: How long a message waits for its chat, with which another was united, to take it over.
WHILE_MOVING: Final = timedelta(seconds=2)
#: Share of a lease that is left when a call must have ended; with less than twice that left none is begun.
RESERVE: Final = 0.25

_TOO_LATE: Final = SendError(
    kind=ErrorKind.RETRYABLE,
    error=MessageError(
        code="too_late", title="There was no time left to call the vendor", kind=ErrorKind.RETRYABLE, retryable=True
    ),
)

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Turn:
    """A claimed outbox; as a probe it sends one message of an account that is paused."""

    outbox: Outbox
    probe: bool = False


class Went(StrEnum):
    """How a step ended that need not be waited for: the message's turn is over, or it is to be looked at again."""

    OVER = "over"
    ON = "on"


class Delivering:
    """Sends queued messages; any number of workers may do so at once."""

    def __init__(
        self,
        *,
        sends: Sends,
        outboxes: Outboxes,
        calling: Calling,
        recording: Recording,
        learning: Learning,
        pacing: Pacing,
        pausing: Pausing,
        clock: Clock,
        lease: timedelta,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sends = sends
        self._outboxes = outboxes
        self._calling = calling
        self._recording = recording
        self._learning = learning
        self._pacing = pacing
        self._pausing = pausing
        self._clock = clock
        self._lease = lease
        self._sleep = sleep
        #: Numbers whose tokens are used up for longer than is worth waiting: until when.
        self._resting: dict[str, datetime] = {}

    def deliver(self) -> int:
        """Send everything that is due, here and now; return how many chats had their turn."""
        turns = 0
        while found := self.claim(limit=IN_A_ROW):
            for turn in found:
                self.work(turn)
            turns += len(found)
        return turns

    def claim(self, *, limit: int, without: Collection[str] = ()) -> list[Turn]:
        """Take chats that are due, at most so many, and none of some accounts."""
        now = self._clock.now()
        self._resting = {account_id: until for account_id, until in list(self._resting.items()) if until > now}
        paused = {key: one for key, one in self._pausing.remembered().items() if one.paused_until is not None}
        resting = set(self._resting)
        closed = {*without, *resting, *paused}
        probed = (pause for pause in paused.values() if pause.id not in {*without, *resting})
        probes = list(itertools.islice((turn for pause in probed for turn in self._probe(pause)), limit))
        free = limit - len(probes)
        claimed = self._outboxes.claim(now=now, until=now + self._lease, limit=free, without=closed) if free > 0 else []
        return [*probes, *map(Turn, claimed)]

    def renew(self, turns: Iterable[Turn]) -> None:
        """Hold on to chats for another lease."""
        self._outboxes.renew((turn.outbox for turn in turns), until=self._clock.now() + self._lease)

    def give_back(self, turns: Iterable[Turn]) -> None:
        """Let go of chats that nobody has begun with."""
        for turn in turns:
            self._outboxes.release(turn.outbox, next_at=self._clock.now())

    def work(self, turn: Turn, *, is_leaving: Callable[[], bool] = lambda: False) -> bool:
        """Send a chat's messages until none is left, one has to wait, others are to have their turn, or we are leaving.

        Say whether there is, or may be, more to be sent at once.
        """
        outbox = turn.outbox
        try:
            next_at = self._work(turn, is_leaving)
        except Exception as error:  # noqa: BLE001  one chat's trouble is not the others'; its row is found again
            _log.error("delivery_crashed", chat_id=outbox.id, error=type(error).__name__, exc_info=True)
            next_at = self._clock.now() + AFTER_CRASH
        try:
            if next_at is None:
                return not self._outboxes.finish(outbox, now=self._clock.now())
            as_seen = self._outboxes.release(outbox, next_at=next_at)
        except Exception as error:  # noqa: BLE001  the lease ends by itself
            _log.info("outbox_left_to_its_lease", chat_id=outbox.id, error=type(error).__name__)
            return False
        return not as_seen or next_at <= self._clock.now()

    def _work(self, turn: Turn, is_leaving: Callable[[], bool]) -> datetime | None:
        """Send what is due; return when to look again, None where nothing is left."""
        for _ in range(1 if turn.probe else IN_A_ROW):
            if is_leaving() or (not turn.probe and self._is_paused(turn.outbox.config_id)):
                break
            head, is_all = self._sends.head(turn.outbox.id)
            if head is None:
                return None
            step = self._advance(head)
            if isinstance(step, datetime):
                return step
            if is_all and step is Went.OVER:
                # What was queued since has changed the outbox, which then stays.
                return None
        return self._clock.now()

    def _is_paused(self, config_id: str) -> bool:
        pause = self._pausing.known().get(config_id)
        return pause is not None and pause.paused_until is not None

    def _advance(self, head: Message) -> datetime | Went:
        """Bring the message whose turn it is one step further; return when to look again where it has to wait."""
        now = self._clock.now()
        if head.status is MessageStatus.SENDING:
            return self._sending_elsewhere(head, now)
        if head.next_attempt_at is not None and head.next_attempt_at > now:
            return head.next_attempt_at
        try:
            ready = self._calling.prepare(head)
        except Conflict as conflict:
            return self._unready(head, conflict, now)
        if isinstance(ready.request, SendError):
            return self._send(ready)
        return self._tokens(ready, now) or self._send(ready)

    def _unready(self, head: Message, conflict: Conflict, now: datetime) -> datetime | Went:
        """Let a message wait for its chat or account, and say so; without its account it never will be sent."""
        if conflict.code == CHAT_UNITED:
            return now + WHILE_MOVING
        if self._sends.is_account_gone(head.config_id):
            begun = self._begin(head, now)
            if begun is None:
                return Went.ON
            return self._record_failed(begun, final("account_deleted", "The account was deleted"))
        error = MessageError(code=conflict.code, title=str(conflict), kind=ErrorKind.OURS, retryable=True)
        self._sends.note(head, error, now=now)
        return now + WITHOUT_ACCOUNT

    def _sending_elsewhere(self, head: Message, now: datetime) -> datetime | Went:
        """Wait for whoever sends the message, and when they must be dead, say that its fate is not known."""
        if head.lease_until is not None and head.lease_until > now:
            return head.lease_until
        error = MessageError(code="worker_lost", title="Nobody knows whether it was sent", kind=ErrorKind.UNKNOWN)
        self._recording.unknown(head, error)
        SENDS.labels(head.provider, "lost").inc()
        return Went.OVER

    def _tokens(self, ready: Ready, now: datetime) -> datetime | None:
        """Take a message's tokens, waiting a moment for them; return when to come back where that takes longer."""
        pace = self._pacing.take(ready.message, ready.account, ready.provider, ready.sender.rates)
        if pace.wait > PATIENCE:
            if pace.all_chats:
                self._resting[ready.account.id] = now + pace.wait
            return now + pace.wait
        if pace.wait:
            self._sleep(pace.wait.total_seconds())
        return None

    def _send(self, ready: Ready) -> Went:
        """Begin with a message, call the vendor if there is something to ask, and record what came of it."""
        begun = self._begin(ready.message, self._clock.now())
        if begun is None:
            return Went.ON
        ready = replace(ready, message=begun)
        time_left = (begun.lease_until or self._clock.now()) - self._clock.now()
        if time_left < self._lease * 2 * RESERVE:
            # This process stood still, or the database did. The call could outlast the lease, after which a person may
            # have asked for another attempt.
            return self._end(ready, _TOO_LATE)
        answer = self._calling.call(ready, deadline=time_left - self._lease * RESERVE)
        if isinstance(answer, Receipt):
            step = self._end(ready, answer)
            self._tell(ready, answer)
            return step
        # The account's trouble is known before the message can be sent again: or its success would be told first, and
        # this failure after it.
        self._tell_if_possible(ready, answer)
        return self._end(ready, answer)

    def _begin(self, head: Message, now: datetime) -> Message | None:
        """Move a message to sending; None where another was faster."""
        attempt = Attempt(n=(head.generation or 0) + 1, at=now)
        until = now + self._lease
        if not self._sends.begin(head, attempt, until=until):
            return None
        return replace(
            head,
            status=MessageStatus.SENDING,
            generation=attempt.n,
            tries=(head.tries or 0) + 1,
            attempts=[*(head.attempts or []), attempt],
            lease_until=until,
        )

    def _end(self, ready: Ready, answer: Receipt | SendError) -> Went:
        """Record what came of an attempt; the message's turn is over unless it goes back to the queue."""
        if isinstance(answer, SendError):
            return _RECORDERS[answer.kind](self, ready, answer)
        begun = ready.message
        self._calling.patiently(lambda: self._recording.accepted(begun, answer))
        SENDS.labels(begun.provider, "accepted").inc()
        self._learning.learn(begun, answer, ready.account, ready.to)
        return Went.OVER

    def _tell_if_possible(self, ready: Ready, answer: SendError) -> None:
        try:
            self._tell(ready, answer)
        except Exception as error:  # noqa: BLE001  what came of the message matters more, and the next failure tells too
            _log.warning("account_trouble_not_told", error=type(error).__name__)

    def _tell(self, ready: Ready, answer: Receipt | SendError) -> None:
        """Tell those who care how the account fares."""
        config_id = ready.message.config_id
        if isinstance(answer, Receipt):
            self._pausing.answered(config_id)
        elif answer.kind is ErrorKind.FINAL:
            if not isinstance(ready.request, SendError):
                self._pausing.answered(config_id)
        elif answer.kind is not ErrorKind.THROTTLED:
            self._pausing.failed(config_id, answer if answer.kind is ErrorKind.OURS else None)

    def _throttled(self, ready: Ready, error: SendError) -> Went:
        held = self._pacing.slow_down(ready.message, ready.account, ready.provider, ready.sender.rates, error)
        return self._put_back(ready.message, "throttled", error, self._clock.now() + held)

    def _paused(self, ready: Ready, error: SendError) -> Went:
        return self._put_back(ready.message, "paused", error, self._clock.now())

    def _again(self, ready: Ready, error: SendError) -> Went:
        tries = ready.message.tries or 1
        if not is_worth_another(tries, error.tries):
            return self._failed(ready, error)
        next_at = self._clock.now() + wait_after(tries, asked=error.retry_after)
        return self._put_back(ready.message, "retry", error, next_at)

    def _failed(self, ready: Ready, error: SendError) -> Went:
        return self._record_failed(ready.message, error)

    def _record_failed(self, begun: Message, error: SendError) -> Went:
        self._calling.patiently(lambda: self._recording.failed(begun, error))
        SENDS.labels(begun.provider, "failed").inc()
        return Went.OVER

    def _unknown(self, ready: Ready, error: SendError) -> Went:
        begun = ready.message
        self._calling.patiently(lambda: self._recording.unknown(begun, error.error))
        SENDS.labels(begun.provider, "unknown").inc()
        return Went.OVER

    def _put_back(self, begun: Message, outcome: str, error: SendError, next_at: datetime) -> Went:
        self._calling.patiently(lambda: self._recording.put_back(begun, outcome, error, next_at=next_at))
        SENDS.labels(begun.provider, outcome).inc()
        return Went.ON

    def _probe(self, pause: SendPause) -> Sequence[Turn]:
        """Let one message of a paused account try, when its interval has ended and nobody else does."""
        now = self._clock.now()
        if pause.paused_until is None or pause.paused_until > now:
            return []
        claimed = self._outboxes.claim(now=now, until=now + self._lease, limit=1, only=[pause.id])
        if claimed and self._pausing.take_probe(pause) is None:
            self.give_back(map(Turn, claimed))
            return []
        return [Turn(outbox, probe=True) for outbox in claimed]


_Recorder = Callable[[Delivering, Ready, SendError], Went]
#: What follows from each kind of failure.
_RECORDERS: Final[dict[ErrorKind, _Recorder]] = {
    ErrorKind.RETRYABLE: Delivering._again,  # noqa: SLF001  the class's own table
    ErrorKind.THROTTLED: Delivering._throttled,  # noqa: SLF001
    ErrorKind.OURS: Delivering._paused,  # noqa: SLF001
    ErrorKind.UNKNOWN: Delivering._unknown,  # noqa: SLF001
    ErrorKind.FINAL: Delivering._failed,  # noqa: SLF001
}
