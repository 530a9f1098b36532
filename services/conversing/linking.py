"""The vendor says who somebody is now: a number or an id was changed.

The person keeps the customer and the chat; the new identities lead there, and the old number is given up, because
the vendor may hand it to somebody else. Deliberately the same whether the word comes before or after messages of the
new identity.
"""

from models.address import AFTER
from models.chat import Chat
from models.ids import new_id
from models.spelling import canonical
from models.store.batch import Batch, Tracked
from models.values import AddressKind, Outcome
from providers.events import IdentityLinked, Party
from services.conversing.facts import Fact, Verdict, ignored
from services.conversing.holding import Seat, Word, tenures_of
from services.conversing.naming import answer_at, keep_current, settle_at
from services.conversing.parties import acquaint, address_of, tell
from services.conversing.uniting import one_of, unite_chats


def link(batch: Batch, fact: Fact, event: IdentityLinked) -> Verdict:
    """Let a person's new identities lead to where the old ones led."""
    if not (event.old.known and event.new.known):
        return ignored("no_party")
    before = _links(batch)
    chat_id = _link(batch, fact, event)
    outcome = Outcome.DUPLICATE if _links(batch) == before else Outcome.APPLIED
    return Verdict(outcome=outcome, chat_id=chat_id if chat_id in batch.chats else None)


def _link(batch: Batch, fact: Fact, event: IdentityLinked) -> str:
    passed_on = _is_another(event.old, event.new)
    if passed_on:
        _pass_on(batch, fact, event)
    old, old_seats = acquaint(batch, fact, event.old, at=fact.at)
    new, new_seats = acquaint(batch, fact, event.new, at=fact.at + AFTER, known_as=old)
    customer, seats = one_of(batch, [old, new], fact), [*old_seats, *new_seats]
    # Where there is none yet, the chat that whichever of them writes first will open.
    chat_id = unite_chats(batch, [seat.chat_id for seat in seats], fact) or new_id("chat")
    for seat in seats:
        seat.set(customer_id=customer.entity.id, chat_id=chat_id)
    if chat_id in batch.chats:
        given_up = {seat.address.entity.id for seat in old_seats if passed_on and _is_number(seat)}
        _move_in(batch, batch.chats[chat_id], new_seats[0], given_up, fact)
        keep_current(batch.chats[chat_id], event.new, fact.at + AFTER)
    return chat_id


def _is_another(old: Party, new: Party) -> bool:
    """Whether the number itself was changed."""
    if not (old.phone and new.phone):
        return False
    return canonical(AddressKind.PHONE, old.phone) != canonical(AddressKind.PHONE, new.phone)


def _pass_on(batch: Batch, fact: Fact, event: IdentityLinked) -> None:
    """From now on the old number is somebody else's; and so was the new one, until now."""
    key, old, new = fact.event.key, event.old.phone or "", event.new.phone or ""
    tell(batch, fact, address_of(batch, fact, AddressKind.PHONE, old), Word(fact.at + AFTER, key))
    if not event.new.user_id:
        tell(batch, fact, address_of(batch, fact, AddressKind.PHONE, new), Word(fact.at, key))


def _move_in(batch: Batch, chat: Tracked[Chat], seat: Seat, given_up: set[str], fact: Fact) -> None:
    """Let answers go to the new identity, above all where they went to a number that was given up."""
    if chat.entity.address_id in given_up:
        settle_at(batch, chat, seat.address.entity, fact.at + AFTER)
    else:
        answer_at(batch, chat, seat, fact.at + AFTER)


def _is_number(seat: Seat) -> bool:
    return seat.address.entity.kind is AddressKind.PHONE


def _links(batch: Batch) -> dict[str, object]:
    """What leads where, to see whether anything was new."""
    return {
        tracked.entity.id: [(one.customer_id, one.chat_id, one.since) for one in tenures_of(tracked.entity)]
        for tracked in batch.addresses.values()
    }
