"""The verbs on pauses: count a failure, pause an account, let one message try, resume.

Every step is conditional on what was seen, so of many workers one takes it. Deliberately no judgement of what counts
as trouble and for how long: `services.sending.pausing` has it.
"""

from datetime import datetime, timedelta

from pymongo import ReturnDocument
from pymongo.client_session import ClientSession

from models.send_pause import SendPause
from models.store.codec import from_document, to_document
from models.store.collections import Store
from models.whatsapp_config import Health


class Pauses:
    """The accounts in trouble."""

    def __init__(self, store: Store) -> None:
        self._rows = store.sendpauses
        self._configs = store.whatsappconfigs

    def all(self) -> dict[str, SendPause]:
        """All of them, by account."""
        return {row["id"]: from_document(SendPause, row) for row in self._rows.find({"id": {"$gt": ""}})}

    def count(
        self, config_id: str, *, reason: str, now: datetime, within: timedelta, reported: bool = False
    ) -> SendPause:
        """Count a failure; one that comes long after the last is the first again."""
        in_a_row = {"$gt": ["$failedAt", now - within]}
        row = self._rows.find_one_and_update(
            {"id": config_id},
            [
                {
                    "$set": {
                        "failures": {"$cond": [in_a_row, {"$add": [{"$ifNull": ["$failures", 0]}, 1]}, 1]},
                        "failedAt": now,
                        "reason": {"$literal": reason},
                        **({"reported": True} if reported else {}),
                        "updatedAt": now,
                        "createdAt": {"$ifNull": ["$createdAt", now]},
                    }
                }
            ],
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        return from_document(SendPause, row or {})

    def pause(self, config_id: str, *, now: datetime, until: datetime) -> bool:
        """Pause an account that still sends; say whether this call did."""
        change = {"$set": {"pausedUntil": until, "since": now, "probes": 0, "updatedAt": now}}
        return self._rows.update_one({"id": config_id, "pausedUntil": {"$exists": False}}, change).modified_count == 1

    def take_probe(self, pause: SendPause, *, now: datetime, until: datetime) -> SendPause | None:
        """Take the one probe of an interval that has ended; None where another has it."""
        row = self._rows.find_one_and_update(
            {"id": pause.id, "pausedUntil": pause.paused_until},
            {"$set": {"pausedUntil": until, "updatedAt": now}, "$inc": {"probes": 1}},
            return_document=ReturnDocument.AFTER,
        )
        return from_document(SendPause, row) if row else None

    def note_answer(self, config_id: str, *, now: datetime) -> None:
        """Note that the vendor has taken a message of an account, which may come to nothing yet."""
        self._rows.update_one({"id": config_id}, {"$set": {"answeredAt": now, "updatedAt": now}})

    def resume(self, config_id: str) -> SendPause | None:
        """Forget an account's trouble; return what it was."""
        row = self._rows.find_one_and_delete({"id": config_id})
        return from_document(SendPause, row) if row else None

    def set_health(self, config_id: str, health: Health, session: ClientSession) -> None:
        """Note how an account fares."""
        self._configs.update_one(
            {"id": config_id}, {"$set": {"health": to_document(health), "updatedAt": health.since}}, session=session
        )

    def health(self, config_id: str) -> Health | None:
        """How an account fares, as noted."""
        row = self._configs.find_one({"id": config_id}, {"health": 1})
        return from_document(Health, row.get("health") or {}) if row else None
