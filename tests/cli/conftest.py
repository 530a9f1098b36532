"""The command line in this process: arguments in; exit code, stdout and stderr out."""

import logging
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from cryptography.fernet import Fernet

from cli.main import main
from runtime.settings import variable_names
from tests.support.quiet import quiet
from tests.support.wired import Wired

#: Threads of earlier tests refresh their accounts on and on; what they say is no word of a command.
BACKGROUND = ("providers.accounts", "providers.directory")


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line on stderr of a command that failed."""
        (line,) = self.err.splitlines()
        assert line.startswith("hookline: ")
        return line.removeprefix("hookline: ")


class Hookline:
    """`hookline …`, in the environment that a test has set."""

    def __init__(self, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self._patch = patch
        self._capture = capture

    def __call__(self, *arguments: str, stdin: str | None = None) -> Outcome:
        self._patch.setattr(sys, "argv", ["hookline", *arguments])
        self._capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        told = self._capture.readouterr()
        code = ended.value.code
        return Outcome(code if isinstance(code, int) else int(bool(code)), told.out, told.err)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Hookline]:
    """The command line where nothing is set."""
    before = dict(os.environ)
    for name in list(os.environ):
        if name in variable_names() or name.endswith("_API_URL") or name.startswith("HOOKLINE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    for name in BACKGROUND:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    yield Hookline(monkeypatch, capsys)
    monkeypatch.undo()
    os.environ.clear()
    os.environ.update(before)
    for name in BACKGROUND:
        logging.getLogger(name).setLevel(logging.NOTSET)
    quiet()


@pytest.fixture
def told(wired: Wired) -> dict[str, str]:
    """The environment of the test's own system."""
    return {
        "MONGODB_URI": wired.settings.mongodb_uri.reveal(),
        "MONGODB_DATABASE": wired.settings.mongodb_database,
        "REDIS_URL": wired.settings.redis_url.reveal(),
        "ENCRYPTION_KEYS": wired.settings.encryption_keys[0].reveal(),
    }


@pytest.fixture
def hookline(
    bare: Hookline, told: dict[str, str], monkeypatch: pytest.MonkeyPatch, redis_client: redis.Redis
) -> Hookline:
    """The command line beside the test's own system: one Meta account, an empty queue."""
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    return bare


def a_key() -> str:
    """A new encryption key."""
    return Fernet.generate_key().decode()
