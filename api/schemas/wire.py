"""Documents as they leave the house, described from the entities: one source for store, wire and OpenAPI.

`HIDDEN` is the list of what never leaves. A golden file among the tests holds every field that does, so a new
field of an entity is shown only after somebody has looked at it. Deliberately no dumping (see `api.answers`).
"""

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, get_args, get_origin, get_type_hints

from marshmallow import Schema, fields, validate

from models.blocked_number import BlockedNumber
from models.chat import Chat
from models.customer import Customer
from models.follow_up import FollowUp, ReminderTemplate
from models.media_file import MediaFile
from models.message import Edit, Media, Message
from models.store.codec import camel
from models.template import Template
from models.webhook_event import WebhookEvent

#: Entity -> fields, by their Python names, that are nobody's business outside.
HIDDEN: Final[Mapping[type, frozenset[str]]] = {
    Chat: frozenset(
        {
            "is_deleted",
            "deleted_at",
            "deleted_by",
            "last_turn_at",
            "window_closed_at",
            "seen_at",
            "merged_into",
            "response_count",
            "response_seconds",
        }
    ),
    Customer: frozenset({"is_deleted", "deleted_at", "deleted_by", "seen_at", "named_at", "booked_at", "merged_into"}),
    Message: frozenset(
        {
            "is_deleted",
            "deleted_at",
            "deleted_by",
            "generation",
            "lease_until",
            "tries",
            "idempotency_key",
            "client_ref",
            "reaction_times",
            "merged_from",
            "edit_key",
            "fetch",
            "template_counted",
        }
    ),
    Template: frozenset({"is_deleted", "deleted_at", "deleted_by", "told_at"}),
    FollowUp: frozenset({"is_deleted", "deleted_at", "deleted_by", "template_due_at", "origin", "reply_awaited_since"}),
    ReminderTemplate: frozenset({"attempts"}),
    BlockedNumber: frozenset(
        {"is_deleted", "deleted_at", "deleted_by", "next_attempt_at", "lease_until", "generation"}
    ),
    # Where its bytes are, and which ids vendors gave it, is nobody's business.
    MediaFile: frozenset(
        {"state", "message_ids", "key", "thumbnail_key", "uploads", "is_deleted", "deleted_at", "deleted_by"}
    ),
    # The vendor's short-lived address of a file carries a key to it.
    Media: frozenset({"source_url"}),
    Edit: frozenset({"key"}),
    # The body leaves parsed, as `rawData` of a single event (`api.bodies`).
    WebhookEvent: frozenset({"raw_body", "delivery_key", "generation", "claim", "lease_until"}),
}
_SCALARS: Final[Mapping[Any, type[fields.Field[Any]]]] = {
    str: fields.String,
    bool: fields.Boolean,
    int: fields.Integer,
    float: fields.Float,
    datetime: fields.AwareDateTime,
}


@cache
def schema_of(entity: type, *, name: str | None = None, without: Collection[str] = ()) -> type[Schema]:
    """Describe an entity's documents; `without` names further fields, in Python, for a shorter form."""
    hints = get_type_hints(entity)
    hidden = HIDDEN.get(entity, frozenset()).union(without)
    described = {
        camel(one.name): _field(hints[one.name], required=_is_required(one))
        for one in dataclasses.fields(entity)
        if one.name not in hidden
    }
    return _schema(name or entity.__name__, entity.__doc__, described)


@cache
def page_of(schema: type[Schema]) -> type[Schema]:
    """Describe a page of documents."""
    described = {
        "data": fields.List(fields.Nested(schema), required=True),
        "nextCursor": fields.String(
            required=True,
            allow_none=True,
            metadata={"description": "The `cursor` of the next page; null after the last."},
        ),
    }
    return _schema(f"{schema.__name__}Page", "Some rows of a list.", described)


def extended(schema: type[Schema], name: str, more: Mapping[str, fields.Field[Any]]) -> type[Schema]:
    """Describe documents that are answered with something added."""
    return _schema(name, schema.Meta.description, {**schema().fields, **more})  # type: ignore[attr-defined]


def paths_of(schema: type[Schema], prefix: str = "") -> Iterator[str]:
    """Name every field a schema describes, as a projection does, e.g. `media.mimeType`."""
    for name, field in schema().fields.items():
        inner = field.inner if isinstance(field, fields.List) else field
        if isinstance(inner, fields.Nested):
            yield from paths_of(type(inner.schema), f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _schema(name: str, about: str | None, described: Mapping[str, Any]) -> type[Schema]:
    # What stands behind a semicolon explains the store's side.
    summary = " ".join((about or "").partition(";")[0].split()).removesuffix(".") + "."
    meta = type("Meta", (Schema.Meta,), {"register": False, "description": summary})
    return type(name, (Schema,), {**described, "Meta": meta})


def _is_required(field: "dataclasses.Field[Any]") -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _field(hint: Any, *, required: bool = False) -> fields.Field[Any]:
    hint = _present(hint)
    if get_origin(hint) is list:
        return fields.List(_field(get_args(hint)[0]), required=required)
    if get_origin(hint) is dict:
        return fields.Dict(keys=fields.String(), values=_field(get_args(hint)[1]), required=required)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return fields.Nested(schema_of(hint), required=required)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        words = [member.value for member in hint]
        return fields.String(validate=validate.OneOf(words), required=required)
    return _SCALARS.get(hint, fields.Raw)(required=required)


def _present(hint: Any) -> Any:
    """Strip `| None` from a type: what is absent is left out."""
    if get_origin(hint) is not UnionType:
        return hint
    return next(kind for kind in get_args(hint) if kind is not NoneType)
