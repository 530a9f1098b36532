"""`hookline events`: look at stored webhooks and replay them.

Deliberately the same verbs as the API's; a replay goes through the current parser and changes nothing that is right.
"""

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

from cli.options import as_text, data_option, json_option, settings, show
from models.store.codec import to_document
from models.values import EventStatus
from models.webhook_event import WebhookEvent
from runtime.errors import Conflict
from services.wiring import Services

#: Webhooks from which on a replay shows how far it is.
LONG: Final = 200


_AGE: Final = re.compile(r"([0-9]{1,9})([mhd])")
_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


class Moment(click.ParamType[datetime]):
    """A moment: 2026-11-22, 2026-11-22T10:00:00Z, or so long ago (or ahead): 90m, 12h, 7d."""

    name = "moment"

    def __init__(self, *, ahead: bool = False) -> None:
        self._direction = 1 if ahead else -1

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read a moment."""
        if isinstance(value, datetime):
            return value
        try:
            moment = self._read(value)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no moment (2026-11-22, 2026-11-22T10:00:00Z, 12h, 7d)", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def _read(self, value: str) -> datetime:
        age = _AGE.fullmatch(value)
        if age is None:
            return datetime.fromisoformat(value)
        return datetime.now(UTC) + self._direction * int(age[1]) * _UNITS[age[2]]


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
    status: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    as_json: bool,  # noqa: FBT001
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
    click.echo(as_text({**_shown(event), "rawBody": body}, indent=2))


@events.command("replay")
@click.argument("ids", nargs=-1)
@_status
@_since
@_until
@data_option
def replay_command(ids: tuple[str, ...], status: str | None, since: datetime | None, until: datetime | None) -> None:
    """Apply webhooks again through the current parser: those named, or those that match."""
    if bool(ids) == bool(status or since or until):
        raise click.UsageError("name webhooks, or else say which with --status, --since or --until")
    services = Services(settings(), application="cli")
    chosen = list(ids) or services.events.ended_ids(status=status, since=since, until=until)
    hidden = len(chosen) < LONG or not sys.stderr.isatty()
    with click.progressbar(chosen, label="replaying", file=sys.stderr, hidden=hidden) as bar:
        replayed = sum(_replayed(services, event_id, named=bool(ids)) for event_id in bar)
    click.echo(f"{replayed} webhooks will be applied again")


def _replayed(services: Services, event_id: str, *, named: bool) -> bool:
    """Replay one; one that matched but is being processed at this moment needs no replay."""
    try:
        services.replaying.replay(event_id, by=None, reason="hookline events replay")
    except Conflict:
        if named:
            raise
        return False
    return True


def _shown(event: WebhookEvent) -> dict[str, Any]:
    hidden = {"rawBody", "deliveryKey", "claim", "leaseUntil", "generation"}
    document: dict[str, Any] = to_document(event)
    return {name: value for name, value in document.items() if name not in hidden}
