"""Taking messages for sending: checked, stored with their chat in one transaction, and a worker woken.

Whoever repeats a request under the same key gets the same messages. Deliberately no call to a vendor: the answer to
the person who writes does not wait for one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Final

from models.caller import Caller
from models.chat import Chat
from models.idempotency_key import IdempotencyKey
from models.ids import new_id
from models.message import Content, Context, Media, Message
from models.store.audit import Session
from models.store.batch import Batch, Tracked, Wanted
from models.store.conversations import Conversations
from models.store.outboxes import Outboxes
from models.store.sending import Sends
from models.values import Direction, MessageStatus, MessageType, SenderType
from providers.base import Account, Provider
from providers.outbound import Destination, Sender
from runtime.clock import Clock
from runtime.errors import Conflict, Invalid, NotFound
from runtime.metrics import QUEUED_MESSAGES
from services.conversing.messages import tell_chat, tell_customer
from services.sending.destinations import destination_of, spelled
from services.sending.gate import Gate
from services.sending.keys import key_of
from services.sending.orders import FillTemplate, Order, TemplateChoice, pieces, template_content

#: The code of the conflict that a message is in which was to break a silence that the customer has broken.
ANSWERED: Final = "answered"
#: Pieces that one text may be split into, at most.
MAX_PIECES: Final = 20
_CONTENT: Final = tuple(field.name for field in fields(Content))
#: Wakes the workers for a chat; never fails.
Wake = Callable[[str], None]
#: Completes what is said of a file, from what is known of it here; one that the caller may not see is not there.
Describe = Callable[[Media, Caller | None], Media]


@dataclass(frozen=True, slots=True)
class Queued:
    """What became of an order; `again`: it had been given before, under the same key."""

    messages: list[Message]
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taking:
    """One order on its way into the queue."""

    chat_id: str
    order: Order
    by: Caller | None
    key: IdempotencyKey | None
    now: datetime
    #: Nothing is taken should the customer have written since.
    silent_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Way:
    """How the messages of an account go out."""

    account: Account
    provider: Provider
    sender: Sender


class Queueing:
    """Takes messages for sending."""

    def __init__(
        self,
        *,
        sends: Sends,
        outboxes: Outboxes,
        conversations: Conversations,
        gate: Gate,
        clock: Clock,
        fill: FillTemplate,
        wake: Wake,
        describe: Describe = lambda media, _by: media,
    ) -> None:
        self._sends = sends
        self._outboxes = outboxes
        self._conversations = conversations
        self._gate = gate
        self._clock = clock
        self._fill = fill
        self._wake = wake
        self._describe = describe

    def queue(
        self, chat_id: str, order: Order, *, by: Caller | None = None, idempotency_key: str | None = None
    ) -> Message:
        """Queue a message to a chat's customer and return it; of a text that was split, the first piece.

        Raises: as `take` does.
        """
        return self.take(chat_id, order, by=by, idempotency_key=idempotency_key).messages[0]

    def queue_template(
        self,
        *,
        chat_id: str,
        name: str,
        language: str | None,
        values: Mapping[str, Any],
        idempotency_key: str,
        silent_since: datetime | None = None,
    ) -> str:
        """Queue a template message of Hookline's own accord; return our id of it.

        Raises: as `take` does.
        """
        order = Order(template=TemplateChoice(name=name, language=language, values=values))
        return self.take(chat_id, order, idempotency_key=idempotency_key, silent_since=silent_since).messages[0].id

    def take(
        self,
        chat_id: str,
        order: Order,
        *,
        by: Caller | None = None,
        idempotency_key: str | None = None,
        silent_since: datetime | None = None,
    ) -> Queued:
        """Queue what was ordered, or find what the same order under the same key had queued.

        Raises:
            NotFound: there is no such chat, or no such message to answer.
            Conflict: blocked, window_closed, account_inactive, cannot_send, no_address, idempotency_conflict; or
                answered, where the customer has written after `silent_since`.
            Invalid: the message is not one that can be sent, by field.
        """
        now = self._clock.now()
        key = key_of(chat_id, order, by, idempotency_key, now) if idempotency_key else None
        taking = _Taking(chat_id=chat_id, order=order, by=by, key=key, now=now, silent_since=silent_since)
        if key is not None and (known := self._sends.known_key(key.key, now=now)):
            return self._repeated(key, known)
        chat = self._sends.chat(chat_id)
        way = _Way(*self._gate.account(chat.config_id))
        contents = self._contents(chat.config_id, order, way.sender, by)
        queued = self._conversations.change(
            Wanted(chats={chat_id}, refs={order.reply_to or "", order.target_id or ""} - {""}),
            lambda batch, session: self._store(batch, session, taking, way, contents),
            now=now,
        )
        if not queued.again:
            self._wake(chat_id)
            QUEUED_MESSAGES.labels(way.provider.name, contents[0].type.value).inc(len(contents))
        return queued

    def _contents(self, config_id: str, order: Order, sender: Sender, by: Caller | None) -> list[Content]:
        """What is to be said, filled in, described and cut as ordered."""
        if order.template is not None:
            chosen = order.template
            filled = self._fill(config_id=config_id, name=chosen.name, language=chosen.language, values=chosen.values)
            return [self._described(template_content(filled), by)]
        content = self._described(order.content, by)
        cut = pieces(content, limit=sender.text_limit) if order.split else [content]
        if len(cut) > MAX_PIECES:
            raise Invalid("The text is too long.", fields={"text": [f"It would take more than {MAX_PIECES} messages."]})
        return cut

    def _described(self, content: Content, by: Caller | None) -> Content:
        return replace(content, media=self._describe(content.media, by)) if content.media else content

    def _store(self, batch: Batch, session: Session, taking: _Taking, way: _Way, contents: Sequence[Content]) -> Queued:
        """Store the messages with all that follows from them; everything is judged in the transaction that stores."""
        key = taking.key
        if key is not None and (known := self._sends.known_key(key.key, now=taking.now, session=session)):
            return self._repeated(key, known, session)
        chat = batch.chats.get(taking.chat_id)
        if chat is None:
            raise NotFound(f"There is no chat {taking.chat_id}.")
        _check_silence(chat.entity, taking.silent_since)
        to = self._judged(chat.entity, way, contents, session, taking.now)
        at = self._outboxes.put(chat.entity.id, chat.entity.config_id, at=taking.now, session=session)
        quoted = _quoted(batch, chat.entity, taking.order)
        messages = [_message(chat.entity, content, taking, to=to, at=at, quoted=quoted) for content in contents]
        for message in messages:
            self._gate.check_message(message, to, way.sender)
            _add(batch, chat, message)
        if key is not None:
            key.message_ids = [message.id for message in messages]
            self._sends.add_key(key, now=taking.now, session=session)
        return Queued(messages)

    def _judged(
        self, chat: Chat, way: _Way, contents: Sequence[Content], session: Session, now: datetime
    ) -> Destination:
        """Find where the chat's messages go, if they may."""
        to = destination_of(chat.id, self._sends.addresses(chat, session=session))
        phone, user_id = (to.phone, to.user_id) if to else (None, None)
        blocked = self._sends.is_blocked(phone=phone, user_id=user_id, session=session)
        to = self._gate.check_chat(chat, blocked=blocked, to=to)
        self._gate.check_window(chat, way.provider.window(way.account), [content.type for content in contents], now)
        return to

    def _repeated(self, asked: IdempotencyKey, known: IdempotencyKey, session: Session | None = None) -> Queued:
        """Answer a repetition with what the first request had queued.

        Raises:
            Conflict: it asks for something else.
        """
        if asked.body_hash != known.body_hash:
            raise Conflict("This Idempotency-Key was used for another request.", code="idempotency_conflict")
        return Queued(self._sends.many(known.message_ids, session=session), again=True)


