"""Who is on the other side: from what a vendor discloses to a customer, an address and the one live chat.

Phones of three countries have two spellings, which one canonical form unites (protocols: Meta H.2). Deliberately no
merging of customers here: that is a person's decision, or the vendor's word (IdentityLinked).
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from models.address import Address
from models.chat import Chat
from models.customer import Customer
from models.ids import new_id
from models.store.batch import AddressKey, Batch, Tracked
from models.values import AddressKind
from providers.base import Account
from providers.events import MessageArrived, Party
from services.conversing.facts import Fact
from services.conversing.holding import Seat, hand_over, seat_at, seen_in
from services.conversing.uniting import unite

#: Mobile numbers that the vendors spell in two ways: what to look for, and the form that stands for both.
_TWO_SPELLINGS: Final = (
    # Brazil: the ninth digit of mobiles may be missing; landlines (2-5 first) are left alone.
    (re.compile(r"^\+55(\d{2})([6-9]\d{7})$"), r"+55\g<1>9\g<2>"),
    # Mexico: +52 1 … is the old spelling of mobiles.
    (re.compile(r"^\+521(\d{10})$"), r"+52\g<1>"),
    # Argentina: +54 9 … is the spelling of mobiles seen from abroad.
    (re.compile(r"^\+549(\d{10})$"), r"+54\g<1>"),
)


#: Where numbers have two spellings, so that the one used last must be known.
_COUNTRIES: Final = ("+55", "+52", "+54")


#: What a chat shows of its party: the chat's field -> the party's.
_TOLD: Final = {
    "phone_number": "phone",
    "user_id": "user_id",
    "username": "username",
    "customer_name": "name",
}


def canonical(kind: AddressKind, value: str) -> str:
    """The form that all spellings of an address share."""
    if kind is AddressKind.PHONE:
        for spelling, form in _TWO_SPELLINGS:
            if spelling.match(value):
                return spelling.sub(form, value)
    return value


def identities(party: Party) -> Iterator[tuple[AddressKind, str]]:
    """What identifies a party, the most dependable first."""
    if party.user_id:
        yield AddressKind.BSUID, party.user_id
    if party.phone:
        yield AddressKind.PHONE, party.phone
    if party.chat_id:
        yield AddressKind.CHATAPI, party.chat_id
    if party.parent_user_id:
        yield AddressKind.PARENT_BSUID, party.parent_user_id


def address_keys(account: Account, party: Party) -> list[AddressKey]:
    """How the addresses of a party are looked up."""
    return [(account.id, kind.value, canonical(kind, value)) for kind, value in identities(party)]


def chat_of(batch: Batch, fact: Fact, event: MessageArrived) -> Tracked[Chat]:
    """Find the live chat of a party, or open it; every identity seen leads to it from now on."""
    customer, seats = acquaint(batch, fact, event.party)
    chat = next((batch.chats[seat.chat_id] for seat in seats if seat.chat_id in batch.chats), None)
    if chat is None:
        _vacate(batch, seats[0].address.entity)
        chat = _new_chat(batch, fact, event, seats[0].address.entity, customer.entity.id)
    elif chat.entity.customer_id not in batch.customers:
        # Whose it was has been deleted meanwhile: it is the chat of whoever writes in it now.
        chat.set(customer_id=customer.entity.id)
        customer.add(total_chats=1)
    if chat.entity.address_id == chat.entity.id:
        chat.set(address_id=seats[0].address.entity.id)
    lead_to(batch, seats, chat)
    keep_current(chat, fact, event.party)
    if batch.blocked and not chat.entity.blocked and _is_blocked(batch, event.party):
        chat.set(blocked=True)
    return chat


def _is_blocked(batch: Batch, party: Party) -> bool:
    """Whether one of the identities under which a party has just become known is blocked."""
    return any((kind.value, canonical(kind, value)) in batch.blocked for kind, value in identities(party))


def _vacate(batch: Batch, address: Address) -> None:
    """Let a chat of an earlier holder give up an address that somebody else has now.

    It goes by another address that leads to it, or by its own id until its person writes again.
    """
    for chat in batch.chats.values():
        if chat.entity.address_id == address.id and not chat.entity.is_deleted:
            others = (other.entity for other in batch.addresses.values() if other.entity is not address)
            known = (other.id for other in others if other.chat_id == chat.entity.id)
            chat.set(address_id=next(known, chat.entity.id))


def lead_to(batch: Batch, seats: Iterable[Seat], chat: Tracked[Chat]) -> None:
    """Let addresses that lead to no live chat lead to this one."""
    for seat in seats:
        if seat.chat_id not in batch.chats:
            seat.set(chat_id=chat.entity.id)


def acquaint(
    batch: Batch, fact: Fact, party: Party, *, at: datetime | None = None, known_as: Tracked[Customer] | None = None
) -> tuple[Tracked[Customer], list[Seat]]:
    """Find or make a party's customer at a moment; every identity seen leads to it from now on.

    `known_as` is whom the vendor says it is, should none of its identities tell.
    """
    at = at or fact.at
    found = {
        key: seat_at(batch.addresses[key], at) for key in address_keys(fact.account, party) if key in batch.addresses
    }
    _settle_claims(batch, fact, party, found, at)
    customer = _customer_of(batch, found.values(), party, known_as)
    for held in found.values():
        if held.customer_id not in batch.customers:
            held.set(customer_id=customer.entity.id)
        seen_in(held, at)
    seats = []
    for kind, value in identities(party):
        seat = found.get((fact.account.id, kind.value, canonical(kind, value)))
        if seat is None:
            seat = Seat(_new_address(batch, fact, kind, value, customer.entity.id))
        elif kind is AddressKind.PHONE and value.startswith(_COUNTRIES):
            _note_spelling(seat.address, value, fact)
        seats.append(seat)
    return customer, seats


def _settle_claims(batch: Batch, fact: Fact, party: Party, found: dict[AddressKey, Seat], at: datetime) -> None:
    """Where number and user id point to different people, decide whether they are one, or the number changed hands.

    Who has another user id is another person: the number has passed on. Who has none is the same, now known better.
    """
    if not (party.user_id and party.phone):
        return
    phone_key = (fact.account.id, AddressKind.PHONE.value, canonical(AddressKind.PHONE, party.phone))
    phone, user = found.get(phone_key), found.get((fact.account.id, AddressKind.BSUID.value, party.user_id))
    holder = batch.customers.get(phone.customer_id or "") if phone else None
    claimant = batch.customers.get(user.customer_id or "") if user else None
    if phone is None or holder is None or holder is claimant:
        return
    if holder.entity.user_id not in {None, party.user_id}:
        found[phone_key] = hand_over(phone, at)
        _release_number(batch, holder, canonical(AddressKind.PHONE, party.phone))
    elif claimant is not None:
        unite(batch, holder, claimant, fact)


def _release_number(batch: Batch, holder: Tracked[Customer], phone: str) -> None:
    """The number is not this customer's any more; whoever has it now may be found by it."""
    if holder.entity.phone_number == phone:
        holder.set(phone_number=None)
        batch.by_phone.pop(phone, None)


