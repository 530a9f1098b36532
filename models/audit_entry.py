"""Who changed what, when (seed note 9); written in the transaction of the change, never altered.

Deliberately no secrets and no message text: `before` and `after` hold changed fields by name, sealed ones
as "set".
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class ActorType(StrEnum):
    """Who acted: a person, a service's token, or Hookline itself."""

    AGENT = "agent"
    TOKEN = "token"  # noqa: S105  the word, not one
    SYSTEM = "system"


@dataclass(slots=True, kw_only=True)
class AuditEntry:
    """One act."""

    id: str
    actor_type: ActorType
    actor_id: str | None = None
    actor_name: str | None = None
    #: What was done, e.g. "assign", "rotate".
    verb: str
    #: To what: the entity's name and id.
    entity: str
    entity_id: str | None = None
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    reason: str | None = None
    at: datetime
    request_id: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
