"""A way to reach a customer through one account: a number, a BSUID, a vendor's chat id.

Phone numbers are not enough: users may hide theirs, and a Brazilian, Mexican or Argentine number has two
spellings. Look-ups therefore go by `canonical`, which both spellings share; sends go to `value`, the spelling
the vendor used last. Deliberately no rewriting of numbers here: `services` knows the countries' rules.
"""

from dataclasses import dataclass, field
from datetime import datetime

from models.values import AddressKind


@dataclass(slots=True, kw_only=True)
class Tenure:
    """Whose a number was before it passed to somebody else: vendors give numbers to new people."""

    customer_id: str | None = None
    chat_id: str | None = None
    until: datetime


@dataclass(slots=True, kw_only=True)
class Address:
    """One identity at one account: exactly one row, whatever spellings of it were seen."""

    id: str
    config_id: str
    kind: AddressKind
    #: As the vendor used it last: E.164 for phones, else verbatim.
    value: str
    #: The form all spellings share; equal to `value` for everything but the phones of three countries.
    canonical: str
    #: Other spellings seen, so that none of them ever makes a second row.
    aliases: list[str] = field(default_factory=list)
    customer_id: str | None = None
    #: The live chat of this address.
    chat_id: str | None = None
    last_used_at: datetime | None = None
    #: Since when its present holder is known to have it; and who had it before, the earliest first.
    since: datetime | None = None
    former: list[Tenure] = field(default_factory=list)
    created_at: datetime | None = None
    updated_at: datetime | None = None
