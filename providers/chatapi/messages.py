"""Messages, in either direction, and what happens to messages.

    {"id": "false_447700900381@c.us_3EB0…", "body": "…", "type": "chat", "fromMe": false, "self": 0,
     "time": 1795359601, "chatId": "447700900381@c.us", "author": "447700900381@c.us", "senderName": "…",
     "chatName": "…", "isForwarded": 0, "caption": null, "quotedMsgId": null, "messageNumber": 3101, …}

Only the id is required; what the Web variant's id repeats completes what is missing. A message of the
business comes as well (`fromMe`), typed on the phone (`self` 0) or sent through the API by us or by another
program (`self` 1, which stays in the metadata). A group is a chat of its own: it is the party, and its member
the author. Deliberately does not know what we sent: that a message of ours comes back is seen by its id.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from models.message import Content, Context
from models.values import Direction, MessageStatus, SenderType
from providers import wire
from providers.chatapi.acks import STATES
from providers.chatapi.addresses import chat_named, is_broadcast, is_group, name_of, opened, party_of, phone_of
from providers.chatapi.content import content_of, details_of
from providers.chatapi.lookalikes import vendor_of_item
from providers.chatapi.source import Item, Source, truth
from providers.events import Event, MessageArrived, MessageRevoked, Party, ReactionChanged

#: WhatsApp Web's own notes -> why nothing follows. What could not be decrypted comes again under the same id,
#: so a placeholder would keep the message itself out.
NOTES: Final = {
    "gp2": "group_event",
    "e2e_notification": "internal_type",
    "notification_template": "internal_type",
    "ciphertext": "not_decrypted",
}
_BODY: Final = frozenset({"body"})


@dataclass(frozen=True, slots=True)
class Said:
    """One item with all that is known of it before its type is looked at."""

    source: Source
    item: Item
    path: str
    id: str
    kind: str | None
    chat: str
    from_us: bool
    #: The other side: a person, or a whole group.
    party: Party
    #: The member who wrote it, in a group.
    author: Party | None
    #: The business's own number, which only its own messages tell.
    business: str | None

    @property
    def direction(self) -> Direction:
        """Seen from the business."""
        return Direction.OUTBOUND if self.from_us else Direction.INBOUND

    def frame(self, prefix: str, used: frozenset[str]) -> dict[str, Any]:
        """Give the fields that all events have."""
        at = wire.when(self.item.get("time"))
        told = used.union(self._told(), () if at is None else ("time",))
        return {
            "account": self.source.account,
            "path": self.path,
            "key": f"{prefix}:{self.id}",
            "at": at,
            "metadata": wire.leftovers(self.item, told),
        }

    def _told(self) -> list[str]:
        """Name the keys whose values stand elsewhere in the event."""
        read = self.item.get
        author = self.author.chat_id if self.author else None
        names = {self.party.name, self.author.name if self.author else None}
        wrote = self.author or self.party
        told = {
            "id": True,
            "type": wire.text(read("type")),
            "chatId": wire.text(read("chatId")),
            "fromMe": truth(read("fromMe")) is not None,
            "self": truth(read("self")) is False,
            "author": read("author") in (self.chat, author) or self.business,
            "senderName": name_of(read("senderName"), author or self.chat) in names,
            "chatName": name_of(read("chatName"), self.chat) in names,
            "authorBsuid": read("authorBsuid") == wrote.user_id,
            "authorUserName": read("authorUserName") == wrote.username,
            "isForwarded": truth(read("isForwarded")) is not None,
            "quotedMsgId": wire.text(read("quotedMsgId")),
            "ack": self.from_us and _progress(self.item),
        }
        return [key for key, elsewhere in told.items() if elsewhere]


def read_message(source: Source, item: Item, path: str) -> list[Event]:
    """Read an item of `messages`.

    Raises:
        UnreadableError: it has no id, or does not say in which chat.
    """
    vendor = vendor_of_item(item)
    if vendor:
        return [source.ignored(path, f"other_vendor_{vendor}")]
    said = _said(source, item, path)
    reason = _passed_over(said)
    if reason:
        return [source.ignored(path, reason, item, key=f"m:{said.id}", at=wire.when(item.get("time")))]
    return [_ACTS.get(said.kind or "", _arrived)(said)]


def _said(source: Source, item: Item, path: str) -> Said:
    own_id = wire.text(item.get("id"))
    if own_id is None:
        raise wire.UnreadableError("message_without_id")
    inside = opened(own_id)
    told = truth(item.get("fromMe"))
    from_us = inside.from_us is True if told is None else told
    author = chat_named(item.get("author"))
    chat = chat_named(item.get("chatId")) or inside.chat or (None if from_us else author)
    if chat is None:
        raise wire.UnreadableError("message_without_chat")
    return Said(
        source=source,
        item=item,
        path=path,
        id=own_id,
        kind=_kind(item),
        chat=chat,
        from_us=from_us,
        party=_party(item, chat, author, from_us=from_us),
        author=_member(item, author or inside.participant) if is_group(chat) and not from_us else None,
        business=phone_of(author) if from_us and author != chat else None,
    )


def _party(item: Item, chat: str, author: str | None, *, from_us: bool) -> Party:
    """Read the other side; `senderName` is theirs only where they wrote, and to us alone."""
    title = item.get("chatName")
    if from_us or is_group(chat):
        return party_of(chat, title)
    return party_of(chat, item.get("senderName"), title, also=author, **_known_by(item))


def _member(item: Item, author: str | None) -> Party | None:
    return party_of(author, item.get("senderName"), **_known_by(item)) if author else None


def _known_by(item: Item) -> dict[str, Any]:
    """Name what 1msg tells of an author beside the number."""
    return {"user_id": item.get("authorBsuid"), "username": item.get("authorUserName")}


def _kind(item: Item) -> str | None:
    """Read the type; where it is missing, words can only be text."""
    kind = wire.text(item.get("type"))
    return kind.lower() if kind else "chat" if wire.text(item.get("body")) else None


def _passed_over(said: Said) -> str | None:
    if is_broadcast(said.chat):
        return "status_broadcast" if said.chat.startswith("status@") else "broadcast"
    return NOTES.get(said.kind or "")


def _arrived(said: Said) -> Event:
    content, used = content_of(said.kind, said.item)
    return MessageArrived(
        **said.frame("m", used),
        provider_message_id=said.id,
        party=said.party,
        content=content,
        direction=said.direction,
        sender_type=_sender_type(said, content),
        status=(_progress(said.item) or MessageStatus.SENT) if said.from_us else None,
        context=_context(said),
        group_id=said.chat if is_group(said.chat) else None,
        business=said.business,
        author=said.author,
        own_send=said.from_us and truth(said.item.get("self")) is not False,
    )


def _sender_type(said: Said, content: Content) -> SenderType:
    if said.from_us:
        return SenderType.BUSINESS_APP
    return SenderType.SYSTEM if content.raw_type == "system" else SenderType.CUSTOMER


def _progress(item: Item) -> MessageStatus | None:
    """Read how far an echo had got when it was told (since late 2021)."""
    return STATES.get((wire.text(item.get("ack")) or "").lower())


def _context(said: Said) -> Context | None:
    """Read what the item answers or forwards. What the quoted message said stays in the metadata."""
    quoted, forwarded = wire.text(said.item.get("quotedMsgId")), truth(said.item.get("isForwarded"))
    if quoted is None and not forwarded:
        return None
    sender = opened(quoted).sender if quoted else None
    return Context(message_id=quoted, from_=phone_of(sender) or sender, forwarded=forwarded or None)


def _reaction(said: Said) -> Event:
    """Read a reaction: the emoji is the body, its target is quoted, as 1msg sends them; or Meta's shape."""
    details = wire.mapping(details_of(said.item)[1].get("reaction"))
    target = wire.text(details.get("message_id")) or wire.text(said.item.get("quotedMsgId"))
    if target is None:
        raise wire.UnreadableError("reaction_without_target")
    return ReactionChanged(
        **said.frame("r", _BODY),
        target_id=target,
        party=said.author or said.party,
        emoji=wire.text(details.get("emoji")) or wire.text(said.item.get("body")),
        direction=said.direction,
    )


def _revoked(said: Said) -> Event:
    """Note that a message was deleted: WhatsApp Web shows it once more under its own id, without its body."""
    return MessageRevoked(
        **said.frame("d", _BODY),
        target_id=said.id,
        party=said.author or said.party,
        direction=said.direction,
    )


_ACTS: Final[dict[str, Callable[[Said], Event]]] = {"reaction": _reaction, "revoked": _revoked}
