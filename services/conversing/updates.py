"""What happens to a message after it was written: statuses, reactions, edits, revokes.

An update for a message that is not known yet is parked and applied when the message appears. Deliberately
no new bubbles: none of these adds to unread counts or to the list of messages.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from models.delivery_status import READ_STATUS, TIMES, advance, earliest
from models.ids import new_id
from models.message import Content, Edit, Media, Message, MessageError, Reaction
from models.pending_update import LIFETIME, PendingUpdate, UpdateKind
from models.spelling import canonical
from models.store.batch import Batch, Tracked
from models.store.codec import to_document
from models.values import AddressKind, Direction, MessageStatus, Outcome
from providers import registry
from providers.events import MessageEdited, MessageRevoked, ReactionChanged, StatusChanged
from providers.outbound import ErrorKind, SendError
from services.conversing.attempts import is_of_earlier_attempt, settled
from services.conversing.echoes import absorb, is_echo
from services.conversing.facts import Fact, Verdict, ignored
from services.conversing.messages import close_window, fetch_anew, restate
from services.conversing.own_sends import numbered

Update = StatusChanged | ReactionChanged | MessageEdited | MessageRevoked

KINDS: Final[dict[type[Update], UpdateKind]] = {
    StatusChanged: UpdateKind.STATUS,
    ReactionChanged: UpdateKind.REACTION,
    MessageEdited: UpdateKind.EDIT,
    MessageRevoked: UpdateKind.REVOKE,
}
#: Where a message of ours stands of which the vendor has said nothing yet.
_BEFORE_ANY_WORD: Final = frozenset({MessageStatus.QUEUED, MessageStatus.SENDING, MessageStatus.UNKNOWN})
#: How old trouble of an account may be when we hear of it: older trouble may have ended.
_RECENT: Final = timedelta(minutes=10)
#: Sorts after every emoji: of two changes in the same second a removal counts as the later, in either order.
_REMOVED: Final = "\U0010ffff"


def change_status(batch: Batch, fact: Fact, event: StatusChanged) -> Verdict:
    """Move an outbound message along the lattice, and keep every time and reason the vendor tells."""
    message = _told_of(batch, fact, event)
    if message is None:
        target = event.provider_message_id or f"#{event.queue_number}"
        return _park(batch, fact, event, target, client_ref=event.client_ref)
    if message.entity.direction is not Direction.OUTBOUND:
        return ignored("status_of_inbound")
    if event.participant is not None:
        return ignored("group_member_status")
    if is_of_earlier_attempt(message.entity, event, fact.at):
        return ignored("earlier_attempt")
    meant = _meant(fact, event.error) if event.error else None
    error = meant.error if meant else event.error
    new = _differing(message.entity, _status_changes(message.entity, fact, event, error))
    if meant is not None:
        _follow_up(batch, fact, meant, message.entity, is_news=bool(new))
    return _change(batch, message, **new) if new else _duplicate(message)


def react(batch: Batch, fact: Fact, event: ReactionChanged) -> Verdict:
    """Set or remove the one reaction of one sender on a message."""
    message = batch.message(fact.account.id, event.target_id)
    if message is None:
        return _park(batch, fact, event, event.target_id)
    who = "business" if event.direction is Direction.OUTBOUND else _name(event)
    at = fact.at
    marks = message.entity.reaction_times or {}
    shown = next((one.emoji for one in message.entity.reactions or [] if one.from_ == who), None)
    if who in marks and (marks[who], shown or _REMOVED) >= (at, event.emoji or _REMOVED):
        return _duplicate(message)
    others = [one for one in message.entity.reactions or [] if one.from_ != who]
    mine = [Reaction(from_=who, emoji=event.emoji, at=at)] if event.emoji else []
    return _change(batch, message, reactions=[*others, *mine], reaction_times={**marks, who: at})


def edit(batch: Batch, fact: Fact, event: MessageEdited) -> Verdict:
    """Give a message its new content; what it said before goes to its history, in the order of the vendor's time."""
    message = batch.message(fact.account.id, event.target_id)
    if message is None:
        return _park(batch, fact, event, event.target_id)
    entity, at = message.entity, fact.at
    versions = entity.edits or []
    if any(version.key == event.key for version in versions) or entity.edit_key == event.key:
        return _duplicate(message)
    if entity.edited_at is not None and at < entity.edited_at:
        older = Edit(key=event.key, text=event.content.text, media=event.content.media, at=at)
        return _change(batch, message, edits=sorted([*versions, older], key=lambda version: version.at))
    content = _with_file(event.content, entity.media)
    fetch_anew(batch, message, event.content, fact)
    shown = Edit(key=entity.edit_key, text=entity.text, media=entity.media, at=entity.edited_at or entity.timestamp)
    return _change(batch, message, edits=[*versions, shown], edited_at=at, edit_key=event.key, **_edited(content))


def revoke(batch: Batch, fact: Fact, event: MessageRevoked) -> Verdict:
    """Flag a message as deleted by its sender; its content stays for those who may see it."""
    message = batch.message(fact.account.id, event.target_id)
    if message is None:
        return _park(batch, fact, event, event.target_id)
    at = fact.at
    if message.entity.revoked_at is not None and message.entity.revoked_at <= at:
        return _duplicate(message)
    return _change(batch, message, revoked_at=at)


