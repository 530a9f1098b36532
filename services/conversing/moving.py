"""Letting messages follow where they belong: into a united chat, or to whoever had the number at their time.

The order to do so was written together with what was learnt (`models.message_move`); it is carried out right after,
by whoever wrote it, or else by the sweep, and doing it twice changes nothing more. Deliberately only messages that
tell nothing but a number are judged again: who told a user id is who they said they are.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, Protocol

from models.address import Address
from models.chat_tally import is_unread, number_of
from models.message import Content, Message
from models.message_move import MessageMove
from models.spelling import canonical
from models.store.batch import Batch, Tracked, Wanted
from models.store.conversations import Conversations
from models.store.moves import Moves
from models.values import AddressKind
from providers.base import Account, Provider
from providers.events import MessageArrived, Party
from runtime.clock import Clock
from runtime.logs import logger
from services.conversing.facts import Fact
from services.conversing.parties import address_keys, chat_of

#: How long an order may take whoever wrote it before the sweep carries it out.
PATIENCE: Final = timedelta(seconds=15)
_log = logger(__name__)


class Reader(Protocol):
    """Who knows accounts and the vendors they are with."""

    def account(self, account_id: str) -> Account | None:
        """Find an account by id."""

    def provider(self, name: str) -> Provider:
        """Find a dialect by its stored name."""


class Moving:
    """Carries out orders to move messages."""

    def __init__(self, conversations: Conversations, moves: Moves, reader: Reader, clock: Clock) -> None:
        self._conversations = conversations
        self._moves = moves
        self._reader = reader
        self._clock = clock

    def sweep(self) -> int:
        """Carry out what was left behind; return how many orders there were."""
        left = self._moves.left(before=self._clock.now() - PATIENCE)
        self.carry_out(left)
        return len(left)

    def carry_out(self, moves: Sequence[MessageMove]) -> None:
        """Move messages until nothing is left of these orders; one that fails is left to the sweep."""
        for move in moves:
            try:
                done = self._follow(move) if move.to_chat_id else self._judge_again(move)
            except Exception as error:
                if self._conversations.is_outage(error):
                    raise
                _log.error("messages_not_moved", move_id=move.id, error=type(error).__name__, exc_info=True)
            else:
                if done:
                    self._moves.drop(move)

    def _follow(self, move: MessageMove) -> bool:
        while self._moves.follow(move):
            pass
        return True

    def _judge_again(self, move: MessageMove) -> bool:
        """Find again whose messages these are, now that more is known; say whether all could be looked at."""
        account, address = self._reader.account(move.config_id), self._moves.address(move)
        if account is None or address is None:
            return False
        last: Message | None = None
        while messages := self._moves.told_by_number(move, address, after=last):
            told = [_again(one, account) for one in messages if _is_of(one, address)]
            self._put_some(told, self._reader.provider(account.provider).window(account))
            last = messages[-1]
        return True

    def _put_some(self, told: Sequence[tuple[Fact, MessageArrived]], window: timedelta | None) -> None:
        wanted = Wanted()
        for fact, event in told:
            wanted.addresses.update(address_keys(fact.account, event.party))
            wanted.messages.add((fact.account.id, event.provider_message_id))

        def fold(batch: Batch, _session: object) -> None:
            batch.service_window = window
            for fact, event in told:
                message = batch.message(fact.account.id, event.provider_message_id)
                if message is not None:
                    _put(batch, fact, event, message)

        if told:
            self._conversations.change(wanted, fold, now=self._clock.now())


def _is_of(message: Message, address: Address) -> bool:
    """Whether a message was from or to a number, and not only near it."""
    number = number_of(message)
    return bool(message.provider_message_id and number and canonical(AddressKind.PHONE, number) == address.canonical)


def _again(message: Message, account: Account) -> tuple[Fact, MessageArrived]:
    """What the vendor told of the person when the message came."""
    event = MessageArrived(
        path="",
        key=message.provider_message_id or "",
        at=message.timestamp,
        provider_message_id=message.provider_message_id or "",
        party=Party(phone=number_of(message), name=message.sender_name),
        content=Content(),
    )
    return Fact(event=event, account=account, event_id="", received_at=message.received_at), event


def _put(batch: Batch, fact: Fact, event: MessageArrived, message: Tracked[Message]) -> None:
    """Put a message into the chat of whoever had the number at its time."""
    was, chat = batch.chats.get(message.entity.chat_id), chat_of(batch, fact, event)
    if was is None or was is chat:
        return
    if is_unread(message.entity) and was.entity.unread_count > 0:
        was.add(unread_count=-1)
        chat.add(unread_count=1)
    message.set(chat_id=chat.entity.id)
    for one in (was, chat):
        batch.recounted.setdefault(one.entity.id, set()).add(message.entity.timestamp)
