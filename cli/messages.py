"""`hookline messages`: look at messages whose fate wants a person, follow one from its id, and try them again.

Deliberately the same verbs as the API's.
"""

import sys
from dataclasses import asdict
from typing import Any, Final

import click

from cli.options import as_text, data_option, json_option, settings, show
from models.message import Message
from models.store.codec import to_document
from models.values import MessageStatus
from runtime.errors import HooklineError
from runtime.logs import scrub
from services.wiring import Services

#: What of a message a list shows; never what it says.
SHOWN: Final = ("id", "chatId", "configId", "type", "status", "queuedAt", "tries", "error")
_OPEN: Final = (MessageStatus.FAILED, MessageStatus.UNKNOWN, MessageStatus.QUEUED, MessageStatus.SENDING)
STATES: Final = tuple(status.value for status in _OPEN)


@click.group()
def messages() -> None:
    """Messages: whose fate is open, what became of one, and another attempt."""


@messages.command("list")
@click.option("--status", type=click.Choice(STATES), default=MessageStatus.FAILED.value, show_default=True)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@json_option
@data_option
def list_command(status: str, limit: int, as_json: bool) -> None:  # noqa: FBT001
    """List messages to customers in one state, newest first."""
    services = Services(settings(), application="cli")
    found = services.sends.in_state(MessageStatus(status), limit=limit)
    show([_shown(message) for message in found], columns=SHOWN, as_json=as_json)


@messages.command("show")
@click.argument("message_id")
@data_option
def show_command(message_id: str) -> None:
    """Show the whole history of a message, by our id or the vendor's.

    The webhooks about it and what became of each part, every attempt to send it, its statuses, what waits for it, and
    who did what; never what it says. Prints JSON.
    """
    services = Services(settings(), application="cli")
    click.echo(as_text(asdict(services.tracing.history(message_id)), indent=2))


@messages.command("retry")
@click.argument("ids", nargs=-1, required=True)
@click.option("--reason", default="hookline messages retry", help="For the audit trail.")
@data_option
def retry_command(ids: tuple[str, ...], reason: str) -> None:
    """Ask for another attempt to send messages that are failed or unknown."""
    services = Services(settings(), application="cli")
    refused = 0
    for message_id in ids:
        try:
            services.steering.retry(message_id, by=None, reason=reason)
        except HooklineError as error:
            refused += 1
            click.echo(f"hookline: {message_id}: {error}", err=True)
    click.echo(f"{len(ids) - refused} messages will be sent again")
    if refused:
        sys.exit(1)


def _shown(message: Message) -> dict[str, Any]:
    document = {name: value for name, value in to_document(message).items() if name in SHOWN}
    error = message.error
    # A vendor's words may quote the number they are about.
    return document | ({"error": scrub(error.title or error.code or "")} if error else {})
