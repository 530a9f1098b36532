"""Contact cards: vCard text to our `Contact`.

    BEGIN:VCARD
    VERSION:3.0
    FN:Piet Boer
    item1.TEL;type=CELL;waid=447700900112:+44 7700 900112
    END:VCARD

Reads the name and the first number, WhatsApp's own `waid` before the spelled one; the card is kept whole.
Deliberately no full vCard reader: what else a card says is for whoever opens it.
"""

import re
from typing import Final

import orjson

from models.message import Contact
from providers import wire

#: Cards read of one message, at most.
CARDS: Final = 256

_BEGIN = re.compile("BEGIN:VCARD", re.IGNORECASE)
_END = re.compile("END:VCARD", re.IGNORECASE)
_FOLD = re.compile(r"\r?\n[ \t]")
_PROPERTY = re.compile(r"(?:[\w-]{1,32}\.)?([A-Za-z-]{1,32})((?:;[^:\r\n]*)?):([^\r\n]*)")
_WAID = re.compile(r";waid=([0-9]{4,15})", re.IGNORECASE)
_ESCAPE = re.compile(r"\\([\\,;:nN])")


def contacts_of(body: object) -> list[Contact]:
    """Read all cards of a body: one after the other, or as a list, also one written as JSON."""
    found = _BEGIN.split(_joined(body), CARDS)[1:]
    ends = (_END.search(card) for card in found)
    return [
        _contact(f"BEGIN:VCARD{card[: end.start()]}END:VCARD") for card, end in zip(found, ends, strict=True) if end
    ]


def _joined(body: object) -> str:
    if isinstance(body, str) and body.lstrip().startswith("["):
        try:
            return _joined(orjson.loads(body))
        except orjson.JSONDecodeError:
            return body
    if isinstance(body, list):
        return "\n".join(item for item in body if isinstance(item, str))
    return body if isinstance(body, str) else ""


def _contact(card: str) -> Contact:
    found: dict[str, tuple[str, str]] = {}
    for line in _FOLD.sub("", card).splitlines():
        matched = _PROPERTY.fullmatch(line.strip())
        if matched:
            found.setdefault(matched[1].upper(), (matched[2], matched[3].strip()))
    parameters, spelled = found.get("TEL", ("", ""))
    waid = _WAID.search(parameters)
    return Contact(name=_name(found), phone_number=_phone(waid, spelled), vcard=card)


def _phone(waid: "re.Match[str] | None", spelled: str) -> str | None:
    return wire.phone(waid[1]) if waid else wire.phone(spelled) or spelled or None


def _name(found: dict[str, tuple[str, str]]) -> str | None:
    """Read the name as shown, else put it together from its parts (family; given; …)."""
    shown = _plain(found.get("FN", ("", ""))[1])
    family, _, given = found.get("N", ("", ""))[1].partition(";")
    parts = (_plain(given.partition(";")[0]), _plain(family))
    return shown or " ".join(part for part in parts if part) or None


def _plain(value: str) -> str:
    return _ESCAPE.sub(lambda found: "\n" if found[1] in "nN" else found[1], value).strip()
