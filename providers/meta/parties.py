"""Who is on the other side: numbers, business-scoped user ids (BSUID) and the contacts that go with them.

    {"profile": {"name": "…", "username": "…"}, "wa_id": "4477…", "user_id": "GB.4821…",
     "parent_user_id": "GB.ENT.…"}

Any of them may be missing. Contacts are matched to items by id, never by index. Deliberately compares no
numbers across their national spellings beyond what a lone contact needs.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from providers import wire
from providers.events import Party

_BSUID = re.compile(r"[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}")
#: Digits in which all spellings of one number agree (Brazil's 9, Mexico's 1, Argentina's 9 stand before).
_SUBSCRIBER_DIGITS: Final = 8
_CONTACT_KEYS: Final = frozenset({"profile", "wa_id", "user_id", "parent_user_id"})
_PROFILE_KEYS: Final = frozenset({"name", "username"})


@dataclass(frozen=True, slots=True)
class Address:
    """What an address field can hold, told apart by its look."""

    phone: str | None = None
    user_id: str | None = None
    parent_user_id: str | None = None


@dataclass(frozen=True, slots=True)
class ContactCard:
    """One entry of `contacts`; `extra` is what we have no name for, e.g. an identity hash."""

    address: Address
    name: str | None
    username: str | None
    extra: dict[str, Any] | None

    @property
    def ids(self) -> tuple[str | None, ...]:
        """All that it can be found by."""
        return self.address.phone, self.address.user_id, self.address.parent_user_id


NOBODY: Final = Address()
_NO_CARD: Final = ContactCard(address=NOBODY, name=None, username=None, extra=None)


class Contacts:
    """The contacts of a change, found by any of their ids."""

    __slots__ = ("_by_id", "_lone")

    def __init__(self, found: object, messages: object = None) -> None:
        cards = [_card(item) for item in wire.listed(found) if isinstance(item, dict)]
        self._by_id = {one: card for card in cards for one in card.ids if one}
        self._lone = cards[0] if len(cards) == 1 and not _of_several(messages) else _NO_CARD

    def of(self, address: Address) -> ContactCard:
        """Find an address's card: by an id, or the only one there is unless it speaks of somebody else."""
        by_id = self._by_id
        card = by_id.get(address.user_id or "") or by_id.get(address.phone or "")
        if card is None:
            card = by_id.get(address.parent_user_id or "") or self._lone
        return _NO_CARD if _contradict(card.address, address) else card

    def meet(self, address: Address) -> tuple[Party, dict[str, Any] | None]:
        """Complete an address by its contact; give also what that says beyond our words."""
        card = self.of(address)
        party = Party(
            phone=address.phone or card.address.phone,
            user_id=address.user_id or card.address.user_id,
            parent_user_id=address.parent_user_id or card.address.parent_user_id,
            username=card.username,
            name=card.name,
        )
        return party, card.extra


def _of_several(messages: object) -> bool:
    """Say whether several people wrote: then nobody knows which of them a contact is that does not say so."""
    written = (item for item in wire.listed(messages) if isinstance(item, dict))
    senders = {(wire.text(item.get("from")), wire.text(item.get("from_user_id"))) for item in written}
    return len(senders - {(None, None)}) > 1


def _card(item: dict[str, Any]) -> ContactCard:
    profile = wire.mapping(item.get("profile"))
    extra = wire.leftovers(item, _CONTACT_KEYS)
    more = wire.leftovers(profile, _PROFILE_KEYS)
    return ContactCard(
        address=address_of(item.get("wa_id"), item.get("user_id"), item.get("parent_user_id")),
        name=wire.text(profile.get("name")),
        username=username(profile.get("username")),
        extra={**(extra or {}), "profile": more} if more else extra,
    )


def _contradict(one: Address, other: Address) -> bool:
    """Say whether two addresses cannot be one person's."""
    if one.user_id and one.user_id == other.user_id:
        return False
    if one.phone and other.phone:
        return one.phone[-_SUBSCRIBER_DIGITS:] != other.phone[-_SUBSCRIBER_DIGITS:]
    return bool(one.user_id and other.user_id)


def address_of(number: object, user_id: object = None, parent_user_id: object = None) -> Address:
    """Tell apart what the three fields hold; a BSUID has been seen where the number belongs."""
    phone = wire.phone(number)
    user, parent = wire.text(user_id), wire.text(parent_user_id)
    if phone is None and isinstance(number, str):
        found = _BSUID.fullmatch(number)
        if found and found[1]:
            parent = parent or number
        elif found:
            user = user or number
    return Address(phone, user, parent)


def username(value: object) -> str | None:
    """Read a username without the @ that some write before it."""
    name = wire.text(value)
    return name.removeprefix("@") or None if name else None
