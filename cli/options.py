"""What all commands share: where the engines are, how lists are printed, how progress is shown.

Deliberately no command here.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from click.core import ParameterSource

from runtime.logs import configure_logs
from runtime.settings import Settings, load_settings, use_running

F = TypeVar("F", bound=Callable[..., Any])
#: Control characters, but for the line break that a layout needs.
_STEERING: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def data_option(command: F, *, about: str = "Use the engines and keys of a running `hookline up --data DIR`.") -> F:
    """Add `--data DIR` to a command, so that it may stand before or after the command's name."""
    return click.option(
        "--data",
        envvar="HOOKLINE_DATA",
        type=click.Path(path_type=Path),
        expose_value=False,
        callback=_remember_data,
        is_eager=True,
        help=about,
    )(command)


def json_option(command: F) -> F:
    """Add `--json` to a command."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for other programs.")(command)


def settings(*, quiet: bool = True) -> Settings:
    """Read the settings: of the running `up` if a data directory was given, else of the environment.

    Raises:
        SettingsError: one line per wrong variable, or nothing runs in the directory.
    """
    data = click.get_current_context().find_root().obj
    if data is not None:
        use_running(data)
    found = load_settings()
    if quiet:
        configure_logs(level="WARNING", style="console")
    return found


def show(rows: Sequence[Mapping[str, object]], *, columns: Sequence[str], as_json: bool) -> None:
    """Print rows as a table, or as a JSON list."""
    if as_json:
        click.echo(as_text(list(rows)))
        return
    if not rows:
        click.echo("none", err=True)
        return
    cells = [[_text(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(line[i]) for line in [list(columns), *cells]) for i in range(len(columns))]
    for line in [list(columns), *cells]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def as_text(value: object, *, indent: int | None = None) -> str:
    """Write a value as JSON, moments as ISO 8601 with Z, without a character that could steer a terminal."""
    return _escaped(json.dumps(value, default=_written, ensure_ascii=False, indent=indent))


def _written(value: object) -> str:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)


def _text(value: object) -> str:
    return "" if value is None else _escaped(_written(value))


def _escaped(text: str) -> str:
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _remember_data(ctx: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    """Keep the directory; one that was written on the command line is not replaced by one of the environment."""
    written = ctx.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
    if value is not None and (written or ctx.find_root().obj is None):
        ctx.find_root().obj = value
