"""`hookline`: the command and its sub-commands, each loaded only when it is called.

Deliberately no logic: this file knows names, and how an error of ours becomes one line and an exit code.
"""

import importlib
import os
import sys
from pathlib import Path
from typing import Any, Final

import click

from runtime.errors import HooklineError, Invalid
from runtime.logs import scrub

#: Sub-command -> where it is: module and attribute.
COMMANDS: Final = {
    "up": "cli.up:up",
    "ingest": "cli.processes:ingest",
    "api": "cli.processes:api",
    "worker": "cli.processes:worker",
    "clock": "cli.processes:clock",
    "check": "cli.check:check",
    "indexes": "cli.indexes:indexes",
    "configs": "cli.configs:configs",
    "tokens": "cli.tokens:tokens",
    "events": "cli.events:events",
    "templates": "cli.templates:templates",
    "messages": "cli.messages:messages",
    "keys": "cli.keys:keys",
}


class LazyGroup(click.Group):
    """A group that imports a sub-command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all sub-commands, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one sub-command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hookline")
@click.option(
    "--data", envvar="HOOKLINE_DATA", type=click.Path(path_type=Path), help="Use the engines of `up --data DIR`."
)
@click.pass_context
def cli(ctx: click.Context, data: Path | None) -> None:
    """WhatsApp webhooks in, a team inbox out."""
    ctx.obj = data


def main() -> None:
    """Run the command line; our own errors become one line on stderr and exit code 1."""
    try:
        sys.exit(cli(prog_name="hookline", standalone_mode=False) or 0)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _complain(error.format_message(), code=error.exit_code)
    except HooklineError as error:
        _complain(_words(error))
    except Exception as error:
        if os.environ.get("HOOKLINE_DEBUG"):
            raise
        _complain(_away(error) or f"{type(error).__name__}: {_first_line(error)} (HOOKLINE_DEBUG=1 shows where)")


def _away(error: Exception) -> str | None:
    """Say that the database is away, where that is all: the driver's own words are about its topology."""
    from models.store.transactions import is_outage  # noqa: PLC0415  `--help` needs no database

    return f"MONGODB_URI: MongoDB does not answer ({type(error).__name__})" if is_outage(error) else None


def _words(error: HooklineError) -> str:
    """Say what one of our errors says, and of a wrong value also what is wrong with it."""
    said = str(error) or type(error).__name__
    fields = error.fields if isinstance(error, Invalid) else {}
    details = [one for found in fields.values() for one in found if one not in said]
    return f"{said}: {' '.join(details)}" if details else said


def _first_line(error: BaseException) -> str:
    return scrub(next(iter(str(error).splitlines()), ""))[:200]


def _complain(message: str, *, code: int = 1) -> Any:
    for line in message.splitlines():
        click.echo(f"hookline: {line}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
