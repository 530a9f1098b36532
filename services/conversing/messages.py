"""A message arrives: it is kept once, and its chat and customer learn of it.

Deliberately nothing that depends on the order of arrival: newest and oldest are judged by the vendor's time,
sums are added in the transaction that inserts the message they count.
"""

from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from models.chat import REOPENED_BY_CUSTOMER, Chat
from models.chat_tally import preview, window_end
from models.customer import Customer
from models.delivery_status import READ_STATUS, advance
from models.ids import new_id
from models.media_file import awaits_fetch
from models.message import Content, Fetch, Message
from models.response_clock import Turn, comes_in_turn, moved, turn_of
from models.store.batch import Batch, Tracked
from models.template_usage import TAKEN, first_use
from models.values import ChatStatus, Direction, MessageStatus, Outcome, SenderType
from providers.events import MessageArrived, Party
from runtime.metrics import CONFLICTING_DUPLICATES
from services.conversing.facts import Fact, Verdict, ignored
from services.conversing.own_sends import learned, sent_before
from services.conversing.parties import chat_of

#: Why nobody is told of a message that was kept.
BLOCKED: Final = "blocked_sender"
#: Why a message that arrived is none of its own: it is one of ours, come back.
OWN_SEND: Final = "own_send"
_CONTENT: Final = tuple(field.name for field in fields(Content))


def arrive(batch: Batch, fact: Fact, event: MessageArrived) -> Verdict:
    """Keep a message that is new, with all that follows from it."""
    known = batch.message(fact.account.id, event.provider_message_id)
    if known is not None:
        return _again(batch, known, fact, event)
    if not event.party.known:
        return ignored("no_party")
    chat = chat_of(batch, fact, event)
    mine = sent_before(batch, event, chat_id=chat.entity.id, at=fact.at) if event.own_send else None
    if mine is not None:
        return _came_back(batch, mine, fact, event)
    message = _message(fact, event, chat.entity)
    batch.add_message(message)
    if message.fetch is not None:
        batch.to_fetch.append(message.id)
    tell_chat(batch, chat, message, fact)
    profile = event.party.name if event.direction is Direction.INBOUND else None
    tell_customer(batch.customer(chat.entity.customer_id), message, profile)
    reason = BLOCKED if message.blocked and message.direction is Direction.INBOUND else None
    return Verdict(outcome=Outcome.APPLIED, reason=reason, message_id=message.id, chat_id=message.chat_id)


def restate(batch: Batch, message: Tracked[Message], **values: Any) -> None:
    """Change a message, its picture in the list of chats if it stands there, and the clock it may have moved."""
    before, was = turn_of(message.entity), message.entity.status
    message.set(**values)
    entity = message.entity
    if was is MessageStatus.QUEUED and entity.status is not was:
        batch.freed.add(entity.chat_id)
    if entity.status in TAKEN and (use := first_use(entity, at=entity.sent_at or entity.timestamp)):
        message.set(template_counted=True)
        batch.template_uses.append(use)
    chat = batch.chats.get(entity.chat_id)
    if chat is None:
        return
    if chat.entity.last_message and chat.entity.last_message.id == entity.id:
        chat.set(last_message=preview(entity))
        if entity.provider_message_id != chat.entity.last_message_id:
            chat.set(last_message_id=entity.provider_message_id)
    if turn_of(entity) != before:
        batch.late_turns.add(entity.chat_id)


def fetch_anew(batch: Batch, message: Tracked[Message], content: Content, fact: Fact) -> None:
    """Have the files of a message's new content fetched; who was fetching the old ones finds the work gone."""
    if awaits_fetch(content):
        message.set(fetch=Fetch(due_at=fact.received_at))
        batch.to_fetch.append(message.entity.id)


def close_window(batch: Batch, chat_id: str, at: datetime) -> None:
    """Believe the vendor that the service window was closed at a moment, unless the customer wrote since."""
    chat = batch.chats.get(chat_id)
    if chat is None or (chat.entity.window_closed_at is not None and chat.entity.window_closed_at >= at):
        return
    chat.set(window_closed_at=at)
    open_until, wrote = chat.entity.window_expires_at, chat.entity.last_inbound_at
    if open_until is not None and open_until > at and (wrote is None or wrote <= at):
        chat.set(window_expires_at=at)


