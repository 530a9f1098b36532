"""Who asks, and what they may: what a token stands for once it has been found good.

Deliberately no look-up and no transport: `services.tokens` makes callers, the doors ask them.
"""

from dataclasses import dataclass
from typing import Final

from models.agent import Permissions, Role

#: Roles that look after the whole inbox and the webhooks behind it.
OVERSEERS: Final = frozenset({Role.SUPERVISOR, Role.ADMIN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A person or a program behind a request."""

    token_id: str
    #: What the token was named when it was made.
    name: str
    #: Whose chats are the caller's own; None for a service.
    agent_id: str | None = None
    role: Role
    permissions: Permissions

    @property
    def is_admin(self) -> bool:
        """Whether accounts, tokens, replays and the audit trail are the caller's business."""
        return self.role is Role.ADMIN

    @property
    def is_overseer(self) -> bool:
        """Whether the caller looks after everybody's work."""
        return self.role in OVERSEERS

    @property
    def sees_all_chats(self) -> bool:
        """Whether the caller sees chats of others; everybody sees unassigned chats and their own."""
        return self.permissions.can_view_all_chats
