"""The verbs on accounts: add, find, change. Secrets arrive sealed and leave sealed.

Deliberately no keys here: `services.connecting` seals, `providers.accounts` opens.
"""

from collections.abc import Mapping
from typing import Any, Final

from models.store.codec import from_document, to_changes, to_document
from models.store.collections import Store
from models.whatsapp_config import WhatsAppConfig
from runtime.clock import Clock
from runtime.errors import NotFound

#: How long (ms) a reading of the accounts may take: the receiver waits for it when it starts.
READ_LIMIT_MS: Final = 2_000


class Configs:
    """The accounts."""

    def __init__(self, store: Store) -> None:
        self._configs = store.whatsappconfigs

    def live(self) -> list[WhatsAppConfig]:
        """All active accounts."""
        rows = self._configs.find({"isActive": True, "isDeleted": False}).max_time_ms(READ_LIMIT_MS)
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

    def change(self, config_id: str, values: Mapping[str, Any], clock: Clock) -> WhatsAppConfig:
        """Set fields of an account, by their Python names.

        Raises:
            NotFound: there is none.
        """
        changes, removals = to_changes({**values, "updated_at": clock.now()})
        update = {"$set": changes, **({"$unset": removals} if removals else {})}
        if not self._configs.update_one({"id": config_id, "isDeleted": False}, update).matched_count:
            raise NotFound(f"no account {config_id}")
        return self.get(config_id)
