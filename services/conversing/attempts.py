"""What a status tells about the attempts to send a message: which of them it speaks of, and that one has ended.

Deliberately no sending: `services.sending` begins attempts and writes down what their answers say.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from models.delivery_status import RANK
from models.message import Message
from models.values import MessageStatus
from providers.events import StatusChanged

#: Vendors tell times in whole seconds.
_SECOND: Final = timedelta(seconds=1)
#: Outcomes of attempts of which nobody knows yet whether they reached the vendor.
OPEN: Final = frozenset({None, "unknown"})


def is_of_earlier_attempt(message: Message, event: StatusChanged, at: datetime) -> bool:
    """Say whether a status is about an attempt that a person has replaced by another: its failure is old news.

    That it was delivered counts all the same: the customer has it.
    """
    if RANK[event.status] >= RANK[MessageStatus.DELIVERED] or event.provider_message_id == message.provider_message_id:
        return False
    if any(one.provider_message_id == event.provider_message_id for one in message.attempts or ()):
        return True
    asked_since = message.queued_at is not None and at + _SECOND <= message.queued_at
    # Of an attempt whose answer never came no id is known; the vendor gave the one at hand to another.
    is_of_another = message.provider_message_id is not None
    return event.status is MessageStatus.FAILED and bool(message.attempts) and (asked_since or is_of_another)


def settled(message: Message) -> dict[str, Any]:
    """What changes in a message that the vendor speaks of: it has left the queue, and its last attempt got through."""
    changes: dict[str, Any] = {"next_attempt_at": None, "lease_until": None}
    attempts = message.attempts or []
    if attempts and attempts[-1].outcome in OPEN:
        changes["attempts"] = [*attempts[:-1], replace(attempts[-1], outcome="accepted", error=None)]
    return changes
