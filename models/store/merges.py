"""Merging customers and taking it back: chats, addresses and customers in one transaction, and no message touched.

Whoever writes to one of the chats at the same moment changes its customer too, so that one of the two begins again.
A chat keeps its own address, so answers go where they went. Deliberately no judgement of who may do so.
"""

from datetime import datetime
from typing import Any, Final

from models.customer import Customer
from models.customer_merge import CustomerMerge
from models.ids import new_id
from models.store.audit import Session
from models.store.codec import camel, from_document, to_changes, to_document
from models.store.collections import Documents, Store
from models.store.moves import counted_from_chats
from runtime.errors import Conflict, NotFound

#: What the one who stays takes over where it knows nothing.
FILLED: Final = ("phone_number", "user_id", "username", "name", "email", "language", "whatsapp_name")


class Merges:
    """The merges of customers."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def merge(
        self, gone_id: str, kept_id: str, *, by: str | None, now: datetime, session: Session
    ) -> CustomerMerge | None:
        """Let one customer end in another; None where that is so already.

        Raises:
            NotFound: there is no such customer.
            Conflict: one of them has ended in somebody else.
        """
        gone, kept = self._customer(gone_id, session), self._customer(kept_id, session)
        if gone.is_deleted and gone.merged_into == kept_id:
            return None
        for one in (gone, kept):
            _check_living(one)
        merge = CustomerMerge(
            id=new_id("mrg"),
            customer_id=gone_id,
            into_id=kept_id,
            chat_ids=_ids(self._store.chats, {"customerId": gone_id}, session),
            address_ids=_ids(self._store.addresses, {"customerId": gone_id}, session),
            filled={name: getattr(gone, name) for name in FILLED if getattr(gone, name) and not getattr(kept, name)},
            at=now,
        )
        ended = {"is_deleted": True, "deleted_at": now, "deleted_by": by, "merged_into": kept_id, "is_active": False}
        self._set(gone_id, ended, now, session)
        self._give(merge.chat_ids, merge.address_ids, held_by=gone_id, to=kept_id, session=session)
        seen_at = {name: at for name, at in (gone.seen_at or {}).items() if name in merge.filled}
        self._set(kept_id, {**merge.filled, "seen_at": (kept.seen_at or {}) | seen_at}, now, session)
        self._set(kept_id, counted_from_chats(self._store, kept_id, session), now, session)
        self._store.customermerges.insert_one(
            to_document(merge) | {"createdAt": now, "updatedAt": now}, session=session
        )
        return merge

    def undo(self, gone_id: str, *, now: datetime, session: Session) -> CustomerMerge | None:
        """Bring an ended customer back with what was moved; None where that was done already.

        Raises:
            NotFound: there is no such customer.
            Conflict: it was no person's merge that ended it.
        """
        gone = self._customer(gone_id, session)
        query = {"customerId": gone_id, "undoneAt": {"$exists": False}}
        row = self._store.customermerges.find_one(query, sort=[("id", -1)], session=session)
        if row is None:
            _check_living(gone)
            return None
        merge = from_document(CustomerMerge, row)
        kept = self._living(merge.into_id, session)
        opened = _ids(self._store.chats, {"addressId": {"$in": merge.address_ids}, "customerId": kept.id}, session)
        self._give([*merge.chat_ids, *opened], merge.address_ids, held_by=kept.id, to=gone_id, session=session)
        taken = [name for name, value in merge.filled.items() if getattr(kept, name) == value]
        self._set(kept.id, dict.fromkeys(taken), now, session)
        self._revive(gone, now, session)
        for customer_id in (kept.id, gone_id):
            self._set(customer_id, counted_from_chats(self._store, customer_id, session), now, session)
        undone = {"$set": {"undoneAt": now, "updatedAt": now}}
        self._store.customermerges.update_one({"id": merge.id}, undone, session=session)
        return merge

    def _revive(self, gone: Customer, now: datetime, session: Session) -> None:
        """Bring a customer back, without the number if somebody else has it by now."""
        values = {"is_deleted": False, "deleted_at": None, "deleted_by": None, "merged_into": None, "is_active": True}
        number = {"phoneNumber": gone.phone_number, "isDeleted": False}
        if gone.phone_number and self._store.customers.find_one(number, {"_id": 1}, session=session):
            values["phone_number"] = None
        self._set(gone.id, values, now, session)

    def _give(self, chat_ids: list[str], address_ids: list[str], *, held_by: str, to: str, session: Session) -> None:
        """Give chats and addresses to a customer, as far as they are still the other's."""
        for collection, ids in ((self._store.chats, chat_ids), (self._store.addresses, address_ids)):
            held = {"id": {"$in": ids}, "customerId": held_by}
            collection.update_many(held, {"$set": {"customerId": to}}, session=session)

    def _customer(self, customer_id: str, session: Session) -> Customer:
        row = self._store.customers.find_one({"id": customer_id}, session=session)
        if row is None or (row["isDeleted"] and "mergedInto" not in row):
            raise NotFound(f"There is no customer {customer_id}.")
        return from_document(Customer, row)

    def _living(self, customer_id: str, session: Session) -> Customer:
        """The customer, or the one it has ended in since."""
        customer = self._customer(customer_id, session)
        return self._living(customer.merged_into, session) if customer.is_deleted and customer.merged_into else customer

    def _set(self, customer_id: str, values: dict[str, Any], now: datetime, session: Session) -> None:
        changes, removals = to_changes({**values, "updated_at": now})
        update = {"$set": changes, **({"$unset": removals} if removals else {})}
        self._store.customers.update_one({"id": customer_id}, update, session=session)


def _check_living(customer: Customer) -> None:
    if customer.is_deleted:
        details = {camel("merged_into"): customer.merged_into}
        raise Conflict(f"Customer {customer.id} was merged into another.", details=details)


def _ids(collection: Documents, query: dict[str, Any], session: Session) -> list[str]:
    return [row["id"] for row in collection.find(query, {"id": 1}, session=session)]
