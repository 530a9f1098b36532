"""Writing down what came of an attempt, together with all that follows from it.

The usual end, a plain acceptance, is two small updates in one transaction. Everything else is folded over the
documents it touches, as webhooks are: a status may have come first, an echo may have been stored as a message of its
own, a person may have asked for another attempt meanwhile. Deliberately no decision what comes next.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from models.chat import LastMessage
from models.chat_tally import preview
from models.delivery_status import READ_STATUS, TIMES, advance, earliest
from models.message import Attempt, Message, MessageError, Reaction
from models.pending_update import PendingUpdate
from models.store.audit import Session
from models.store.batch import Batch, Tracked, Wanted
from models.store.conversations import Conversations
from models.store.sending import Sends
from models.values import MessageStatus, MessageType, SenderType
from providers.outbound import Receipt, SendError
from runtime.clock import Clock
from runtime.errors import LeaseLost
from runtime.logs import logger
from runtime.metrics import FENCED_WRITES, SEND_SECONDS
from services.conversing.echoes import absorb
from services.conversing.messages import close_window, restate
from services.conversing.own_sends import BEHIND, QUEUE_NUMBER
from services.conversing.reconciling import Reconciling

#: Outcomes of attempts that count for nothing; of these only the latest are kept.
FREE: Final = frozenset({"throttled", "paused"})
FREE_KEPT: Final = 3
#: Attempts kept in all.
KEPT: Final = 40
#: Who reacted, where the business did.
BUSINESS: Final = "business"

_log = logger(__name__)


class Recording:
    """Writes down the ends of attempts. Each verb may be repeated and changes nothing more."""

    def __init__(self, sends: Sends, conversations: Conversations, reconciling: Reconciling, clock: Clock) -> None:
        self._sends = sends
        self._conversations = conversations
        self._reconciling = reconciling
        self._clock = clock

    def accepted(self, message: Message, receipt: Receipt) -> None:
        """Write down that the vendor took a message, and apply what it said of it before we knew."""
        now = self._clock.now()
        if message.type is MessageType.REACTION or not self._accepted_plainly(message, receipt, now):
            self._accepted_after_all(message, receipt, now)
        SEND_SECONDS.observe((now - (message.queued_at or now)).total_seconds())
        waiting = self._waiting(message, receipt)
        if waiting:
            self._reconciling.settle(waiting)

    def _waiting(self, message: Message, receipt: Receipt) -> list[PendingUpdate]:
        """Find what came before the answer, by the vendor's id or by the number that the answer has instead."""
        if receipt.provider_message_id:
            key = [(message.config_id, receipt.provider_message_id)]
            return self._conversations.reconcilable(key, [message.id])
        waiting = self._conversations.reconcilable([], [message.id])
        number = receipt.metadata.get(QUEUE_NUMBER)
        if isinstance(number, int) and message.attempts:
            since = message.attempts[-1].at - BEHIND
            waiting += self._conversations.numbered(message.config_id, number, since=since)
        return waiting

    def put_back(self, message: Message, outcome: str, error: SendError, *, next_at: datetime) -> None:
        """Return a message to the queue; what the vendor would not even look at costs no attempt."""
        now = self._clock.now()
        tries = (message.tries or 1) - (1 if outcome in FREE else 0)
        values = {
            "attempts": closed(message, message.generation, outcome, error.error, error.request_id),
            "next_attempt_at": next_at,
            "tries": tries,
        }
        if not self._sends.put_back(message, values, now=now):
            self._ended(message, outcome, error.error, status=None, now=now)

    def failed(self, message: Message, error: SendError) -> None:
        """Write down that a message was not sent and will not be, until a person asks."""
        closes = error.window_closed
        self._ended(
            message, "failed", error.error, status=MessageStatus.FAILED, now=self._clock.now(), closes_window=closes
        )

    def unknown(self, message: Message, error: MessageError) -> None:
        """Write down that nobody knows whether a message was sent."""
        self._ended(message, "unknown", error, status=MessageStatus.UNKNOWN, now=self._clock.now())

    def _ended(
        self,
        message: Message,
        outcome: str,
        error: MessageError,
        *,
        status: MessageStatus | None,
        now: datetime,
        closes_window: bool = False,
    ) -> None:
        """Close an attempt, and move the message unless somebody knows better by now."""

        def fold(batch: Batch, _: Session) -> None:
            known = batch.by_ref.get(message.id)
            if known is None:
                return
            values: dict[str, Any] = {"attempts": closed(known.entity, message.generation, outcome, error)}
            ends_as = _end(known.entity, message, status)
            if ends_as is not None:
                times = dict.fromkeys(TIMES.get(ends_as, ()), now)
                values |= {"status": ends_as, "error": error, "lease_until": None, "next_attempt_at": None, **times}
            else:
                FENCED_WRITES.inc()
            restate(batch, known, **values)
            if closes_window:
                close_window(batch, message.chat_id, message.queued_at or now)

        self._conversations.change(Wanted(refs={message.id}), fold, now=now)

    def _accepted_plainly(self, message: Message, receipt: Receipt, now: datetime) -> bool:
        """Write an acceptance down, unless something else has happened to the message or has the vendor's id."""
        try:
            self._sends.accept(message, _taken(message, message.generation, receipt, now), now=now)
        except LeaseLost:
            return False
        return True

    def _accepted_after_all(self, message: Message, receipt: Receipt, now: datetime) -> None:
        """Join a receipt to what is known of its message by now, however that came about."""

        def fold(batch: Batch, session: Session) -> None:
            known = batch.by_ref.get(message.id)
            if known is None:
                return
            other = batch.messages.get((message.config_id, receipt.provider_message_id or ""))
            told = receipt
            if other is not None and other is not known:
                if _is_echo(other.entity):
                    self._merge(batch, known, other, session, now)
                else:
                    _log.warning("vendor_id_of_another", message_id=message.id, other_id=other.entity.id)
                    told = replace(receipt, provider_message_id=None)
            values = _taken(known.entity, message.generation, told, now)
            restate(batch, known, **values)
            target = batch.by_ref.get(message.target_id or "")
            if target is not None:
                _react(batch, target, message.emoji, now)

        keys = {(message.config_id, receipt.provider_message_id)} if receipt.provider_message_id else set()
        refs = {message.id, *([message.target_id] if message.target_id else [])}
        wanted = Wanted(refs=refs, messages=keys, chats={message.chat_id})
        self._conversations.change(wanted, fold, now=now)

    def _merge(
        self, batch: Batch, mine: Tracked[Message], echo: Tracked[Message], session: Session, now: datetime
    ) -> None:
        """Take an echo that was stored as a message of its own into the message it is an echo of."""
        known, other = mine.entity, echo.entity
        absorb(batch, mine, echo, now=now)
        chat = batch.chats.get(other.chat_id)
        if chat is None or other.type is MessageType.REACTION:
            return
        chat.add(total_messages=-1, agent_messages=-1)
        customer = batch.customer(chat.entity.customer_id)
        if customer is not None:
            customer.add(total_messages=-1)
        if chat.entity.last_message and chat.entity.last_message.id == other.id:
            newest = self._sends.newest(other.chat_id, without=other.id, session=session)
            shown = mine.entity if newest is None or newest.id == known.id else newest
            _show(chat, shown)


