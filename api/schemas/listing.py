"""What every list takes: filters, a stretch of time, an order, a page.

A list's query declares its filters as fields named like the documents' and says in which orders it can be
read; loading gives a `Listing`. Every order is carried by an index. Deliberately no free sorting.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import Schema, fields, post_load, validate

from api.schemas.fields import MAX_TEXT, Moment, Text
from models.store.codec import camel
from models.store.filters import Span
from models.store.paging import DEFAULT_LIMIT, MAX_LIMIT
from models.store.views import Listing, Wanted

#: Longest cursor that is looked at.
_MAX_CURSOR = 10 * MAX_TEXT


class ListQuery(Schema):
    """The query of a list; a subclass adds filters, `ORDERS` and `SPANS`."""

    #: What `sort` may say -> the order of the store; the first is the default.
    ORDERS: ClassVar[Mapping[str, str]] = {"-id": "-id"}
    #: The field that `from` and `to` bound.
    SPANS: ClassVar[str] = "createdAt"

    error_messages = {"unknown": "There is no such parameter."}  # noqa: RUF012  marshmallow's own name

    limit = fields.Integer(
        load_default=DEFAULT_LIMIT,
        validate=validate.Range(min=1, error="Must be at least 1."),
        metadata={"description": f"Rows of a page, at most; more than {MAX_LIMIT} are read as {MAX_LIMIT}."},
    )
    cursor = fields.String(
        validate=validate.Length(1, _MAX_CURSOR),
        metadata={"description": "`nextCursor` of the page before. Keep the other parameters as they were."},
    )
    sort = Text(metadata={"description": "The order; `-` descends."})
    from_ = Moment(metadata={"description": "The earliest moment."})
    to = Moment(metadata={"description": "The moment before which the latest lies."})

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Name parameters, and what they filter by, as documents do."""
        field_obj.data_key = camel(field_name)
        field_obj.attribute = field_obj.attribute or camel(field_name)
        if field_name == "sort":
            field_obj.load_default = next(iter(self.ORDERS))
            words = list(self.ORDERS)
            field_obj.validators = [validate.OneOf(words, error=f"Not one of {', '.join(words)}.")]

    @post_load
    def as_listing(self, values: dict[str, Any], **_: Any) -> Listing:
        """Gather what was asked."""
        limit, cursor, sort = values.pop("limit"), values.pop("cursor", None), values.pop("sort")
        stretch = Span(values.pop("from", None), values.pop("to", None))
        wanted: dict[str, Wanted] = {name: _single(value) for name, value in values.items()}
        if stretch != Span():
            wanted |= self.within(stretch)
        return Listing(wanted=wanted, sort=self.ORDERS[sort], limit=limit, cursor=cursor)

    def within(self, stretch: Span) -> dict[str, Wanted]:
        """Say which field lies within `from` and `to`, and between which values."""
        return {self.SPANS: stretch}


def _single(value: Any) -> Wanted:
    """Ask for the value itself where a list holds but one."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value  # type: ignore[no-any-return]
