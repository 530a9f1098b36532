"""Messages, for those who may see their chat."""

from typing import Any, Final

from api.access import ANY_TOKEN, caller
from api.desk import desk
from api.schemas.messages import MessagePage, MessageSchema, MessagesQuery
from api.section import Section
from models.store.paging import Page
from models.store.views import Listing, chats_seen_by

section: Final = Section("messages", about="What customers wrote, and the answers.")


@section.endpoint("GET", "/chats/<chat_id>/messages", needs=ANY_TOKEN, query=MessagesQuery, answers=MessagePage)
def list_messages(listing: Listing, chat_id: str) -> Page:
    """List the messages of a chat, by default the newest first.

    The order is that of the vendor's times, so a message that comes in late stands where it belongs.
    """
    desk().chats.check(chat_id, scope=chats_seen_by(caller()))
    return desk().messages.page(listing, scope={"chatId": chat_id})


@section.endpoint("GET", "/messages/<message_id>", needs=ANY_TOKEN, answers=MessageSchema)
def get_message(message_id: str) -> dict[str, Any]:
    """Get a message."""
    message = desk().messages.one(message_id)
    desk().chats.check(message["chatId"], scope=chats_seen_by(caller()))
    return message
