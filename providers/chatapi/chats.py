"""Changes of chats as the phone lists them: a new one, a new name, a group's members.

    {"old": {…}|null, "new": {"id": "447700900381@c.us", "name": "…", "image": "https://…",
                              "metadata": {"isGroup": false, "participants": […], "groupInviteLink": null}}}

A person's name is an entry of the phone's address book. Nothing follows from what happens within a group:
each of its messages brings the group's name. Deliberately fetches no picture; its address is short-lived.
"""

from typing import Final

from providers import wire
from providers.chatapi.addresses import chat_named, is_broadcast, is_group, party_of
from providers.chatapi.source import Item, Source, truth
from providers.events import ContactSynced, Event

_CHAT_KEYS: Final = frozenset({"id", "name"})


def read_chat_update(source: Source, item: Item, path: str) -> list[Event]:
    """Read the change of one chat.

    Raises:
        UnreadableError: it does not say of which chat.
    """
    new, old = wire.mapping(item.get("new")), wire.mapping(item.get("old"))
    chat = chat_named(new.get("id")) or chat_named(old.get("id"))
    if chat is None:
        raise wire.UnreadableError("chat_update_without_chat")
    key = f"c:{chat}:{wire.fingerprint(item)}"
    party = party_of(chat, new.get("name"))
    reason = _passed_over(chat, new, old) or (None if party.name else "chat_without_name")
    if reason:
        return [source.ignored(path, reason, item, key=key)]
    rest = wire.leftovers(new, _CHAT_KEYS)
    metadata = {**(rest or {}), **(wire.leftovers(item, frozenset({"new"})) or {})}
    return [ContactSynced(account=source.account, path=path, key=key, metadata=metadata or None, party=party)]


def _passed_over(chat: str, new: Item, old: Item) -> str | None:
    if is_broadcast(chat):
        return "broadcast"
    if is_group(chat) or truth(wire.mapping((new or old).get("metadata")).get("isGroup")):
        return "group_event"
    return None if new else "chat_removed"
