"""The vendor says who somebody is now: a number or an id was changed.

The person keeps the customer and the chat; the new identities lead there, and the old number is given up, because
the vendor may hand it to somebody else. Deliberately the same whether the word comes before or after messages of the
new identity.
"""

from models.customer import Customer
from models.store.batch import Batch, Tracked
from models.values import AddressKind, Outcome
from providers.events import IdentityLinked, Party
from services.conversing.facts import Fact, Verdict, ignored
from services.conversing.holding import AFTER, Seat, leave
from services.conversing.parties import acquaint, canonical, keep_current, lead_to
from services.conversing.uniting import unite


def link(batch: Batch, fact: Fact, event: IdentityLinked) -> Verdict:
    """Let a person's new identities lead to where the old ones led."""
    if not (event.old.known and event.new.known):
        return ignored("no_party")
    at = fact.at
    before = _links(batch)
    old, old_seats = acquaint(batch, fact, event.old, at=at)
    new, new_seats = acquaint(batch, fact, event.new, at=at + AFTER, known_as=old)
    customer = unite(batch, old, new, fact)
    chat_id = next((seat.chat_id for seat in [*old_seats, *new_seats] if seat.chat_id in batch.chats), None)
    if chat_id is not None:
        lead_to(batch, new_seats, batch.chats[chat_id])
        keep_current(batch.chats[chat_id], fact, event.new)
    if _is_another(event.old, event.new):
        _give_up(old_seats, fact)
        _move_out(batch, old_seats, new_seats)
    _rename(batch, customer, event.new)
    outcome = Outcome.DUPLICATE if _links(batch) == before else Outcome.APPLIED
    return Verdict(outcome=outcome, chat_id=chat_id)


def _is_another(old: Party, new: Party) -> bool:
    """Whether the number itself was changed."""
    if not (old.phone and new.phone):
        return False
    return canonical(AddressKind.PHONE, old.phone) != canonical(AddressKind.PHONE, new.phone)


def _rename(batch: Batch, customer: Tracked[Customer], new: Party) -> None:
    """Let the customer be known by what is new, unless a number is somebody else's by now."""
    phone = canonical(AddressKind.PHONE, new.phone) if new.phone else None
    holder = batch.by_phone.get(phone or "")
    if phone and phone != customer.entity.phone_number and (holder is None or holder.entity.is_deleted):
        customer.set(phone_number=phone)
        batch.by_phone[phone] = customer
    if new.user_id and new.user_id != customer.entity.user_id:
        customer.set(user_id=new.user_id)


def _give_up(seats: list[Seat], fact: Fact) -> None:
    for seat in seats:
        if seat.address.entity.kind is AddressKind.PHONE:
            leave(seat, fact.at + AFTER)


def _move_out(batch: Batch, old_seats: list[Seat], new_seats: list[Seat]) -> None:
    """Bring a chat under the new identity: there its answers go, and the number's next holder has one of his own."""
    given_up = {seat.address.entity.id for seat in old_seats if seat.address.entity.kind is AddressKind.PHONE}
    led_to = {seat.chat_id for seat in new_seats}
    for chat in batch.chats.values():
        if chat.entity.id in led_to and chat.entity.address_id in given_up:
            chat.set(address_id=new_seats[0].address.entity.id)


def _links(batch: Batch) -> dict[str, object]:
    """What leads where, to see whether anything was new."""
    return {
        key[2]: (tracked.entity.customer_id, tracked.entity.chat_id, tuple(map(str, tracked.entity.former)))
        for key, tracked in batch.addresses.items()
    }
