"""The processes of one machine, those of the Procfile and the sandbox's own, side by side in honcho.

Deliberately no restarts: here a process that falls is news, and all stop with its name on the last line.
"""

import os
import shlex
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import honcho.manager
from honcho.environ import parse_procfile
from honcho.manager import Manager
from honcho.process import Process as HonchoProcess

from sandbox.engines import leash

#: Seconds a process may take to end before it is killed: longer than any takes to finish its work. A worker lets
#: its jobs end for 25.
KILL_WAIT = 30
honcho.manager.KILL_WAIT = KILL_WAIT

#: The production processes, shared with every platform that reads a Procfile.
PROCFILE = Path(__file__).resolve().parents[1] / "Procfile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One line of the run: what to start, in which environment, and where it says that it is ready."""

    name: str
    command: str
    environment: Mapping[str, str] = field(repr=False)
    ready_url: str


def procfile_commands() -> dict[str, str]:
    """Return the production processes by name, as their commands."""
    commands: dict[str, str] = parse_procfile(PROCFILE.read_text()).processes
    return dict(commands)


def module_command(module: str, *arguments: str) -> str:
    """Return the shell command of one of our own modules."""
    return shlex.join([sys.executable, "-m", module, *arguments])


def tied(command: str) -> str:
    """Return the shell command that dies with the process that runs the shell."""
    words = [sys.executable, "-I", "-S", leash.__file__, signal.SIGTERM.name]
    return f"exec {shlex.join(words)} $PPID {command}"


def stop_signals() -> list[signal.Signals]:
    """Return the signals that ask us to stop; a closed terminal does not under nohup."""
    hangup = [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]
    return [signal.SIGINT, signal.SIGTERM, *hangup]


class _TiedProcess(HonchoProcess):  # type: ignore[misc]
    """Honcho's watcher of one process; it dies with us, and its process with it."""

    def run(self, events: Any = None, ignore_signals: bool = False) -> None:  # noqa: FBT001, FBT002
        leash.tie(signal.SIGKILL)
        super().run(events, ignore_signals)


class Crew(Manager):  # type: ignore[misc]
    """All processes of the run; `loop` returns when they have ended."""

    def __init__(self, processes: Sequence[Process], *, started: Callable[[], object]) -> None:
        super().__init__()
        self._process_ctor = _TiedProcess
        self._started = started
        self._asked = False
        #: The first process that ended by itself and its exit code: why the run is over.
        self.fallen: tuple[str, int] | None = None
        for process in processes:
            self.add_process(process.name, tied(process.command), env=dict(process.environment))

    def loop(self) -> None:
        """Run all until one falls or we are asked to stop; nothing of theirs is left when this returns."""
        # A closed terminal is a request to stop like any other, which honcho does not know.
        if signal.SIGHUP in stop_signals():
            signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
        try:
            super().loop()
        finally:
            self._end_watchers()

    def terminate(self) -> None:
        """Ask all processes to end; of those not yet started, see to it once they are."""
        self._asked = True
        if not self._all_started():
            return
        if not self._terminating and self.returncode not in _ASKED:
            self.fallen = self._first_fallen()
        super().terminate()

    def _end_watchers(self) -> None:
        """End what an error in the loop left; each process is tied to its watcher and ends with it."""
        watchers = [process["process"] for process in self._processes.values() if "process" in process]
        for watcher in watchers:
            watcher.kill()
            watcher.join()

    def _first_fallen(self) -> tuple[str, int] | None:
        ended = ((name, p["returncode"]) for name, p in self._processes.items() if "returncode" in p)
        return next(ended, None)

    def _any_stopped(self) -> bool:
        return self._asked or bool(super()._any_stopped())

    def _start(self) -> None:
        super()._start()
        # Only now: a thread of ours must not be there when honcho forks.
        self._started()


#: What honcho returns when it was asked to stop by Ctrl-C or SIGTERM.
_ASKED = (130, 143)
