"""`hookline up`: engines, every process of the Procfile, one front door and, on request, simulated vendors.

Composition only. Deliberately for one machine and one person: production runs the Procfile on engines of its own.
"""

import os
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dotenv import dotenv_values

from runtime.errors import HooklineError
from sandbox import demo
from sandbox.announcing import Announcer, Greeting
from sandbox.datadir import DataDir, Keys
from sandbox.engines import MongoEngine, ValkeyEngine
from sandbox.engines.engine import Engine
from sandbox.engines.ports import LOOPBACK, free_ports, is_free
from sandbox.front import Front
from sandbox.processes import Crew, Process, module_command, procfile_commands
from sandbox.simulators.meta import settings as meta_settings

#: Variables other commands need to work on the same data; they stand in the note of the data directory.
SHARED = ("MONGODB_URI", "MONGODB_DATABASE", "REDIS_URL", "BROKER_URL", "ENCRYPTION_KEYS", "PUBLIC_URL")
#: The engines by the variable that replaces each.
ENGINES: Mapping[str, tuple[str, type[Engine]]] = {
    "MONGODB_URI": ("mongo", MongoEngine),
    "REDIS_URL": ("valkey", ValkeyEngine),
}


class PortTakenError(HooklineError):
    """Somebody else listens on the port we were asked to serve."""


class ProcessFellError(HooklineError):
    """A process ended that should have gone on, or never became ready."""


def run_up(data: Path, *, port: int, with_demo: bool) -> int:
    """Run everything until asked to stop; return the exit code.

    Raises:
        HooklineError: it cannot start, or a process fell; the message is for the person at the terminal.
    """
    directory = DataDir(data)
    with ExitStack() as stack:
        stack.enter_context(_orderly_stop())
        stack.enter_context(directory.lock())
        if not is_free(port):
            raise PortTakenError(f"port {port} is taken on {LOOPBACK}: choose another with --port")
        environment = _environment(directory, port=port)
        environment |= stack.enter_context(_engines(directory, environment))
        note = {name: environment[name] for name in SHARED if name in environment}
        stack.enter_context(directory.announced(environment=note, url=environment["PUBLIC_URL"]))
        _run(_House(directory, environment, port=port, with_demo=with_demo))
    return 0


class _House:
    """The processes of this run and what they were given."""

    def __init__(
        self, directory: DataDir, environment: Mapping[str, str], *, port: int, with_demo: bool
    ) -> None:
        self.directory = directory
        self.url = f"http://{LOOPBACK}:{port}"
        self.with_demo = with_demo
        self._environment = dict(environment)
        self._port = port
        names = ("ingest", "api", "worker", "clock", "realtime", "meta")
        self._ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.token = self._login_token()

    def processes(self) -> list[Process]:
        """Return every process to run."""
        simulators = [self._meta_simulator()] if self.with_demo else []
        return [*self._production(), self._front(), *simulators]

    def _production(self) -> list[Process]:
        return [
            Process(
                name=name,
                command=command,
                environment=self._environment | self._binds(name),
                ready_url=f"http://{LOOPBACK}:{self._ports[name]}/{READINESS.get(name, 'readyz')}",
            )
            for name, command in procfile_commands().items()
        ]

    def _binds(self, name: str) -> dict[str, str]:
        bind = f"{LOOPBACK}:{self._ports[name]}"
        variable = f"{name.upper()}_BIND"
        return {variable: bind} if name in SERVERS else {"METRICS_BIND": bind}
