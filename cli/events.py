"""`hookline events`: look at stored webhooks and replay them.

Deliberately the same verbs as the API's; a replay goes through the current parser and changes nothing that is right.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from cli.options import data_option, json_option, settings, show
from models.store.codec import to_document
from models.values import EventStatus
from models.webhook_event import WebhookEvent
from runtime.errors import Conflict
from services.wiring import Services

#: Ids in one ring.
RING_SIZE = 200


class Moment(click.ParamType[datetime]):
    """A moment: 2026-11-22, 2026-11-22T10:00:00Z, or an age such as 90m, 12h, 7d."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read a moment."""
        if isinstance(value, datetime):
            return value
        units = {"m": "minutes", "h": "hours", "d": "days"}
        if value[:-1].isdigit() and value[-1] in units:
            return datetime.now(UTC) - timedelta(**{units[value[-1]]: int(value[:-1])})
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no moment (2026-11-22, 2026-11-22T10:00:00Z, 12h, 7d)", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_status = click.option("--status", type=click.Choice([status.value for status in EventStatus]), help="Only these.")
_since = click.option("--since", type=Moment(), help="Received since (2026-11-22, 12h, 7d).")
_until = click.option("--until", type=Moment(), help="Received before.")


@click.group()
def events() -> None:
    """Stored webhooks."""


@events.command("list")
@_status
@_since
@_until
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@json_option
@data_option
def list_command(
    status: str | None, since: datetime | None, until: datetime | None, limit: int, as_json: bool  # noqa: FBT001
) -> None:
    """List webhooks, newest first."""
    services = Services(settings(), application="cli")
    found = services.events.find(status=status, since=since, until=until, limit=limit)
    columns = ("id", "receivedAt", "provider", "eventType", "status", "error")
    show([_shown(event) for event in found], columns=columns, as_json=as_json)


@events.command("show")
@click.argument("event_id")
@data_option
def show_command(event_id: str) -> None:
    """Show one webhook whole: what was received and what became of each part."""
    services = Services(settings(), application="cli")
    event = services.events.get(event_id)
    body = event.raw_body.decode("utf-8", "backslashreplace")
    click.echo(json.dumps({**_shown(event), "rawBody": body}, indent=2, default=str, ensure_ascii=False))


@events.command("replay")
@click.argument("ids", nargs=-1)
@_status
@_since
@_until
@data_option
def replay_command(
    ids: tuple[str, ...], status: str | None, since: datetime | None, until: datetime | None
) -> None:
    """Apply webhooks again through the current parser: those named, or those that match."""
    services = Services(settings(), application="cli")
    if not ids and not (status or since or until):
        raise click.UsageError("name webhooks, or say which with --status, --since or --until")
    chosen = list(ids) or services.events.ended_ids(status=status, since=since, until=until)
    replayed = [event_id for event_id in _progress(chosen) if _replayed(services, event_id, named=bool(ids))]
    for start in range(0, len(replayed), RING_SIZE):
        services.ring_receive(replayed[start : start + RING_SIZE])
    click.echo(f"{len(replayed)} webhooks will be applied again")


def _replayed(services: Services, event_id: str, *, named: bool) -> bool:
    """Reopen one; one that matched but is being processed at this moment needs no replay."""
    try:
        services.events.reopen(event_id, now=services.clock.now())
    except Conflict:
        if named:
            raise
        return False
    return True


def _progress(ids: list[str]) -> Iterable[str]:
    if len(ids) < RING_SIZE or not click.get_text_stream("stderr").isatty():
        return ids
    with click.progressbar(ids, label="replaying", file=click.get_text_stream("stderr")) as bar:
        return list(bar)


def _shown(event: WebhookEvent) -> dict[str, Any]:
    hidden = {"rawBody", "deliveryKey", "claim", "leaseUntil", "generation"}
    document: dict[str, Any] = to_document(event)
    return {name: value for name, value in document.items() if name not in hidden}
