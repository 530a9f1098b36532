"""API tokens: making one, taking it back, and finding out who presents one.

A token is 256 random bits; only its SHA-256 is kept, so the clear text exists once, in the answer to its
making. Deliberately no headers and no HTTP: the doors extract what was presented.
"""

import re
import secrets
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from models.agent import Permissions, Role, permissions_of
from models.api_token import ApiToken, is_live
from models.caller import Caller
from models.ids import new_id
from models.store.tokens import ApiTokens
from runtime.clock import Clock
from runtime.crypto import Secret, digest
from runtime.errors import Invalid, Unauthenticated
from services.auditing import Auditing

#: How every token begins, so that people and leak scanners recognise one.
PREFIX: Final = "hk_"
#: Random bytes of a token.
ENTROPY_BYTES: Final = 32
#: Characters of a token that stay readable in lists.
SHOWN: Final = 9
#: How long (s) a look-up is trusted; with it, a revocation takes effect everywhere within a second.
TRUSTED_S: Final = 0.8
#: Look-ups remembered at once, at most.
REMEMBERED: Final = 10_000
#: `lastUsedAt` is written no more often than this.
USE_NOTED_EVERY: Final = timedelta(minutes=1)
_SHAPE: Final = re.compile(r"hk_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made: the only time its clear text is at hand."""

    clear: Secret
    row: ApiToken


class Tokens:
    """The tokens of the API. One instance serves all threads of a process."""

    def __init__(self, stored: ApiTokens, auditing: Auditing, clock: Clock) -> None:
        self._stored = stored
        self._auditing = auditing
        self._clock = clock
        #: Digest -> the row or None, and the monotonic time of the look-up.
        self._known: dict[str, tuple[ApiToken | None, float]] = {}

    def create(
        self,
        *,
        name: str,
        role: Role = Role.AGENT,
        agent_id: str | None = None,
        permissions: Permissions | None = None,
        expires_at: datetime | None = None,
        by: Caller | None = None,
    ) -> NewToken:
        """Make a token, audited.

        Raises:
            Invalid: it has no name, or would be born expired.
        """
        now = self._clock.now()
        _check(name, expires_at, now)
        clear = Secret(PREFIX + secrets.token_urlsafe(ENTROPY_BYTES))
        row = ApiToken(
            id=new_id("tok"),
            name=name.strip(),
            token_sha256=digest(clear.reveal()),
            prefix=clear.reveal()[:SHOWN],
            agent_id=agent_id,
            role=role,
            permissions=permissions,
            expires_at=expires_at,
            created_by=by.token_id if by else None,
        )
        self._auditing.audited(
            lambda session: self._stored.add(row, now=now, session=session),
            by=by,
            verb="create",
            entity="apiToken",
            entity_id=row.id,
            after={"name": row.name, "role": role.value, "agentId": agent_id},
        )
        return NewToken(clear, row)

    def revoke(self, token_id: str, *, by: Caller | None = None) -> ApiToken:
        """Take a token back, audited; in effect here at once, everywhere within a second.

        Raises:
            NotFound: there is none.
        """
        now = self._clock.now()
        row = self._auditing.audited(
            lambda session: self._stored.revoke(token_id, now=now, session=session),
            by=by,
            verb="revoke",
            entity="apiToken",
            entity_id=token_id,
        )
        self._known.pop(row.token_sha256, None)
        return row

    def all(self) -> list[ApiToken]:
        """All tokens, revoked and expired ones too, oldest first."""
        return self._stored.all()

    def authenticate(self, presented: str) -> Caller:
        """Say who presents a token.

        Raises:
            Unauthenticated: it is none of ours, expired or revoked; the text is one word, for the log.
        """
        if not _SHAPE.fullmatch(presented):
            raise Unauthenticated("malformed")
        token = self._look_up(digest(presented))
        if token is None:
            raise Unauthenticated("unknown")
        if not is_live(token, self._clock.now()):
            raise Unauthenticated("revoked" if token.revoked_at else "expired")
        return _caller(token)

    def _look_up(self, sha256: str) -> ApiToken | None:
        known = self._known.get(sha256)
        if known is not None and time.monotonic() - known[1] < TRUSTED_S:
            return known[0]
        began = time.monotonic()
        token = self._find(sha256)
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[sha256] = (token, began)
        return token

    def _find(self, sha256: str) -> ApiToken | None:
        """Read a token; one whose agent is gone is as good as none."""
        token = self._stored.by_digest(sha256)
        if token is None or (token.agent_id and self._stored.has_lost_agent(token.agent_id)):
            return None
        self._note_use(token)
        return token

    def _note_use(self, token: ApiToken) -> None:
        now = self._clock.now()
        noted = token.last_used_at is not None and now - token.last_used_at < USE_NOTED_EVERY
        if is_live(token, now) and not noted:
            self._stored.note_use(token.id, now=now, every=USE_NOTED_EVERY)


def _caller(token: ApiToken) -> Caller:
    return Caller(
        token_id=token.id,
        name=token.name,
        agent_id=token.agent_id,
        role=token.role,
        permissions=token.permissions or permissions_of(token.role),
    )


def _check(name: str, expires_at: datetime | None, now: datetime) -> None:
    problems = {}
    if not name.strip():
        problems["name"] = ["A token needs a name, so that it can be told from others."]
    if expires_at is not None and expires_at <= now:
        problems["expiresAt"] = ["This moment has passed."]
    if problems:
        raise Invalid("the token cannot be made", fields=problems)
