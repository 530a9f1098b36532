"""`hookline templates`: look at message templates, and bring them in step with the vendors'.

Deliberately no making and no removing: that is done where people see what they do, at the API.
"""

import click

from cli.options import data_option, json_option, settings, show
from models.store.codec import to_document
from models.template import Template, TemplateStatus
from services.wiring import Services


@click.group()
def templates() -> None:
    """Message templates."""


@templates.command("list")
@click.option("--config", "config_id", metavar="ID", help="Only this account's.")
@click.option("--status", type=click.Choice([status.value for status in TemplateStatus]), help="Only these.")
@json_option
@data_option
def list_command(config_id: str | None, status: str | None, as_json: bool) -> None:  # noqa: FBT001
    """List templates by name."""
    services = Services(settings(), application="cli")
    found = services.templates.all(config_id=config_id, status=status)
    columns = ("id", "configId", "name", "language", "status", "rejectionReason", "usageCount", "lastSyncAt")
    show([_shown(template) for template in found], columns=columns, as_json=as_json)


@templates.command("sync")
@click.option("--config", "config_id", metavar="ID", help="Only this account's.")
@json_option
@data_option
def sync_command(config_id: str | None, as_json: bool) -> None:  # noqa: FBT001
    """Read the vendors' templates now; the clock does so every hour."""
    services = Services(settings(), application="cli")
    if config_id:
        services.configs.get(config_id)
    synced = services.syncing.sync(config_id)
    columns = ("configId", "provider", "added", "changed", "unchanged", "restored", "vanished", "reason")
    show([to_document(one) for one in synced], columns=columns, as_json=as_json)
    if any(one.reason for one in synced):
        raise SystemExit(1)


def _shown(template: Template) -> dict[str, object]:
    hidden = {"toldAt", "isDeleted"}
    return {name: value for name, value in to_document(template).items() if name not in hidden}
