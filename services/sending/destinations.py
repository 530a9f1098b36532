"""Where a chat's messages go: to the addresses that lead to this very chat, never to "the customer's phone".

Numbers change hands and customers are united; an address that leads elsewhere by now is none of this chat's.
Deliberately no choice among several: each dialect knows which its vendor prefers.
"""

from collections.abc import Iterable
from typing import Final

from models.address import Address
from models.values import AddressKind
from providers.outbound import Destination

_FIELDS: Final = {
    AddressKind.PHONE: "phone",
    AddressKind.BSUID: "user_id",
    AddressKind.CHATAPI: "chat_id",
}


def destination_of(chat_id: str, addresses: Iterable[Address]) -> Destination | None:
    """Name where a chat's messages go, its own address first; None where nothing leads there any more."""
    found: dict[str, str] = {}
    for address in addresses:
        name = _FIELDS.get(address.kind)
        if name and address.chat_id == chat_id:
            found.setdefault(name, address.value)
    return Destination(**found) if found else None


def spelled(to: Destination) -> str | None:
    """How a message's `to` is written."""
    return to.group_id or to.phone or to.user_id or to.chat_id
