"""Messages, for those who may see their chat."""

from typing import Any, Final

from flask import request

from api.access import ANY_TOKEN, caller
from api.desk import desk
from api.schemas.messages import MessagePage, MessageSchema, MessagesQuery
from api.schemas.sending import MessageOrder, RetryOrder
from api.section import Section
from models.store.paging import Page
from models.store.views import Listing, chats_seen_by
from runtime.errors import Invalid
from services.sending.orders import Order

#: Longest Idempotency-Key (characters).
MAX_KEY: Final = 255
#: A reaction stands on its target; it is no bubble of its own.
_BUBBLES: Final = {"$nor": [{"type": "reaction"}]}

section: Final = Section("messages", about="What customers wrote, and the answers.")


@section.endpoint("GET", "/chats/<chat_id>/messages", needs=ANY_TOKEN, query=MessagesQuery, answers=MessagePage)
def list_messages(listing: Listing, chat_id: str) -> Page:
    """List the messages of a chat, by default the newest first.

    The order is that of the vendor's times, so a message that comes in late stands where it belongs.
    """
    desk().chats.check(chat_id, scope=chats_seen_by(caller()))
    return desk().messages.page(listing, scope={"chatId": chat_id, **_BUBBLES})


@section.endpoint("GET", "/messages/<message_id>", needs=ANY_TOKEN, answers=MessageSchema)
def get_message(message_id: str) -> dict[str, Any]:
    """Get a message."""
    message = desk().messages.one(message_id)
    desk().chats.check(message["chatId"], scope=chats_seen_by(caller()))
    return message


@section.endpoint("PUT", "/messages/<message_id>/read", needs=ANY_TOKEN, answers=MessageSchema)
def mark_message_read(message_id: str) -> dict[str, Any]:
    """Mark one message of a customer as read, and let the customer see that; others of the chat stay as they are.

    Vendors show their customers all messages before it as read too. An answer of ours is left as it is.
    """
    message = desk().messages.one(message_id)
    desk().chats.check(message["chatId"], scope=chats_seen_by(caller()))
    desk().marking.mark(message["chatId"], message_id=message_id, by=caller())
    return desk().messages.one(message_id)


@section.endpoint(
    "POST",
    "/chats/<chat_id>/messages",
    needs=ANY_TOKEN,
    body=MessageOrder,
    headers={"Idempotency-Key": f"Any 1 to {MAX_KEY} ASCII characters that name this request."},
    answers=MessageSchema,
    status=202,
    problems=(409, 422),
)
def send_message(order: Order, chat_id: str) -> dict[str, Any]:
    """Queue a message to the chat's customer; its `status` tells its fate.

    With the header `Idempotency-Key` a repetition of the same request within a day gives the same message; another
    request under that key is 409 `idempotency_conflict`. Outside the service window only a template may be sent: 409
    `window_closed`, with the usable ones in `details.templates`. Of a text that is split the first message is answered.
    """
    desk().chats.check(chat_id, scope=chats_seen_by(caller()))
    message = desk().services.queueing.queue(chat_id, order, by=caller(), idempotency_key=_idempotency_key())
    return desk().messages.one(message.id)


@section.endpoint(
    "POST",
    "/messages/<message_id>/retry",
    needs=ANY_TOKEN,
    body=RetryOrder,
    answers=MessageSchema,
    status=202,
    problems=(409,),
)
def retry_message(order: dict[str, Any], message_id: str) -> dict[str, Any]:
    """Ask for another attempt to send a message that is `failed` or `unknown`; audited.

    Of a message that is `unknown` nobody knows whether the customer has it already.
    """
    _check_seen(message_id)
    desk().services.steering.retry(message_id, by=caller(), reason=order.get("reason"))
    return desk().messages.one(message_id)


@section.endpoint("POST", "/messages/<message_id>/cancel", needs=ANY_TOKEN, answers=MessageSchema, problems=(409,))
def cancel_message(message_id: str) -> dict[str, Any]:
    """Call off a message that is still `queued`; audited."""
    _check_seen(message_id)
    desk().services.steering.cancel(message_id, by=caller())
    return desk().messages.one(message_id)


def _check_seen(message_id: str) -> None:
    """Make sure that the caller may see a message."""
    desk().chats.check(desk().messages.one(message_id)["chatId"], scope=chats_seen_by(caller()))


def _idempotency_key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not 0 < len(key) <= MAX_KEY:
        problem = f"1 to {MAX_KEY} ASCII characters."
        raise Invalid("The Idempotency-Key is no such key.", fields={"Idempotency-Key": [problem]})
    return key
