"""Rows to ask for, as the workers would have written them."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

from models.agent import Permissions, Role
from models.blocked_number import BlockedNumber
from models.caller import Caller
from models.chat import Chat
from models.customer import Customer
from models.follow_up import FollowUp
from models.ids import new_id
from models.message import Media, Message
from models.store.codec import to_document
from models.store.collections import Store
from models.template import Template
from models.values import ChatStatus, Direction, EventStatus, MessageStatus, MessageType, SenderType
from services.media.fetching import here
from tests.services.media.vendor import picture
from tests.support.wired import Wired

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    """Return a moment after noon."""
    return NOON + timedelta(seconds=seconds)


def add_chat(store: Store, *, at: datetime = NOON, **values: Any) -> str:
    """Store a chat whose last message came at a moment; one with an assignee is assigned."""
    assigned = ChatStatus.ASSIGNED if values.get("assigned_to") else ChatStatus.UNASSIGNED
    chat_id = new_id("chat", at)
    defaults = {
        "config_id": "cfg_1",
        "address_id": f"adr_{chat_id}",
        "status": assigned,
        "last_message_time": at,
        "provider": "meta-whatsapp",
        "created_at": at,
        "updated_at": at,
    }
    store.chats.insert_one(to_document(Chat(**{"id": chat_id, **defaults, **values})))
    return chat_id


def add_customer(store: Store, *, at: datetime = NOON, **values: Any) -> str:
    """Store a customer who became known at a moment."""
    customer = Customer(**{"id": new_id("cus", at), "created_at": at, "updated_at": at, **values})
    store.customers.insert_one(to_document(customer))
    return customer.id


def add_message(store: Store, chat_id: str, *, at: datetime = NOON, **values: Any) -> str:
    """Store an inbound message that the customer wrote at a moment."""
    message_id = new_id("msg", at)
    defaults = {
        "chat_id": chat_id,
        "config_id": "cfg_1",
        "direction": Direction.INBOUND,
        "status": MessageStatus.RECEIVED,
        "sender_type": SenderType.CUSTOMER,
        "provider": "meta-whatsapp",
        "provider_message_id": f"wamid.{message_id}",
        "text": "hello",
        "timestamp": at,
        "received_at": at,
        "created_at": at,
        "updated_at": at,
    }
    store.messages.insert_one(to_document(Message(**{"id": message_id, **defaults, **values})))
    return message_id


def add_event(store: Store, *, at: datetime = NOON, body: bytes = b"{}", **fields: Any) -> str:
    """Store a webhook as the receiver does and a worker leaves it; fields by their document names."""
    event_id = new_id("evt", at)
    document = {
        "id": event_id,
        "provider": "meta-whatsapp",
        "configId": "cfg_1",
        "status": EventStatus.PROCESSED.value,
        "eventType": "message",
        "rawBody": body,
        "contentType": "application/json",
        "headers": {},
        "deliveryKey": event_id.encode(),
        "attempts": 1,
        "generation": 1,
        "receivedAt": at,
        "createdAt": at,
        "updatedAt": at,
    }
    store.webhookevents.insert_one(document | fields)
    return event_id


def add_follow_up(store: Store, chat_id: str, *, at: datetime = NOON, **values: Any) -> str:
    """Store a follow-up that is due at a moment."""
    follow_up_id = new_id("fup", at)
    defaults = {"chat_id": chat_id, "scheduled_at": at, "created_at": at, "updated_at": at}
    store.followups.insert_one(to_document(FollowUp(**{"id": follow_up_id, **defaults, **values})))
    return follow_up_id


def add_template(store: Store, *, at: datetime = NOON, **values: Any) -> str:
    """Store a quick reply for all accounts."""
    template_id = new_id("tpl", at)
    defaults = {"name": template_id, "content": "Hello {{name}}.", "created_at": at, "updated_at": at}
    store.templates.insert_one(to_document(Template(**{"id": template_id, **defaults, **values})))
    return template_id


def add_file(wired: Wired, chat_id: str) -> str:
    """Store a picture that a chat shows."""
    nobody = Caller(token_id="tok_nobody", name="nobody", role=Role.AGENT, permissions=Permissions())
    stream = io.BytesIO(picture())
    file = wired.uploading.take(stream, file_name="a.jpg", declared="image/jpeg", by=nobody)
    message_id = add_message(wired.store, chat_id, type=MessageType.IMAGE, media=here(Media(), file))
    wired.media_files.show_in(file.id, message_id)
    return file.id


def add_block(store: Store, *, at: datetime = NOON, **values: Any) -> str:
    """Store the block of somebody, made at a moment."""
    block_id = new_id("blk", at)
    defaults = {"user_id": f"GB.{block_id}", "blocked_at": at, "created_at": at, "updated_at": at}
    store.blockednumbers.insert_one(to_document(BlockedNumber(**{"id": block_id, **defaults, **values})))
    return block_id
