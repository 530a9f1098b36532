"""Chats: what a list of them takes, and how they look."""

from typing import Any, ClassVar, Final

from marshmallow import Schema, fields

from api.schemas.fields import AnyOf, AtLeastOne, Flag, Phone, Text, word_of
from api.schemas.listing import ListQuery
from api.schemas.wire import page_of, schema_of
from models.chat import Chat
from models.values import ChatStatus

ChatSchema: Final[type[Schema]] = schema_of(Chat)
ChatPage: Final[type[Schema]] = page_of(ChatSchema)


class TypingAnswer(Schema):
    """Whether a vendor was asked to show that somebody types."""

    passed_on = fields.Boolean(
        required=True,
        data_key="passedOn",
        metadata={"description": "False where that was asked a moment ago, is turned off, or cannot be asked now."},
    )


class ChatsQuery(ListQuery):
    """Which chats; `from` and `to` bound the time of the last message."""

    ORDERS: ClassVar[dict[str, str]] = {
        "-lastMessageTime": "-lastMessageTime",
        "lastMessageTime": "lastMessageTime",
        # Our ids sort by the time they were made, and have an index.
        "-createdAt": "-id",
        "createdAt": "id",
    }
    SPANS: ClassVar[str] = "lastMessageTime"

    status: Any = AnyOf(word_of(ChatStatus))
    assigned_to: Any = AnyOf(Text())
    label: Any = AnyOf(Text(), attribute="labels")
    provider: Any = AnyOf(Text())
    config_id: Any = AnyOf(Text())
    phone_number: Any = Phone()
    blocked: Any = Flag()
    unread: Any = AtLeastOne(attribute="unreadCount")
