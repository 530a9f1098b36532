"""Who is on the other side: from what a vendor discloses to a customer, an address and the one live chat.

All that one webhook says of one person belongs together: where its identities led to different customers or chats,
those are united. Only a number proves nothing by itself, because it passes from person to person
(`services.conversing.holding`). Deliberately no merging of customers on any other ground: that is a person's decision.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from models.address import Address, Tenure
from models.chat import Chat
from models.customer import Customer
from models.ids import new_id
from models.message_move import MessageMove
from models.spelling import canonical, has_spellings
from models.store.batch import AddressKey, Batch, Tracked
from models.values import AddressKind
from providers.base import Account
from providers.events import MessageArrived, Party
from services.conversing.facts import Fact
from services.conversing.holding import Passing, Seat, Word, hear, is_over, seat_at, seat_of
from services.conversing.naming import answer_at, keep_current, know_by
from services.conversing.uniting import one_of, unite_chats


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
    return [_key(account, kind, value) for kind, value in identities(party)]


def chat_of(batch: Batch, fact: Fact, event: MessageArrived) -> Tracked[Chat]:
    """Find the live chat of a party, or open it; every identity seen leads to it from now on."""
    customer, seats = acquaint(batch, fact, event.party)
    chat_id = seats[0].chat_id
    if chat_id is None:
        chat_id = new_id("chat")
        lead_to(seats, chat_id)
    chat = batch.chats.get(chat_id) or _new_chat(batch, fact, event.party, chat_id, customer)
    if batch.customer(chat.entity.customer_id) is not customer:
        # Whose it was has been deleted meanwhile: it is the chat of whoever writes in it now.
        chat.set(customer_id=customer.entity.id)
        customer.add(total_chats=1)
    answer_at(batch, chat, seats[0], fact.at)
    keep_current(chat, event.party, fact.at)
    if batch.blocked and not chat.entity.blocked and (met := _blocked(batch, event.party)):
        chat.set(blocked=True)
        batch.blocks_met |= met
    return chat


def _blocked(batch: Batch, party: Party) -> set[tuple[str, str]]:
    """Which of the identities under which a party has just become known are blocked."""
    return batch.blocked & {(kind.value, canonical(kind, value)) for kind, value in identities(party)}


def lead_to(seats: Iterable[Seat], chat_id: str | None) -> None:
    """Let addresses lead to a chat."""
    for seat in seats:
        seat.set(chat_id=chat_id)


def acquaint(
    batch: Batch, fact: Fact, party: Party, *, at: datetime | None = None, known_as: Tracked[Customer] | None = None
) -> tuple[Tracked[Customer], list[Seat]]:
    """Find or make a party's customer at a moment; every identity seen leads to it from now on.

    `known_as` is whom the vendor says it is, should none of its identities tell.
    """
    at = at or fact.at
    elsewhere = _known_elsewhere(batch, fact, party)
    addresses = [address_of(batch, fact, kind, value) for kind, value in identities(party)]
    seats = [_seat(batch, fact, party, address, at) for address in addresses]
    people = [found for seat in seats if (found := holder(batch, seat))] + elsewhere
    people = people or [known_as or batch.add_customer(Customer(id=new_id("cus")))]
    customer = one_of(batch, people, fact)
    chat_id = unite_chats(batch, (seat.chat_id for seat in seats), fact)
    for seat in seats:
        seat.set(customer_id=customer.entity.id, chat_id=chat_id)
    know_by(batch, customer, party, at)
    return customer, seats


def holder(batch: Batch, seat: Seat | Tenure) -> Tracked[Customer] | None:
    """Whose an address is: whoever has its chat, else whom it leads to."""
    chat = batch.chat(seat.chat_id)
    return (batch.customer(chat.entity.customer_id) if chat else None) or batch.customer(seat.customer_id)


def tell(batch: Batch, fact: Fact, address: Tracked[Address], word: Word) -> None:
    """Take a word on who has a number; what turns out to be another's by it goes there."""
    for passing in hear(address, word):
        if is_over(passing, address.entity):
            _known_better(batch, fact, address, passing)
        elif passing.was.chat_id:
            if (chat := batch.chat(passing.was.chat_id)) is not None:
                chat.touch()
            batch.moves.append(_move(fact, address.entity, passing))


