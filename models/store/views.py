"""Reading for the desk: lists and single documents, cut to the fields a caller may see.

What leaves MongoDB is named field by field, so a field that nobody described never reaches the wire. Every
read is bounded in time: an unlucky combination of filters costs a 503, not a thread. Deliberately no entities:
documents are spelled as the wire is, and making fifty dataclasses only to take them apart is most of a list.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pymongo

from models.caller import Caller
from models.store.collections import Documents
from models.store.filters import Scalar, Span, matching
from models.store.paging import Page, page
from models.values import ChatStatus
from runtime.errors import NotFound

Document = dict[str, Any]
#: A condition on one field, as callers may state it: this value, one of these, or a stretch.
Wanted = Scalar | list[Scalar] | Span | None

#: How long (s) one read may take, finding a server included.
READ_LIMIT_S: Final = 5.0
#: Rows that are not deleted.
LIVE: Final[Mapping[str, Any]] = {"isDeleted": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a caller asks of a list."""

    wanted: Mapping[str, Wanted]
    #: As `paging.page` reads it, e.g. "-timestamp -receivedAt": the list's own, never the caller's text.
    sort: str
    limit: int | None = None
    cursor: str | None = None


class View:
    """A collection as callers see it: which rows, and which of their fields."""

    def __init__(
        self,
        collection: Documents,
        *,
        noun: str,
        fields: Iterable[str],
        rows: Mapping[str, Any] | None = None,
    ) -> None:
        self._collection = collection
        self._noun = noun
        self._projection = dict.fromkeys(fields, 1) | {"_id": 0}
        self._rows = dict(rows or {})

    def page(self, listing: Listing, *, scope: Mapping[str, Any] | None = None) -> Page:
        """Read one page; `scope` narrows the rows to what the caller may see and overrules what was asked.

        Raises:
            Invalid: the cursor is not one of this list's.
        """
        query = {**matching(listing.wanted), **self._rows, **(scope or {})}
        with pymongo.timeout(READ_LIMIT_S):
            return page(
                self._collection,
                query,
                sort=listing.sort,
                limit=listing.limit,
                cursor=listing.cursor,
                projection=self._projection,
                name=self._name(scope or {}),
            )

    def one(self, row_id: str, *, scope: Mapping[str, Any] | None = None) -> Document:
        """Read one row.

        Raises:
            NotFound: there is none in the scope; the caller is not told whether there is one beyond it.
        """
        with pymongo.timeout(READ_LIMIT_S):
            row = self._collection.find_one({"id": row_id, **self._rows, **(scope or {})}, self._projection)
        if row is None:
            raise NotFound(f"There is no {self._noun} {row_id}.")
        return row

    def _name(self, scope: Mapping[str, Any]) -> str:
        """Name a list for its cursors: the messages of one chat are another list than those of the next."""
        return " ".join(str(part) for part in (self._noun, scope.get("chatId")) if part)

    def check(self, row_id: str, *, scope: Mapping[str, Any] | None = None) -> None:
        """Make sure that a row is there and within the scope.

        Raises:
            NotFound: it is not.
        """
        with pymongo.timeout(READ_LIMIT_S):
            query = {"id": row_id, **self._rows, **(scope or {})}
            if self._collection.find_one(query, {"_id": 1}) is None:
                raise NotFound(f"There is no {self._noun} {row_id}.")


def chats_seen_by(caller: Caller) -> Mapping[str, Any]:
    """Narrow chats to those a caller may see: all, or the unassigned and their own.

    Two alternatives of one index each, which MongoDB merges in order.
    """
    if caller.sees_all_chats:
        return {}
    own = [{"assignedTo": caller.agent_id}] if caller.agent_id else []
    return {"$or": [*own, {"status": ChatStatus.UNASSIGNED.value}]}


def follow_ups_seen_by(caller: Caller) -> Mapping[str, Any]:
    """Narrow follow-ups to those a caller may list: everybody's for who sees all chats, else their own."""
    return {} if caller.sees_all_chats else _own_follow_ups(caller)


def follow_ups_changed_by(caller: Caller) -> Mapping[str, Any]:
    """Narrow follow-ups to those a caller may change: everybody's for overseers, else their own."""
    return {} if caller.is_overseer and caller.sees_all_chats else _own_follow_ups(caller)


def _own_follow_ups(caller: Caller) -> Mapping[str, Any]:
    # Not in the place of what was asked for: who asks for another's gets nothing, not their own.
    return {"$and": [{"agentId": {"$in": [caller.agent_id] if caller.agent_id else []}}]}
