"""Loading a receiver with signed requests, each sent once, and what came of it.

wrk does it where it is installed, else `benchmarks.selecting` in Python; both keep one request in flight on each
connection for a window of time, then wait for the last answers. Deliberately no figures: those are the callers'.
"""

import json
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
SCRIPT: Final = Path(__file__).with_name("signed.lua")
#: Slowest answer (s) that still counts as one.
PATIENCE_S: Final = 10


class LoadError(Exception):
    """The load could not be made as planned, so its figures mean nothing."""


class ExhaustedError(LoadError):
    """There were fewer requests than the receiver could take in the window."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a load generator saw in one window."""

    connections: int
    window: float
    #: Requests sent; each connection had one in flight when the window ended.
    issued: int
    answered: int
    #: Answers other than 200, and connections that broke.
    refused: int
    broken: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    #: CPU (s) of the generator.
    cpu: float

    @property
    def acknowledged(self) -> int:
        """Webhooks answered 200."""
        return self.answered - self.refused

    @property
    def unanswered(self) -> int:
        """Requests whose fate the sender does not know."""
        return self.issued - self.answered

    @property
    def rate(self) -> float:
        """Webhooks answered 200 within the window, per second of it."""
        return max(0, self.issued - self.connections - self.refused) / self.window


def generators() -> list[str]:
    """Name the load generators of this machine, the best first."""
    return ["wrk", "python"] if shutil.which("wrk") else ["python"]


def load(port: int, requests: Path, *, connections: int, window: float, by: str, drain: int) -> Load:
    """Send requests for a window of time, then wait up to `drain` seconds for the last answers.

    Raises:
        ExhaustedError: the file held too few requests.
        LoadError: the generator failed.
    """
    before = _children_cpu()
    words = _COMMANDS[by](port, requests, connections=connections, window=window, drain=drain)
    ended = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)
    if ended.returncode:
        raise LoadError(f"the load generator failed: {ended.stderr.strip() or ended.stdout.strip()}")
    seen = json.loads(ended.stdout.strip().splitlines()[-1])
    if seen.pop("exhausted"):
        raise ExhaustedError(f"{requests.name} held too few requests for {window} s")
    del seen["idle"]
    return Load(connections=connections, window=window, cpu=_children_cpu() - before, **seen)


def _wrk(port: int, requests: Path, *, connections: int, window: float, drain: int) -> list[str]:
    return [
        "wrk", "-t1", f"-c{connections}", f"-d{int(window + 0.999) + drain}s", f"--timeout={PATIENCE_S}s",
        f"--script={SCRIPT}", f"http://127.0.0.1:{port}/", "--", str(requests), str(window),
    ]  # fmt: skip


def _python(port: int, requests: Path, *, connections: int, window: float, drain: int) -> list[str]:
    numbers = [str(port), str(requests), str(connections), str(window), str(drain)]
    return [sys.executable, "-m", "benchmarks.selecting", *numbers]


_COMMANDS: Final = {"wrk": _wrk, "python": _python}


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
