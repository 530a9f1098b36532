"""Folding events over the documents they touch: one handler for each kind of event, and one table that tells which.

Deliberately pure: the store reads before and writes after, in the same transaction.
"""

import zlib
from collections.abc import Callable, Sequence
from typing import Any, Final

from models.pending_update import PendingUpdate, UpdateKind
from models.store.batch import Batch, MessageKey, Wanted
from models.store.codec import from_document
from providers.events import (
    AccountChanged,
    ContactSynced,
    Event,
    IdentityLinked,
    MessageArrived,
    MessageEdited,
    MessageRevoked,
    PreferenceChanged,
    ReactionChanged,
    StatusChanged,
    TemplateChanged,
)
from services.conversing.facts import Fact, Verdict
from services.conversing.linking import link
from services.conversing.messages import arrive
from services.conversing.notices import (
    change_account,
    change_preference,
    change_template,
    sync_contact,
    template_key,
)
from services.conversing.own_sends import SOUGHT_FOR
from services.conversing.parties import address_keys
from services.conversing.updates import change_status, edit, react, revoke

Handler = Callable[[Batch, Fact, Any], Verdict]


#: What each kind of event does.
HANDLERS: Final[dict[type[Event], Handler]] = {
    MessageArrived: arrive,
    StatusChanged: change_status,
    ReactionChanged: react,
    MessageEdited: edit,
    MessageRevoked: revoke,
    IdentityLinked: link,
    ContactSynced: sync_contact,
    PreferenceChanged: change_preference,
    TemplateChanged: change_template,
    AccountChanged: change_account,
}
_EVENT_OF_KIND: Final[dict[UpdateKind, type[Event]]] = {
    UpdateKind.STATUS: StatusChanged,
    UpdateKind.REACTION: ReactionChanged,
    UpdateKind.EDIT: MessageEdited,
    UpdateKind.REVOKE: MessageRevoked,
}


def apply(batch: Batch, facts: Sequence[Fact]) -> list[Verdict]:
    """Fold facts over the batch, in their order; one verdict for each."""
    return [HANDLERS[type(fact.event)](batch, fact, fact.event) for fact in facts]


def lane_of(facts: Sequence[Fact], lanes: int) -> int | None:
    """Which of so many lanes these facts are for: all that is about one person is in one; None where in several."""
    found = {_lane(fact, lanes) for fact in facts} or {0}
    return found.pop() if len(found) == 1 else None


def _lane(fact: Fact, lanes: int) -> int | None:
    party = getattr(fact.event, "party", None)
    name = party and (party.user_id or party.phone or party.chat_id or party.parent_user_id)
    return zlib.crc32(name.encode(errors="replace")) % lanes if name else None


def wanted(facts: Sequence[Fact]) -> Wanted:
    """What must be read before these facts can be folded."""
    found = Wanted()
    for fact in facts:
        _NEEDS[type(fact.event)](found, fact, fact.event)
    return found


def _needs_target(found: Wanted, fact: Fact, event: Any) -> None:
    found.messages.add((fact.account.id, event.target_id))


def _needs_party(found: Wanted, fact: Fact, event: Any) -> None:
    found.addresses.update(address_keys(fact.account, event.party))


def _needs_both(found: Wanted, fact: Fact, event: IdentityLinked) -> None:
    for party in (event.old, event.new):
        found.addresses.update(address_keys(fact.account, party))


def _needs_message(found: Wanted, fact: Fact, event: StatusChanged | MessageArrived) -> None:
    if event.provider_message_id:
        found.messages.add((fact.account.id, event.provider_message_id))
    if isinstance(event, MessageArrived):
        _needs_party(found, fact, event)
        if event.own_send:
            _needs_unnamed(found, fact)
        return
    if event.client_ref:
        found.refs.add(event.client_ref)
    if event.queue_number is not None and event.party is not None:
        _needs_party(found, fact, event)
        _needs_unnamed(found, fact)


def _needs_unnamed(found: Wanted, fact: Fact) -> None:
    since = fact.received_at - SOUGHT_FOR
    found.unnamed_since = min(found.unnamed_since or since, since)


#: What the handler of each kind of event looks at.
_NEEDS: Final[dict[type[Event], Callable[[Wanted, Fact, Any], None]]] = {
    MessageArrived: _needs_message,
    StatusChanged: _needs_message,
    ReactionChanged: _needs_target,
    MessageEdited: _needs_target,
    MessageRevoked: _needs_target,
    IdentityLinked: _needs_both,
    ContactSynced: _needs_party,
    PreferenceChanged: _needs_party,
    TemplateChanged: lambda found, fact, event: found.templates.add(template_key(fact, event)),
    AccountChanged: lambda found, fact, _event: found.configs.add(fact.account.id),
}


def arrived(facts: Sequence[Fact]) -> set[MessageKey]:
    """The messages that these facts bring: updates may wait for them."""
    return {
        (fact.account.id, fact.event.provider_message_id) for fact in facts if isinstance(fact.event, MessageArrived)
    }


def event_of(update: PendingUpdate) -> Event:
    """Bring a parked update back to the event it was."""
    return from_document(_EVENT_OF_KIND[update.kind], update.payload)
