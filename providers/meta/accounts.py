"""A word on the account or number itself: limits, reviews, restrictions, alerts, errors.

    {"event": "ACCOUNT_RESTRICTION",
     "restriction_info": [{"restriction_type": "RESTRICTED_…", "expiration": 1793362800}]}

The value is kept whole as `details`; `health` is set only where the text itself settles whether all is well.
Deliberately no alarm and no pause: the services decide.
"""

from collections.abc import Callable
from typing import Any, Final

from providers import wire
from providers.events import AccountChanged, AccountKey, Event
from providers.meta.change import BUSINESS_ACCOUNT, DISPLAY_NUMBER, PHONE_NUMBER, Change

Value = dict[str, Any]

OK: Final = "ok"
RESTRICTED: Final = "restricted"
#: `account_update` event -> how the account fares by it.
HEALTH: Final = {
    "ACCOUNT_DELETED": RESTRICTED,
    "ACCOUNT_RESTRICTION": RESTRICTED,
    "ACCOUNT_VIOLATION": RESTRICTED,
    "ACCOUNT_OFFBOARDED": RESTRICTED,
    "ACCOUNT_RECONNECTED": OK,
}
#: State of a ban -> the same; also an announced one wants a person.
BAN_HEALTH: Final = {"DISABLE": RESTRICTED, "SCHEDULE_FOR_DISABLE": RESTRICTED, "REINSTATE": OK}


def read_account(change: Change, value: Value, path: str) -> list[Event]:
    """Read an account field; the whole value is one fact."""
    event_key, reason_of = _FIELDS.get(change.field, _PLAIN)
    event = wire.text(_alert(value).get(event_key))
    said = AccountChanged(
        account=_about(change),
        path=path,
        key=change.fact_key(value),
        at=change.at or wire.when(value.get("timestamp")),
        field_name=change.field,
        event_name=event,
        health=_health(change, event),
        reason=reason_of(value),
        details=wire.storable(value),
    )
    return [said]


def read_error(change: Change, item: Value, path: str) -> list[Event]:
    """Read an error that is of no single message."""
    error = AccountChanged(
        account=change.account,
        path=path,
        key=change.fact_key(item),
        at=change.at,
        field_name="errors",
        reason=wire.text(item.get("code")),
        details=wire.storable(item),
    )
    return [error]


def _about(change: Change) -> AccountKey | None:
    """Tell whom it concerns: an alert may name one number of the business account.

    A number that is named by its digits alone may be known here by its id alone: then the business account is meant.
    """
    wider = AccountKey(BUSINESS_ACCOUNT, change.waba) if change.waba else None
    entity = wire.text(change.value.get("entity_id"))
    if entity and change.value.get("entity_type") == "PHONE_NUMBER":
        return AccountKey(PHONE_NUMBER, entity)
    named = change.account
    return AccountKey(named.kind, named.value, wider) if named and named.kind == DISPLAY_NUMBER else named


def _health(change: Change, event: str | None) -> str | None:
    if change.field != "account_update":
        return None
    return HEALTH.get(event or "") or BAN_HEALTH.get(_ban_state(change.value) or "")


def _ban_state(value: Value) -> str | None:
    return wire.text(wire.first(value.get("ban_info")).get("waba_ban_state"))


def _alert(value: Value) -> Value:
    """Bring an alert's keys together: they stand in an object of their own, in older samples flat."""
    return {**value, **wire.mapping(value.get("alert_info"))}


def _no_reason(value: Value) -> str | None:  # noqa: ARG001  has the shape of its siblings
    return None


def _update_reason(value: Value) -> str | None:
    """Tell why an account changed, by whichever of its objects says so."""
    restrictions = (wire.text(item.get("restriction_type")) for item in _objects(value.get("restriction_info")))
    return (
        ", ".join(kind for kind in restrictions if kind)
        or wire.text(wire.first(value.get("violation_info")).get("violation_type"))
        or _ban_state(value)
        or wire.text(wire.mapping(value.get("disconnection_info")).get("reason"))
    )


def _objects(found: object) -> list[Value]:
    return [item for item in (wire.listed(found) or [found]) if isinstance(item, dict)]


def _named(key: str) -> Callable[[Value], str | None]:
    return lambda value: wire.text(_alert(value).get(key))


_PLAIN: Final[tuple[str, Callable[[Value], str | None]]] = ("event", _no_reason)
#: Field -> the key that says what happened, and what tells why.
_FIELDS: Final[dict[str, tuple[str, Callable[[Value], str | None]]]] = {
    "account_update": ("event", _update_reason),
    "account_review_update": ("decision", _no_reason),
    "account_alerts": ("alert_type", _named("alert_severity")),
    "account_settings_update": ("type", _no_reason),
    "business_username_updates": ("status", _no_reason),
    "flows": ("event", _named("alert_state")),
    "partner_solutions": ("event", _named("solution_status")),
    "payment_configuration_update": ("status", _no_reason),
    "phone_number_name_update": ("decision", _named("rejection_reason")),
}
