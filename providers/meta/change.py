"""One change of a Meta envelope: whom it is for, and what all its items share.

    {"id": "<WABA id>", "time": 1793103600?, "changes": [{"field": "messages", "value": {…}}]}

Deliberately reads no item.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from providers import wire
from providers.events import AccountKey, Event, Ignored, Malformed
from providers.meta.parties import Contacts

#: How webhooks name an account: by its number's id, its business account, or "<business account>/<digits>".
PHONE_NUMBER: Final = "phone_number_id"
BUSINESS_ACCOUNT: Final = "business_account_id"
DISPLAY_NUMBER: Final = "display_phone_number"

#: Where the phone number id stands in fields that have no `metadata`.
_ID_ELSEWHERE: Final = {
    "account_settings_update": "phone_number_settings",
    "messaging_handovers": "recipient",
}
_NO_DIGITS = re.compile(r"[^0-9]+")


@dataclass(frozen=True, slots=True)
class Change:
    """A change on its way through the readers; `path` is that of its value, `at` the time of its entry."""

    field: str
    value: dict[str, Any]
    path: str
    account: AccountKey | None
    #: The id of the business account, and of the phone number where the change names one.
    waba: str | None
    number_id: str | None
    #: The business's own number, E.164.
    business: str | None
    contacts: Contacts
    at: datetime | None
    #: `entry.time` as it came; only account and template fields have one.
    stamp: str | None

    def fact_key(self, content: object) -> str:
        """Name a fact that has no id of its own by where, when and what."""
        return ":".join(("a", self.waba or "", self.field, self.stamp or "", wire.fingerprint(content)))

    def ignored(self, path: str, reason: str, item: object, *, key: str = "", at: datetime | None = None) -> Ignored:
        """Keep an item from which nothing follows, whole."""
        kept = wire.storable(item if isinstance(item, dict) else {"value": item})
        return Ignored(account=self.account, path=path, key=key, at=at or self.at, metadata=kept, reason=reason)

    def malformed(self, path: str, reason: str) -> Malformed:
        """Record an item that cannot be read; the stored bytes still hold it."""
        return Malformed(account=self.account, path=path, key="", at=self.at, reason=reason)


#: Reads one item of an array at its path.
Reader = Callable[[Change, dict[str, Any], str], list[Event]]


def read_each(change: Change, name: str, found: object, path: str, reader: Reader) -> list[Event]:
    """Read an array item by item, so that an odd one fails alone."""
    if found is None:
        return []
    if not isinstance(found, list):
        return [change.malformed(path, f"{name}_not_a_list")]
    events: list[Event] = []
    for index, item in enumerate(found):
        events += read_one(change, item, f"{path}.{index}", reader)
    return events


def read_one(change: Change, item: object, path: str, reader: Reader) -> list[Event]:
    """Read an item; whatever is wrong with it, the answer is an event."""
    if not isinstance(item, dict):
        return [change.malformed(path, "item_not_an_object")]
    try:
        return reader(change, item, path)
    except wire.UnreadableError as error:
        return [change.malformed(path, error.reason)]
    except Exception as error:  # noqa: BLE001  a fault of a reader costs its item, not its neighbours; tests look for it
        return [change.malformed(path, f"reader_fault_{type(error).__name__}")]


def open_change(field: str, value: dict[str, Any], path: str, *, waba: str | None, stamp: object) -> Change:
    """Find out what all items of a value share."""
    at = wire.when(stamp)
    waba = wire.text(wire.mapping(value.get("waba_info")).get("waba_id")) or waba
    about = wire.mapping(value.get("metadata") or value.get(_ID_ELSEWHERE.get(field, "metadata")))
    number_id = wire.text(about.get("phone_number_id"))
    display = wire.text(about.get("display_phone_number") or value.get("display_phone_number"))
    return Change(
        field=field,
        value=value,
        path=path,
        account=_account(number_id, waba, display),
        waba=waba,
        number_id=number_id,
        business=wire.phone(display),
        contacts=Contacts(value.get("contacts"), value.get("messages")),
        at=at,
        stamp=wire.text(stamp),
    )


def _account(number_id: str | None, waba: str | None, display: str | None) -> AccountKey | None:
    if number_id:
        return AccountKey(PHONE_NUMBER, number_id)
    named = display_key(waba, display)
    if named:
        return AccountKey(DISPLAY_NUMBER, named)
    return AccountKey(BUSINESS_ACCOUNT, waba) if waba else None


def display_key(waba: str | None, display: str | None) -> str | None:
    """Name a number within its business account by its digits alone, however they are spelled."""
    digits = _NO_DIGITS.sub("", display or "")
    return f"{waba}/{digits}" if waba and digits else None
