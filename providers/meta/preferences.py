"""A customer's word on marketing messages.

    {"wa_id": "4477…"?, "user_id": "GB.…", "detail": "…", "category": "marketing_messages",
     "value": "stop|resume|signup", "signup_id": "…"?, "timestamp": 1793103600}

Deliberately draws no conclusion: what may still be sent is the services' business.
"""

from typing import Any, Final

from providers import wire
from providers.events import Event, PreferenceChanged
from providers.meta.change import Change
from providers.meta.parties import address_of

#: Meta's category -> ours.
_CATEGORIES: Final = {"marketing_messages": "marketing"}
_KEYS: Final = frozenset({"wa_id", "user_id", "parent_user_id", "category", "value", "timestamp"})


def read_preference(change: Change, item: dict[str, Any], path: str) -> list[Event]:
    """Read one preference.

    Raises:
        UnreadableError: it does not say whose, or which.
    """
    address = address_of(item.get("wa_id"), item.get("user_id"), item.get("parent_user_id"))
    party, _ = change.contacts.meet(address)
    category, value = wire.text(item.get("category")), wire.text(item.get("value"))
    if not party.known:
        raise wire.UnreadableError("preference_without_customer")
    if category is None or value is None:
        raise wire.UnreadableError("preference_without_value")
    who = party.user_id or party.phone or party.parent_user_id
    preference = PreferenceChanged(
        account=change.account,
        path=path,
        key=f"p:{who}:{category}:{wire.text(item.get('timestamp')) or ''}",
        at=wire.when(item.get("timestamp")),
        metadata=wire.leftovers(item, _KEYS),
        party=party,
        category=_CATEGORIES.get(category, category),
        value=value,
    )
    return [preference]
