"""Acme Messaging, a vendor that does not exist: the smallest dialect that is whole.

    {"station": "ST-4471", "events": [
        {"type": "message", "id": "ac_1", "from": "447700900201", "name": "…", "at": 1793100000, "text": "…"},
        {"type": "message", "id": "ac_2", …, "photo": {"url": "https://…", "mime": "image/jpeg", "caption": "…"}},
        {"type": "receipt", "id": "ac_9", "to": "447700900201", "at": 1793100005, "state": "delivered"}]}

    X-Acme-Signature: v1=<hex HMAC-SHA256 of the body under the signing key>

Vendor documents: none, the protocol is invented here. Deliberately no more of it than a first version needs.
"""

import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from itertools import islice
from typing import Any, ClassVar, Final

from models.message import Content, Media
from models.values import MediaState, MessageStatus, MessageType
from providers import wire
from providers.base import Account, Delivery, FormField, Provider, WebhookRequest
from providers.events import AccountKey, Event, Ignored, Malformed, MessageArrived, Party, StatusChanged

#: The header that carries the signature.
SIGNATURE_HEADER: Final = "x-acme-signature"
#: How webhooks name an account.
STATION: Final = "station_id"
#: Stations looked for in one unverified body, at most; a genuine one names one.
HINTS: Final = 4
#: The vendor's word -> ours.
STATES: Final = {
    "sent": MessageStatus.SENT,
    "delivered": MessageStatus.DELIVERED,
    "seen": MessageStatus.READ,
    "lost": MessageStatus.FAILED,
}

_SIGNATURE = re.compile(r"v1=([0-9a-f]{64})")
#: Matches the key of an object only: inside a text its quotes would be escaped.
_STATION = re.compile(rb'"station"[ \t\r\n]{0,8}:[ \t\r\n]{0,8}"([0-9A-Z-]{1,32})"')

Item = dict[str, Any]


class Acme(Provider):
    """Acme Messaging."""

    slug: ClassVar[str] = "acme"
    name: ClassVar[str] = "acme"
    form: ClassVar[tuple[FormField, ...]] = (
        FormField("stationId", "--station-id", required=True, help="Station, as Acme's console shows it: ST-…"),
        FormField("signingKey", "--signing-key", secret=True, required=True, help="Signs webhooks"),
    )
    webhook_secret_field: ClassVar[str] = "signingKey"
    service_window: ClassVar[timedelta | None] = timedelta(hours=48)

    def recognises(self, request: WebhookRequest) -> bool:
        """Look for Acme's signature header."""
        return SIGNATURE_HEADER in request.headers

    def account_keys(self, account: Account) -> Iterable[AccountKey]:
        """Name an account by its station."""
        station = account.field("stationId")
        return [AccountKey(STATION, station)] if station else []

    def hinted_keys(self, request: WebhookRequest) -> frozenset[AccountKey]:
        """Find the station in the raw bytes."""
        found = islice(_STATION.finditer(request.body), HINTS)
        return frozenset(AccountKey(STATION, one[1].decode("ascii")) for one in found)

    def verify(self, request: WebhookRequest, account: Account) -> bool:
        """Check HMAC-SHA256 over the bytes received, against every key of the ring."""
        found = _SIGNATURE.fullmatch(request.headers.get(SIGNATURE_HEADER, ""))
        given = bytes.fromhex(found[1]) if found else b""
        genuine = False
        for key in account.ring(self.webhook_secret_field):
            # Every key is tried, so that the time taken does not tell an old one from a new one.
            genuine |= bool(key) and hmac.compare_digest(hmac.digest(key.encode(), request.body, "sha256"), given)
        return genuine

    def parse(self, delivery: Delivery) -> list[Event]:
        """Translate every event of a delivery."""
        try:
            payload = wire.mapping(wire.load_json(delivery.body))
        except wire.NotJsonError:
            return [Malformed(path="", key="", reason="not_json")]
        station = wire.text(payload.get("station"))
        account = AccountKey(STATION, station) if station else None
        items = wire.listed(payload.get("events"))
        events = [_read(account, f"events.{index}", item) for index, item in enumerate(items)]
        return events or [Ignored(account=account, path="", key="", reason="empty")]


def _read(account: AccountKey | None, path: str, item: object) -> Event:
    """Read one event; whatever is wrong with it costs this one alone."""
    if not isinstance(item, dict):
        return Malformed(account=account, path=path, key="", reason="item_not_an_object")
    own_id, read = wire.text(item.get("id")), _READERS.get(wire.text(item.get("type")) or "")
    if read is None:
        return Ignored(account=account, path=path, key="", metadata=wire.storable(item), reason="unknown_type")
    if own_id is None:
        return Malformed(account=account, path=path, key="", reason="event_without_id")
    try:
        return read(item, own_id, {"account": account, "path": path, "at": wire.when(item.get("at"))})
    except wire.UnreadableError as error:
        return Malformed(account=account, path=path, key="", reason=error.reason)


def _message(item: Item, own_id: str, frame: Mapping[str, Any]) -> Event:
    party = Party(phone=wire.phone(item.get("from")), name=wire.text(item.get("name")))
    if not party.known:
        raise wire.UnreadableError("message_without_sender")
    content = _content(item)
    told = "photo" if content.media else "text"
    return MessageArrived(
        **frame,
        key=f"m:{own_id}",
        metadata=wire.leftovers(item, frozenset({"type", "id", "from", "name", "at", told})),
        provider_message_id=own_id,
        party=party,
        content=content,
    )


def _content(item: Item) -> Content:
    photo, text = wire.mapping(item.get("photo")), wire.text(item.get("text"))
    url = wire.text(photo.get("url"))
    if url:
        mime_type, caption = wire.media_type(photo.get("mime")), wire.text(photo.get("caption"))
        media = Media(source_url=url, mime_type=mime_type, caption=caption, state=MediaState.PENDING)
        return Content(type=MessageType.IMAGE, media=media)
    return Content(type=MessageType.TEXT, text=text) if text else Content(type=MessageType.UNSUPPORTED)


def _receipt(item: Item, own_id: str, frame: Mapping[str, Any]) -> Event:
    word = wire.text(item.get("state")) or ""
    state, party = STATES.get(word), Party(phone=wire.phone(item.get("to")))
    if state is None:
        return Ignored(**frame, key=f"s:{own_id}:{word}", metadata=wire.storable(item), reason="unknown_status")
    return StatusChanged(
        **frame,
        key=f"s:{own_id}:{word}",
        provider_message_id=own_id,
        status=state,
        provider_status=word,
        party=party if party.known else None,
    )


_READERS: Final[Mapping[str, Callable[[Item, str, Mapping[str, Any]], Event]]] = {
    "message": _message,
    "receipt": _receipt,
}

PROVIDER = Acme()
