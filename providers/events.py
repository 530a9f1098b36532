"""The normal form: what any vendor's webhook says, in our words.

Every event names the account it is for (as the vendor names it), its place in the delivery and the
key by which a repetition is recognised. Deliberately no ids of ours, no clock and no database: an
event is a pure function of the stored bytes, so it can be made again after a bug is mended.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from models.message import Content, Context, Conversation, MessageError, Pricing, Referral
from models.values import Direction, MessageStatus, SenderType


@dataclass(frozen=True, slots=True)
class AccountKey:
    """One name under which a vendor addresses an account, e.g. ("phone_number_id", "3317…")."""

    kind: str
    value: str
    #: Whom to ask where nobody has this name: a number's whole account, say.
    wider: "AccountKey | None" = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A person or number on the other side, by whatever the vendor discloses.

    `phone` is E.164 with `+`; `user_id` a BSUID; `parent_user_id` a parent BSUID; `chat_id` ChatAPI's
    `…@c.us` form (`…@lid` where the number is hidden, `…@g.us` for a group), or the id of a group at Meta. At least
    one of them is present in a party that can be answered.
    """

    phone: str | None = None
    user_id: str | None = None
    parent_user_id: str | None = None
    chat_id: str | None = None
    username: str | None = None
    name: str | None = None

    @property
    def known(self) -> bool:
        """Whether anything identifies this party."""
        return bool(self.phone or self.user_id or self.parent_user_id or self.chat_id)


@dataclass(slots=True, kw_only=True)
class Event:
    """Common to all events.

    `path` is the place in the delivery ("entry.0.changes.0.value.messages.1"), `key` what identifies the
    fact whatever delivery brings it, `at` the vendor's time (None where absent or unreadable).
    """

    #: Whether it concerns every account the key names (a business account has many numbers), not just one.
    shared: ClassVar[bool] = False

    account: AccountKey | None = None
    path: str
    key: str
    at: datetime | None = None
    #: Unknown or unmapped vendor fields of the item, kept whole.
    metadata: dict[str, Any] | None = None


@dataclass(slots=True, kw_only=True)
class MessageArrived(Event):
    """A message: from the customer, echoed from the phone app, or synced from history.

    `party` is always the customer's side, whatever the direction. `status` is set for history and echoes only.
    """

    provider_message_id: str
    party: Party
    content: Content
    direction: Direction = Direction.INBOUND
    sender_type: SenderType = SenderType.CUSTOMER
    history: bool = False
    status: MessageStatus | None = None
    context: Context | None = None
    referral: Referral | None = None
    group_id: str | None = None
    #: For groups that are a chat of their own (`party` is the group): the member who wrote.
    author: Party | None = None
    #: The business's own number as the vendor writes it, E.164 where it is one.
    business: str | None = None
    #: Whether a program of the business may have sent it: perhaps we did, and it comes back.
    own_send: bool = False


@dataclass(slots=True, kw_only=True)
class StatusChanged(Event):
    """A step in the life of an outbound message; `client_ref` is our own id where the vendor echoes it.

    `provider_message_id` is empty where the vendor names the message by its `queue_number` alone.
    """

    provider_message_id: str
    status: MessageStatus
    provider_status: str
    client_ref: str | None = None
    #: Its place in the vendor's queue, which the receipt told too, perhaps instead of an id (ChatAPI).
    queue_number: int | None = None
    party: Party | None = None
    error: MessageError | None = None
    pricing: Pricing | None = None
    conversation: Conversation | None = None
    #: For groups: which member this status speaks of. Such a status never moves the message itself.
    participant: Party | None = None


@dataclass(slots=True, kw_only=True)
class ReactionChanged(Event):
    """A reaction set (or, with `emoji` None, removed) on a message, by the customer or by the business."""

    target_id: str
    party: Party
    emoji: str | None = None
    direction: Direction = Direction.INBOUND


@dataclass(slots=True, kw_only=True)
class MessageEdited(Event):
    """A message's new content; the old text goes to its history."""

    target_id: str
    party: Party
    content: Content
    direction: Direction = Direction.INBOUND


@dataclass(slots=True, kw_only=True)
class MessageRevoked(Event):
    """A message deleted for everyone by its sender."""

    target_id: str
    party: Party
    direction: Direction = Direction.INBOUND


@dataclass(slots=True, kw_only=True)
class IdentityLinked(Event):
    """The vendor says that `old` is now `new`: a changed number, a changed BSUID."""

    old: Party
    new: Party


@dataclass(slots=True, kw_only=True)
class ContactSynced(Event):
    """An entry of the phone app's address book: a name for a party, or its removal."""

    party: Party
    removed: bool = False


@dataclass(slots=True, kw_only=True)
class PreferenceChanged(Event):
    """A customer's word on a category of messages, e.g. marketing: stop, resume, signup."""

    party: Party
    category: str
    value: str


@dataclass(slots=True, kw_only=True)
class TemplateChanged(Event):
    """A vendor's word on a template; `changes` uses our field names (status, quality, category, …)."""

    shared: ClassVar[bool] = True

    template_id: str | None
    name: str | None
    language: str | None
    changes: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class AccountChanged(Event):
    """A vendor's word on an account or number: quality, limits, restrictions, alerts.

    `health` is one of ok, restricted, auth_error, paused where the word settles it, else None.
    """

    shared: ClassVar[bool] = True

    field_name: str
    event_name: str | None = None
    health: str | None = None
    reason: str | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Ignored(Event):
    """A part we understand enough to know that nothing follows from it, or do not know at all.

    `reason` is a stable word: unknown_field, unknown_type, call, group_event, empty, …
    """

    reason: str


@dataclass(slots=True, kw_only=True)
class Malformed(Event):
    """A part that could not be read; recorded as failed, its neighbours are applied."""

    reason: str
