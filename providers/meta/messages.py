"""Items that people make: messages, and the reactions, edits and revokes of messages.

    {"from": "4477…", "from_user_id": "GB.4821…", "id": "wamid.…", "timestamp": "1793100637", "type": "text",
     "text": {"body": "…"}, "context": {…}?, "referral": {…}?, "group_id": "…"?, "errors": […]?}

One item gives one event, a changed identity a second one. Who speaks to whom comes from the caller (`Talk`),
so that live messages, echoes of the phone app and synced history are read alike. Deliberately keeps no state:
an edit may come before what it edits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from models.message import Content, Context, Referral
from models.values import Direction, MessageStatus, MessageType, SenderType
from providers import wire
from providers.events import Event, MessageArrived, MessageEdited, MessageRevoked, Party, ReactionChanged
from providers.meta.change import Change
from providers.meta.content import READERS, content_of
from providers.meta.identity import link_of, old_of, system_of
from providers.meta.parties import address_of

#: Keys of an item that every reader takes.
_FRAME: Final = frozenset(
    {"id", "type", "timestamp", "history_context"}
    | {"from", "from_user_id", "from_parent_user_id", "to", "to_user_id", "to_parent_user_id"}
)
_MESSAGE_KEYS: Final = _FRAME | {"context", "referral", "group_id"}
_SYSTEM_KEYS: Final = _MESSAGE_KEYS | {"identity"}
_CONTEXT_KEYS: Final = frozenset({"id", "from", "forwarded", "frequently_forwarded", "referred_product"})
#: Spelled by Meta as by us.
_REFERRAL_FIELDS: Final = (
    "source_type", "source_id", "source_url", "headline", "body", "media_type", "image_url", "video_url",
    "thumbnail_url", "ctwa_clid",
)  # fmt: skip
_REFERRAL_KEYS: Final = frozenset(_REFERRAL_FIELDS)


@dataclass(slots=True, kw_only=True)
class Talk:
    """Who speaks to whom; `party` is the customer's side, `card` what its contact says beyond our words."""

    party: Party
    card: dict[str, Any] | None = None
    direction: Direction = Direction.INBOUND
    sender_type: SenderType = SenderType.CUSTOMER
    status: MessageStatus | None = None
    history: bool = False
    #: Set apart where the same message comes a second time for another reason (the media of synced history).
    prefix: str = "m"


@dataclass(slots=True)
class Said:
    """One item with all that is known of it before its type is looked at."""

    change: Change
    item: dict[str, Any]
    path: str
    talk: Talk
    id: str
    kind: str | None

    @property
    def part(self) -> dict[str, Any]:
        """The object named like the type, or an empty one."""
        return wire.mapping(self.item.get(self.kind or ""))

    def frame(self, prefix: str, metadata: dict[str, Any] | None) -> dict[str, Any]:
        """Give the fields that all events have."""
        return {
            "account": self.change.account,
            "path": self.path,
            "key": f"{prefix}:{self.id}",
            "at": wire.when(self.item.get("timestamp")),
            "metadata": metadata,
        }

    def beyond(self, known: frozenset[str], rest: dict[str, Any] | None) -> dict[str, Any] | None:
        """Collect what no field of an event holds: of the item, of its object (`rest`), of its contact."""
        explained = {"errors"} if len(wire.listed(self.item.get("errors"))) == 1 else frozenset()
        extra = wire.leftovers(self.item, known.union(explained, () if self.kind is None else (self.kind,)))
        if rest:
            extra = {**(extra or {}), **rest}
        if self.talk.card:
            extra = {**(extra or {}), "contact": self.talk.card}
        return extra


def read_inbound(change: Change, item: dict[str, Any], path: str) -> list[Event]:
    """Read a customer's item."""
    address = address_of(item.get("from"), item.get("from_user_id"), item.get("from_parent_user_id"))
    party, card = change.contacts.meet(address)
    return read_said(change, item, path, Talk(party=party, card=card))


def read_said(change: Change, item: dict[str, Any], path: str, talk: Talk) -> list[Event]:
    """Read an item of a talk.

    Raises:
        UnreadableError: it has no id, or nobody on the other side.
    """
    own_id = wire.text(item.get("id"))
    if own_id is None:
        raise wire.UnreadableError("message_without_id")
    kind = wire.text(item.get("type")) or next((key for key in item if key in READERS or key in _ACTS), None)
    return _ACTS.get(kind or "", _message)(Said(change, item, path, talk, own_id, kind))


def _message(said: Said) -> list[Event]:
    content, rest = content_of(said.kind, said.item, explained=said.change.value.get("errors"))
    return [_arrived(said, content, rest)]


def _arrived(
    said: Said, content: Content, rest: dict[str, Any] | None, known: frozenset[str] = _MESSAGE_KEYS
) -> MessageArrived:
    talk, item = said.talk, said.item
    if not talk.party.known:
        outbound = talk.direction is Direction.OUTBOUND
        raise wire.UnreadableError("message_without_recipient" if outbound else "message_without_sender")
    context, beyond_context = _context(said)
    if beyond_context:
        rest = {**(rest or {}), **beyond_context}
    group = wire.text(item.get("group_id"))
    return MessageArrived(
        **said.frame(talk.prefix, said.beyond(known, rest)),
        provider_message_id=said.id,
        # A group is a chat of its own: what is answered there is not for the member alone who wrote.
        party=Party(chat_id=group) if group else talk.party,
        author=talk.party if group and talk.direction is Direction.INBOUND else None,
        content=content,
        direction=talk.direction,
        sender_type=talk.sender_type,
        history=talk.history,
        status=talk.status,
        context=context,
        referral=_referral(item.get("referral")),
        group_id=group,
        business=said.change.business,
    )


