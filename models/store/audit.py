"""The audit trail: a change and the entry that says who made it, in one transaction.

Neither stands without the other. Deliberately no way to alter or remove an entry.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

from pymongo.client_session import ClientSession

from models.audit_entry import AuditEntry
from models.store.codec import from_document, to_document
from models.store.collections import Store
from models.store.transactions import transact
from runtime.errors import NotFound

#: A transaction under way, for the floors above that hand it from verb to verb and know no driver.
Session = ClientSession
R = TypeVar("R")


class AuditTrail:
    """Who changed what."""

    def __init__(self, store: Store) -> None:
        self._client = store.client
        self._entries = store.auditentries

    def entry(self, entry_id: str) -> AuditEntry:
        """Find an entry.

        Raises:
            NotFound: there is none.
        """
        row = self._entries.find_one({"id": entry_id})
        if row is None:
            raise NotFound(f"There is no audit entry {entry_id}.")
        return from_document(AuditEntry, row)

    def together(self, change: Callable[[Session], R], entry: AuditEntry) -> R:
        """Make a change and write down the entry, or neither.

        Raises:
            Whatever `change` raises; nothing stands then.
        """

        def work(session: Session) -> R:
            result = change(session)
            document = to_document(entry) | {"createdAt": entry.at, "updatedAt": entry.at}
            self._entries.insert_one(document, session=session)
            return result

        return transact(self._client, work)

    def recording(self, change: Callable[[Session], R], entries: Callable[[R], Iterable[AuditEntry]]) -> R:
        """Make a change and write down what `entries` says of its result, or neither.

        Raises:
            Whatever `change` raises; nothing stands then.
        """

        def work(session: Session) -> R:
            result = change(session)
            documents = [to_document(one) | {"createdAt": one.at, "updatedAt": one.at} for one in entries(result)]
            if documents:
                self._entries.insert_many(documents, session=session)
            return result

        return transact(self._client, work)
