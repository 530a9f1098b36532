"""Blocked numbers, for those who may block."""

from dataclasses import replace
from typing import Any, Final

from api.access import caller, permission
from api.desk import desk
from api.schemas.blocks import BlockedNumberPage, BlockedNumberSchema, BlockedNumbersQuery, BlockOrder
from api.section import Section
from models.store.paging import Page
from models.store.views import Listing
from services.blocking import canonical_phone

section: Final = Section("blocked-numbers", about="Senders whom nobody wants to hear.")
_BLOCKER: Final = permission("can_block_numbers")


@section.endpoint("GET", "/blocked-numbers", needs=_BLOCKER, query=BlockedNumbersQuery, answers=BlockedNumberPage)
def list_blocked_numbers(listing: Listing) -> Page:
    """List blocked numbers, by default those in force and the latest first."""
    wanted = dict(listing.wanted)
    if isinstance(phone := wanted.get("phoneNumber"), str):
        wanted["phoneNumber"] = canonical_phone(phone)
    return desk().blocks.page(replace(listing, wanted=wanted))


@section.endpoint("GET", "/blocked-numbers/<block_id>", needs=_BLOCKER, answers=BlockedNumberSchema)
def get_blocked_number(block_id: str) -> dict[str, Any]:
    """Get a blocked number, in force or ended; `vendorBlocks` says whether the vendors know."""
    return desk().blocks.one(block_id)


@section.endpoint(
    "POST",
    "/blocked-numbers",
    needs=_BLOCKER,
    body=BlockOrder,
    answers=BlockedNumberSchema,
    status=201,
    problems=(409, 422),
)
def block_number(order: dict[str, Any]) -> dict[str, Any]:
    """Block a sender at all accounts.

    What they write is stored and flagged, their chats show as `blocked`, nobody is notified, and nothing is sent to
    them. Vendors with a block list of their own are told. Who is blocked already is 409 `already_blocked`.
    """
    return desk().blocks.one(desk().blocking.block(**order, by=caller()).id)


@section.endpoint("DELETE", "/blocked-numbers/<block_id>", needs=_BLOCKER, answers=BlockedNumberSchema)
def unblock_number(block_id: str) -> dict[str, Any]:
    """End a block; the answer shows it ended, and it stays on record."""
    desk().blocking.unblock(block_id, by=caller())
    return desk().blocks.one(block_id)
