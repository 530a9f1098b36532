"""`hookline up`: everything on one machine behind one URL.

Deliberately only the option line: the embedded run is the sandbox's.
"""

import sys
from functools import partial
from pathlib import Path
from typing import Final

import click

from cli.options import data_option
from sandbox.run import run_up

#: Where the data of an embedded run lives unless told otherwise.
DEFAULT_DATA: Final = Path(".hookline")


@click.command()
@click.option("--demo/--no-demo", default=True, show_default=True, help="Add a demo account and its traffic.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="The one port for all.")
@partial(data_option, about=f"Where its data lives; ./{DEFAULT_DATA} unless told otherwise.")
def up(demo: bool, port: int) -> None:  # noqa: FBT001
    """Run engines, all processes and the demo; Ctrl-C stops everything."""
    data = click.get_current_context().find_root().obj or DEFAULT_DATA
    sys.exit(run_up(data, port=port, with_demo=demo))
