"""Customers: who they are, and that two of them are one."""

from typing import Any, Final

from api.access import ANY_TOKEN, OVERSEER, caller, permission
from api.desk import desk
from api.schemas.customers import CustomerPage, CustomerSchema, CustomersQuery, MergeOrder, UnmergeOrder
from api.section import Section
from models.store.paging import Page
from models.store.views import Listing, chats_seen_by
from runtime.errors import NotFound

section: Final = Section("customers", about="The people on the other side, whatever numbers and ids they have.")
_ALL: Final = permission("can_view_all_chats")


@section.endpoint("GET", "/customers", needs=_ALL, query=CustomersQuery, answers=CustomerPage)
def list_customers(listing: Listing) -> Page:
    """List customers, by default the newest first."""
    return desk().customers.page(listing)


@section.endpoint("GET", "/customers/<customer_id>", needs=ANY_TOKEN, answers=CustomerSchema)
def get_customer(customer_id: str) -> dict[str, Any]:
    """Get a customer of whom the caller may see a chat."""
    _check_seen(customer_id)
    return desk().customers.one(customer_id)


@section.endpoint(
    "POST", "/customers/<customer_id>/merge", needs=OVERSEER, body=MergeOrder, answers=CustomerSchema, problems=(409,)
)
def merge_customers(order: dict[str, Any], customer_id: str) -> dict[str, Any]:
    """Make one of two customers; return who stays.

    Chats and addresses move, each chat keeps its own address, so answers go where they went. It can be taken back, and
    is audited.
    """
    gone, kept = (customer_id, order["into"]) if "into" in order else (order["from_"], customer_id)
    desk().services.merging.merge(gone, kept, by=caller(), reason=order.get("reason"))
    return desk().customers.one(kept)


@section.endpoint(
    "POST",
    "/customers/<customer_id>/unmerge",
    needs=OVERSEER,
    body=UnmergeOrder,
    answers=CustomerSchema,
    problems=(409,),
)
def unmerge_customer(order: dict[str, Any], customer_id: str) -> dict[str, Any]:
    """Bring back a customer that was merged into another, with the chats and addresses that were moved.

    What was written since stays in its chat. Customers that the vendor's own word united stay united.
    """
    desk().services.merging.undo(customer_id, by=caller(), reason=order.get("reason"))
    return desk().customers.one(customer_id)


def _check_seen(customer_id: str) -> None:
    """Let nobody look at the customers of chats that they may not see."""
    if caller().sees_all_chats:
        return
    seen = Listing(wanted={"customerId": customer_id}, sort="-id", limit=1)
    if not desk().chats.page(seen, scope=chats_seen_by(caller())).items:
        raise NotFound(f"There is no customer {customer_id}.")
