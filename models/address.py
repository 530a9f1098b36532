"""A way to reach a customer through one account: a number, a BSUID, a vendor's chat id.

Phone numbers are not enough: users may hide theirs, and a Brazilian, Mexican or Argentine number has two
spellings. Look-ups therefore go by `canonical`, which both spellings share; sends go to `value`, the spelling
the vendor used last. A number also passes from person to person; its earlier holders are kept, because messages
come late. Deliberately no rewriting of numbers here: `services` knows the countries' rules.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from models.values import AddressKind

#: The vendor's word that a number was given up or an id exchanged counts from just after the moment it names.
AFTER: Final = timedelta(milliseconds=1)


@dataclass(slots=True, kw_only=True)
class Tenure:
    """One person's time with a number; it ends where the next one's begins."""

    #: When it began by the vendor's first word of it; None where there was none.
    since: datetime | None = None
    #: Which word that was: of two at the same moment the greater counts as the later.
    since_key: str | None = None
    #: The BSUID that belongs to the number in this time; None where the vendor has not told.
    user_id: str | None = None
    customer_id: str | None = None
    chat_id: str | None = None


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
    #: What a tenure says, of the present holder; and who had it before, the earliest first. Numbers only.
    since: datetime | None = None
    since_key: str | None = None
    user_id: str | None = None
    former: list[Tenure] = field(default_factory=list)
    created_at: datetime | None = None
    updated_at: datetime | None = None
