"""The command itself: its sub-commands, and how every kind of trouble becomes one line and an exit code."""

import click
import pytest

from cli import main as command
from cli.main import COMMANDS
from runtime.errors import HooklineError, Invalid
from tests.cli.conftest import Hookline, a_key

CANARY = "canary-44ce"


def test_help_names_every_command_and_what_it_does(bare: Hookline) -> None:
    outcome = bare("--help")

    assert outcome.code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in outcome.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_and_helps(name: str, bare: Hookline) -> None:
    outcome = bare(name, "--help")

    assert outcome.code == 0
    assert outcome.out.startswith(f"Usage: hookline {name}")


def test_the_version_is_told(bare: Hookline) -> None:
    outcome = bare("--version")

    assert outcome.code == 0
    assert "version" in outcome.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("--nonsense",),
        ("check", "--nonsense"),
        ("check", "extra"),
        ("events", "list", "--limit", "0"),
        ("events", "list", "--since", "yesterday"),
        ("events", "list", "--status", "lost"),
        ("events", "show"),
        ("configs", "add"),
        ("configs", "add", "--provider", "acme"),
        ("tokens", "create"),
        ("tokens", "create", "--name", "x", "--role", "king"),
    ],
)
def test_a_command_nobody_understands_is_one_line_and_2(arguments: tuple[str, ...], bare: Hookline) -> None:
    outcome = bare(*arguments)

    assert outcome.code == 2
    assert outcome.out == ""
    assert len(outcome.complaint) > 5


@pytest.mark.parametrize("group", ["configs", "events", "tokens", "keys", "indexes"])
def test_a_group_without_a_command_shows_its_help(group: str, bare: Hookline) -> None:
    outcome = bare(group)

    assert outcome.code == 2
    assert "Commands:" in outcome.err


NEEDED = ["ENCRYPTION_KEYS", "MONGODB_URI", "REDIS_URL"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("check",),
        ("indexes", "apply"),
        ("configs", "list"),
        ("events", "list"),
        ("events", "replay", "evt_1"),
        ("tokens", "list"),
        ("keys", "rotate"),
        ("ingest",),
        ("api",),
        ("worker",),
        ("clock",),
    ],
)
def test_without_settings_each_missing_one_is_a_line(arguments: tuple[str, ...], bare: Hookline) -> None:
    outcome = bare(*arguments)

    assert outcome.code == 1
    assert outcome.out == ""
    lines = sorted(outcome.err.splitlines())
    assert [line.split(":")[1].strip() for line in lines] == NEEDED
    assert all(line.startswith("hookline: ") for line in lines)


@pytest.mark.parametrize("arguments", [("configs", "list"), ("events", "list"), ("messages", "show", "msg_1")])
def test_with_the_database_away_that_is_what_is_said(
    arguments: tuple[str, ...], bare: Hookline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONGODB_URI", f"mongodb://canary:{CANARY}@127.0.0.1:9/?serverSelectionTimeoutMS=100")
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:9/0")
    monkeypatch.setenv("ENCRYPTION_KEYS", a_key())

    outcome = bare(*arguments)

    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.complaint.startswith("MONGODB_URI: MongoDB does not answer")
    assert CANARY not in outcome.err
    assert "Topology" not in outcome.err


def test_help_of_up_says_where_its_data_lives(bare: Hookline) -> None:
    told = " ".join(bare("up", "--help").out.split())

    assert "Where its data lives; ./.hookline" in told
    assert "of a running" not in told


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """A sub-command `fails` that raises what the test puts in here."""
    raised: list[BaseException] = []

    @click.command()
    def fails() -> None:
        raise raised[0]

    monkeypatch.setattr(command, "FAILS", fails, raising=False)
    monkeypatch.setitem(COMMANDS, "fails", "cli.main:FAILS")
    return raised


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (HooklineError("no such thing"), 1, "no such thing"),
        (HooklineError(), 1, "HooklineError"),
        (Invalid("not valid", fields={"name": ["is empty"], "role": ["is none"]}), 1, "not valid: is empty is none"),
        (Invalid("name is empty", fields={"name": ["name is empty"]}), 1, "name is empty"),
        (click.ClickException("wrong"), 1, "wrong"),
        (ValueError("first\nsecond"), 1, "ValueError: first (HOOKLINE_DEBUG=1 shows where)"),
        (ValueError(), 1, "ValueError:  (HOOKLINE_DEBUG=1 shows where)"),
        (
            ConnectionError(f"mongodb://user:{CANARY}@db.example: +44 7700 900381"),
            1,
            "ConnectionError: mongodb://[redacted]@db.example: [redacted] (HOOKLINE_DEBUG=1 shows where)",
        ),
    ],
)
def test_an_error_is_one_line_without_a_traceback(
    error: Exception, code: int, line: str, failing: list[BaseException], bare: Hookline
) -> None:
    failing.append(error)

    outcome = bare("fails")

    assert (outcome.code, outcome.out, outcome.complaint) == (code, "", line)


def test_for_debugging_the_traceback_is_shown(
    failing: list[BaseException], bare: Hookline, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing.append(KeyError("x"))
    monkeypatch.setenv("HOOKLINE_DEBUG", "1")

    with pytest.raises(KeyError):
        bare("fails")


def test_an_interrupted_command_says_so_by_its_code(failing: list[BaseException], bare: Hookline) -> None:
    failing.append(KeyboardInterrupt())

    assert bare("fails").code == 130


def test_an_exit_code_of_a_command_is_kept(failing: list[BaseException], bare: Hookline) -> None:
    failing.append(SystemExit(7))

    assert bare("fails").code == 7
