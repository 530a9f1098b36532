"""Customers: what a list of them takes, how they look, and what may be said of two that are one."""

from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from api.schemas.fields import Phone, Text
from api.schemas.listing import ListQuery
from api.schemas.wire import page_of, schema_of
from models.customer import Customer
from models.ids import PREFIXES, first_id
from models.store.filters import Scalar, Span
from models.store.views import Wanted

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
CustomerSchema: Final[type[Schema]] = schema_of(Customer)
CustomerPage: Final[type[Schema]] = page_of(CustomerSchema)


class CustomersQuery(ListQuery):
    """Which customers; `from` and `to` bound the time at which they became known."""

    ORDERS: ClassVar[dict[str, str]] = {
        # Our ids sort by the time they were made, and have an index.
        "-createdAt": "-id",
        "createdAt": "id",
    }
    phone_number: Any = Phone()
    user_id: Any = Text()
    name: Any = Text()
    email: Any = Text()
    tag: Any = Text(attribute="tags")

    def within(self, stretch: Span) -> dict[str, Wanted]:
        """Bound the ids instead of the times they begin with."""
        return {"id": Span(_least_id(stretch.start), _least_id(stretch.end))}


def _least_id(moment: Scalar | None) -> str | None:
    return first_id(PREFIXES["customer"], max(moment, _EPOCH)) if isinstance(moment, datetime) else None


class UnmergeOrder(Schema):
    """Why a merge is taken back, for the audit trail."""

    error_messages = {"unknown": "There is no such field."}  # noqa: RUF012  marshmallow's own name

    reason = fields.String(validate=validate.Length(max=500))


class MergeOrder(UnmergeOrder):
    """With whom: into whom this customer ends, or who ends in this one."""

    into = Text()
    from_ = Text(data_key="from")

    @validates_schema
    def _check_one(self, data: dict[str, Any], **_: Any) -> None:
        if len(data.keys() & {"into", "from_"}) != 1:
            raise ValidationError({"into": ["Say either `into` whom, or `from` whom."]})
