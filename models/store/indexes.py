"""The indexes, as one table, and how a database is brought to it.

docs/data-model.md lists the same table. What must be unique among people is unique among live rows only, so
that what was deleted can be made again; what a row may lack is indexed only where it is present. Deliberately
never drops an index it does not know: operators may add their own.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pymongo
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, OperationFailure

from models.chat_assignment import AssignmentStatus
from models.follow_up import FollowUpStatus
from models.media_file import FileState
from models.store.collections import DURABLE
from models.values import EventStatus, MessageStatus
from runtime.errors import Conflict

Where = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Index:
    """One index: its keys in order ("-" descends), and which rows it holds."""

    keys: str
    unique: bool = False
    where: Where = field(default_factory=dict)
    #: Remove a row this many seconds after the moment in its key.
    expire_after: int | None = None

    @property
    def key(self) -> dict[str, int]:
        """The keys as MongoDB spells them."""
        return {one.lstrip("-"): DESCENDING if one[0] == "-" else ASCENDING for one in self.keys.split()}

    @property
    def name(self) -> str:
        """The name MongoDB itself would give, so that an index made by hand from the seed is recognised."""
        return "_".join(f"{one}_{direction}" for one, direction in self.key.items())

    @property
    def options(self) -> dict[str, Any]:
        """The options besides key and name, as MongoDB reports them."""
        options = {"unique": self.unique, "partialFilterExpression": dict(self.where)}
        expiry = {} if self.expire_after is None else {"expireAfterSeconds": self.expire_after}
        return {name: value for name, value in options.items() if value} | expiry


def _present(*names: str) -> Where:
    """Only rows that have these fields."""
    return {name: {"$exists": True} for name in names}


_ID: Final = Index("id", unique=True)
_LIVE: Final[Where] = {"isDeleted": False}
_BLOCKING: Final[Where] = {**_LIVE, "isActive": True}
_WAITING: Final[Where] = {**_LIVE, "status": FollowUpStatus.PENDING.value}
_UNFINISHED: Final[Where] = {"status": {"$in": [EventStatus.PENDING.value, EventStatus.PROCESSING.value]}}
_TROUBLED: Final[Where] = {"status": {"$in": [EventStatus.FAILED.value, EventStatus.IGNORED.value]}}
#: Messages that wait for their turn, and the one that has it: a message keeps its place while it is sent.
_OUTBOUND: Final[Where] = {"status": {"$in": [MessageStatus.QUEUED.value, MessageStatus.SENDING.value]}}
_ACTIVE: Final[Where] = {"status": AssignmentStatus.ACTIVE.value}

#: Collection -> its indexes: first those of the seed, then ours. One of the seed's with which another begins is not
#: built twice, and `chats` and `messages` get no more than they must: each index makes every other dearer there
#: (docs/decisions/0012).
INDEXES: Final[Mapping[str, tuple[Index, ...]]] = {
    "chats": (
        Index("phoneNumber", where=_present("phoneNumber")),
        Index("-createdAt"),
        Index("labels"),
        Index("isDeleted status"),
        _ID,
        # One live chat per address: five photos in parallel open one chat.
        Index("configId addressId", unique=True, where=_LIVE),
        Index("-lastMessageTime -id"),
        Index("status -lastMessageTime -id"),
        Index("assignedTo -lastMessageTime -id", where=_present("assignedTo")),
        Index("customerId", where=_present("customerId")),
    ),
    "messages": (
        _ID,
        Index("providerMessageId", where=_present("providerMessageId")),
        Index("-timestamp"),
        Index("senderId", where=_present("senderId")),
        Index("status"),
        # The same message delivered twice is one message.
        Index("configId providerMessageId", unique=True, where=_present("providerMessageId")),
        Index("chatId -timestamp -receivedAt -id"),
        Index("chatId queuedAt id", where=_OUTBOUND),
        # Only messages whose file is still to be fetched carry the field.
        Index("fetch.dueAt", where=_present("fetch.dueAt")),
    ),
    "agents": (
        Index("userId", unique=True, where={**_LIVE, **_present("userId")}),
        Index("status"),
        Index("isOnline"),
        Index("isActive"),
        _ID,
    ),
    "labels": (Index("name", unique=True, where=_LIVE), Index("isActive"), _ID),
    "templates": (
        Index("name"),
        Index("category"),
        Index("isActive"),
        Index("whatsappTemplateId", where=_present("whatsappTemplateId")),
        _ID,
        Index("configId name language", unique=True, where=_LIVE),
        Index("name id"),
    ),
    "followups": (
        Index("chatId"),
        Index("agentId"),
        Index("scheduledAt"),
        Index("status"),
        Index("scheduledAt status"),
        _ID,
        # What the clock looks for: no more than what still waits, in the order in which it is due.
        Index("status reminderSent scheduledAt id", where=_WAITING),
        Index("templateDueAt", where=_present("templateDueAt")),
        Index("origin", unique=True, where=_present("origin")),
        Index("agentId scheduledAt id", where={**_LIVE, **_present("agentId")}),
        Index("scheduledAt id", where=_LIVE),
        Index("chatId scheduledAt id", where=_LIVE),
    ),
    "teamnotes": (Index("chatId -createdAt"), Index("authorId"), _ID),
    "blockednumbers": (
        Index("phoneNumber", unique=True, where={**_BLOCKING, **_present("phoneNumber")}),
        Index("isActive"),
        Index("-blockedAt"),
        _ID,
        Index("userId", unique=True, where={**_BLOCKING, **_present("userId")}),
        Index("nextAttemptAt", where=_present("nextAttemptAt")),
    ),
    "customers": (
        Index("phoneNumber", unique=True, where={**_LIVE, **_present("phoneNumber")}),
        Index("email", where=_present("email")),
        Index("name", where=_present("name")),
        Index("tags"),
        _ID,
    ),
    # Inserting here is the hottest write of all: a new row has entries only in `_id`, `id`, `deliveryKey`,
    # `status nextAttemptAt`, `receivedAt` and `provider`.
    "webhookevents": (
        Index("eventType", where=_present("eventType")),
        # Waiting rows are found by the next-but-three index, and processed ones are nearly all there are.
        Index("status", where=_TROUBLED),
        Index("-receivedAt"),
        Index("chatId", where=_present("chatId")),
        Index("provider"),
        _ID,
        Index("deliveryKey", unique=True),
        Index("status nextAttemptAt", where=_UNFINISHED),
        # Only ended rows carry the field, so nothing unfinished ever expires.
        Index("expiresAt", where=_present("expiresAt"), expire_after=0),
    ),
    "chatassignments": (
        Index("chatId -assignedAt"),
        Index("assignedTo"),
        Index("status"),
        _ID,
        Index("chatId", unique=True, where=_ACTIVE),
    ),
    "agentperformance": (Index("agentId -date", unique=True), Index("-date"), _ID),
    "whatsappconfigs": (Index("provider isActive"), Index("isActive"), _ID),
    "addresses": (
        _ID,
        Index("configId kind value", unique=True),
        Index("configId canonical kind", unique=True),
        Index("customerId", where=_present("customerId")),
    ),
    "apitokens": (
        _ID,
        Index("tokenSha256", unique=True),
        Index("agentId", where=_present("agentId")),
    ),
    "auditentries": (
        _ID,
        Index("entity entityId -at"),
        Index("actorId -at", where=_present("actorId")),
        Index("-at"),
    ),
    "pendingupdates": (
        _ID,
        Index("configId key", unique=True),
        Index("configId providerMessageId"),
        Index("clientRef", where=_present("clientRef")),
        Index("expiresAt", expire_after=0),
    ),
    "messagemoves": (_ID,),
    "customermerges": (_ID, Index("customerId -id")),
    "outboxes": (_ID, Index("nextAt configId")),
    "sendpauses": (_ID,),
    "receipts": (_ID, Index("dueAt")),
    "mediafiles": (_ID, Index("createdAt", where={"state": FileState.STORING.value})),
    "templateusages": (_ID,),
    "idempotencykeys": (_ID, Index("key", unique=True), Index("expiresAt", expire_after=0)),
}

#: Parts of MongoDB's report on an index that are no options of ours.
_NOT_OPTIONS: Final = frozenset({"v", "key", "name", "ns", "background"})
#: Server errors that another process causes by applying the table at the same moment.
_RACES: Final = frozenset(
    {
        27,  # IndexNotFound: the other dropped it
        85,  # IndexOptionsConflict: the other has not replaced it yet
        86,  # IndexKeySpecsConflict: likewise
        112,  # WriteConflict
        117,  # ConflictingOperationInProgress
        276,  # IndexBuildAborted: the other dropped it while we built it
    }
)
#: How often to begin again when others apply at the same moment, and how long (s) to wait before.
_TRIES: Final = 40
_PAUSE_S: Final = 0.05
#: How long (s) building an index may take; on a full collection longer than any other call.
_BUILD_S: Final = 3_600


def apply(database: Database[dict[str, Any]]) -> list[str]:
    """Bring a database to the table; return what was made, as "collection.index". Many may do so at once.

    Raises:
        Conflict: rows repeat what a unique index forbids.
        pymongo.errors.PyMongoError: the database is away or refuses.
    """
    made: set[str] = set()
    for last in [False] * (_TRIES - 1) + [True]:
        try:
            for collection in INDEXES:
                made.update(_apply_to(database.get_collection(collection, write_concern=DURABLE)))
        except OperationFailure as error:
            if last or error.code not in _RACES:
                raise
        else:
            # Another may have replaced, and so dropped, what we found in place.
            if not missing(database):
                break
        time.sleep(_PAUSE_S)
    return sorted(made)


def missing(database: Database[dict[str, Any]]) -> list[str]:
    """Name the indexes that a database lacks or has with other options, as "collection.index"."""
    return [
        f"{collection}.{index.name}"
        for collection in INDEXES
        for index in _lacking(_existing(database[collection]), INDEXES[collection])
    ]


def _apply_to(collection: Collection[dict[str, Any]]) -> list[str]:
    existing = _existing(collection)
    lacking = _lacking(existing, INDEXES[collection.name])
    for index in lacking:
        if index.name in existing:
            collection.drop_index(index.name)
    if lacking:
        _create(collection, lacking)
    return [f"{collection.name}.{index.name}" for index in lacking]


def _create(collection: Collection[dict[str, Any]], indexes: Iterable[Index]) -> None:
    models = [IndexModel(list(index.key.items()), name=index.name, **index.options) for index in indexes]
    try:
        with pymongo.timeout(_BUILD_S):
            collection.create_indexes(models)
    except DuplicateKeyError as error:
        # The server's own words would quote the repeated value, which may be a phone number.
        repeated = ", ".join((error.details or {}).get("keyPattern", ()))
        problem = f"{collection.name}: rows repeat a value of {repeated} that must be unique"
        raise Conflict(problem, code="index_conflict") from None


def _existing(collection: Collection[dict[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {spec["name"]: spec for spec in collection.list_indexes()}


def _lacking(existing: Mapping[str, Mapping[str, Any]], wanted: Iterable[Index]) -> list[Index]:
    """Pick the wanted indexes that exist neither by our name nor, made by hand, by another."""
    present = [(list(spec["key"].items()), _options(spec)) for spec in existing.values()]
    return [index for index in wanted if (list(index.key.items()), index.options) not in present]


def _options(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in spec.items() if name not in _NOT_OPTIONS}