def _came_back(batch: Batch, mine: Tracked[Message], fact: Fact, event: MessageArrived) -> Verdict:
    """A message of ours came back before we knew the vendor's id of it: now we do."""
    restate(batch, mine, **learned(mine.entity, event, fact.at))
    batch.messages[mine.entity.config_id, event.provider_message_id] = mine
    return Verdict(outcome=Outcome.APPLIED, reason=OWN_SEND, message_id=mine.entity.id, chat_id=mine.entity.chat_id)


def _again(batch: Batch, known: Tracked[Message], fact: Fact, event: MessageArrived) -> Verdict:
    """A message that came before: nothing happens twice; what was synced of it may now learn the rest."""
    entity = known.entity
    verdict = Verdict(outcome=Outcome.DUPLICATE, message_id=entity.id, chat_id=entity.chat_id)
    said_otherwise = (entity.text, entity.type) != (event.content.text, event.content.type)
    if event.history:
        verdict.outcome = _synced_again(batch, known, fact, event)
    elif entity.history:
        verdict.outcome = _came_live(batch, known, fact, event)
    elif said_otherwise and not (entity.edits or event.own_send):
        CONFLICTING_DUPLICATES.labels(fact.account.provider).inc()
        verdict.reason = "conflicting_content"
    return verdict


def _synced_again(batch: Batch, known: Tracked[Message], fact: Fact, event: MessageArrived) -> Outcome:
    """Give a synced placeholder its file, and what the phone wrote the furthest state that the phone tells."""
    entity, content = known.entity, event.content
    new: dict[str, Any] = {}
    if content.media is not None and entity.media is None and entity.history:
        new = {"media": content.media, "type": content.type, "raw_type": content.raw_type}
        fetch_anew(batch, known, content, fact)
    if entity.sender_type is SenderType.BUSINESS_APP and event.status is not None:
        joined = advance(entity.status, event.status)
        new |= {"status": joined, "read_status": READ_STATUS.get(joined)} if joined is not entity.status else {}
    if new:
        restate(batch, known, **new)
    return Outcome.APPLIED if new else Outcome.DUPLICATE


def _came_live(batch: Batch, known: Tracked[Message], fact: Fact, event: MessageArrived) -> Outcome:
    """Let what was known from synced history alone count as if it had come by itself first: now it has."""
    party = chat_of(batch, fact, event)
    chat = batch.chat(known.entity.chat_id) or party
    news = _message(fact, event, chat.entity)
    told = ("context", "referral", "sender_name", "sender_type", "blocked", "metadata")
    # A file that is being fetched, or a text that was edited since, is further than what comes now.
    names = told if known.entity.media or known.entity.edits else (*told, *_CONTENT)
    restate(batch, known, **{name: getattr(news, name) for name in names}, history=None)
    if names is not told:
        fetch_anew(batch, known, event.content, fact)
    turn = turn_of(known.entity)
    if turn is not None:
        chat.set(last_turn_at=max(turn.at, chat.entity.last_turn_at or turn.at))
    if event.sender_type is SenderType.CUSTOMER:
        _customer_wrote(chat, known.entity, fact)
        _name(batch.customer(chat.entity.customer_id), event.party.name, fact.at)
    return Outcome.APPLIED


def _message(fact: Fact, event: MessageArrived, chat: Chat) -> Message:
    author, business = event.author or event.party, event.business
    inbound = event.direction is Direction.INBOUND
    status = MessageStatus.RECEIVED if inbound else event.status or MessageStatus.SENT
    return Message(
        **_content(event.content),
        id=new_id("msg", fact.received_at),
        chat_id=chat.id,
        config_id=fact.account.id,
        user_id=event.party.user_id,
        direction=event.direction,
        from_=_spelled(author) if inbound else business,
        to=business if inbound else _spelled(event.party),
        context=event.context,
        referral=event.referral,
        status=status,
        read_status=READ_STATUS.get(status),
        sender_name=author.name if inbound else None,
        sender_type=event.sender_type,
        provider=fact.account.provider,
        provider_message_id=event.provider_message_id,
        group_id=event.group_id,
        history=event.history or None,
        blocked=chat.blocked or None,
        timestamp=fact.at,
        timestamp_clamped=None if fact.is_dated else True,
        received_at=fact.received_at,
        event_id=fact.event_id,
        fetch=Fetch(due_at=fact.received_at) if awaits_fetch(event.content) else None,
        metadata=event.metadata,
    )