def _is_echo(message: Message) -> bool:
    """Whether a message may be another that came back: neither a customer's, nor one that we sent ourselves."""
    return message.sender_type is SenderType.BUSINESS_APP and not message.attempts


def _show(chat: Any, shown: Message) -> None:
    picture: LastMessage = preview(shown)
    chat.set(last_message=picture, last_message_time=shown.timestamp, last_message_id=shown.provider_message_id)


def closed(
    message: Message,
    number: int | None,
    outcome: str,
    error: MessageError | None = None,
    request_id: str | None = None,
) -> list[Attempt]:
    """The attempts of a message with one of them at its end; of those that cost nothing only the latest."""
    attempts = [
        replace(one, outcome=outcome, error=error, request_id=request_id or one.request_id)
        if one.n == number and one.outcome in {None, "unknown", outcome}
        else one
        for one in message.attempts or ()
    ]
    return bounded(attempts)


def bounded(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Leave out what is not worth keeping."""
    free = [one.n for one in attempts if one.outcome in FREE]
    dropped = set(free[:-FREE_KEPT])
    return [one for one in attempts if one.n not in dropped][-KEPT:]


def named(attempts: Sequence[Attempt], number: int | None, provider_message_id: str | None) -> list[Attempt]:
    """Note the vendor's id of one of the attempts."""
    return [replace(one, provider_message_id=provider_message_id) if one.n == number else one for one in attempts]


def _end(known: Message, begun: Message, status: MessageStatus | None) -> MessageStatus | None:
    """Say what becomes of a message whose attempt has ended; None where somebody knows better by now.

    One that was given up meanwhile has failed, whatever it was: now we know that it was not sent.
    """
    if known.generation != begun.generation:
        return None
    if known.status is MessageStatus.UNKNOWN:
        return MessageStatus.FAILED if status is not MessageStatus.UNKNOWN else None
    return status if known.status is MessageStatus.SENDING else None


def _taken(known: Message, number: int | None, receipt: Receipt, now: datetime) -> dict[str, Any]:
    """What a receipt changes in a message as it is known; a status that says more stands."""
    status = advance(known.status, receipt.status)
    attempts = closed(known, number, "accepted", None, receipt.request_id)
    if known.provider_message_id not in {None, receipt.provider_message_id}:
        # A person asked for another attempt, and the vendor took both.
        attempts = named(attempts, number, receipt.provider_message_id)
    values: dict[str, Any] = {
        "status": status,
        "attempts": attempts,
        "provider_message_id": known.provider_message_id or receipt.provider_message_id,
        "provider_status": known.provider_status or receipt.provider_status,
        "read_status": READ_STATUS.get(status),
        "next_attempt_at": None,
        "lease_until": None,
    }
    if status is receipt.status:
        values["error"] = None
        values |= {name: earliest(getattr(known, name), now) for name in TIMES.get(status, ())}
    if receipt.metadata:
        values["metadata"] = {**(known.metadata or {}), **receipt.metadata}
    return values


def _react(batch: Batch, target: Tracked[Message], emoji: str | None, at: datetime) -> None:
    """Show the business's reaction on its target."""
    entity = target.entity
    others = [one for one in entity.reactions or [] if one.from_ != BUSINESS]
    mine = [Reaction(from_=BUSINESS, emoji=emoji, at=at)] if emoji else []
    times = {**(entity.reaction_times or {}), BUSINESS: at}
    restate(batch, target, reactions=[*others, *mine], reaction_times=times)
