"""Follow-ups: what a list of them takes, how they look, and what may be said of a new or changed one."""

from typing import Any, ClassVar, Final

from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema

from api.schemas.fields import AnyOf, Flag, Text, storable, word_of
from api.schemas.listing import ListQuery
from api.schemas.orders import Order, ZonedMoment, note
from api.schemas.wire import page_of, schema_of
from models.follow_up import FINAL, PRIORITIES, FollowUp, FollowUpStatus
from models.values import Priority
from services.reminding.planning import template_of

#: Characters of a title, and of notes.
MAX_TITLE: Final = 200
MAX_NOTES: Final = 5_000
#: Values of one template.
_MANY: Final = 100

FollowUpSchema: Final[type[Schema]] = schema_of(FollowUp)
FollowUpPage: Final[type[Schema]] = page_of(FollowUpSchema)


class FollowUpsQuery(ListQuery):
    """Which follow-ups; `from` and `to` bound the time they are due."""

    ORDERS: ClassVar[dict[str, str]] = {
        "scheduledAt": "scheduledAt id",
        "-scheduledAt": "-scheduledAt -id",
        # Our ids sort by the time they were made, and have an index.
        "-createdAt": "-id",
        "createdAt": "id",
    }
    SPANS: ClassVar[str] = "scheduledAt"

    status: Any = AnyOf(word_of(FollowUpStatus))
    agent_id: Any = AnyOf(Text())
    chat_id: Any = AnyOf(Text())
    priority: Any = AnyOf(word_of(Priority))


class FollowUpMessage(Order):
    """The template that the customer is sent when the reminder fires; `values` as for any use of a template."""

    name = fields.String(required=True, validate=validate.Length(1, 512))
    language = Text(allow_none=True)
    values = fields.Dict(keys=fields.String(), validate=[validate.Length(max=_MANY), storable], load_default=dict)


class FollowUpChange(Order):
    """What changes of a follow-up: another time puts it off, a status ends it. What is null is removed."""

    title = note(most=MAX_TITLE)
    notes = note(most=MAX_NOTES)
    scheduled_at = ZonedMoment(metadata={"description": "When it is due, with its zone."})
    priority = fields.String(
        validate=validate.OneOf(sorted(PRIORITIES), error=f"Not one of {', '.join(sorted(PRIORITIES))}.")
    )
    agent_id = Text(metadata={"description": "Who is to follow up. Only overseers name others than themselves."})
    cancel_on_reply = Flag(
        metadata={"description": "Whether it is cancelled should the customer write before it is due."}
    )
    template = fields.Nested(FollowUpMessage, allow_none=True)
    status = fields.String(
        validate=validate.OneOf(sorted(FINAL), error=f"Only {' or '.join(sorted(FINAL))}; the rest follows from time.")
    )

    @validates_schema
    def is_one_thing(self, values: dict[str, Any], **_: Any) -> None:
        """Refuse to end and to put off at once."""
        if "status" in values and "scheduled_at" in values:
            raise ValidationError("Either end it or put it off.", "status")

    @post_load
    def in_our_words(self, values: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Bring words into our vocabularies."""
        if "status" in values:
            values["status"] = FollowUpStatus(values["status"])
        if "priority" in values:
            values["priority"] = Priority(values["priority"])
        if "template" in values:
            values["template"] = template_of(values["template"])
        return values


class FollowUpPlan(FollowUpChange):
    """A new follow-up; without an agent it is the caller's own, or the chat's assignee's."""

    class Meta(FollowUpChange.Meta):
        """Nothing is born ended."""

        exclude = ("status",)

    chat_id = Text(required=True)
    scheduled_at = ZonedMoment(required=True, metadata={"description": "When it is due, with its zone."})
