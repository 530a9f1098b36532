"""Chats, for those who may see them."""

from typing import Any, Final

from api.access import ANY_TOKEN, caller
from api.desk import desk
from api.schemas.chats import ChatPage, ChatSchema, ChatsQuery
from api.section import Section
from models.store.paging import Page
from models.store.views import Listing, chats_seen_by

section: Final = Section("chats", about="Conversations with customers.")


@section.endpoint("GET", "/chats", needs=ANY_TOKEN, query=ChatsQuery, answers=ChatPage)
def list_chats(listing: Listing) -> Page:
    """List chats, by default the one with the latest message first.

    Agents see unassigned chats and their own, unless they may view all.
    """
    return desk().chats.page(listing, scope=chats_seen_by(caller()))


@section.endpoint("GET", "/chats/<chat_id>", needs=ANY_TOKEN, answers=ChatSchema)
def get_chat(chat_id: str) -> dict[str, Any]:
    """Get a chat."""
    return desk().chats.one(chat_id, scope=chats_seen_by(caller()))
