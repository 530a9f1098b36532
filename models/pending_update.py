"""An update that came before the message it is for; applied when that message appears.

Deliberately not a queue: whoever stores a message looks whether any wait for it, and a slow sweep makes up for a crash.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

#: How long an update waits for its message; as long as Meta repeats a failed delivery.
LIFETIME: Final = timedelta(days=7)


class UpdateKind(StrEnum):
    """What waits."""

    STATUS = "status"
    REACTION = "reaction"
    EDIT = "edit"
    REVOKE = "revoke"


@dataclass(slots=True, kw_only=True)
class PendingUpdate:
    """One waiting update; `key` identifies the fact, so a repeated delivery waits only once."""

    id: str
    config_id: str
    #: The vendor's id of the message it is for.
    provider_message_id: str
    client_ref: str | None = None
    kind: UpdateKind
    key: str
    at: datetime | None = None
    payload: dict[str, Any] = field(default_factory=dict)
    event_id: str | None = None
    #: When its webhook was received: what stands in for a time the vendor did not give.
    received_at: datetime
    expires_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
