"""The processes of a benchmark: started with a log, awaited, measured, and all ended with it.

Deliberately not a supervisor: a process that falls ends the benchmark.
"""

import http.client
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

#: How long (s) a process may take until it answers, and to leave when told.
START_PATIENCE_S: Final = 60
STOP_PATIENCE_S: Final = 20
#: How often (s) a starting process is asked.
POLL_S: Final = 0.05
_TICK: Final = os.sysconf("SC_CLK_TCK")
#: Fields of /proc/<pid>/stat after the name: parent, and CPU in user and system mode.
_PARENT, _USER, _SYSTEM = 1, 11, 12


class Running:
    """One process with its children, in a session of its own."""

    def __init__(self, name: str, command: Sequence[str], *, environment: Mapping[str, str], directory: Path) -> None:
        self.name = name
        self._log = directory / f"{name}.log"
        self._is_stopped = False
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, env=dict(environment), cwd=directory, start_new_session=True
            )

    def wait_until_it_answers(self, port: int, path: str) -> None:
        """Return once GET answers with 200.

        Raises:
            RuntimeError: it ended, or did not answer in time.
        """
        self._wait_until(lambda: _answers(port, path))

    def wait_until_it_says(self, words: str, *, times: int = 1) -> None:
        """Return once it has written these words to its log so often.

        Raises:
            RuntimeError: it ended, or did not in time.
        """
        self._wait_until(lambda: self._log.read_text().count(words) >= times)

    def _wait_until(self, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_PATIENCE_S
        while not is_so():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} did not start: {self._log.read_text()[-2000:]}")
            time.sleep(POLL_S)

    def pause(self) -> None:
        """Stop it with its children, where they are."""
        os.killpg(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        os.killpg(self._process.pid, signal.SIGCONT)

    def cpu(self) -> float:
        """CPU (s) that it and its living children have used."""
        return sum(cpu_of(pid) for pid in family(self._process.pid))

    def stop(self) -> None:
        """End it with its children; a second time nothing is left to end."""
        if self._is_stopped:
            return
        self._is_stopped = True
        with suppress(ProcessLookupError):
            self.resume()
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_PATIENCE_S)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def cpu_of(pid: int) -> float:
    """CPU (s) that one process has used; nothing once it is gone."""
    fields = _stat(pid)
    return (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICK if fields else 0.0


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        fields = _stat(int(entry.name)) if entry.name.isdigit() else []
        if fields:
            children.setdefault(int(fields[_PARENT]), []).append(int(entry.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
