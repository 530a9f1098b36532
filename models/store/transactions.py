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
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WriteConcernError,
    WTimeoutError,
)
from pymongo.read_concern import ReadConcern

from runtime.metrics import APPLY_RETRIES

#: How often work is begun again before the collision is reported.
MAX_TRIES: Final = 50
#: Longest pause (s) between two tries; the pause is random so that two colliding workers part.
MAX_PAUSE_S: Final = 0.05
_DUPLICATE_KEY: Final = 11000
#: How often work is begun again for a row that another has just inserted: the next run sees it, unless it is one
#: that the work will never see.
MAX_DUPLICATE_TRIES: Final = 10
_OUTAGES: Final = (AutoReconnect, ServerSelectionTimeoutError, ConnectionFailure, WriteConcernError, ExecutionTimeout)
#: The database was there and did not end in time: it may be the work that is too heavy.
_TOO_SLOW: Final = (NetworkTimeout, ExecutionTimeout)
#: Server errors that say nothing about the work, though they carry no label.
_NOT_THE_WORKS_FAULT: Final = frozenset(
    {
        13,  # Unauthorized: our rights, not the row
        18,  # AuthenticationFailed
        43,  # CursorNotFound: the server forgot what we were reading
        133,  # FailedToSatisfyReadPreference: no such member now
        146,  # ExceededMemoryLimit
        202,  # NetworkInterfaceExceededTimeLimit
        290,  # TransactionExceededLifetimeLimitSeconds
        11601,  # Interrupted: somebody ended the operation
        14031,  # OutOfDiskSpace
    }
)
#: What a primary says of a write that it has done, but not yet on a majority, when it ceases to be the primary.
_PRIMARY_NO_MORE: Final = frozenset({91, 189, 10107, 11600, 11602, 13435, 13436})

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
                if attempt >= _tries(error) - 1:
                    raise
                APPLY_RETRIES.inc()
                time.sleep(random.uniform(0, min(MAX_PAUSE_S, 0.002 * 2**attempt)))  # noqa: S311  not a secret
    raise AssertionError("unreachable")


def insist(write: Callable[[], R]) -> R:
    """Do what may be done twice once more if its server was lost: the driver repeats no update of many by itself.

    Raises:
        PyMongoError: it cannot be done, or the database is away.
    """
    try:
        return write()
    except PyMongoError as error:
        if not is_cut_off(error):
            raise
    return write()


def is_cut_off(error: PyMongoError) -> bool:
    """Whether a call lost its server half-way, by whatever end: there may be another primary in a moment."""
    if isinstance(error, WriteConcernError):
        return error.code in _PRIMARY_NO_MORE
    return isinstance(error, AutoReconnect) and not isinstance(error, (ServerSelectionTimeoutError, NetworkTimeout))


def is_outage(error: BaseException) -> bool:
    """Whether an error says that MongoDB is away rather than that the work is wrong."""
    if isinstance(error, OperationFailure) and error.code in _NOT_THE_WORKS_FAULT:
        return True
    return isinstance(error, _OUTAGES) or (
        isinstance(error, PyMongoError) and error.has_error_label("TransientTransactionError")
    )


def is_away(error: BaseException) -> bool:
    """Whether an outage cannot be the work's own doing, as one of a call that took too long might be."""
    return is_outage(error) and not isinstance(error, _TOO_SLOW)


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
    for last in [False] * (MAX_TRIES - 1) + [True]:
        try:
            session.commit_transaction()
        except PyMongoError as error:
            if last or not error.has_error_label("UnknownTransactionCommitResult") or _is_for_good(error):
                raise
        else:
            return


def _is_for_good(error: PyMongoError) -> bool:
    """Whether asking again at once is of no use: no server could be found, or no majority."""
    return isinstance(error, (ServerSelectionTimeoutError, WTimeoutError))


def _tries(error: PyMongoError) -> int:
    """How often work that ends in an error is worth being run."""
    if isinstance(error, ServerSelectionTimeoutError):
        return 1
    if error.has_error_label("TransientTransactionError"):
        return MAX_TRIES
    return MAX_DUPLICATE_TRIES if _is_duplicate(error) else 1


def _is_duplicate(error: PyMongoError) -> bool:
    if isinstance(error, BulkWriteError):
        return any(item.get("code") == _DUPLICATE_KEY for item in error.details.get("writeErrors", ()))
    return isinstance(error, DuplicateKeyError)