def _context(said: Said) -> tuple[Context | None, dict[str, Any] | None]:
    """Read what the item answers or forwards; give also what our words do not hold of that."""
    found = said.item.get("context")
    if not isinstance(found, dict):
        return None, {"context": wire.storable(found)} if found else None
    product = found.get("referred_product")
    context = Context(
        message_id=wire.text(found.get("id")),
        from_=_quoted_sender(said.change, found.get("from")),
        referred_product=wire.storable(product) if isinstance(product, dict) else None,
        forwarded=wire.flag(found.get("forwarded")),
        frequently_forwarded=wire.flag(found.get("frequently_forwarded")),
    )
    rest = wire.leftovers(found, _CONTEXT_KEYS)
    return (context if found else None), ({"context": rest} if rest else None)


def _quoted_sender(change: Change, sender: object) -> str | None:
    """Read the quoted side's number; Meta's test payloads have shown the number's id in its place."""
    if change.number_id and sender == change.number_id:
        return change.business
    return wire.phone(sender) or wire.text(sender)


def _referral(found: object) -> Referral | None:
    """Read the ad or post that brought the customer, whole."""
    if not isinstance(found, dict) or not found:
        return None
    named = {key: wire.text(found.get(key)) for key in _REFERRAL_FIELDS}
    return Referral(**named, raw=wire.leftovers(found, _REFERRAL_KEYS))


def _target(said: Said, key: str) -> str:
    target = wire.text(said.part.get(key))
    if target is None:
        raise wire.UnreadableError(f"{said.kind}_without_target")
    return target


def _within(said: Said, known: frozenset[str], **more: dict[str, Any] | None) -> dict[str, Any] | None:
    """Collect what an act holds beyond its target and its content."""
    rest = {
        **(wire.leftovers(said.part, known) or {}),
        **{key: value for key, value in more.items() if value},
    }
    return said.beyond(_FRAME, {said.kind or "": rest} if rest else None)


def _reaction(said: Said) -> list[Event]:
    """Read a reaction; without an emoji (or with an empty one) it takes the earlier one back."""
    if not said.talk.party.known and said.talk.direction is Direction.INBOUND:
        raise wire.UnreadableError("reaction_without_sender")
    reaction = ReactionChanged(
        **said.frame("r", _within(said, frozenset({"message_id", "emoji"}))),
        target_id=_target(said, "message_id"),
        party=said.talk.party,
        emoji=wire.text(said.part.get("emoji")),
        direction=said.talk.direction,
    )
    return [reaction]


def _edit(said: Said) -> list[Event]:
    """Read the full new content of an earlier message, in the usual shape."""
    inner = wire.mapping(said.part.get("message"))
    kind = wire.text(inner.get("type")) or next((key for key in inner if key in READERS), None)
    if kind is None:
        raise wire.UnreadableError("edit_without_content")
    content, rest = content_of(kind, inner)
    if content.type is MessageType.UNSUPPORTED and kind in READERS:
        raise wire.UnreadableError("edit_without_content")
    message = {**(wire.leftovers(inner, frozenset({"type", kind})) or {}), **(rest or {})}
    edited = MessageEdited(
        **said.frame("e", _within(said, frozenset({"original_message_id", "message"}), message=message)),
        target_id=_target(said, "original_message_id"),
        party=said.talk.party,
        content=content,
        direction=said.talk.direction,
    )
    return [edited]


def _revoke(said: Said) -> list[Event]:
    revoked = MessageRevoked(
        **said.frame("d", _within(said, frozenset({"original_message_id"}))),
        target_id=_target(said, "original_message_id"),
        party=said.talk.party,
        direction=said.talk.direction,
    )
    return [revoked]


def _system(said: Said) -> list[Event]:
    """Read a note of WhatsApp's own; that somebody is somebody else now is a second event."""
    part, talk = said.part, said.talk
    if not part:
        return _message(said)
    talk.sender_type = SenderType.SYSTEM
    if not talk.party.known:
        talk.party = old_of(talk.party, part)
    content, rest = system_of(said.item, part)
    note = _arrived(said, content, {"system": rest} if rest else None, _SYSTEM_KEYS)
    link = link_of(said.frame("i", None), talk.party, part)
    return [note, link] if link else [note]


def _welcome(said: Said) -> list[Event]:
    """Note that the customer opened the chat for the first time: no words, but the window is open."""
    content = Content(type=MessageType.SYSTEM, system={"kind": said.kind}, raw_type=said.kind)
    return [_arrived(said, content, {said.kind or "": wire.storable(said.part)} if said.part else None)]


_ACTS: Final[dict[str, Callable[[Said], list[Event]]]] = {
    "reaction": _reaction,
    "edit": _edit,
    "revoke": _revoke,
    "system": _system,
    "request_welcome": _welcome,
}