def _told_of(batch: Batch, fact: Fact, event: StatusChanged) -> Tracked[Message] | None:
    """Find the message a status is of: by an id, else by its place in the vendor's queue, which then tells the id."""
    account_id, own_id = fact.account.id, event.provider_message_id
    found = batch.message(account_id, own_id, event.client_ref)
    if event.queue_number is None or (found is not None and not is_echo(found.entity)):
        return found
    mine = numbered(batch, event, config_id=account_id, at=fact.received_at)
    if mine is None:
        return found
    if found is not None:
        _take_in(batch, mine, found, fact)
    if own_id:
        restate(batch, mine, provider_message_id=own_id)
        batch.messages[account_id, own_id] = mine
    return mine


def _take_in(batch: Batch, mine: Tracked[Message], echo: Tracked[Message], fact: Fact) -> None:
    """Let an echo that was stored be our message, and have their chats counted anew."""
    absorb(batch, mine, echo, now=fact.received_at)
    batch.service_window = fact.service_window
    for chat_id in (mine.entity.chat_id, echo.entity.chat_id):
        if chat := batch.chat(chat_id):
            batch.recounted.setdefault(chat.entity.id, set())


def _status_changes(message: Message, fact: Fact, event: StatusChanged, error: MessageError | None) -> dict[str, Any]:
    at = fact.at
    moved = advance(message.status, event.status)
    changes: dict[str, Any] = {"status": moved, "read_status": READ_STATUS.get(moved)}
    for name in TIMES.get(event.status, ()):
        changes[name] = earliest(getattr(message, name), at)
    if moved is event.status and (
        moved is not message.status or event.provider_status > (message.provider_status or "")
    ):
        # Several words of a vendor may mean one status: the choice among them must not depend on their order.
        changes["provider_status"] = event.provider_status
    if message.status in _BEFORE_ANY_WORD:
        # What we thought of it ourselves.
        changes["error"] = error
    elif message.error is None or (message.failed_at and at < message.failed_at):
        changes["error"] = error or message.error
    if moved is not message.status:
        changes |= settled(message)
    changes["pricing"] = message.pricing or event.pricing
    changes["conversation"] = message.conversation or event.conversation
    changes["provider_message_id"] = message.provider_message_id or event.provider_message_id or None
    return changes


def _meant(fact: Fact, error: MessageError) -> SendError | None:
    """Say what an error means in our words, and what follows from it; None where the vendor's code is not known."""
    provider = registry.by_name(fact.account.provider)
    sender = provider.sender.for_account(fact.account) if provider and provider.sender else None
    return sender.reported(error) if sender else None


def _follow_up(batch: Batch, fact: Fact, meant: SendError, message: Message, *, is_news: bool) -> None:
    """Do what an error asks for beyond its message: the window is closed, or the whole account is in trouble."""
    if meant.window_closed:
        # What was refused is what we sent, and the customer may have written since.
        close_window(batch, message.chat_id, message.queued_at or message.timestamp)
    if meant.kind is ErrorKind.OURS and is_news and fact.received_at - fact.at <= _RECENT:
        batch.troubles[fact.account.id] = (meant.error, meant.health)


def _differing(message: Message, values: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is known already: a repetition that brings nothing new is a duplicate."""
    return {name: value for name, value in values.items() if value != getattr(message, name)}


def _change(batch: Batch, message: Tracked[Message], **values: Any) -> Verdict:
    """Change a message, and its picture in the list of chats if it stands there."""
    restate(batch, message, **values)
    entity = message.entity
    return Verdict(outcome=Outcome.APPLIED, message_id=entity.id, chat_id=entity.chat_id)


def _with_file(content: Content, known: Media | None) -> Content:
    """Let a file that an edit does not name stay: what changed then is its caption."""
    said = content.media
    if said is None or known is None or said.media_id or said.source_url:
        return content
    return replace(content, media=replace(known, caption=said.caption))


def _edited(content: Content) -> dict[str, Any]:
    return {"text": content.text, "media": content.media} if content.media else {"text": content.text}


def _name(event: ReactionChanged) -> str:
    """Name who reacted, the same however the vendor spells the number today."""
    party = event.party
    phone = canonical(AddressKind.PHONE, party.phone) if party.phone else None
    return party.user_id or phone or party.chat_id or party.parent_user_id or "unknown"


def _duplicate(message: Tracked[Message]) -> Verdict:
    return Verdict(outcome=Outcome.DUPLICATE, message_id=message.entity.id, chat_id=message.entity.chat_id)


def _park(batch: Batch, fact: Fact, event: Update, target: str, *, client_ref: str | None = None) -> Verdict:
    """Keep an update until its message appears; a repetition waits only once."""
    batch.parked.append(
        PendingUpdate(
            id=new_id("pnd", fact.received_at),
            config_id=fact.account.id,
            provider_message_id=target,
            client_ref=client_ref,
            kind=KINDS[type(event)],
            # The vendor may tell the same step twice with two times, and both must be looked at.
            key=f"{event.key}@{fact.at.isoformat(timespec='milliseconds')}",
            at=event.at,
            payload=to_document(event),
            event_id=fact.event_id,
            received_at=fact.received_at,
            expires_at=fact.received_at + LIFETIME,
        )
    )
    return Verdict(outcome=Outcome.APPLIED, reason="waits_for_message")
