"""The envelope of a Meta webhook: every entry, every change, every item of every array.

    {"object": "whatsapp_business_account",
     "entry": [{"id": "<WABA id>", "time": …?, "changes": [{"field": "messages", "value": {…}}]}]}

One delivery may hold a thousand items of several numbers and business accounts. Every one becomes an event,
in the order of the delivery; what cannot be read costs nothing but itself. Deliberately reads no item: the
tables below say who does.
"""

from collections.abc import Callable
from typing import Any, Final

from providers import wire
from providers.events import Event, Ignored, Malformed
from providers.meta.accounts import read_account, read_error
from providers.meta.change import Change, Reader, open_change, read_each, read_one
from providers.meta.coexistence import read_contact, read_echo, read_history, read_history_media
from providers.meta.identity import read_user_id_update
from providers.meta.messages import read_inbound
from providers.meta.preferences import read_preference
from providers.meta.statuses import read_call, read_status
from providers.meta.templates import read_template

#: The only `object` that is WhatsApp's.
OBJECT: Final = "whatsapp_business_account"


def _kept(reason: str, kind: str) -> Reader:
    """Make a reader of items from which nothing follows here."""

    def read(change: Change, item: dict[str, Any], path: str) -> list[Event]:
        names = (kind, wire.text(item.get("id")) or wire.fingerprint(item))
        return [change.ignored(path, reason, item, key=":".join(names), at=wire.when(item.get("timestamp")))]

    return read


#: Array of a value -> the reader of its items.
ARRAYS: Final[dict[str, Reader]] = {
    "messages": read_inbound,
    "statuses": read_status,
    "errors": read_error,
    "message_echoes": read_echo,
    "history": read_history,
    "state_sync": read_contact,
    "user_preferences": read_preference,
    "user_id_update": read_user_id_update,
    "calls": read_call,
    "groups": _kept("group_event", "g"),
    "user_actions": _kept("user_action", "u"),
    "automatic_events": _kept("automatic_event", "ae"),
    "events": _kept("tracking_event", "te"),
}
#: Fields in which an array means something else.
SPECIAL: Final[dict[str, dict[str, Reader]]] = {
    "history": {"messages": read_history_media, "message_echoes": read_history_media},
    "calls": {"statuses": read_call},
}
#: Keys of a value that hold no items.
SHARED: Final = frozenset({"messaging_product", "metadata", "contacts"})
#: Fields whose value is a set of arrays.
ARRAY_FIELDS: Final = (
    "messages", "message_echoes", "smb_message_echoes", "history", "smb_app_state_sync", "user_preferences",
    "user_id_update", "calls", "automatic_events", "tracking_events", "group_lifecycle_update",
    "group_participants_update", "group_settings_update", "group_status_update",
)  # fmt: skip
TEMPLATE_FIELDS: Final = (
    "message_template_status_update", "message_template_quality_update", "message_template_components_update",
    "template_category_update", "template_correct_category_detection",
)  # fmt: skip
ACCOUNT_FIELDS: Final = (
    "account_update", "account_review_update", "account_alerts", "account_settings_update", "security", "flows",
    "phone_number_quality_update", "phone_number_name_update", "business_capability_update",
    "business_status_update", "business_username_updates", "partner_solutions", "payment_configuration_update",
)  # fmt: skip
#: Fields known to hold nothing for us -> the reason recorded.
KEPT_FIELDS: Final = {"messaging_handovers": "handover", "consumer_profile": "consumer_profile"}


def read_delivery(body: bytes) -> list[Event]:
    """Read a whole delivery; any bytes give at least one event."""
    try:
        payload = wire.load_json(body)
    except wire.NotJsonError:
        return [_broken("", "not_json")]
    if not isinstance(payload, dict):
        return [_broken("", "not_an_object")]
    if "entry" not in payload:
        return _read_bare(payload)
    named = payload.get("object", OBJECT)
    if named != OBJECT:
        return [_passed_over("", "other_object", {"object": wire.storable(named)})]
    return _each("entry", payload["entry"], "entry", _read_entry)


