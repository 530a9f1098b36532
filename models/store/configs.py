"""The verbs on accounts: add, find, change. Secrets arrive sealed and leave sealed.

Deliberately no keys here: `services.connecting` seals, `providers.accounts` opens.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import pymongo

from models.store.codec import from_document, to_changes, to_document
from models.store.collections import Store
from models.whatsapp_config import WebhookStatus, WhatsAppConfig
from runtime.clock import Clock
from runtime.errors import Conflict, NotFound

#: How long (s) a reading of the accounts may take, finding a server included: the receiver waits for it when it
#: starts, and so does a webhook of somebody it does not know.
READ_LIMIT_S: Final = 2.0


class Configs:
    """The accounts."""

    def __init__(self, store: Store) -> None:
        self._configs = store.whatsappconfigs

    def live(self) -> list[WhatsAppConfig]:
        """All active accounts."""
        with pymongo.timeout(READ_LIMIT_S):
            rows = list(self._configs.find({"isActive": True, "isDeleted": False}))
        return [from_document(WhatsAppConfig, row) for row in rows]

    def all(self) -> list[WhatsAppConfig]:
        """All accounts that are not deleted, oldest first."""
        rows = self._configs.find({"isDeleted": False}).sort("id", 1)
        return [from_document(WhatsAppConfig, row) for row in rows]

    def get(self, config_id: str) -> WhatsAppConfig:
        """Find an account.

        Raises:
            NotFound: there is none.
        """
        row = self._configs.find_one({"id": config_id, "isDeleted": False})
        if row is None:
            raise NotFound(f"no account {config_id}")
        return from_document(WhatsAppConfig, row)

    def add(self, config: WhatsAppConfig, clock: Clock) -> None:
        """Store a new account."""
        now = clock.now()
        self._configs.insert_one(to_document(config) | {"createdAt": now, "updatedAt": now})

    def note_event(self, config_id: str, at: datetime) -> None:
        """Note that an account's webhooks reach us, at least up to a moment."""
        older = [{"lastEventAt": {"$exists": False}}, {"lastEventAt": {"$lt": at}}]
        self._configs.update_one(
            {"id": config_id, "$or": older},
            {"$set": {"lastEventAt": at, "webhookStatus": WebhookStatus.ACTIVE.value}},
        )

    def change(
        self, config_id: str, values: Mapping[str, Any], clock: Clock, *, held: Mapping[str, Any] | None = None
    ) -> WhatsAppConfig:
        """Set fields of an account, by their Python names; `held` says by path what the document must still hold.

        Raises:
            NotFound: there is none.
            Conflict: it holds something else by now.
        """
        changes, removals = to_changes({**values, "updated_at": clock.now()})
        update = {"$set": changes, **({"$unset": removals} if removals else {})}
        wanted = {"id": config_id, "isDeleted": False, **(held or {})}
        if not self._configs.update_one(wanted, update).matched_count:
            self.get(config_id)
            raise Conflict(f"account {config_id} was changed by somebody else at this moment")
        return self.get(config_id)