def _customer_of(
    batch: Batch, seats: Iterable[Seat], party: Party, known_as: Tracked[Customer] | None
) -> Tracked[Customer]:
    """Whose addresses these are: the customer they lead to, else who has the phone, else somebody new."""
    phone = canonical(AddressKind.PHONE, party.phone) if party.phone else None
    customer = next(
        (batch.customers[seat.customer_id] for seat in seats if seat.customer_id in batch.customers), known_as
    )
    if customer is None and phone:
        customer = _who_has(batch, phone, party)
    if customer is None:
        customer = batch.add_customer(Customer(id=new_id("cus")))
    if phone and customer.entity.phone_number is None and phone not in batch.by_phone:
        customer.set(phone_number=phone)
        batch.by_phone[phone] = customer
    for name in ("user_id", "username"):
        value = getattr(party, name)
        if value and getattr(customer.entity, name) is None:
            customer.set(**{name: value})
    return customer


def _who_has(batch: Batch, phone: str, party: Party) -> Tracked[Customer] | None:
    """Who writes to another of our accounts from this number, unless that is known to be somebody else."""
    holder = batch.by_phone.get(phone)
    if holder is not None and party.user_id and holder.entity.user_id not in {None, party.user_id}:
        return None
    return holder


def _note_spelling(address: Tracked[Address], value: str, fact: Fact) -> None:
    """Send to the spelling the vendor used last, and keep the others as aliases."""
    entity, at = address.entity, fact.at
    if value != entity.value:
        address.set(aliases=sorted({*entity.aliases, entity.value, value}))
    if entity.last_used_at is None or at >= entity.last_used_at:
        address.set(value=value, last_used_at=at)


def _new_address(batch: Batch, fact: Fact, kind: AddressKind, value: str, customer_id: str) -> Tracked[Address]:
    form = canonical(kind, value)
    address = Address(
        id=new_id("adr"),
        config_id=fact.account.id,
        kind=kind,
        value=value,
        canonical=form,
        customer_id=customer_id,
        last_used_at=fact.at,
        since=fact.at,
    )
    batch.add_address(address)
    return batch.addresses[fact.account.id, kind.value, form]


def _new_chat(batch: Batch, fact: Fact, event: MessageArrived, address: Address, customer_id: str) -> Tracked[Chat]:
    account, party = fact.account, event.party
    chat = batch.add_chat(
        Chat(
            id=new_id("chat"),
            config_id=account.id,
            address_id=address.id,
            customer_id=customer_id,
            customer_name=party.name,
            provider=account.provider,
            provider_chat_id=party.chat_id,
            whatsapp_business_account_id=account.field("businessAccountId"),
            phone_number_id=account.field("phoneNumberId"),
            source="webhook",
        )
    )
    batch.customers[customer_id].add(total_chats=1)
    return chat


def keep_current(chat: Tracked[Chat], fact: Fact, party: Party) -> None:
    """Note the spelling and names as the vendor told them last, by its own time and each for itself."""
    entity, at = chat.entity, fact.at
    seen_at = entity.seen_at or {}
    told = {name: getattr(party, field) for name, field in _TOLD.items()}
    newer = {name: value for name, value in told.items() if value and at >= seen_at.get(name, at)}
    changed = {name: value for name, value in newer.items() if value != getattr(entity, name)}
    if not (entity.customer_name or "customer_name" in newer):
        changed["customer_name"] = party.phone or party.username or party.user_id or party.chat_id
    chat.set(**changed, seen_at=seen_at | dict.fromkeys(newer, at))
