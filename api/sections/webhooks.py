"""Stored webhooks, for those who look after the inbox; replays, for admins.

Deliberately not the receiver: vendors deliver to another process (`ingest`), under the same path.
"""

from typing import Any, Final

from api.access import ADMIN, OVERSEER, caller
from api.bodies import readable
from api.desk import desk
from api.schemas.webhooks import EventPage, EventSchema, EventsQuery, ReplayedSchema, ReplayOrder, ReplaysOrder
from api.section import Section
from models.store.paging import Page
from models.store.views import Listing
from models.store.webhook_events import Stretch

#: Webhooks that one request takes of an order.
REPLAYED_AT_ONCE: Final = 5_000

section: Final = Section("webhooks", about="The vendors' deliveries as stored, and what became of each part.")


@section.endpoint("GET", "/webhooks/events", needs=OVERSEER, query=EventsQuery, answers=EventPage)
def list_webhook_events(listing: Listing) -> Page:
    """List stored webhooks, by default the latest first."""
    return desk().event_summaries.page(listing)


@section.endpoint("GET", "/webhooks/events/<event_id>", needs=OVERSEER, answers=EventSchema)
def get_webhook_event(event_id: str) -> dict[str, Any]:
    """Get a stored webhook with its body and what became of each part."""
    return _shown(event_id)


@section.endpoint(
    "POST",
    "/webhooks/events/<event_id>/replay",
    needs=ADMIN,
    body=ReplayOrder,
    answers=EventSchema,
    status=202,
    problems=(409,),
)
def replay_webhook_event(order: dict[str, Any], event_id: str) -> dict[str, Any]:
    """Run a stored webhook through the current parser again.

    What was applied before has no second effect. The replay is audited.
    """
    desk().replaying.replay(event_id, by=caller(), reason=order.get("reason"))
    return _shown(event_id)


@section.endpoint(
    "POST",
    "/webhooks/events/replay",
    needs=ADMIN,
    body=ReplaysOrder,
    answers=ReplayedSchema,
    status=202,
    problems=(404,),
)
def replay_webhook_events(order: dict[str, Any]) -> dict[str, Any]:
    """Run many stored webhooks through the current parser again, a piece with each request.

    What was applied before has no second effect. The whole order is audited once, however many requests it takes.
    """
    stretch = Stretch(**{name: order[name] for name in ("status", "provider", "since", "until") if name in order})
    replaying = desk().replaying
    if order["dry_run"]:
        return {"count": replaying.size(stretch), "nextCursor": None}
    order_id, _, after = order.get("cursor", "").partition(".")
    found = (
        replaying.ordered(order_id) if order_id else replaying.order(stretch, by=caller(), reason=order.get("reason"))
    )
    ids = replaying.carry_out(found, after=after, limit=REPLAYED_AT_ONCE)
    more = len(ids) == REPLAYED_AT_ONCE
    return {"count": len(ids), "nextCursor": f"{found.id}.{ids[-1]}" if more else None}


def _shown(event_id: str) -> dict[str, Any]:
    event = desk().events.one(event_id)
    return event | readable(event.pop("rawBody"), event.get("contentType"))
