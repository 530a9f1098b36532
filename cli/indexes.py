"""`hookline indexes apply`: bring the database's indexes up to date.

Safe while everything runs and when ten processes start together. Deliberately no dropping of unknown indexes.
"""

import time
from typing import Final

import click

from cli.options import data_option, settings
from models.store.indexes import apply
from runtime.errors import HooklineError
from runtime.logs import logger
from runtime.settings import Settings
from services.wiring import Services

#: How long (s) a starting process waits for MongoDB before it gives up.
START_PATIENCE_S: Final = 60
_log = logger(__name__)


@click.group()
def indexes() -> None:
    """The database's indexes."""


@indexes.command("apply")
@data_option
def apply_command() -> None:
    """Create what is missing and change what differs."""
    created = apply_indexes(settings())
    click.echo("\n".join(created) if created else "all indexes are in place")


def apply_indexes(found: Settings, *, patience: bool = False) -> list[str]:
    """Apply the indexes, waiting for the database if asked to.

    Raises:
        HooklineError: the database stays away.
    """
    services = Services(found, application="indexes")
    deadline = time.monotonic() + (START_PATIENCE_S if patience else 0)
    while problem := services.store.problem():
        if time.monotonic() >= deadline:
            raise HooklineError(f"MONGODB_URI: {problem}")
        _log.warning("waiting_for_mongodb", reason=problem)
        time.sleep(0.5)
    created = apply(services.store.database)
    services.store.client.close()
    return created
