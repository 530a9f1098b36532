"""An echo that was stored as a message of its own turns out to be one of ours: the two become one.

Learnt from a receipt that tells the echo's id, or from an ack that tells it beside the number of our send. Deliberately
no judgement whether they are the same: who calls knows.
"""

from datetime import datetime
from typing import Any

from models.delivery_status import advance, earliest
from models.message import Message
from models.store.batch import Batch, Tracked
from models.values import Direction
from services.conversing.messages import restate


def is_echo(message: Message) -> bool:
    """Whether a message became known by its echo alone: we have never tried to send it."""
    return message.direction is Direction.OUTBOUND and not message.attempts


def absorb(batch: Batch, mine: Tracked[Message], echo: Tracked[Message], *, now: datetime) -> None:
    """Take what is known of an echo into the message it is an echo of; counting is left to the caller."""
    known, other = mine.entity, echo.entity
    values: dict[str, Any] = {"status": advance(known.status, other.status)}
    for name in ("sent_at", "delivered_at", "read_at", "played_at", "failed_at"):
        theirs, ours = getattr(other, name), getattr(known, name)
        values[name] = earliest(ours, theirs) if theirs else ours
    for name in ("reactions", "reaction_times", "revoked_at", "pricing", "conversation", "error"):
        values[name] = getattr(known, name) or getattr(other, name)
    restate(batch, mine, **values)
    restate(
        batch,
        echo,
        provider_message_id=None,
        is_deleted=True,
        deleted_at=now,
        metadata={**(other.metadata or {}), "mergedInto": known.id},
    )
