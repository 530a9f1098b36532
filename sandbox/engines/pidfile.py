"""Remember which process serves a data directory, and end it when its owner could not.

Deliberately distrustful: a number in a file is believed only when the live process's own command line names
the same directory, because process ids are used again.
"""

import os
import signal
import subprocess
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

#: Time a stale engine gets to leave after SIGTERM before it is killed.
STALE_PATIENCE = timedelta(seconds=10)
#: Seconds between two looks at a process that is ending.
POLL = 0.05


def command_line(pid: int) -> list[str]:
    """Return the arguments of a live process, or an empty list."""
    proc = Path(f"/proc/{pid}/cmdline")
    if proc.parent.parent.joinpath("self").exists():
        try:
            return proc.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            return []
    shown = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, check=False)
    return shown.stdout.decode(errors="replace").split()


class PidFile:
    """The process id of the engine that serves `directory`."""

    def __init__(self, path: Path, directory: Path) -> None:
        self._path = path
        self._directory = str(directory)

    def write(self, pid: int) -> None:
        """Remember the process."""
        self._path.write_text(f"{pid}\n")

    def forget(self) -> None:
        """Remove the memory."""
        self._path.unlink(missing_ok=True)

    def live(self) -> int | None:
        """Return the remembered process if it still runs and is really ours."""
        try:
            pid = int(self._path.read_text())
        except (OSError, ValueError):
            return None
        return pid if self._directory in command_line(pid) else None

    def end_stale(self) -> None:
        """Stop what a former owner left running: politely, then not."""
        for sent in (signal.SIGTERM, signal.SIGKILL):
            pid = self.live()
            if pid is None:
                break
            with suppress(ProcessLookupError):
                os.kill(pid, sent)
            self._wait_gone()
        self.forget()

    def _wait_gone(self) -> None:
        deadline = time.monotonic() + STALE_PATIENCE.total_seconds()
        while self.live() is not None and time.monotonic() < deadline:
            time.sleep(POLL)