def _read_bare(payload: dict[str, Any]) -> list[Event]:
    """Read a value without its envelope, as one of Meta's examples shows it; refuse what is not Meta's."""
    if payload.get("messaging_product") != "whatsapp":
        return [_broken("", "not_a_meta_webhook")]
    return _read_change({"value": payload}, "value", {})


def _each(name: str, found: object, path: str, reader: Callable[[dict[str, Any], str], list[Event]]) -> list[Event]:
    if not isinstance(found, list):
        return [_broken(path, f"{name}_not_a_list")]
    events: list[Event] = []
    for index, item in enumerate(found):
        place = f"{path}.{index}"
        events += reader(item, place) if isinstance(item, dict) else [_broken(place, f"{name}_not_an_object")]
    return events or [_passed_over(path, "empty", None)]


def _read_entry(entry: dict[str, Any], path: str) -> list[Event]:
    return _each(
        "changes",
        entry.get("changes"),
        f"{path}.changes",
        lambda change, place: _read_change(change, f"{place}.value", entry),
    )


def _read_change(found: dict[str, Any], path: str, entry: dict[str, Any]) -> list[Event]:
    value = found.get("value")
    if not isinstance(value, dict):
        return [_broken(path, "value_not_an_object")]
    field = wire.text(found.get("field")) or wire.text(entry.get("field")) or _field_of(value)
    change = open_change(field, value, path, waba=wire.text(entry.get("id")), stamp=entry.get("time"))
    return read_one(change, value, path, _READERS.get(field, _unknown))


def _field_of(value: dict[str, Any]) -> str:
    """Tell the field by the keys, where Meta's examples leave its name out."""
    return next((field for key, field in _MARKS.items() if key in value), "")


def _read_arrays(change: Change, value: dict[str, Any], path: str) -> list[Event]:
    """Read every array of a value, also those we have no name for."""
    special = SPECIAL.get(change.field, {})
    events: list[Event] = []
    for key, found in value.items():
        reader = special.get(key) or ARRAYS.get(key)
        if reader:
            events += read_each(change, key, found, f"{path}.{key}", reader)
        elif isinstance(found, list) and key not in SHARED:
            events += _unknown_items(change, key, found, f"{path}.{key}")
        elif isinstance(found, dict) and key not in SHARED:
            events.append(change.ignored(f"{path}.{key}", "unknown_object", {key: found}))
    return events or [change.ignored(path, "empty", value)]


def _unknown_items(change: Change, key: str, items: list[Any], path: str) -> list[Event]:
    return [change.ignored(f"{path}.{index}", "unknown_array", {key: item}) for index, item in enumerate(items)]


def _read_standby(change: Change, value: dict[str, Any], path: str) -> list[Event]:
    """Keep what was said while Meta's own agent holds the thread; nothing of ours may answer it."""
    inner = wire.mapping(value.get("standby"))
    keep = _kept("standby", "sb")
    events: list[Event] = []
    for key, found in inner.items():
        if key not in SHARED and isinstance(found, list):
            events += read_each(change, key, found, f"{path}.standby.{key}", keep)
    return events or [change.ignored(path, "standby", value)]


def _unknown(change: Change, value: dict[str, Any], path: str) -> list[Event]:
    reason = KEPT_FIELDS.get(change.field, "unknown_field")
    kept, at = {"field": change.field, "value": value}, wire.when(value.get("timestamp"))
    return [change.ignored(path, reason, kept, key=change.fact_key(value), at=at)]


def _broken(path: str, reason: str) -> Malformed:
    return Malformed(account=None, path=path, key="", reason=reason)


def _passed_over(path: str, reason: str, metadata: dict[str, Any] | None) -> Ignored:
    return Ignored(account=None, path=path, key="", metadata=metadata, reason=reason)


_READERS: Final[dict[str, Reader]] = {
    **dict.fromkeys(ARRAY_FIELDS, _read_arrays),
    **dict.fromkeys(TEMPLATE_FIELDS, read_template),
    **dict.fromkeys(ACCOUNT_FIELDS, read_account),
    "standby": _read_standby,
}
#: Key of a value -> the field it must be of; the first that is present counts.
_MARKS: Final = {
    "history": "history",
    "calls": "calls",
    **dict.fromkeys(ARRAYS, "messages"),
    "message_template_id": "message_template_status_update",
    "standby": "standby",
}
