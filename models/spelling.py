"""Numbers that the vendors spell in two ways, and the one form that stands for both (protocols: Meta H.2).

Deliberately only look-ups go by that form: sends go to the spelling the vendor used last.
"""

import re
from typing import Final

from models.values import AddressKind

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


def canonical(kind: AddressKind, value: str) -> str:
    """The form that all spellings of an address share."""
    if kind is AddressKind.PHONE and has_spellings(value):
        for spelling, form in _TWO_SPELLINGS:
            if spelling.match(value):
                return spelling.sub(form, value)
    return value


def has_spellings(number: str) -> bool:
    """Whether a number is of a country where numbers have two spellings."""
    return number.startswith(_COUNTRIES)
