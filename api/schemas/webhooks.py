"""Stored webhooks: what a list of them takes, how they look, and what a replay may be told."""

from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from api.schemas.fields import AnyOf, Flag, Moment, Text, word_of
from api.schemas.listing import ListQuery
from api.schemas.wire import extended, page_of, schema_of
from models.ids import PREFIXES, first_id
from models.store.filters import Scalar, Span
from models.store.views import Wanted
from models.values import EventStatus
from models.webhook_event import WebhookEvent

EventDetailSchema: Final[type[Schema]] = schema_of(WebhookEvent)
#: Parts and headers may be thousands of lines; a list leaves them out.
EventSummarySchema: Final[type[Schema]] = schema_of(
    WebhookEvent, name="WebhookEventSummary", without=("items", "headers", "query", "processed_data")
)
EventPage: Final[type[Schema]] = page_of(EventSummarySchema)
#: A single event with its body, in the one form of the three that fits.
EventSchema: Final[type[Schema]] = extended(
    EventDetailSchema,
    "WebhookEventWithBody",
    {
        "rawData": fields.Raw(metadata={"description": "The body, parsed: JSON as received, or a form."}),
        "rawText": fields.String(metadata={"description": "The body, where it is text and nothing else."}),
        "rawBase64": fields.String(metadata={"description": "The body, where it is not even text."}),
    },
)
#: States from which a webhook can be replayed.
ENDED: Final = (EventStatus.PROCESSED, EventStatus.FAILED, EventStatus.IGNORED)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class EventsQuery(ListQuery):
    """Which webhooks; `from` and `to` bound the time of receipt."""

    ORDERS: ClassVar[dict[str, str]] = {
        # An event's id begins with the time of its receipt, and has an index.
        "-receivedAt": "-id",
        "receivedAt": "id",
    }

    status: Any = AnyOf(word_of(EventStatus))
    provider: Any = AnyOf(Text())
    event_type: Any = AnyOf(Text())
    config_id: Any = AnyOf(Text())
    chat_id: Any = Text()

    def within(self, stretch: Span) -> dict[str, Wanted]:
        """Bound the ids instead of the times they begin with."""
        return {"id": Span(_least_id(stretch.start), _least_id(stretch.end))}


class ReplayOrder(Schema):
    """Why a webhook is replayed, for the audit trail."""

    error_messages = {"unknown": "There is no such field."}  # noqa: RUF012  marshmallow's own name

    reason = fields.String(validate=validate.Length(max=500))


class ReplaysOrder(ReplayOrder):
    """Which webhooks are replayed; `since` and `until` bound the time of receipt."""

    status = fields.String(validate=validate.OneOf([word.value for word in ENDED]))
    provider = Text()
    since = Moment()
    until = Moment()
    dry_run = Flag(data_key="dryRun", load_default=False)
    cursor = Text(metadata={"description": "Carry on with an order: what the last answer gave. Says which on its own."})

    @validates_schema
    def _check_which(self, data: dict[str, Any], **_: Any) -> None:
        which = data.keys() & {"status", "provider", "since", "until"}
        if "cursor" in data and which:
            raise ValidationError({"cursor": ["An order that is carried on says itself which webhooks."]})
        if "cursor" not in data and not which:
            raise ValidationError({"status": ["Say which: status, provider, since or until."]})


class ReplayedSchema(Schema):
    """What became of an order so far."""

    count = fields.Integer(metadata={"description": "Webhooks that will be applied again; with dryRun, would be."})
    next_cursor = fields.String(
        data_key="nextCursor",
        allow_none=True,
        metadata={"description": "Send it back as `cursor` to carry on; null when all were taken."},
    )


def _least_id(moment: Scalar | None) -> str | None:
    return first_id(PREFIXES["webhook_event"], max(moment, _EPOCH)) if isinstance(moment, datetime) else None
