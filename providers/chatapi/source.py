"""One delivery on its way through the readers: whose it is, and how its items become events.

    {"messages": […], "ack": […], "chatUpdate": […], "instanceId": "318842"}     1msg: "channelId": 463107

Deliberately reads no item.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from providers import wire
from providers.events import AccountKey, Event, Ignored, Malformed

Item = dict[str, Any]

#: How webhooks name an account.
INSTANCE: Final = "instance_id"
#: Stands before the number in the vendor's URLs, and so in what people copy.
_URL_PREFIX: Final = "instance"
#: With one of these an object is an item.
_ITEM_KEYS: Final = frozenset({"id", "new"})
_TRUTHS: Final = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Source:
    """What all items of a delivery share."""

    account: AccountKey | None

    def ignored(
        self, path: str, reason: str, item: object = None, *, key: str = "", at: datetime | None = None
    ) -> Ignored:
        """Keep an item from which nothing follows, whole where there is one."""
        kept = wire.storable(item) if isinstance(item, dict) else None
        return Ignored(account=self.account, path=path, key=key, at=at, metadata=kept, reason=reason)

    def malformed(self, path: str, reason: str) -> Malformed:
        """Record an item that cannot be read; the stored bytes still hold it."""
        return Malformed(account=self.account, path=path, key="", reason=reason)


#: Reads one item of an array at its path.
Reader = Callable[[Source, Item, str], list[Event]]


def instance_key(value: object) -> AccountKey | None:
    """Name an instance, written as a number or a string, also as the vendor's URLs write it."""
    name = (wire.text(value) or "").strip().removeprefix(_URL_PREFIX)
    return AccountKey(INSTANCE, name) if name else None


def instance_named(payload: Mapping[str, Any]) -> AccountKey | None:
    """Tell which instance a body says it is for; old versions do not say."""
    return instance_key(payload.get("instanceId")) or instance_key(payload.get("channelId"))


def read_each(source: Source, name: str, found: object, reader: Reader) -> list[Event]:
    """Read an array item by item, so that an odd one fails alone; one object is an array of one."""
    if found is None:
        return []
    if isinstance(found, dict) and not _ITEM_KEYS.isdisjoint(found):
        found = [found]
    if not isinstance(found, list):
        return [source.malformed(name, f"{name}_not_a_list")]
    events: list[Event] = []
    for index, item in enumerate(found):
        events += _one(source, item, f"{name}.{index}", reader)
    return events


def _one(source: Source, item: object, path: str, reader: Reader) -> list[Event]:
    if not isinstance(item, dict):
        return [source.malformed(path, "item_not_an_object")]
    try:
        return reader(source, present(item), path)
    except wire.UnreadableError as error:
        return [source.malformed(path, error.reason)]
    except Exception as error:  # noqa: BLE001  a fault of a reader costs its item, not its neighbours; tests look for it
        return [source.malformed(path, f"reader_fault_{type(error).__name__}")]


def present(item: Item) -> Item:
    """Leave out what is null: in this protocol that is another spelling of absent."""
    return {key: value for key, value in item.items() if value is not None}


def queue_number(found: Mapping[str, Any]) -> int | None:
    """Read the place in the vendor's queue that an answer or an ack names."""
    number = wire.number(found.get("queueNumber"))
    return None if number is None or int(number) not in wire.INT64 else int(number)


def truth(value: object) -> bool | None:
    """Read a truth value: versions write true, 1, "1" and "true" for the same."""
    return _TRUTHS.get(str(value).lower()) if isinstance(value, (bool, int, str)) else None
