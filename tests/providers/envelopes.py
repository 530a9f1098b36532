"""Small Meta payloads for tests of single rules; deliberately made here, so that a test shows all it depends on."""

import json
from typing import Any, Final, TypeVar

from providers.base import Delivery
from providers.events import Event
from providers.meta import PROVIDER

NUMBER_ID: Final = "331702589914420"
WABA: Final = "209145368820417"
BUSINESS: Final = "15550192744"
CUSTOMER: Final = "447700900381"
BSUID: Final = "GB.48213907715562204913"
AT: Final = "1793100637"
METADATA: Final = {"display_phone_number": BUSINESS, "phone_number_id": NUMBER_ID}
CONTACT: Final = {"profile": {"name": "Priya Raman"}, "wa_id": CUSTOMER, "user_id": BSUID}

E_ = TypeVar("E_", bound=Event)


def envelope(*changes: dict[str, Any], time: int | None = None) -> dict[str, Any]:
    """Wrap changes as one entry."""
    entry = {"id": WABA, "changes": list(changes)} | ({"time": time} if time else {})
    return {"object": "whatsapp_business_account", "entry": [entry]}


def change(field: str = "messages", **value: Any) -> dict[str, Any]:
    """Make a change of the usual number."""
    return {"field": field, "value": {"messaging_product": "whatsapp", "metadata": METADATA, **value}}


def message(kind: str = "text", /, **more: Any) -> dict[str, Any]:
    """Make a message item of the usual customer; without more, a plain text."""
    base = {"from": CUSTOMER, "from_user_id": BSUID, "id": "wamid.ONE", "timestamp": AT, "type": kind}
    return base | ({"text": {"body": "hello"}} if kind == "text" else {}) | more


def status(word: str = "delivered", /, **more: Any) -> dict[str, Any]:
    """Make a status item of a message to the usual customer."""
    return {"id": "wamid.OUT", "status": word, "timestamp": AT, "recipient_id": CUSTOMER} | more


def parse(payload: object) -> list[Event]:
    """Parse any payload."""
    return PROVIDER.parse(Delivery(body=json.dumps(payload).encode()))


def parse_change(field: str = "messages", **value: Any) -> list[Event]:
    """Parse one change of the usual number."""
    return parse(envelope(change(field, **value)))


def parse_value(field: str, value: dict[str, Any], *, time: int | None = None) -> list[Event]:
    """Parse one change whose value is only what is given, as management fields have it."""
    return parse(envelope({"field": field, "value": value}, time=time))


def only(events: list[Event], kind: type[E_]) -> E_:
    """Return the single event, which must be of a kind."""
    (event,) = events
    assert isinstance(event, kind), event
    return event
