"""Running work in one transaction, again from the start when it collides with another.

MongoDB labels what may be repeated; a duplicate key is repeated too, because the second run sees the row that
won. Deliberately no other error is caught.
"""

import random
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from pymongo import MongoClient, ReadPreference, WriteConcern
from pymongo.client_session import ClientSession
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConnectionFailure,
    DuplicateKeyError,
    ExecutionTimeout,
    PyMongoError,
    ServerSelectionTimeoutError,
    WTimeoutError,
)
from pymongo.read_concern import ReadConcern

from runtime.metrics import APPLY_RETRIES

#: How often work is begun again before the collision is reported.
MAX_TRIES: Final = 50
#: Longest pause (s) between two tries; the pause is random so that two colliding workers part.
MAX_PAUSE_S: Final = 0.05
_DUPLICATE_KEY: Final = 11000
_OUTAGES: Final = (AutoReconnect, ServerSelectionTimeoutError, ConnectionFailure, WTimeoutError, ExecutionTimeout)

R = TypeVar("R")
Work = Callable[[ClientSession], R]


def transact(client: "MongoClient[dict[str, Any]]", work: "Work[R]") -> R:
    """Run `work` in a snapshot transaction, durable on a majority, and return its result.

    Raises:
        PyMongoError: it cannot be done, or collided too often.
    """
    with client.start_session() as session:
        for attempt in range(MAX_TRIES):
            try:
                return _once(session, work)
            except PyMongoError as error:
                if attempt == MAX_TRIES - 1 or not _worth_repeating(error):
                    raise
                APPLY_RETRIES.inc()
                time.sleep(random.uniform(0, min(MAX_PAUSE_S, 0.002 * 2**attempt)))  # noqa: S311  not a secret
    raise AssertionError("unreachable")


def is_outage(error: BaseException) -> bool:
    """Whether an error says that MongoDB is away rather than that the work is wrong."""
    return isinstance(error, _OUTAGES) or (
        isinstance(error, PyMongoError) and error.has_error_label("TransientTransactionError")
    )


def _once(session: ClientSession, work: "Work[R]") -> R:
    session.start_transaction(
        read_concern=ReadConcern("snapshot"),
        write_concern=WriteConcern(w="majority", j=True, wtimeout=10_000),
        read_preference=ReadPreference.PRIMARY,
    )
    try:
        result = work(session)
    except BaseException:
        if session.in_transaction:
            session.abort_transaction()
        raise
    _commit(session)
    return result


def _commit(session: ClientSession) -> None:
    """Commit; a commit whose answer was lost is asked again, which MongoDB answers truthfully."""
    while True:
        try:
            session.commit_transaction()
        except PyMongoError as error:
            if error.has_error_label("UnknownTransactionCommitResult") and not is_outage_for_good(error):
                continue
            raise
        return


def is_outage_for_good(error: PyMongoError) -> bool:
    """Whether no server could be found at all: asking again at once is of no use."""
    return isinstance(error, (ServerSelectionTimeoutError, WTimeoutError))


def _worth_repeating(error: PyMongoError) -> bool:
    if isinstance(error, ServerSelectionTimeoutError):
        return False
    return error.has_error_label("TransientTransactionError") or _is_duplicate(error)


def _is_duplicate(error: PyMongoError) -> bool:
    if isinstance(error, BulkWriteError):
        return any(item.get("code") == _DUPLICATE_KEY for item in error.details.get("writeErrors", ()))
    return isinstance(error, DuplicateKeyError)
