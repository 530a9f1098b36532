"""A chat with an open service window, an account whose vendor keeps books, and agents who write."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import redis

from models.agent import Role, permissions_of
from models.caller import Caller
from models.message import Message
from models.store.codec import from_document
from models.store.collections import LATEST
from models.whatsapp_config import WhatsAppConfig
from services.sending.orders import Order, text_order
from tests.support import meta_webhooks as meta
from tests.support.vendor import Vendor
from tests.support.wired import Wired, add_meta_account

AGENT = Caller(
    token_id="tok_amara", name="Amara", agent_id="agt_amara", role=Role.AGENT, permissions=permissions_of(Role.AGENT)
)


@dataclass
class Desk:
    """Services whose account sends to the vendor of the test."""

    wired: Wired
    vendor: Vendor
    redis: redis.Redis

    def chat(self, number: int = 0, *, config: WhatsAppConfig | None = None, number_id: str = meta.NUMBER_ID) -> str:
        """Open a chat by a message of a customer, a moment ago; return its id."""
        at = int(self.wired.clock.now().timestamp())
        value = meta.text("a question", sender=f"4477009{number:05d}", at=at)
        (event,) = self.wired.deliver(meta.envelope(value, number_id=number_id), config=config)
        chat_id = event.items[0].chat_id
        assert chat_id is not None
        return chat_id

    def write(self, chat_id: str, text: str = "an answer", **options: Any) -> Message:
        """Queue a text of an agent."""
        return self.wired.queueing.queue(chat_id, text_order(text), by=AGENT, **options)

    def order(self, chat_id: str, order: Order, **options: Any) -> Message:
        return self.wired.queueing.queue(chat_id, order, by=AGENT, **options)

    def deliver(self) -> int:
        return self.wired.delivering.deliver()

    def message(self, message: Message | str) -> Message:
        """The message as it is now."""
        message_id = message if isinstance(message, str) else message.id
        row = self.wired.store.messages.find_one({"id": message_id})
        assert row is not None
        return from_document(Message, row)

    def chat_row(self, chat_id: str) -> dict[str, Any]:
        row = self.wired.store.chats.find_one({"id": chat_id})
        assert row is not None
        return row

    def pass_time(self, **by: float) -> None:
        """Let time pass for the database and for the buckets."""
        self.wired.clock_hand.move(timedelta(**by))
        self.redis.flushall()

    def tell(self, provider_message_id: str, word: str, *, ref: str | None = None, **extra: Any) -> None:
        """Deliver a status."""
        at = int(self.wired.clock.now().timestamp()) + 1
        echoed = {"biz_opaque_callback_data": ref} if ref else {}
        self.wired.deliver(meta.envelope(meta.status(provider_message_id, word, at=at, **echoed, **extra)))

    @property
    def outboxes(self) -> int:
        return self.wired.store.outboxes.with_options(read_concern=LATEST).count_documents({})

    def account(self, number_id: str) -> WhatsAppConfig:
        """Add another account of the same vendor."""
        config = add_meta_account(self.wired, number_id=number_id)
        self.wired.configs.change(config.id, {"api_base_url": self.vendor.url}, self.wired.clock)
        self.wired.directory.refresh(older_than=0)
        return config
