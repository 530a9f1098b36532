"""What leaves the house, field by field, against a golden file that people read before they change it."""

import json
from pathlib import Path

import pytest
from marshmallow import Schema

from api.schemas.blocks import BlockedNumberSchema
from api.schemas.chats import ChatSchema
from api.schemas.customers import CustomerSchema
from api.schemas.followups import FollowUpSchema
from api.schemas.media import MediaFileSchema
from api.schemas.messages import MessageSchema
from api.schemas.templates import TemplateSchema
from api.schemas.webhooks import EventSchema, EventSummarySchema
from api.schemas.wire import paths_of

GOLDEN = Path(__file__).with_name("wire_fields.json")
SHOWN: dict[str, type[Schema]] = {
    "chat": ChatSchema,
    "customer": CustomerSchema,
    "followUp": FollowUpSchema,
    "blockedNumber": BlockedNumberSchema,
    "mediaFile": MediaFileSchema,
    "message": MessageSchema,
    "template": TemplateSchema,
    "webhookEvent": EventSchema,
    "webhookEventSummary": EventSummarySchema,
}


@pytest.mark.parametrize("resource", SHOWN)
def test_a_new_field_is_shown_only_after_somebody_looked_at_it(resource: str) -> None:
    """Add the field to the golden file to show it, or to `HIDDEN` to keep it in."""
    assert sorted(paths_of(SHOWN[resource])) == json.loads(GOLDEN.read_text())[resource]
