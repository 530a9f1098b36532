"""What all commands share: where the engines are, and how lists are printed."""

import fcntl
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.options import as_text, show
from runtime.settings import LOCK_FILE, RUN_FILE
from tests.cli.conftest import Hookline

ROWS: list[Mapping[str, object]] = [
    {"id": "a", "at": datetime(2026, 1, 2, 3, 4, 5, 6000, UTC), "name": None},
    {"id": "bbb", "name": "Zoë"},
]


@pytest.fixture
def running(tmp_path: Path, told: dict[str, str]) -> Iterator[str]:
    """A data directory as a running `hookline up` keeps it: what it told, and a lock that it holds."""
    directory = tmp_path / "running"
    directory.mkdir()
    (directory / RUN_FILE).write_text(json.dumps({"environment": told}))
    with (directory / LOCK_FILE).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield str(directory)


def test_a_list_is_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    show(ROWS, columns=("id", "name", "at"), as_json=False)

    assert capsys.readouterr().out.splitlines() == [
        "id   name  at",
        "a          2026-01-02T03:04:05.006000Z",
        "bbb  Zoë",
    ]


def test_a_list_of_nothing_says_so_and_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    show([], columns=("id",), as_json=False)

    assert tuple(capsys.readouterr()) == ("", "none\n")


def test_for_programs_a_list_is_json_also_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    show(ROWS, columns=("id",), as_json=True)
    show([], columns=("id",), as_json=True)

    rows, nothing = map(json.loads, capsys.readouterr().out.splitlines())
    assert rows[0] == {"id": "a", "at": "2026-01-02T03:04:05.006000Z", "name": None}
    assert nothing == []


@pytest.mark.parametrize("control", ["\x1b[2J", "\x9b31m", "\r", "\x00", "\u2028", "\u202e", "\x7f", "\t"])
def test_what_is_printed_never_steers_the_terminal(control: str, capsys: pytest.CaptureFixture[str]) -> None:
    show([{"id": f"a{control}b"}], columns=("id",), as_json=False)
    show([{"id": f"a{control}b"}], columns=("id",), as_json=True)

    text = capsys.readouterr().out
    assert control[0] not in text
    assert json.loads(text.splitlines()[-1]) == [{"id": f"a{control}b"}]
    assert control[0] not in as_text({control: control}, indent=2)


@pytest.mark.parametrize("before", [True, False])
def test_the_data_directory_may_stand_before_or_after_the_command(before: bool, bare: Hookline, running: str) -> None:
    data = ["--data", running]

    outcome = bare(*data, "configs", "list", "--json") if before else bare("configs", "list", "--json", *data)

    assert outcome.code == 0, outcome.err
    assert len(json.loads(outcome.out)) == 1


def test_the_data_directory_may_stand_in_the_environment_and_the_command_line_wins(
    bare: Hookline, running: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOKLINE_DATA", str(tmp_path / "nowhere"))

    assert bare("configs", "list").code == 1
    for arguments in (("--data", running, "configs", "list"), ("configs", "list", "--data", running)):
        outcome = bare(*arguments)
        assert outcome.code == 0, outcome.err


def test_the_data_directory_wins_over_the_other_settings(
    bare: Hookline, running: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONGODB_DATABASE", "elsewhere")

    assert json.loads(bare("configs", "list", "--json", "--data", running).out)


def test_where_nothing_runs_one_line_says_so(hookline: Hookline, tmp_path: Path) -> None:
    outcome = hookline("configs", "list", "--data", str(tmp_path))

    assert outcome.code == 1
    assert outcome.complaint == f"--data {tmp_path}: no `hookline up --data {tmp_path}` is running"


def test_an_env_file_in_the_directory_is_read(bare: Hookline, told: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in told.items()))

    assert bare("configs", "list").code == 0
