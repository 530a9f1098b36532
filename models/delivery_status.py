"""The life of a message as a lattice: whatever order reports come in, and however often, one result.

Vendors report statuses late, twice and in any order, so a status is not set but joined. Progress ranks
queued < sending < unknown < accepted < sent < delivered < read < played, and three rules add the endings:

* `failed` outranks everything up to `sent`, so a late "sent" does not revive a failed message; but
  `delivered` and more outrank `failed`, because then the message did arrive, whatever was said.
* `canceled` outranks everything that was not proven to have left: it holds against queued, sending,
  unknown and accepted; a vendor's `sent`, `failed` or more proves that the message was handed on.
* `received` is the floor: inbound messages start there and an agent's reading makes them `read`.

That is one total order (RANK), and the join is its maximum: commutative, associative and idempotent, so the
final status of any multiset of reports is the greatest of them. Going back on purpose (queued again for a
retry) is not a report: the sending code says so in a conditional update of its own.

Deliberately no vendor words (dialects translate them) and no writing.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from models.values import MessageStatus

_ASCENDING: Final = (
    MessageStatus.RECEIVED,
    MessageStatus.QUEUED,
    MessageStatus.SENDING,
    MessageStatus.UNKNOWN,
    MessageStatus.ACCEPTED,
    MessageStatus.CANCELED,
    MessageStatus.SENT,
    MessageStatus.FAILED,
    MessageStatus.DELIVERED,
    MessageStatus.READ,
    MessageStatus.PLAYED,
)
#: How much each status knows; more wins.
RANK: Final[Mapping[MessageStatus, int]] = {status: rank for rank, status in enumerate(_ASCENDING)}

#: The times that a report of a status establishes, its own first: read implies delivered, and so on. That of
#: an implied status is an upper bound, replaced when its own report comes.
TIMES: Final[Mapping[MessageStatus, tuple[str, ...]]] = {
    MessageStatus.QUEUED: ("queued_at",),
    MessageStatus.SENT: ("sent_at",),
    MessageStatus.DELIVERED: ("delivered_at", "sent_at"),
    MessageStatus.READ: ("read_at", "delivered_at", "sent_at"),
    MessageStatus.PLAYED: ("played_at", "read_at", "delivered_at", "sent_at"),
    MessageStatus.FAILED: ("failed_at",),
}

#: What the seed's `readStatus` says for each status; the others say nothing.
READ_STATUS: Final[Mapping[MessageStatus, str]] = {
    MessageStatus.SENT: "sent",
    MessageStatus.DELIVERED: "delivered",
    MessageStatus.READ: "read",
    MessageStatus.PLAYED: "read",
}


def advance(current: MessageStatus, reported: MessageStatus) -> MessageStatus:
    """Join a report to what is known: the greater of the two."""
    return reported if RANK[reported] > RANK[current] else current


def below(status: MessageStatus) -> list[MessageStatus]:
    """Name the statuses that a report of `status` replaces: the condition of a conditional update."""
    return list(_ASCENDING[: RANK[status]])


def earliest(known: datetime | None, reported: datetime) -> datetime:
    """Join a reported time to the known one: the earlier, since no repetition or implication is.

    Joining times this way is independent of order too.
    """
    return reported if known is None else min(known, reported)


def times(reports: Iterable[tuple[MessageStatus, datetime]]) -> dict[str, datetime]:
    """Return, by field, the times that a set of reports establishes, in whatever order they came."""
    established: dict[str, datetime] = {}
    for status, at in reports:
        for field in TIMES.get(status, ()):
            established[field] = earliest(established.get(field), at)
    return established
