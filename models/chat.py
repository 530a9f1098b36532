"""A conversation with one customer address (seed §1), and which steps of its life are legal.

Deliberately no counting and no clock: the store changes counters in the transaction of the fact they count.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from models.message import Referral
from models.values import (
    ChatStatus,
    Direction,
    MessageStatus,
    MessageType,
    Priority,
    SenderType,
)


@dataclass(slots=True, kw_only=True)
class LastMessage:
    """What a chat list shows of the newest message."""

    id: str
    text: str | None = None
    type: MessageType
    direction: Direction
    timestamp: datetime
    received_at: datetime
    status: MessageStatus
    sender_type: SenderType


@dataclass(slots=True, kw_only=True)
class CustomerInfo:
    """What agents wrote down about the person of this chat."""

    email: str | None = None
    address: str | None = None
    city: str | None = None
    country: str | None = None
    notes: str | None = None
    tags: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Transfer:
    """One hand-over between agents."""

    from_agent: str | None = None
    to_agent: str
    transferred_at: datetime
    reason: str | None = None


@dataclass(slots=True, kw_only=True)
class ReadMark:
    """How far an agent has read."""

    agent_id: str
    at: datetime


@dataclass(slots=True, kw_only=True)
class Chat:
    """One live chat per account and customer address; replies go to this address and no other."""

    id: str
    config_id: str
    address_id: str
    #: The address as the vendor last used it; at least one of the three identities is present.
    phone_number: str | None = None
    user_id: str | None = None
    username: str | None = None
    customer_name: str | None = None
    #: The vendor's time at which each of these was told, by our field name: older news does not replace newer.
    seen_at: dict[str, datetime] | None = None
    customer_id: str | None = None

    status: ChatStatus = ChatStatus.UNASSIGNED
    assigned_to: str | None = None
    assigned_at: datetime | None = None
    assigned_by: str | None = None
    labels: list[str] = field(default_factory=list)
    priority: Priority | None = None
    #: whatsapp, api or webhook: what opened the chat.
    source: str | None = None

    last_message: LastMessage | None = None
    last_message_time: datetime | None = None
    #: The vendor's id of the last message (the seed's wamid).
    last_message_id: str | None = None
    unread_count: int = 0

    provider: str
    provider_chat_id: str | None = None
    whatsapp_business_account_id: str | None = None
    phone_number_id: str | None = None

    customer_info: CustomerInfo | None = None
    #: The ad or post that opened the chat: the first touch is kept.
    referral: Referral | None = None
    referral_at: datetime | None = None

    #: The vendor's time of the customer's newest message.
    last_inbound_at: datetime | None = None
    #: Until when a free answer is allowed; absent where no window applies or none was ever open.
    window_expires_at: datetime | None = None
    #: When the vendor last told us that the window is closed, whatever we thought.
    window_closed_at: datetime | None = None
    #: Since when the customer waits for an answer; absent when nobody waits.
    waiting_since: datetime | None = None
    #: The vendor's time of the newest message that moved the response clock.
    last_turn_at: datetime | None = None
    first_response_at: datetime | None = None
    resolved_at: datetime | None = None
    reopened_at: datetime | None = None
    closed_at: datetime | None = None
    snoozed_until: datetime | None = None
    blocked: bool = False
    read_by: list[ReadMark] = field(default_factory=list)
    transfer_history: list[Transfer] = field(default_factory=list)
    #: The chat this one was united with, when its person turned out to have two.
    merged_into: str | None = None

    #: Seconds.
    first_response_time: float | None = None
    #: Seconds; response_seconds / response_count, kept for reading.
    avg_response_time: float | None = None
    #: How many waits were answered, and the seconds they took in all.
    response_count: int = 0
    response_seconds: float = 0
    total_messages: int = 0
    customer_messages: int = 0
    agent_messages: int = 0

    is_deleted: bool = False
    deleted_at: datetime | None = None
    deleted_by: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


#: From where a chat may step to where. A step to the same state is a hand-over: only `assigned` knows one.
STEPS: Final[Mapping[ChatStatus, frozenset[ChatStatus]]] = {
    ChatStatus.UNASSIGNED: frozenset({ChatStatus.ASSIGNED}),
    ChatStatus.ASSIGNED: frozenset({ChatStatus.ASSIGNED, ChatStatus.UNASSIGNED, ChatStatus.RESOLVED}),
    ChatStatus.RESOLVED: frozenset({ChatStatus.CLOSED, ChatStatus.ASSIGNED, ChatStatus.UNASSIGNED}),
    ChatStatus.CLOSED: frozenset({ChatStatus.ASSIGNED, ChatStatus.UNASSIGNED}),
}
#: States that a new message of the customer reopens.
REOPENED_BY_CUSTOMER: Final = frozenset({ChatStatus.RESOLVED, ChatStatus.CLOSED})


def may_step(current: ChatStatus, target: ChatStatus) -> bool:
    """Say whether a chat may go from one state to the other."""
    return target in STEPS[current]


def sources_of(target: ChatStatus) -> list[ChatStatus]:
    """Name the states from which `target` can be reached: the condition of a conditional update."""
    return [current for current, targets in STEPS.items() if target in targets]


def reopened_status(*, assignee_kept: bool) -> ChatStatus:
    """Say where a reopened chat stands: with its assignee if still available, else in the common queue."""
    return ChatStatus.ASSIGNED if assignee_kept else ChatStatus.UNASSIGNED