def _message(
    chat: Chat, content: Content, taking: _Taking, *, to: Destination, at: datetime, quoted: Message | None
) -> Message:
    message_id = new_id("msg", at)
    return Message(
        **{name: getattr(content, name) for name in _CONTENT},
        id=message_id,
        chat_id=chat.id,
        config_id=chat.config_id,
        direction=Direction.OUTBOUND,
        to=spelled(to),
        context=Context(message_id=quoted.provider_message_id) if quoted else None,
        target_id=taking.order.target_id,
        emoji=taking.order.emoji,
        status=MessageStatus.QUEUED,
        queued_at=at,
        **_sender(taking.by),
        provider=chat.provider,
        client_ref=message_id,
        generation=0,
        tries=0,
        idempotency_key=taking.key.key if taking.key else None,
        timestamp=at,
        received_at=at,
    )


def _check_silence(chat: Chat, since: datetime | None) -> None:
    """Make sure that the customer has not written since, in the transaction that a message of theirs collides with."""
    if since is not None and chat.last_inbound_at is not None and chat.last_inbound_at > since:
        raise Conflict("The customer has written meanwhile.", code=ANSWERED)


def _quoted(batch: Batch, chat: Chat, order: Order) -> Message | None:
    """Find the message that is answered or reacted to."""
    return _found(batch, chat, order.reply_to, "replyTo") or _found(batch, chat, order.target_id, "targetId")


def _add(batch: Batch, chat: Tracked[Chat], message: Message) -> None:
    """Add a message to a batch; a reaction is no bubble and counts for nothing."""
    batch.add_message(message)
    if message.type is not MessageType.REACTION:
        tell_chat(batch, chat, message)
        tell_customer(batch.customer(chat.entity.customer_id), message)


def _found(batch: Batch, chat: Chat, message_id: str | None, field: str) -> Message | None:
    """Find the message that is answered or reacted to.

    Raises:
        Invalid: it is none of this chat's, or the vendor does not know it yet.
    """
    if message_id is None:
        return None
    found = batch.by_ref.get(message_id)
    if found is None or found.entity.chat_id != chat.id or found.entity.is_deleted:
        raise Invalid("There is no such message.", fields={field: [f"There is no message {message_id} in this chat."]})
    if found.entity.provider_message_id is None:
        raise Invalid("Not yet.", fields={field: ["The vendor has not accepted that message yet."]})
    return found.entity


def _sender(by: Caller | None) -> dict[str, Any]:
    """Who writes: an agent, or a program; a program's messages do not count as an agent's answers."""
    if by is not None and by.agent_id:
        return {"sender_type": SenderType.AGENT, "sender_id": by.agent_id, "sender_name": by.name}
    named = {"sender_id": by.token_id, "sender_name": by.name} if by is not None else {}
    return {"sender_type": SenderType.SYSTEM, **named}
