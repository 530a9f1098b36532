"""Folding events over the documents they touch: one handler for each kind of event, and one table that tells which.

Deliberately pure: the store reads before and writes after, in the same transaction.
"""

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
from services.conversing.facts import Fact, Verdict, ignored
from services.conversing.messages import arrive
from services.conversing.parties import address_keys
from services.conversing.updates import change_status, edit, react, revoke

Handler = Callable[[Batch, Fact, Any], Verdict]


def _not_yet(reason: str) -> Handler:
    return lambda _batch, _fact, _event: ignored(reason)


#: What each kind of event does. Kinds that end in `_kept` are stored with their webhook and wait for their feature.
HANDLERS: Final[dict[type[Event], Handler]] = {
    MessageArrived: arrive,
    StatusChanged: change_status,
    ReactionChanged: react,
    MessageEdited: edit,
    MessageRevoked: revoke,
    IdentityLinked: _not_yet("identity_kept"),
    ContactSynced: _not_yet("contact_kept"),
    PreferenceChanged: _not_yet("preference_kept"),
    TemplateChanged: _not_yet("template_kept"),
    AccountChanged: _not_yet("account_kept"),
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


def wanted(facts: Sequence[Fact]) -> Wanted:
    """What must be read before these facts can be folded."""
    found = Wanted()
    for fact in facts:
        event, account = fact.event, fact.account.id
        if isinstance(event, MessageArrived):
            found.messages.add((account, event.provider_message_id))
            found.addresses.update(address_keys(fact.account, event.party))
        elif isinstance(event, StatusChanged):
            found.messages.add((account, event.provider_message_id))
            if event.client_ref:
                found.refs.add(event.client_ref)
        elif isinstance(event, (ReactionChanged, MessageEdited, MessageRevoked)):
            found.messages.add((account, event.target_id))
    return found


def arrived(facts: Sequence[Fact]) -> set[MessageKey]:
    """The messages that these facts bring: updates may wait for them."""
    return {
        (fact.account.id, fact.event.provider_message_id) for fact in facts if isinstance(fact.event, MessageArrived)
    }


def event_of(update: PendingUpdate) -> Event:
    """Bring a parked update back to the event it was."""
    return from_document(_EVENT_OF_KIND[update.kind], update.payload)
