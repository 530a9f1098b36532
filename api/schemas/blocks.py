"""Blocked numbers: what a list of them takes, how they look, and what may be said of a new one."""

from typing import Any, ClassVar, Final

from marshmallow import Schema, ValidationError, validates_schema

from api.schemas.fields import Flag, Phone, Text
from api.schemas.listing import ListQuery
from api.schemas.orders import Order, note
from api.schemas.wire import page_of, schema_of
from models.blocked_number import BlockedNumber

#: Characters of a reason, and of notes.
MAX_REASON: Final = 500
MAX_NOTES: Final = 5_000

BlockedNumberSchema: Final[type[Schema]] = schema_of(BlockedNumber)
BlockedNumberPage: Final[type[Schema]] = page_of(BlockedNumberSchema)


class BlockedNumbersQuery(ListQuery):
    """Which blocks, by default those in force; `from` and `to` bound the time of the blocking."""

    ORDERS: ClassVar[dict[str, str]] = {
        # A block's id begins with the time of its making, and has an index.
        "-blockedAt": "-id",
        "blockedAt": "id",
    }
    SPANS: ClassVar[str] = "blockedAt"

    is_active = Flag(load_default=True, metadata={"description": "Blocks in force, or those that have ended."})
    phone_number: Any = Phone()
    user_id: Any = Text()
    blocked_by: Any = Text()


class BlockOrder(Order):
    """Whom to block, by number, by user id or both, and why."""

    phone_number = Phone(allow_none=True)
    user_id = Text(allow_none=True)
    reason = note(most=MAX_REASON)
    notes = note(most=MAX_NOTES)

    @validates_schema
    def names_somebody(self, values: dict[str, Any], **_: Any) -> None:
        """Refuse an order about nobody."""
        if not (values.get("phone_number") or values.get("user_id")):
            raise ValidationError("Give a phoneNumber, a userId, or both.", "phoneNumber")