def address_of(batch: Batch, fact: Fact, kind: AddressKind, value: str) -> Tracked[Address]:
    """Find the address of an identity, or make it."""
    found = batch.addresses.get(_key(fact.account, kind, value))
    return found or batch.add_address(_new_address(fact, kind, value))


def _key(account: Account, kind: AddressKind, value: str) -> AddressKey:
    return account.id, kind.value, canonical(kind, value)


def _seat(batch: Batch, fact: Fact, party: Party, address: Tracked[Address], at: datetime) -> Seat:
    """Find in whose hands an address is by this party's word, or else was at that moment."""
    if address.entity.kind is not AddressKind.PHONE:
        return Seat(address)
    if party.phone and has_spellings(party.phone):
        _note_spelling(address, party.phone, at)
    if not party.user_id:
        return seat_at(address, at)
    tell(batch, fact, address, Word(at, fact.event.key, party.user_id))
    return seat_of(address, party.user_id)


def _known_elsewhere(batch: Batch, fact: Fact, party: Party) -> list[Tracked[Customer]]:
    """Who writes to another of our accounts from a number that is new here, unless known to be somebody else."""
    if not party.phone or _key(fact.account, AddressKind.PHONE, party.phone) in batch.addresses:
        return []
    found = batch.by_phone.get(canonical(AddressKind.PHONE, party.phone))
    if found is None or (party.user_id and found.entity.user_id not in {None, party.user_id}):
        return []
    return [found]


def _known_better(batch: Batch, fact: Fact, address: Tracked[Address], passing: Passing) -> None:
    """Who was known by nothing but the number is known now: what both have is one person's."""
    seat = seat_of(address, passing.now.user_id or "")
    both = (passing.was, seat)
    people = [found for one in both if (found := holder(batch, one))]
    chat_id = unite_chats(batch, [one.chat_id for one in both], fact)
    seat.set(customer_id=one_of(batch, people, fact).entity.id if people else None, chat_id=chat_id)
    for place, one in enumerate(address.entity.former):
        if (one.since, one.since_key, one.user_id) == (passing.was.since, passing.was.since_key, None):
            Seat(address, place).set(customer_id=None, chat_id=None)


def _move(fact: Fact, address: Address, passing: Passing) -> MessageMove:
    return MessageMove(
        id=new_id("mov"),
        config_id=address.config_id,
        chat_id=passing.was.chat_id or "",
        address_id=address.id,
        since=passing.since,
        until=passing.until,
        event_id=fact.event_id,
    )


def _note_spelling(address: Tracked[Address], value: str, at: datetime) -> None:
    """Send to the spelling the vendor used last, and keep the others as aliases."""
    entity = address.entity
    if value != entity.value:
        address.set(aliases=sorted({*entity.aliases, entity.value, value}))
    if entity.last_used_at is None or (at, value) >= (entity.last_used_at, entity.value):
        address.set(value=value, last_used_at=at)


def _new_address(fact: Fact, kind: AddressKind, value: str) -> Address:
    return Address(
        id=new_id("adr"),
        config_id=fact.account.id,
        kind=kind,
        value=value,
        canonical=canonical(kind, value),
        last_used_at=fact.at,
    )


def _new_chat(batch: Batch, fact: Fact, party: Party, chat_id: str, customer: Tracked[Customer]) -> Tracked[Chat]:
    account = fact.account
    customer.add(total_chats=1)
    return batch.add_chat(
        Chat(
            id=chat_id,
            config_id=account.id,
            # Until it is known at which of its addresses to answer.
            address_id=chat_id,
            customer_id=customer.entity.id,
            customer_name=party.name,
            provider=account.provider,
            provider_chat_id=party.chat_id,
            whatsapp_business_account_id=account.field("businessAccountId"),
            phone_number_id=account.field("phoneNumberId"),
            source="webhook",
        )
    )
