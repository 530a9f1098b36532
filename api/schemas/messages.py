"""Messages: what a list of them takes, and how they look."""

from typing import Any, ClassVar, Final

from marshmallow import Schema

from api.schemas.fields import AnyOf, word_of
from api.schemas.listing import ListQuery
from api.schemas.wire import page_of, schema_of
from models.message import Message
from models.values import Direction, MessageType

MessageSchema: Final[type[Schema]] = schema_of(Message)
MessagePage: Final[type[Schema]] = page_of(MessageSchema)


class MessagesQuery(ListQuery):
    """Which messages of a chat; `from` and `to` bound the vendor's time."""

    ORDERS: ClassVar[dict[str, str]] = {
        "-timestamp": "-timestamp -receivedAt -id",
        "timestamp": "timestamp receivedAt id",
    }
    SPANS: ClassVar[str] = "timestamp"

    type: Any = AnyOf(word_of(MessageType))
    direction: Any = word_of(Direction)
