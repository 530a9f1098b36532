"""The documents one transaction touches, held in memory while events are folded over them.

Everything here was read in the transaction that will write it, so a concurrent change makes MongoDB refuse the
whole batch, which is then folded again over fresh state (docs/decisions/0002). Deliberately no I/O.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from models.address import Address
from models.audit_entry import AuditEntry
from models.chat import Chat
from models.customer import Customer
from models.message import Message, MessageError
from models.message_move import MessageMove
from models.pending_update import PendingUpdate
from models.template import Template
from models.template_usage import TemplateUsage
from models.whatsapp_config import WhatsAppConfig

#: configId, kind, canonical value.
AddressKey = tuple[str, str, str]
#: configId, the vendor's message id.
MessageKey = tuple[str, str]
#: configId, name, language ("" where the vendor names none).
TemplateKey = tuple[str, str, str]
T = TypeVar("T", Address, Chat, Customer, Message, Template, WhatsAppConfig)


@dataclass(slots=True)
class Wanted:
    """What a batch must read before it can be folded."""

    addresses: set[AddressKey] = field(default_factory=set)
    messages: set[MessageKey] = field(default_factory=set)
    #: Our own message ids, which some vendors echo in statuses.
    refs: set[str] = field(default_factory=set)
    #: Messages of ours without a vendor's id are wanted too, in the chats the addresses lead to, since this moment.
    unnamed_since: datetime | None = None
    #: Chats that matter for themselves; their customers come along.
    chats: set[str] = field(default_factory=set)
    templates: set[TemplateKey] = field(default_factory=set)
    #: Accounts of which more than their identity matters.
    configs: set[str] = field(default_factory=set)

    def __len__(self) -> int:
        """How much is looked for; with nothing to look for it is false."""
        named = len(self.refs) + len(self.chats) + len(self.configs)
        return named + len(self.addresses) + len(self.messages) + len(self.templates)


@dataclass(slots=True)
class Tracked(Generic[T]):
    """A document as the batch sees it, and what the batch does to it."""

    entity: T
    is_new: bool = False
    #: MongoDB's own key of a stored document: by it an update needs no query planner.
    key: Any = None
    #: Fields to set and numbers to add, by our names; of no interest for a new document, which is written whole.
    changes: dict[str, Any] = field(default_factory=dict)
    additions: dict[str, int] = field(default_factory=dict)

    def set(self, **values: Any) -> None:
        """Set fields, in memory and in what will be written."""
        for name, value in values.items():
            setattr(self.entity, name, value)
        self.changes.update(values)

    def add(self, **amounts: int) -> None:
        """Add to counters, in memory and in what will be written."""
        for name, amount in amounts.items():
            setattr(self.entity, name, (getattr(self.entity, name) or 0) + amount)
            self.additions[name] = self.additions.get(name, 0) + amount

    def touch(self) -> None:
        """Let whoever changes this document at the same time begin again."""
        self.changes.setdefault("updated_at", None)

    @property
    def is_changed(self) -> bool:
        """Whether an existing document is to be updated."""
        return not self.is_new and bool(self.changes or self.additions)


@dataclass(slots=True)
class Batch:
    """Everything the events of one transaction touch."""

    addresses: dict[AddressKey, Tracked[Address]] = field(default_factory=dict)
    customers: dict[str, Tracked[Customer]] = field(default_factory=dict)
    #: Live customers by canonical phone: the same person may write to several of our numbers.
    by_phone: dict[str, Tracked[Customer]] = field(default_factory=dict)
    chats: dict[str, Tracked[Chat]] = field(default_factory=dict)
    messages: dict[MessageKey, Tracked[Message]] = field(default_factory=dict)
    #: Our own message id -> the message, for statuses that carry it.
    by_ref: dict[str, Tracked[Message]] = field(default_factory=dict)
    templates: dict[TemplateKey, Tracked[Template]] = field(default_factory=dict)
    configs: dict[str, Tracked[WhatsAppConfig]] = field(default_factory=dict)
    #: Which of the identities that lead to no chat yet are blocked, by kind and canonical value.
    blocked: set[tuple[str, str]] = field(default_factory=set)
    #: Those of them that have become known at an account, whose vendor may take the block from now on.
    blocks_met: set[tuple[str, str]] = field(default_factory=set)
    #: Chats whose response clock must be counted anew: a message came late.
    late_turns: set[str] = field(default_factory=set)
    #: Chats and customers that turned out to be one: the id that ends -> the one that stays.
    merged_chats: dict[str, str] = field(default_factory=dict)
    merged_customers: dict[str, str] = field(default_factory=dict)
    #: Chats and customers that have ended -> what stays of them; None where nothing does.
    successors: dict[str, str | None] = field(default_factory=dict)
    #: Messages that are to follow, once this is written.
    moves: list[MessageMove] = field(default_factory=list)
    #: Chats that are to be counted anew, and the times of the messages that were moved into them or away.
    recounted: dict[str, set[datetime]] = field(default_factory=dict)
    #: How long after a customer's message answers are free, in those.
    service_window: timedelta | None = None
    #: Messages with files to be fetched, for a ring after the commit.
    to_fetch: list[str] = field(default_factory=list)
    #: What was done that people may want to look into.
    audit: list[AuditEntry] = field(default_factory=list)
    #: Uses of templates by messages that turned out to be taken.
    template_uses: list[TemplateUsage] = field(default_factory=list)
    #: Chats in which a message waits no more that others wait behind.
    freed: set[str] = field(default_factory=set)
    #: Accounts that the vendor says are in trouble: why, and what becomes of their health.
    troubles: dict[str, tuple[MessageError, str | None]] = field(default_factory=dict)
    #: Updates whose message is not known yet.
    parked: list[PendingUpdate] = field(default_factory=list)

    def living(self, one: str | None) -> str | None:
        """What stays of a chat or customer: itself, or what it was united with."""
        while one is not None and one in self.successors:
            one = self.successors[one]
        return one

    def chat(self, chat_id: str | None) -> Tracked[Chat] | None:
        """Find a chat, or the one that it was united with."""
        return self.chats.get(self.living(chat_id) or "")

    def customer(self, customer_id: str | None) -> Tracked[Customer] | None:
        """Find a customer, or the one who turned out to be the same."""
        return self.customers.get(self.living(customer_id) or "")

    def merge_chats(self, gone: str, kept: str) -> None:
        """Let one chat stand for another from now on."""
        self.merged_chats[gone] = self.successors[gone] = kept

    def merge_customers(self, gone: str, kept: str) -> None:
        """Let one customer stand for another from now on."""
        self.merged_customers[gone] = self.successors[gone] = kept

    def add_address(self, address: Address) -> Tracked[Address]:
        """Take up a new address."""
        key = (address.config_id, address.kind.value, address.canonical or address.value)
        tracked = self.addresses[key] = Tracked(address, is_new=True)
        return tracked

    def add_customer(self, customer: Customer) -> Tracked[Customer]:
        """Take up a new customer."""
        tracked = self.customers[customer.id] = Tracked(customer, is_new=True)
        if customer.phone_number:
            self.by_phone[customer.phone_number] = tracked
        return tracked

    def add_template(self, key: TemplateKey, template: Template) -> Tracked[Template]:
        """Take up a new template."""
        tracked = self.templates[key] = Tracked(template, is_new=True)
        return tracked

    def add_chat(self, chat: Chat) -> Tracked[Chat]:
        """Take up a new chat."""
        tracked = self.chats[chat.id] = Tracked(chat, is_new=True)
        return tracked

    def message(self, config_id: str, provider_message_id: str, ref: str | None = None) -> Tracked[Message] | None:
        """Find an account's message by the vendor's id, else by our own; another account's is none of its business."""
        found = self.messages.get((config_id, provider_message_id)) or self.by_ref.get(ref or "")
        return found if found is not None and found.entity.config_id == config_id else None

    def add_message(self, message: Message) -> None:
        """Take up a new message of a vendor."""
        tracked = Tracked(message, is_new=True)
        self.by_ref[message.id] = tracked
        if message.provider_message_id:
            self.messages[message.config_id, message.provider_message_id] = tracked
