"""A use of a template that is still to be added to its count.

Noted in the transaction in which a message is first known to be taken, and added up a moment later: many messages of
one template would otherwise meet in its row. Deliberately once per message, whatever becomes of its attempts.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from models.message import Message
from models.values import MessageStatus

#: Where a message stands that the vendor took.
TAKEN: Final = frozenset(
    {
        MessageStatus.ACCEPTED,
        MessageStatus.SENT,
        MessageStatus.DELIVERED,
        MessageStatus.READ,
        MessageStatus.PLAYED,
    }
)


@dataclass(slots=True, kw_only=True)
class TemplateUsage:
    """One use; `id` is the message's."""

    id: str
    template_id: str
    at: datetime
    created_at: datetime | None = None
    updated_at: datetime | None = None


def first_use(message: Message, *, at: datetime) -> TemplateUsage | None:
    """Make the use of a message's template that is to be counted; None where it has none, or was counted."""
    used = message.template
    if used is None or not used.template_id or message.template_counted:
        return None
    return TemplateUsage(id=message.id, template_id=used.template_id, at=at)
