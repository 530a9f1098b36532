"""A word on the instance itself: linked to its phone, waiting for a QR code, unpaid.

    {"instanceStatus": "got qr code", "instanceId": "318842"}

The vendor documents the setting that sends this, not what is sent; the words are those of `GET /status`,
which should be asked before anything costly follows. Deliberately passes no QR code on: who has it has the
number.
"""

from typing import Final

from providers import wire
from providers.chatapi.source import Item, Source
from providers.events import AccountChanged, Event

#: Where the word has been guessed to stand. `status` counts only where no array stands beside it.
NAMED: Final = ("instanceStatus", "accountStatus")
AMBIGUOUS: Final = "status"
#: Keys that are taken here, and what else `GET /status` answers.
STATUS_KEYS: Final = frozenset({*NAMED, AMBIGUOUS, "statusData", "qrCode"})
#: The vendor's word (1msg's below) -> how the account fares; words that pass by themselves say nothing.
HEALTH: Final = {
    "authenticated": "ok",
    "got qr code": "auth_error",
    "not_paid": "paused",
    "connected": "ok",
    "uninitialized": "auth_error",
    "unregistered": "auth_error",
}


def read_instance(source: Source, payload: Item, *, alone: bool) -> list[Event]:
    """Read what a body says of the instance, if it does."""
    keys = (*NAMED, AMBIGUOUS) if alone else NAMED
    key = next((name for name in keys if isinstance(payload.get(name), str) and payload[name]), None)
    if key is None:
        return []
    word = payload[key].strip()
    details = wire.storable({name: payload[name] for name in payload if name in STATUS_KEYS - {"qrCode"}})
    changed = AccountChanged(
        account=source.account,
        path=key,
        key=f"a:{source.account.value if source.account else ''}:{wire.fingerprint(details)}",
        field_name="instance_status",
        event_name=word,
        health=HEALTH.get(word.lower()),
        reason=_reason(payload),
        details=details,
    )
    return [changed]


def _reason(payload: Item) -> str | None:
    said = wire.mapping(payload.get("statusData"))
    return wire.text(said.get("reason")) or wire.text(said.get("substatus"))