def _spelled(party: Party) -> str | None:
    return party.phone or party.user_id or party.chat_id or party.parent_user_id


def _content(content: Content) -> dict[str, Any]:
    return {name: getattr(content, name) for name in _CONTENT}


def tell_chat(batch: Batch, chat: Tracked[Chat], message: Message, fact: Fact | None = None) -> None:
    """Count a new message in its chat and show it there; `fact` is how a customer's message became known."""
    chat.add(total_messages=1)
    if message.sender_type is SenderType.CUSTOMER:
        chat.add(customer_messages=1)
    elif message.direction is Direction.OUTBOUND:
        chat.add(agent_messages=1)
    if _is_newest(chat.entity, message):
        chat.set(
            last_message=preview(message),
            last_message_time=message.timestamp,
            last_message_id=message.provider_message_id,
        )
    if message.history:
        return
    if message.sender_type is SenderType.CUSTOMER and fact is not None:
        _customer_wrote(chat, message, fact)
    turn = turn_of(message)
    if turn is not None:
        _move_clock(batch, chat, turn)


def _move_clock(batch: Batch, chat: Tracked[Chat], turn: Turn) -> None:
    """Move the response clock; a turn that comes late has it counted anew when the batch is written."""
    if comes_in_turn(chat.entity, turn):
        before = chat.entity
        chat.set(**{name: value for name, value in moved(before, turn).items() if value != getattr(before, name)})
    else:
        batch.late_turns.add(chat.entity.id)
    chat.set(last_turn_at=max(turn.at, chat.entity.last_turn_at or turn.at))


def _customer_wrote(chat: Tracked[Chat], message: Message, fact: Fact) -> None:
    entity = chat.entity
    if entity.last_inbound_at is None or message.timestamp > entity.last_inbound_at:
        chat.set(last_inbound_at=message.timestamp)
        if fact.service_window is not None:
            chat.set(window_expires_at=window_end(message.timestamp, fact.service_window, entity.window_closed_at))
    if message.referral is not None and (entity.referral_at is None or message.timestamp < entity.referral_at):
        chat.set(referral=message.referral, referral_at=message.timestamp)
    if entity.blocked:
        return
    chat.add(unread_count=1)
    if entity.status in REOPENED_BY_CUSTOMER:
        kept = ChatStatus.ASSIGNED if entity.assigned_to else ChatStatus.UNASSIGNED
        chat.set(status=kept, reopened_at=message.received_at)


def _is_newest(chat: Chat, message: Message) -> bool:
    shown = chat.last_message
    if shown is None:
        return True
    return (message.timestamp, message.received_at, message.id) > (shown.timestamp, shown.received_at, shown.id)


def tell_customer(customer: Tracked[Customer] | None, message: Message, profile: str | None = None) -> None:
    """Count a new message for its customer."""
    if customer is None:
        return
    entity, at = customer.entity, message.timestamp
    customer.add(total_messages=1)
    if entity.last_contact_at is None or at > entity.last_contact_at:
        customer.set(last_contact_at=at)
    if entity.first_contact_at is None or at < entity.first_contact_at:
        customer.set(first_contact_at=at)
    _name(customer, profile, at)


def _name(customer: Tracked[Customer] | None, profile: str | None, at: datetime) -> None:
    """Take the name of a profile, unless a later one is known."""
    if customer is None or not profile:
        return
    if customer.entity.named_at is None or at >= customer.entity.named_at:
        _take_profile_name(customer, profile)
        customer.set(named_at=at)


def _take_profile_name(customer: Tracked[Customer], name: str) -> None:
    """Follow the profile's name, until an agent has given the customer another."""
    if customer.entity.name in {None, customer.entity.whatsapp_name}:
        customer.set(name=name)
    customer.set(whatsapp_name=name)
