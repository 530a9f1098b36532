"""Storing webhooks: many rows in one durable write, each with its own result.

A row counts as stored only when a majority has journaled it (law 1). Deliberately no parsing: the bytes
are kept as received, because any poison is storable as bytes.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final

import bson
import pymongo
from bson.raw_bson import RawBSONDocument
from pymongo import WriteConcern
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError

from models.ids import new_id
from models.values import EventStatus

DUPLICATE_KEY: Final = 11000
#: How long (s) storing a group may take, the majority's word and a change of primary included, before it is reported
#: as not stored. A server that hangs would otherwise hold up every group behind it for longer than vendors wait.
STORE_LIMIT_S: Final = 3.0
#: Why MongoDB may not store a row though nothing is wrong with it: a shard or its primary is away, the disk is full.
PASSING: Final = frozenset({6, 7, 50, 64, 89, 91, 133, 189, 202, 262, 9001, 10107, 11600, 11602, 13435, 13436, 14031})
DURABLE: Final = WriteConcern(w="majority", j=True)
_UNFINISHED: Final = [EventStatus.PENDING, EventStatus.PROCESSING]


class Stored(Enum):
    """What became of one row of a group."""

    NEW = "new"
    DUPLICATE = "duplicate"
    REFUSED = "refused"
    #: Not for the row's own sake; it may be stored when it comes again.
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class IntakeRow:
    """A webhook ready to be written: encoded already, so that poison fails alone and early."""

    id: str
    delivery_key: bytes
    document: RawBSONDocument

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return len(self.document.raw)


def delivery_key(*, provider: str, account_id: str, target: str, body: bytes) -> bytes:
    """Identify a delivery: the same bytes for the same account are the same delivery, whoever carries them again.

    `target` is what else changes the meaning of the bytes (Twilio's callback query, the minute), mostly empty.
    """
    start = hashlib.sha256(f"{provider}\n{account_id}\n{target}\n".encode())
    start.update(body)
    return start.digest()


def intake_row(
    *,
    provider: str,
    config_id: str,
    body: bytes,
    content_type: str,
    query: str,
    headers: Mapping[str, str],
    received_at: datetime,
    timeless: bool = False,
) -> IntakeRow:
    """Encode a webhook as a pending row.

    Of a `timeless` one the same bytes are the same delivery within a minute, and news later.

    Raises:
        bson.errors.InvalidDocument, ValueError: a header cannot be stored.
    """
    target = f"{query}\n{received_at:%Y-%m-%dT%H:%M}" if timeless else query
    key = delivery_key(provider=provider, account_id=config_id, target=target, body=body)
    event_id = new_id("evt", received_at)
    document: dict[str, Any] = {
        "_id": bson.ObjectId(),
        "id": event_id,
        "provider": provider,
        "configId": config_id,
        "status": EventStatus.PENDING.value,
        "rawBody": body,
        "contentType": content_type,
        "headers": dict(headers),
        "deliveryKey": key,
        "attempts": 0,
        "generation": 0,
        "receivedAt": received_at,
        "nextAttemptAt": received_at,
        "createdAt": received_at,
        "updatedAt": received_at,
    }
    if query:
        document["query"] = query
    return IntakeRow(event_id, key, RawBSONDocument(bson.encode(document)))


class Intake:
    """The receiver's two verbs on `webhookevents`."""

    def __init__(self, collection: "Collection[dict[str, Any]]") -> None:
        self._durable: Collection[Any] = collection.with_options(write_concern=DURABLE)
        self._events = collection

    def store(self, rows: Sequence[IntakeRow]) -> list[Stored]:
        """Write a group with one durable insert and say what became of each row.

        Raises:
            pymongo.errors.PyMongoError: nothing can be promised about any of them; a redelivery is recognised.
        """
        try:
            with pymongo.timeout(STORE_LIMIT_S):
                self._durable.insert_many([row.document for row in rows], ordered=False)
        except BulkWriteError as error:
            if error.details.get("writeConcernErrors"):
                raise
            return _results(len(rows), error.details["writeErrors"])
        return [Stored.NEW] * len(rows)

    def note_redelivery(self, keys: Iterable[bytes]) -> list[str]:
        """Count repeated deliveries; return the ids of those whose first copy is not finished yet."""
        repeats = Counter(keys)
        wanted = list(repeats)
        for times in set(repeats.values()):
            repeated = [key for key in wanted if repeats[key] == times]
            self._events.update_many({"deliveryKey": {"$in": repeated}}, {"$inc": {"redeliveries": times}})
        unfinished = {"deliveryKey": {"$in": wanted}, "status": {"$in": _UNFINISHED}}
        return [row["id"] for row in self._events.find(unfinished, {"id": 1, "_id": 0})]


def _results(count: int, errors: Sequence[Mapping[str, Any]]) -> list[Stored]:
    results = [Stored.NEW] * count
    for error in errors:
        results[error["index"]] = _result_of(error["code"])
    return results


def _result_of(code: int) -> Stored:
    if code == DUPLICATE_KEY:
        return Stored.DUPLICATE
    return Stored.MISSED if code in PASSING else Stored.REFUSED
