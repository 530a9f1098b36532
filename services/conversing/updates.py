"""What happens to a message after it was written: statuses, reactions, edits, revokes.

An update for a message that is not known yet is parked and applied when the message appears. Deliberately
no new bubbles: none of these adds to unread counts or to the list of messages.
"""

from datetime import timedelta
from typing import Any, Final

from models.delivery_status import READ_STATUS, TIMES, advance, earliest
from models.ids import new_id
from models.message import Content, Edit, Message, MessageError, Reaction
from models.pending_update import LIFETIME, PendingUpdate, UpdateKind
from models.store.batch import Batch, Tracked
from models.store.codec import to_document
from models.values import Direction, MessageStatus, Outcome
from providers import registry
from providers.events import MessageEdited, MessageRevoked, ReactionChanged, StatusChanged
from providers.outbound import ErrorKind
from services.conversing.attempts import is_of_earlier_attempt, settled
from services.conversing.facts import Fact, Verdict, ignored
from services.conversing.messages import close_window, fetch_anew, restate

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
    message = batch.message(fact.account.id, event.provider_message_id, event.client_ref)
    if message is None:
        return _park(batch, fact, event, event.provider_message_id, client_ref=event.client_ref)
    if message.entity.direction is not Direction.OUTBOUND:
        return ignored("status_of_inbound")
    if event.participant is not None:
        return ignored("group_member_status")
    if is_of_earlier_attempt(message.entity, event, fact.at):
        return ignored("earlier_attempt")
    new = _differing(message.entity, _status_changes(message.entity, fact, event))
    if event.error is not None:
        _follow_up(batch, fact, event.error, message.entity, is_news=bool(new))
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
    fetch_anew(batch, message, event.content, fact)
    shown = Edit(key=entity.edit_key, text=entity.text, media=entity.media, at=entity.edited_at or entity.timestamp)
    return _change(batch, message, edits=[*versions, shown], edited_at=at, edit_key=event.key, **_edited(event.content))


def revoke(batch: Batch, fact: Fact, event: MessageRevoked) -> Verdict:
    """Flag a message as deleted by its sender; its content stays for those who may see it."""
    message = batch.message(fact.account.id, event.target_id)
    if message is None:
        return _park(batch, fact, event, event.target_id)
    at = fact.at
    if message.entity.revoked_at is not None and message.entity.revoked_at <= at:
        return _duplicate(message)
    return _change(batch, message, revoked_at=at)


def _status_changes(message: Message, fact: Fact, event: StatusChanged) -> dict[str, Any]:
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
        changes["error"] = event.error
    elif message.error is None or (message.failed_at and at < message.failed_at):
        changes["error"] = event.error or message.error
    if moved is not message.status:
        changes |= settled(message)
    changes["pricing"] = message.pricing or event.pricing
    changes["conversation"] = message.conversation or event.conversation
    changes["provider_message_id"] = message.provider_message_id or event.provider_message_id
    return changes


def _follow_up(batch: Batch, fact: Fact, error: MessageError, message: Message, *, is_news: bool) -> None:
    """Do what an error asks for beyond its message: the window is closed, or the whole account is in trouble."""
    provider = registry.by_name(fact.account.provider)
    sender = provider.sender.for_account(fact.account) if provider and provider.sender else None
    consequence = sender.reported(error) if sender else None
    if consequence is None:
        return
    if consequence.window_closed:
        # What was refused is what we sent, and the customer may have written since.
        close_window(batch, message.chat_id, message.queued_at or message.timestamp)
    if consequence.kind is ErrorKind.OURS and is_news and fact.received_at - fact.at <= _RECENT:
        batch.troubles[fact.account.id] = (consequence.error, consequence.health)


def _differing(message: Message, values: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is known already: a repetition that brings nothing new is a duplicate."""
    return {name: value for name, value in values.items() if value != getattr(message, name)}


def _change(batch: Batch, message: Tracked[Message], **values: Any) -> Verdict:
    """Change a message, and its picture in the list of chats if it stands there."""
    restate(batch, message, **values)
    entity = message.entity
    return Verdict(outcome=Outcome.APPLIED, message_id=entity.id, chat_id=entity.chat_id)


def _edited(content: Content) -> dict[str, Any]:
    return {"text": content.text, "media": content.media} if content.media else {"text": content.text}


def _name(event: ReactionChanged) -> str:
    party = event.party
    return party.user_id or party.phone or party.chat_id or party.parent_user_id or "unknown"


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
