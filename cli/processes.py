"""`hookline ingest|api|worker|clock`: one process each, as in the Procfile.

Deliberately only starting: what a process does is its own room's business.
"""

from typing import Final

import click
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server

from cli.indexes import apply_indexes
from cli.options import data_option, settings
from runtime.logs import configure_logs
from runtime.settings import Settings

#: How long (ms) a client may take to send its request line and headers.
HEADER_TIMEOUT_MS: Final = 10_000
#: How long (s) a stopping server waits for requests in flight.
STOP_PATIENCE_S: Final = 15
#: Connections that may wait to be accepted.
BACKLOG: Final = 2048


@click.command()
@data_option
def ingest() -> None:
    """Serve the webhook receiver."""
    found = _prepared()
    _serve("ingest.app:create_app", bind=found.ingest_bind, workers=found.ingest_workers, threads=found.ingest_threads)


@click.command()
@data_option
def api() -> None:
    """Serve the REST API."""
    found = _prepared()
    _serve("api.app:create_app", bind=found.api_bind, workers=1, threads=found.api_threads)


@click.command()
@data_option
def worker() -> None:
    """Apply stored webhooks; start as many as you like."""
    from workers.process import run_worker  # noqa: PLC0415  the other processes need no Dramatiq worker

    run_worker(_prepared())


@click.command()
@data_option
def clock() -> None:
    """Keep the timetable: sweeps and repairs."""
    from workers.clock import run_clock  # noqa: PLC0415

    run_clock(_prepared())


def _prepared() -> Settings:
    """Check the settings and bring the indexes up to date before anything is served."""
    found = settings(quiet=False)
    configure_logs(level=found.log_level, style=found.log_format)
    apply_indexes(found, patience=True)
    return found


def _serve(target: str, *, bind: str, workers: int, threads: int) -> None:
    host, _, port = bind.rpartition(":")
    server = Server(
        target,
        address=host.strip("[]"),
        port=int(port),
        interface=Interfaces.WSGI,
        factory=True,
        workers=workers,
        blocking_threads=threads,
        backlog=BACKLOG,
        # Nobody speaks HTTP/2 to us (the front door does not either), and while granian listens for which of the two it
        # will be, it waits for ever: so many silent connections, and nobody else gets in.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_TIMEOUT_MS),
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_PATIENCE_S,
        websockets=False,
    )
    server.serve()
