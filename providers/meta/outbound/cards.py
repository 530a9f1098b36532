"""Contact cards, from ours to Meta's.

    {"name": {"formatted_name": "…", "first_name": "…"}, "phones": [{"phone": "+1555…", "type": "WORK", "wa_id"?}],
     "emails": […], "org": {…}, "urls": […], "addresses": […], "birthday": "…"}

A card that came whole (`details`) goes out whole, as far as Meta takes its keys; others have a name and a number.
Deliberately claims no `wa_id` of its own: it would promise that the number is on WhatsApp.
"""

from typing import Any, Final

from models.message import Contact
from providers import wire

#: What Meta takes of a card, and of the entries of its lists. Inbound cards have more (`vcard`, `user_id`).
LISTS: Final[dict[str, frozenset[str]]] = {
    "phones": frozenset({"phone", "type", "wa_id"}),
    "emails": frozenset({"email", "type"}),
    "urls": frozenset({"url", "type"}),
    "addresses": frozenset({"street", "city", "state", "zip", "country", "country_code", "type"}),
}
OBJECTS: Final[dict[str, frozenset[str]]] = {"org": frozenset({"company", "department", "title"})}
NAMES: Final = ("formatted_name", "first_name", "last_name", "middle_name", "suffix", "prefix")
#: The parts of a name of which Meta wants one beside the formatted name.
_PARTS: Final = frozenset(NAMES) - {"formatted_name"}


def name_of(contact: Contact) -> str | None:
    """Find the name a card is shown under; Meta takes none without."""
    given = wire.mapping((contact.details or {}).get("name"))
    return wire.text(given.get("formatted_name")) or contact.name or wire.text(given.get("first_name"))


def card_of(contact: Contact) -> dict[str, Any]:
    """Build one card."""
    details = contact.details or {}
    card: dict[str, Any] = {"name": _name(contact, wire.mapping(details.get("name")))}
    for key, known in LISTS.items():
        entries = [_kept(entry, known) for entry in wire.listed(details.get(key)) if isinstance(entry, dict)]
        card |= {key: entries} if entries else {}
    for key, known in OBJECTS.items():
        part = _kept(wire.mapping(details.get(key)), known)
        card |= {key: part} if part else {}
    if birthday := wire.text(details.get("birthday")):
        card["birthday"] = birthday
    if contact.phone_number and "phones" not in card:
        card["phones"] = [{"phone": contact.phone_number}]
    return card


def _name(contact: Contact, given: dict[str, Any]) -> dict[str, Any]:
    shown = name_of(contact)
    name = {"formatted_name": shown} | _kept(given, frozenset(_PARTS))
    return name if name.keys() & _PARTS else {**name, "first_name": shown}


def _kept(found: dict[str, Any], known: frozenset[str]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if key in known and value not in (None, "")}
