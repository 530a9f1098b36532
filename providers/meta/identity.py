"""WhatsApp's own notes: somebody has a new number, a new business-scoped id, a new security code.

    {"type": "system", "from": "<old number>", "from_user_id": "<old BSUID>",
     "system": {"type": "user_changed_number", "body": "…", "wa_id": "<new>", "user_id": "<new>",
                "previous_user_id": "<old>"}}

Older names of the same are accepted. `body` is prose and never parsed. Deliberately merges nobody: an old
number may belong to somebody else by now, which is the services' worry.
"""

from typing import Any, Final

from models.message import Content
from models.values import MessageType
from providers import wire
from providers.events import Event, IdentityLinked, Party
from providers.meta.change import Change
from providers.meta.parties import Address, address_of

#: An older name -> today's.
_KINDS: Final = {
    "customer_changed_number": "user_changed_number",
    "customer_changed_user_id": "user_changed_user_id",
}
_KEYS: Final = frozenset(
    {"type", "body", "wa_id", "new_wa_id", "customer", "identity"}
    | {"user_id", "parent_user_id", "previous_user_id", "previous_parent_user_id"}
)


def system_of(item: dict[str, Any], part: dict[str, Any]) -> tuple[Content, dict[str, Any] | None]:
    """Read a system message, and what our words do not hold of it."""
    kind = wire.text(part.get("type"))
    new = _new(part)
    said = {
        "kind": _KINDS.get(kind or "", kind),
        "phone": new.phone,
        "userId": new.user_id,
        "parentUserId": new.parent_user_id,
        "previousUserId": wire.text(part.get("previous_user_id")),
        "previousParentUserId": wire.text(part.get("previous_parent_user_id")),
        "identity": wire.storable(part.get("identity") or item.get("identity")),
    }
    system = {key: value for key, value in said.items() if value is not None}
    content = Content(type=MessageType.SYSTEM, text=wire.text(part.get("body")), system=system, raw_type=kind)
    return content, wire.leftovers(part, _KEYS)


def old_of(sender: Party, part: dict[str, Any]) -> Party:
    """Who it was: the sender, completed by what the note calls previous."""
    return Party(
        phone=sender.phone or wire.phone(part.get("customer")),
        user_id=wire.text(part.get("previous_user_id")) or sender.user_id,
        parent_user_id=wire.text(part.get("previous_parent_user_id")) or sender.parent_user_id,
    )


def link_of(frame: dict[str, Any], sender: Party, part: dict[str, Any]) -> IdentityLinked | None:
    """Say who is who now; None where the note names nobody new."""
    return _link(frame, old_of(sender, part), _new(part))


def _new(part: dict[str, Any]) -> Address:
    return address_of(part.get("wa_id") or part.get("new_wa_id"), part.get("user_id"), part.get("parent_user_id"))


def _link(frame: dict[str, Any], old: Party, new: Address) -> IdentityLinked | None:
    pairs = ((new.phone, old.phone), (new.user_id, old.user_id), (new.parent_user_id, old.parent_user_id))
    if not old.known or not any(now and now != before for now, before in pairs):
        return None
    now = Party(phone=new.phone, user_id=new.user_id, parent_user_id=new.parent_user_id)
    return IdentityLinked(**frame, old=old, new=now)


def read_user_id_update(change: Change, item: dict[str, Any], path: str) -> list[Event]:
    """Read the id change of a 2026 draft: {"user_id": {"previous", "current"}, "parent_user_id"?, "wa_id"?}.

    Raises:
        UnreadableError: it does not say who became whom.
    """
    user, parent = wire.mapping(item.get("user_id")), wire.mapping(item.get("parent_user_id"))
    phone = wire.phone(item.get("wa_id"))
    old = Party(user_id=wire.text(user.get("previous")), parent_user_id=wire.text(parent.get("previous")))
    new = Address(phone, wire.text(user.get("current")), wire.text(parent.get("current")))
    frame = {
        "account": change.account,
        "path": path,
        "key": f"i:{wire.fingerprint(item)}",
        "at": wire.when(item.get("timestamp")),
        "metadata": wire.leftovers(item, frozenset({"user_id", "parent_user_id", "wa_id", "timestamp"})),
    }
    link = _link(frame, old, new)
    if link is None:
        raise wire.UnreadableError("identity_without_both_sides")
    return [link]
