"""Who is who at Twilio: addresses with a channel before them, and business-scoped user ids (BSUID).

    From=whatsapp:+4477…  WaId=4477…  ExternalUserId=whatsapp:GB.4821…   the number is shown
    From=whatsapp:GB.4821…  ParentExternalUserId=whatsapp:GB.ENT.9941…   it is hidden

Deliberately refuses no address: what looks like neither number nor BSUID is kept as an opaque id, so that its
sender can be shown and answered.
"""

import re
from typing import Final

from providers import wire
from providers.events import Party
from providers.twilio.parameters import Parameters

#: Stands before every WhatsApp address; other channels have other words, or none (SMS).
WHATSAPP: Final = "whatsapp:"
#: The documents call the ids by one name, the payloads by the other.
USER_ID_NAMES: Final = ("ExternalUserId", "ExternalUserIdentifier")
PARENT_ID_NAMES: Final = ("ParentExternalUserId", "ParentExternalUserIdentifier")
USERNAME_NAMES: Final = ("ProfileUsername", "Username")

_PARENT_BSUID = re.compile(r"[A-Z]{2}\.ENT\.[A-Za-z0-9]{1,128}")
_NAMES: Final = frozenset({"ProfileName", *USERNAME_NAMES})


def on_whatsapp(parameters: Parameters) -> bool:
    """Say whether a webhook is WhatsApp's: the same URL may serve SMS, RCS and Messenger."""
    addresses = [found for name in ("From", "To") if (found := parameters.text(name))]
    if parameters.text("ChannelPrefix") == WHATSAPP.rstrip(":") or not addresses:
        return True
    return any(_is_whatsapp(address) for address in addresses)


def bare(address: str | None) -> str | None:
    """Take the channel off a WhatsApp address: a number as E.164, anything else as it is."""
    if not address:
        return None
    within = address[len(WHATSAPP) :].strip() if _is_whatsapp(address) else address
    return wire.phone(within) or within or None


def sender(value: str) -> str | None:
    """Read a sender of ours, as Twilio's console shows it or as a plain number."""
    return wire.phone(bare(value.strip()))


def party_of(parameters: Parameters, side: str) -> tuple[Party, frozenset[str]]:
    """Read the customer, who is on one side (From or To); give also the parameters that are told by that."""
    address = bare(parameters.text(side) or (parameters.text("WaId") if side == "From" else None))
    phone = wire.phone(address)
    other = address if phone is None else None
    is_parent = bool(other and _PARENT_BSUID.fullmatch(other))
    party = Party(
        phone=phone,
        user_id=(None if is_parent else other) or bare(parameters.first_of(*USER_ID_NAMES)),
        parent_user_id=(other if is_parent else None) or bare(parameters.first_of(*PARENT_ID_NAMES)),
        username=_username(parameters.first_of(*USERNAME_NAMES)),
        name=parameters.text("ProfileName"),
    )
    return party, _told(parameters, party) | {side} | _NAMES


def _told(parameters: Parameters, party: Party) -> frozenset[str]:
    """Name the identifying parameters that say nothing beyond the party; a number's other spelling does."""
    known = {party.phone, party.user_id, party.parent_user_id}
    names = (*USER_ID_NAMES, *PARENT_ID_NAMES, "WaId")
    return frozenset(name for name in names if bare(parameters.text(name)) in known)


def _is_whatsapp(address: str) -> bool:
    return address[: len(WHATSAPP)].lower() == WHATSAPP


def _username(value: str | None) -> str | None:
    return (value.removeprefix("@") or None) if value else None
