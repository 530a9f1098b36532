"""Templates: what a list of them takes, how they look, and what may be said of a new or changed one."""

from typing import Any, ClassVar, Final

from marshmallow import Schema, fields, validate

from api.schemas.fields import AnyOf, Flag, Text, storable, word_of
from api.schemas.listing import ListQuery
from api.schemas.orders import Order
from api.schemas.wire import page_of, schema_of
from models.template import ParameterFormat, Template, TemplateStatus
from services.curating.syncing import Synced

TemplateSchema: Final[type[Schema]] = schema_of(Template)
TemplatePage: Final[type[Schema]] = page_of(TemplateSchema)
#: Values of one body that are looked at.
_MANY: Final = 200


class TemplatesQuery(ListQuery):
    """Which templates; `from` and `to` bound the time of their making."""

    ORDERS: ClassVar[dict[str, str]] = {
        "name": "name",
        "-name": "-name",
        # Our ids sort by the time they were made, and have an index.
        "-createdAt": "-id",
        "createdAt": "id",
    }

    status: Any = AnyOf(word_of(TemplateStatus))
    category: Any = AnyOf(Text())
    language: Any = AnyOf(Text())
    config_id: Any = AnyOf(Text())
    is_active: Any = Flag()
    q: Any = Text(metadata={"description": "A text in the name or the content, in any case of letters."})


class TemplateChange(Order):
    """What changes of a template; of a vendor's only `isActive`. What is null is removed."""

    name = fields.String()
    content = fields.String()
    category = Text(allow_none=True)
    language = Text(allow_none=True)
    variables = fields.List(
        fields.String(),
        validate=validate.Length(max=_MANY),
        metadata={"description": "The placeholders of the content. They are read from it; naming others is refused."},
    )
    is_active = Flag()


class TemplateDraft(TemplateChange):
    """A new template; a quick reply of our own, or, with `vendor`, one that the vendor is asked for."""

    vendor = Flag(load_default=False, metadata={"description": "Whether the account's vendor is asked for it."})
    name = fields.String(required=True)
    config_id = Text(metadata={"description": "The account; a quick reply without one is for all accounts."})
    components = fields.List(
        fields.Dict(keys=fields.String()),
        validate=[validate.Length(1, _MANY), storable],
        metadata={"description": "The parts of a vendor's template, in Meta's shape, with examples."},
    )
    parameter_format = word_of(ParameterFormat)


class SyncOrder(Order):
    """Which account's templates are synchronised; without one, all accounts'."""

    config_id = Text()


class PreviewOrder(Order):
    """The values to put into a template's text, by name or number."""

    values = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict)


class PreviewSchema(Schema):
    """A template's text with values put in."""

    text = fields.String(required=True)
    missing = fields.List(
        fields.String(), required=True, metadata={"description": "Placeholders that got no value and stand as before."}
    )


class RemovedSchema(Schema):
    """What was removed."""

    id = fields.String(required=True)


class SyncReport(Schema):
    """What came of each account's synchronisation."""

    data = fields.List(fields.Nested(schema_of(Synced)), required=True)
