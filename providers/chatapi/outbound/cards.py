"""Contact cards on their way out: ids of chats, vCards, and Meta's shape for 1msg.

    {"contactId": ["447700900202@c.us"]}    {"vcard": "BEGIN:VCARD…"}    {"contacts": [{"name": {…}, "phones": […]}]}

A card that came whole goes out whole. Deliberately invents nothing: a card is a name and a number, or what was given.
"""

from typing import Any, Final

from models.message import Contact, Message
from providers import wire

#: What ends the id of a chat with a person.
_PERSON: Final = "@c.us"
#: What Meta's shape has; inbound cards have more (a vCard, a user id).
_KEYS: Final = ("name", "phones", "emails", "urls", "addresses", "org", "birthday")
_ESCAPES: Final = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n", "\r": None})


def cards_of(message: Message) -> list[Contact]:
    """Collect the cards of a message."""
    return message.contacts or ([message.contact] if message.contact else [])


def known_ids(contacts: list[Contact]) -> list[str]:
    """Name the chats of all contacts; none where one of them has no chat we know."""
    ids = [one.user_id for one in contacts if one.user_id and one.user_id.endswith(_PERSON)]
    return ids if len(ids) == len(contacts) else []


def vcard_of(contact: Contact) -> str:
    """Write a vCard, with the number also as WhatsApp's own id, which makes it a button."""
    if contact.vcard:
        return contact.vcard
    name, number = (contact.name or contact.phone_number or "").translate(_ESCAPES), contact.phone_number or ""
    digits = (wire.phone(number) or "").removeprefix("+")
    known_as = f";waid={digits}" if digits else ""
    lines = ["BEGIN:VCARD", "VERSION:3.0", f"N:;{name};;;", f"FN:{name}"]
    if number:
        lines.append(f"TEL;type=CELL;type=VOICE{known_as}:{number.translate(_ESCAPES)}")
    return "\n".join([*lines, "END:VCARD"])


def meta_card(contact: Contact) -> dict[str, Any]:
    """Tell a card in Meta's shape."""
    card = {key: value for key, value in (contact.details or {}).items() if key in _KEYS and value}
    named = wire.mapping(card.get("name"))
    shown = wire.text(named.get("formatted_name")) or contact.name or contact.phone_number or ""
    card["name"] = {"formatted_name": shown, "first_name": shown, **named}
    if contact.phone_number and "phones" not in card:
        card["phones"] = [{"phone": contact.phone_number}]
    return card
