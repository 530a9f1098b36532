"""Steps in the life of what the business sent.

    {"id": "wamid.…", "status": "delivered", "timestamp": "1793102703", "recipient_id": "4477…"?,
     "recipient_user_id": "GB.…"?, "biz_opaque_callback_data": "…"?, "conversation": {…}?, "pricing": {…}?,
     "errors": […]?}

Only `id` and `status` are required. Deliberately judges no order: which status wins is a rule of the message.
"""

from typing import Any, Final

from models.message import Conversation, Pricing
from models.values import MessageStatus
from providers import wire
from providers.events import Event, Party, StatusChanged
from providers.meta.change import Change
from providers.meta.content import error_of
from providers.meta.parties import address_of

#: Meta's word -> ours.
STATES: Final = {
    "sent": MessageStatus.SENT,
    "delivered": MessageStatus.DELIVERED,
    "read": MessageStatus.READ,
    "played": MessageStatus.PLAYED,
    "failed": MessageStatus.FAILED,
}
#: Words that Meta no longer sends.
LEGACY: Final = frozenset({"deleted", "warning"})

_PRICING_KEYS: Final = frozenset({"billable", "pricing_model", "category", "type"})
_CONVERSATION_KEYS: Final = frozenset({"id", "origin", "expiration_timestamp"})
_PARTICIPANT_KEYS: Final = frozenset(
    {"recipient_participant_id", "participant_recipient_id"}
    | {"recipient_participant_user_id", "recipient_participant_parent_user_id"}
)
_KEYS: Final = _PARTICIPANT_KEYS | {
    "id", "status", "timestamp", "recipient_user_id", "recipient_parent_user_id", "biz_opaque_callback_data",
    "pricing", "conversation",
}  # fmt: skip


def read_status(change: Change, item: dict[str, Any], path: str) -> list[Event]:
    """Read a status, whatever it is of.

    Raises:
        UnreadableError: it does not say of which message, or which status.
    """
    sort = _OTHER_SORTS.get(wire.text(item.get("type")) or "")
    if sort:
        return [sort(change, item, path)]
    own_id, word = wire.text(item.get("id")), wire.text(item.get("status"))
    if own_id is None or word is None:
        raise wire.UnreadableError("status_without_id" if own_id is None else "status_without_status")
    state = STATES.get(word.lower())
    if state is None:
        reason = "legacy_status" if word in LEGACY else "unknown_status"
        at = wire.when(item.get("timestamp"))
        return [change.ignored(path, reason, item, key=f"s:{own_id}:{word}", at=at)]
    return [_changed(change, item, path, state)]


def _changed(change: Change, item: dict[str, Any], path: str, state: MessageStatus) -> StatusChanged:
    participant = _participant(change, item)
    party = None if participant or item.get("recipient_type") == "group" else _recipient(change, item)
    key = f"s:{item['id']}:{state}"
    errors = item.get("errors")
    return StatusChanged(
        account=change.account,
        path=path,
        key=f"{key}:{_member(participant)}" if participant else key,
        at=wire.when(item.get("timestamp")),
        metadata=_beyond(item, party),
        provider_message_id=wire.text(item["id"]) or "",
        status=state,
        provider_status=wire.text(item["status"]) or "",
        client_ref=wire.text(item.get("biz_opaque_callback_data")),
        party=party,
        error=error_of(errors) if errors else None,
        pricing=_pricing(item.get("pricing")),
        conversation=_conversation(item.get("conversation")),
        participant=participant,
    )


def _recipient(change: Change, item: dict[str, Any]) -> Party | None:
    address = address_of(item.get("recipient_id"), item.get("recipient_user_id"), item.get("recipient_parent_user_id"))
    party, _ = change.contacts.meet(address)
    return party if party.known else None


def _participant(change: Change, item: dict[str, Any]) -> Party | None:
    """Read which group member a status speaks of; Meta's pages spell the key in two ways."""
    if item.keys().isdisjoint(_PARTICIPANT_KEYS):
        return None
    address = address_of(
        item.get("recipient_participant_id") or item.get("participant_recipient_id"),
        item.get("recipient_participant_user_id"),
        item.get("recipient_participant_parent_user_id"),
    )
    party, _ = change.contacts.meet(address)
    return party if party.known else None


def _member(participant: Party) -> str | None:
    return participant.user_id or participant.phone or participant.parent_user_id


def _pricing(found: object) -> Pricing | None:
    if not isinstance(found, dict):
        return None
    return Pricing(
        billable=wire.flag(found.get("billable")),
        model=wire.text(found.get("pricing_model")),
        category=wire.text(found.get("category")),
        type=wire.text(found.get("type")),
    )


def _conversation(found: object) -> Conversation | None:
    if not isinstance(found, dict):
        return None
    return Conversation(
        id=wire.text(found.get("id")),
        origin_type=wire.text(wire.mapping(found.get("origin")).get("type")),
        expires_at=wire.when(found.get("expiration_timestamp")),
    )


def _beyond(item: dict[str, Any], party: Party | None) -> dict[str, Any] | None:
    """Collect what no field holds: a group as the recipient, further errors, unknown keys."""
    told = set()
    if party:
        told.add("recipient_id")
    if len(wire.listed(item.get("errors"))) == 1:
        told.add("errors")
    rest = wire.leftovers(item, _KEYS | told)
    for name, known in (("pricing", _PRICING_KEYS), ("conversation", _CONVERSATION_KEYS)):
        within = wire.leftovers(wire.mapping(item.get(name)), known)
        if within:
            rest = {**(rest or {}), name: within}
    return rest


def _payment(change: Change, item: dict[str, Any], path: str) -> Event:
    """Keep a payment's state (India): none of the message, though it carries the message's id."""
    transaction = wire.mapping(wire.mapping(item.get("payment")).get("transaction"))
    names = (
        "pay",
        wire.text(item.get("id")),
        wire.text(item.get("status")),
        wire.text(transaction.get("id")),
    )
    at = wire.when(item.get("timestamp"))
    return change.ignored(path, "payment_status", item, key=":".join(name or "" for name in names), at=at)


def read_call(change: Change, item: dict[str, Any], path: str) -> list[Event]:
    """Keep a call, or the state of one; calls are not messages."""
    return [_call(change, item, path)]


def _call(change: Change, item: dict[str, Any], path: str) -> Event:
    step = wire.text(item.get("event")) or wire.text(item.get("status")) or ""
    key = f"call:{wire.text(item.get('id')) or ''}:{step}"
    return change.ignored(path, "call", item, key=key, at=wire.when(item.get("timestamp")))


_OTHER_SORTS: Final = {"payment": _payment, "call": _call}
