"""Chats, for those who may see them."""

from typing import Any, Final

from api.access import ANY_TOKEN, caller
from api.desk import desk
from api.schemas.chats import ChatPage, ChatSchema, ChatsQuery, TypingAnswer
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


@section.endpoint("PUT", "/chats/<chat_id>/read", needs=ANY_TOKEN, answers=ChatSchema)
def mark_chat_read(chat_id: str) -> dict[str, Any]:
    """Mark all messages of a chat as read, and let the customer see that.

    A message that arrives in the same moment stays unread. Once more changes nothing.
    """
    desk().chats.check(chat_id, scope=chats_seen_by(caller()))
    desk().marking.mark(chat_id, by=caller())
    return desk().chats.one(chat_id)


@section.endpoint("POST", "/chats/<chat_id>/typing", needs=ANY_TOKEN, answers=TypingAnswer, status=202)
def show_typing(chat_id: str) -> dict[str, Any]:
    """Let the customer see that somebody types, where the vendor can show it.

    It shows for about 25 seconds or until the answer; asked again meanwhile, it is left alone.
    """
    desk().chats.check(chat_id, scope=chats_seen_by(caller()))
    return {"passedOn": desk().marking.typing(chat_id)}
