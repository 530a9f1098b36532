"""What a person is called and where they are answered: of each name, number and id the later word counts.

Judged by the vendor's time, and of two words at the same moment by what they say, so that the order of arrival does
not matter. Deliberately nothing that decides who somebody is.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from models.address import Address
from models.chat import Chat
from models.customer import Customer
from models.spelling import canonical
from models.store.batch import Batch, Tracked
from models.values import AddressKind
from providers.events import Party
from services.conversing.facts import BEGINNING
from services.conversing.holding import Seat

#: What a chat shows of its party: the chat's field -> the party's.
_SHOWN: Final = {"phone_number": "phone", "user_id": "user_id", "username": "username", "customer_name": "name"}
#: What a customer is known by, besides the number, which only one of them has.
_KNOWN_BY: Final = ("user_id", "username")


def later(entity: Chat | Customer, told: Mapping[str, str | None], at: datetime) -> dict[str, str]:
    """Pick what is told that is newer than what an entity has, each for itself."""
    seen_at = entity.seen_at or {}
    return {
        name: value
        for name, value in told.items()
        if value and (name not in seen_at or (at, value) >= (seen_at[name], getattr(entity, name) or ""))
    }


def keep_current(chat: Tracked[Chat], party: Party, at: datetime) -> None:
    """Note the spelling and names as the vendor told them last."""
    entity = chat.entity
    _take(chat, later(entity, {name: getattr(party, field) for name, field in _SHOWN.items()}, at), at)
    if "customer_name" not in (entity.seen_at or {}):
        _call_by_address(chat, party)


def _call_by_address(chat: Tracked[Chat], party: Party) -> None:
    """Show the number or id of somebody whose name was never told: the present one, for a number may pass on."""
    entity = chat.entity
    shown = entity.phone_number or entity.username or entity.user_id or party.chat_id or party.parent_user_id
    if shown and shown != entity.customer_name:
        chat.set(customer_name=shown)


def know_by(batch: Batch, customer: Tracked[Customer], party: Party, at: datetime) -> None:
    """Note by which number, id and handle a customer is known."""
    _take(customer, later(customer.entity, {name: getattr(party, name) for name in _KNOWN_BY}, at), at)
    phone = canonical(AddressKind.PHONE, party.phone) if party.phone else None
    if phone and later(customer.entity, {"phone_number": phone}, at):
        _know_by_number(batch, customer, phone, at)


def _know_by_number(batch: Batch, customer: Tracked[Customer], phone: str, at: datetime) -> None:
    """Let a customer have a number, unless somebody else was seen with it later."""
    other = batch.by_phone.get(phone)
    _take(customer, {}, at, "phone_number")
    if other is customer:
        return
    _release(batch, customer)
    if other is None or _had(other.entity) < _had(customer.entity):
        if other is not None:
            _release(batch, other)
        customer.set(phone_number=phone)
        batch.by_phone[phone] = customer


def answer_at(batch: Batch, chat: Tracked[Chat], seat: Seat, at: datetime) -> None:
    """Let answers go where the person wrote from last, by user id once there is one: a number may pass on."""
    entity, address = chat.entity, seat.address.entity
    is_id = address.kind is AddressKind.BSUID
    if not seat.is_present or (entity.user_id and not is_id):
        return
    since = (entity.seen_at or {}).get("address_id")
    if since is None or at > since or (is_id and not entity.user_id):
        settle_at(batch, chat, address, at)


def settle_at(batch: Batch, chat: Tracked[Chat], address: Address, at: datetime) -> None:
    """Let answers go to an address; a chat of an earlier holder gives it up."""
    if chat.entity.address_id != address.id:
        for other in batch.chats.values():
            if other.entity.address_id == address.id and other is not chat and not other.entity.is_deleted:
                _vacate(batch, other, address)
        chat.set(address_id=address.id)
    _take(chat, {}, at, "address_id")


def _vacate(batch: Batch, chat: Tracked[Chat], address: Address) -> None:
    """Let a chat go by another address that leads to it, or by its own id until its person writes again."""
    others = (other.entity for other in batch.addresses.values() if other.entity is not address)
    chat.set(address_id=next((other.id for other in others if other.chat_id == chat.entity.id), chat.entity.id))


def _take(tracked: Tracked[Any], newer: Mapping[str, str], at: datetime, *also: str) -> None:
    entity = tracked.entity
    changed: dict[str, Any] = {name: value for name, value in newer.items() if value != getattr(entity, name)}
    seen_at = entity.seen_at or {}
    names = (*newer, *also)
    if any(seen_at.get(name) != at for name in names):
        changed["seen_at"] = seen_at | dict.fromkeys(names, at)
    if changed:
        tracked.set(**changed)


def _release(batch: Batch, customer: Tracked[Customer]) -> None:
    """The number is not this customer's any more; whoever has it now may be found by it."""
    number = customer.entity.phone_number
    if number is not None:
        customer.set(phone_number=None)
        if batch.by_phone.get(number) is customer:
            batch.by_phone.pop(number)


def _had(customer: Customer) -> tuple[datetime, str]:
    """When a customer was last seen with a number; at the same moment the user id decides."""
    return (customer.seen_at or {}).get("phone_number") or BEGINNING, customer.user_id or ""
