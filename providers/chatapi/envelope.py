"""The envelope of a ChatAPI webhook: every array it may hold, and what is said of the instance itself.

    {"messages": [{…}], "ack": [{…}], "chatUpdate": [{"old", "new"}], "instanceId": "318842"}

Normally one array a delivery, but every one present is read; items become events, messages before their acks.
Deliberately reads no item: the table below says who does.
"""

from typing import Final

from providers import wire
from providers.chatapi.acks import read_ack
from providers.chatapi.chats import read_chat_update
from providers.chatapi.instance import STATUS_KEYS, read_instance
from providers.chatapi.lookalikes import vendor_of_body
from providers.chatapi.messages import read_message
from providers.chatapi.source import Item, Reader, Source, instance_named, present, read_each
from providers.events import Event

#: Array -> the reader of its items.
ARRAYS: Final[dict[str, Reader]] = {
    "messages": read_message,
    "ack": read_ack,
    "chatUpdate": read_chat_update,
}
#: Keys that name the account; alone they say nothing.
_NAMES: Final = frozenset({"instanceId", "channelId"})
#: 1msg passes Meta's calls on, as an object at the top level.
_CALLS: Final = "calls"


def read_delivery(body: bytes) -> list[Event]:
    """Read a whole delivery; any bytes give at least one event."""
    if not body.strip():
        return [Source(None).ignored("", "empty")]
    try:
        payload = wire.load_json(body)
    except wire.NotJsonError:
        return [Source(None).malformed("", "not_json")]
    if not isinstance(payload, dict):
        return [Source(None).malformed("", "not_an_object")]
    source = Source(instance_named(payload))
    vendor = vendor_of_body(payload)
    return _refused(source, payload, vendor) if vendor else _read(source, present(payload))


def _refused(source: Source, payload: Item, vendor: str) -> list[Event]:
    """Refuse each item of another vendor's body, or the body where it has none."""
    places = [f"{name}.{i}" for name in ARRAYS for i, _ in enumerate(wire.listed(payload.get(name)))]
    return [source.ignored(place, f"other_vendor_{vendor}") for place in places or [""]]


def _read(source: Source, payload: Item) -> list[Event]:
    if payload.get("type") == _CALLS and payload.keys().isdisjoint(ARRAYS):
        return [source.ignored("", "call", payload, key=f"call:{wire.fingerprint(payload)}")]
    events: list[Event] = []
    for name, reader in ARRAYS.items():
        events += read_each(source, name, payload.get(name), reader)
    events += read_instance(source, payload, alone=payload.keys().isdisjoint(ARRAYS))
    events += _unknown(source, payload)
    return events or [_nothing(source, payload)]


def _unknown(source: Source, payload: Item) -> list[Event]:
    """Keep lists and objects that we have no name for."""
    known = ARRAYS.keys() | STATUS_KEYS
    return [
        source.ignored(name, "unknown_field", {name: found})
        for name, found in payload.items()
        if name not in known and isinstance(found, (list, dict)) and found
    ]


def _nothing(source: Source, payload: Item) -> Event:
    """Account for a body without an item: the vendor's test button, or something of another kind."""
    said = {key for key, value in payload.items() if value not in ({}, [], "")}
    if said <= _NAMES:
        return source.ignored("", "empty")
    return source.ignored("", "unknown_body", payload)
