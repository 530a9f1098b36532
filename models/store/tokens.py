"""The verbs on API tokens: add, find, revoke, note their use.

Deliberately no token in clear: only digests come in here. Whether a row is good now is `models.api_token`'s
to say.
"""

from datetime import datetime, timedelta
from typing import Final

import pymongo
from pymongo import WriteConcern
from pymongo.errors import PyMongoError

from models.api_token import ApiToken
from models.store.audit import Session
from models.store.codec import from_document, to_document
from models.store.collections import Store
from runtime.errors import NotFound
from runtime.logs import logger

#: A mark of use is a courtesy to whoever looks at the list: it may be lost, and waits for no other machine.
_CASUAL: Final = WriteConcern(w=1, j=False)
#: How long (s) a look-up may take, finding a server included: every request waits for one.
LOOK_UP_S: Final = 2.0

_log = logger(__name__)


class ApiTokens:
    """The tokens."""

    def __init__(self, store: Store) -> None:
        self._tokens = store.apitokens
        self._casual = store.apitokens.with_options(write_concern=_CASUAL)
        self._agents = store.agents

    def add(self, token: ApiToken, *, now: datetime, session: Session | None = None) -> None:
        """Store a new token."""
        self._tokens.insert_one(to_document(token) | {"createdAt": now, "updatedAt": now}, session=session)

    def by_digest(self, digest: str) -> ApiToken | None:
        """Find a token by the digest of its clear text, None where there is none."""
        with pymongo.timeout(LOOK_UP_S):
            row = self._tokens.find_one({"tokenSha256": digest})
        return None if row is None else from_document(ApiToken, row)

    def all(self) -> list[ApiToken]:
        """All tokens, revoked ones too, oldest first."""
        return [from_document(ApiToken, row) for row in self._tokens.find().sort("id", 1)]

    def revoke(self, token_id: str, *, now: datetime, session: Session | None = None) -> ApiToken:
        """Take a token back; once more changes nothing.

        Raises:
            NotFound: there is none.
        """
        change = {"$set": {"revokedAt": now, "updatedAt": now}}
        self._tokens.update_one({"id": token_id, "revokedAt": None}, change, session=session)
        row = self._tokens.find_one({"id": token_id}, session=session)
        if row is None:
            raise NotFound(f"There is no token {token_id}.")
        return from_document(ApiToken, row)

    def has_lost_agent(self, agent_id: str) -> bool:
        """Whether a token's agent was deleted or sent home; one that was never entered is not lost."""
        gone = {"id": agent_id, "$or": [{"isDeleted": True}, {"isActive": False}]}
        with pymongo.timeout(LOOK_UP_S):
            return self._agents.find_one(gone, {"_id": 1}) is not None

    def note_use(self, token_id: str, *, now: datetime, every: timedelta) -> None:
        """Write down that a token was used, unless that was done a short while ago. Never fails."""
        stale = {"$not": {"$gt": now - every}}
        try:
            with pymongo.timeout(LOOK_UP_S):
                self._casual.update_one({"id": token_id, "lastUsedAt": stale}, {"$set": {"lastUsedAt": now}})
        except PyMongoError as error:
            _log.info("use_not_noted", caller=token_id, error=type(error).__name__)
