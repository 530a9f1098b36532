"""What bodies have in common: fields named as documents name them, and none that nobody asked for.

Deliberately no resource's own fields.
"""

from datetime import datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from api.schemas.fields import Moment
from models.store.codec import camel


class Order(Schema):
    """A body whose fields are named as documents name them; it loads to our names."""

    error_messages = {"unknown": "There is no such field."}  # noqa: RUF012  marshmallow's own name

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Name fields as documents do."""
        field_obj.data_key = camel(field_name)


class ZonedMoment(Moment):
    """A moment that says its zone: for a plan, a guess at what was meant is an hour off for half of the year."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> datetime:
        if _is_naive(value):
            raise ValidationError("Say the zone too: 2026-01-31T09:30:00Z or 2026-01-31T09:30:00+01:00.")
        return super()._deserialize(value, *args, **kwargs)


def note(*, most: int, **kwargs: Any) -> fields.String:
    """A text for people, of so many characters at most; null takes it away."""
    return fields.String(validate=validate.Length(max=most), allow_none=True, **kwargs)


def _is_naive(value: Any) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is None
    except (ValueError, TypeError):
        return False
