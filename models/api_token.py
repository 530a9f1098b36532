"""A bearer token of the API, for an agent or a service.

Only a digest is kept: the token itself is shown once, when it is made. Deliberately no making and no
checking here: `services` makes tokens, the doors look them up.
"""

from dataclasses import dataclass
from datetime import datetime

from models.agent import Permissions, Role


@dataclass(slots=True, kw_only=True)
class ApiToken:
    """What a token may do and until when."""

    id: str
    name: str
    #: SHA-256 of the token, lower-case hex.
    token_sha256: str
    #: The first characters of the token, to tell tokens apart in a list.
    prefix: str
    agent_id: str | None = None
    role: Role = Role.AGENT
    #: Flags that replace the role's preset.
    permissions: Permissions | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    created_by: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


def is_live(token: ApiToken, at: datetime) -> bool:
    """Say whether a token is good at a moment."""
    return token.revoked_at is None and (token.expires_at is None or at < token.expires_at)
