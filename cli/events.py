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
from models.store.webhook_events import Stretch
from models.values import EventStatus
from models.webhook_event import WebhookEvent
from providers import registry
from runtime.errors import Conflict, NotFound
from services.replaying import Order, Replaying
from services.wiring import Services

#: Webhooks from which on a replay shows how far it is.
LONG: Final = 200
#: What the audit trail says of replays from here.
REASON: Final = "hookline events replay"


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


#: States from which a webhook can be replayed.
_ENDED: Final = (EventStatus.PROCESSED, EventStatus.FAILED, EventStatus.IGNORED)
_status = click.option("--status", type=click.Choice([status.value for status in EventStatus]), help="Only these.")
_ended_status = click.option("--status", type=click.Choice([status.value for status in _ENDED]), help="Only these.")
_provider = click.option("--provider", type=click.Choice(list(registry.by_names())), help="Only of this vendor.")
_since = click.option("--since", type=Moment(), help="Received since (2026-11-22, 12h, 7d).")
_until = click.option("--until", type=Moment(), help="Received before.")


@click.group()
def events() -> None:
    """Stored webhooks."""


@events.command("list")
@_status
@_provider
@_since
@_until
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@json_option
@data_option
def list_command(
    limit: int,
    as_json: bool,  # noqa: FBT001
    **which: Any,
) -> None:
    """List webhooks, newest first."""
    services = Services(settings(), application="cli")
    found = services.events.find(Stretch(**which), limit=limit)
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
@_ended_status
@_provider
@_since
@_until
@click.option("--continue", "order_id", metavar="ORDER", help="Take up a replay that was broken off.")
@click.option("--dry-run", is_flag=True, help="Only say how many there are.")
@data_option
def replay_command(ids: tuple[str, ...], order_id: str | None, dry_run: bool, **which: Any) -> None:  # noqa: FBT001
    """Apply webhooks again through the current parser: those named, or those that match.

    What was applied before has no second effect.
    """
    if sum(map(bool, (ids, order_id, any(which.values())))) != 1:
        raise click.UsageError("name webhooks, or else say which with --status, --provider, --since or --until")
    replaying = Services(settings(), application="cli").replaying
    if dry_run:
        click.echo(f"{len(ids) or replaying.size(Stretch(**which))} webhooks would be applied again")
        return
    if ids:
        count = sum(_is_replayed(replaying, event_id) for event_id in ids)
    else:
        stretch = Stretch(**which)
        order = replaying.ordered(order_id) if order_id else replaying.order(stretch, by=None, reason=REASON)
        count = _carry_out(replaying, order)
    click.echo(f"{count} webhooks will be applied again")
    if ids and count < len(ids):
        sys.exit(1)


def _is_replayed(replaying: Replaying, event_id: str) -> bool:
    """Replay one of those named; what keeps it from that is said and does not keep the others."""
    try:
        replaying.replay(event_id, by=None, reason=REASON)
    except (NotFound, Conflict) as error:
        click.echo(f"hookline: {error}", err=True)
        return False
    return True


def _carry_out(replaying: Replaying, order: Order) -> int:
    """Reopen piece after piece; whoever breaks it off is told how to take it up again."""
    size = replaying.size(order.stretch, before=order.at)
    hidden = size < LONG or not sys.stderr.isatty()
    count, last = 0, ""
    try:
        with click.progressbar(length=size, label="replaying", file=sys.stderr, hidden=hidden) as bar:
            while piece := replaying.carry_out(order, after=last):
                count, last = count + len(piece), piece[-1]
                bar.update(len(piece))
    except KeyboardInterrupt:
        raise click.ClickException(f"broken off; carry on with: hookline events replay --continue {order.id}") from None
    return count


def _shown(event: WebhookEvent) -> dict[str, Any]:
    hidden = {"rawBody", "deliveryKey", "claim", "leaseUntil", "generation"}
    document: dict[str, Any] = to_document(event)
    return {name: value for name, value in document.items() if name not in hidden}
