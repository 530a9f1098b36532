"""A person who answers (seed §3), and what their role permits.

Deliberately no tokens and no sessions: `models.api_token` has those, the doors judge them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Final

#: How many chats an agent handles at once unless told otherwise (the seed's default).
DEFAULT_MAX_CONCURRENT_CHATS: Final = 5


class Role(StrEnum):
    """Presets over the permission flags; accounts, tokens, agents and the audit trail are the admins' own."""

    ADMIN = "admin"
    SUPERVISOR = "supervisor"
    AGENT = "agent"


class AgentStatus(StrEnum):
    """What the agent shows to colleagues."""

    ONLINE = "online"
    AWAY = "away"
    BUSY = "busy"
    OFFLINE = "offline"


class Availability(StrEnum):
    """Whether new chats may be given to the agent."""

    AVAILABLE = "available"
    UNAVAILABLE = "unavailable"


@dataclass(slots=True, kw_only=True)
class Permissions:
    """The seed's flags; everything is forbidden that is not allowed."""

    can_assign_chats: bool = False
    can_transfer_chats: bool = False
    can_view_all_chats: bool = False
    can_manage_templates: bool = False
    can_manage_labels: bool = False
    can_block_numbers: bool = False
    can_view_reports: bool = False


_ALL: Final = frozenset(flag.name for flag in fields(Permissions))
#: What each role permits. An agent sees own and unassigned chats and may hand an own chat over.
ROLE_PERMISSIONS: Final[Mapping[Role, frozenset[str]]] = {
    Role.ADMIN: _ALL,
    Role.SUPERVISOR: _ALL,
    Role.AGENT: frozenset({"can_transfer_chats"}),
}


def permissions_of(role: Role) -> Permissions:
    """Return the flags that a role presets."""
    return Permissions(**dict.fromkeys(ROLE_PERMISSIONS[role], True))


@dataclass(slots=True, kw_only=True)
class AgentStats:
    """Totals over an agent's time; times in seconds, satisfaction 1 to 5."""

    total_chats_handled: int = 0
    avg_response_time: float | None = None
    avg_resolution_time: float | None = None
    customer_satisfaction: float | None = None
    messages_sent: int = 0
    messages_received: int = 0


@dataclass(slots=True, kw_only=True)
class WorkingDay:
    """Working hours of one weekday, local times as HH:MM."""

    day: str
    start: str
    end: str
    enabled: bool = True


@dataclass(slots=True, kw_only=True)
class WorkingHours:
    """A week in the agent's own time zone (IANA name)."""

    timezone: str
    schedule: list[WorkingDay] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Agent:
    """Somebody chats can be assigned to; `user_id` is who they are in the system that signs them in."""

    id: str
    user_id: str | None = None
    name: str
    email: str | None = None
    phone_number: str | None = None
    avatar: str | None = None

    role: Role = Role.AGENT
    permissions: Permissions = field(default_factory=lambda: permissions_of(Role.AGENT))
    teams: list[str] = field(default_factory=list)

    status: AgentStatus = AgentStatus.OFFLINE
    availability: Availability = Availability.UNAVAILABLE
    is_online: bool = False
    last_seen: datetime | None = None
    last_active_at: datetime | None = None
    max_concurrent_chats: int = DEFAULT_MAX_CONCURRENT_CHATS
    current_chat_count: int = 0

    stats: AgentStats | None = None
    working_hours: WorkingHours | None = None

    is_active: bool = True
    is_deleted: bool = False
    deleted_at: datetime | None = None
    deleted_by: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
