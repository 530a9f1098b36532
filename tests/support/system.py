"""A whole Hookline of real processes on engines of its own, to be used and to be broken.

Processes are the product's own commands; what a test kills it may start again. Deliberately no fault here that an
operator could not cause.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import requests
from cryptography.fernet import Fernet
from pymongo import MongoClient

from models.store.collections import Store
from models.store.indexes import apply
from runtime.crypto import Secret
from runtime.settings import Settings
from sandbox.engines import MongoEngine, ValkeyEngine
from sandbox.engines.ports import free_port
from tests.support.waiting import until
from tests.support.wired import Wired, add_meta_account

ROOT = Path(__file__).parents[2]
DATABASE = "hookline"


class Process:
    """One process of the product, in a session of its own so that all of it can be killed."""

    def __init__(self, name: str, environment: dict[str, str], log: Path, *, without: str | None = None) -> None:
        self.name = name
        self.log = log
        program = ["tests.support.sabotage", without] if without else ["cli.main"]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *program, name],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Signal the process and its children."""
        os.killpg(self._process.pid, number)

    def kill(self) -> None:
        """End it as the power would."""
        if self.alive:
            self.send(signal.SIGKILL)
        self._process.wait(10)

    def stop(self) -> int:
        """Ask it to end and wait until it has."""
        if self.alive:
            self._process.terminate()
        return self._process.wait(40)

    def said(self) -> str:
        """All it wrote to its log so far."""
        return self.log.read_text(errors="replace")


class System:
    """Engines, processes and one Meta account."""

    def __init__(self, directory: Path, **settings: str) -> None:
        self.directory = directory
        self.mongo = MongoEngine(directory / "mongo", oplog_mb=64, test_commands=True)
        self.valkey = ValkeyEngine(directory / "valkey")
        self.processes: list[Process] = []
        #: What the processes are told beyond the usual; those started later hear of what is added.
        self.extra = settings
        self._key = Fernet.generate_key().decode()

    def start_engines(self) -> None:
        self.mongo.start()
        self.valkey.start()
        with MongoClient[dict[str, Any]](self.mongo.uri) as client:
            apply(client[DATABASE])
        self.services.account = add_meta_account(self.services)

    @property
    def environment(self) -> dict[str, str]:
        """What the processes are told."""
        return {
            "MONGODB_URI": self.mongo.uri,
            "MONGODB_DATABASE": DATABASE,
            "REDIS_URL": self.valkey.uri,
            "ENCRYPTION_KEYS": self._key,
            "PUBLIC_URL": "http://127.0.0.1:8000",
            "INGEST_WORKERS": "1",
            **self.extra,
        }

    @cached_property
    def services(self) -> Wired:
        """The product's services on the same engines, for looking and for setting up."""
        uri = Secret(self.mongo.uri)
        settings = Settings(
            mongodb_uri=uri,
            redis_url=Secret(self.valkey.uri),
            broker_url=Secret(self.valkey.uri),
            encryption_keys=(Secret(self._key),),
        )
        return Wired(settings, application="test")

    @property
    def store(self) -> Store:
        return self.services.store

    def start(self, name: str, *, without: str | None = None, **environment: str) -> Process:
        """Start a process and give it a metrics port of its own; a control's without one of its mechanisms."""
        told = {**self.environment, "METRICS_BIND": f"127.0.0.1:{free_port()}", **environment}
        process = Process(name, told, self.directory / f"{name}-{len(self.processes)}.log", without=without)
        self.processes.append(process)
        return process

    def start_receiver(self, bind: str | None = None) -> str:
        """Start a receiver; return its base URL once it takes webhooks."""
        return self._start_server("ingest", "INGEST_BIND", bind)

    def start_api(self, *, without: str | None = None) -> str:
        """Start the API; return its base URL once it answers."""
        return self._start_server("api", "API_BIND", without=without)

    def _start_server(self, name: str, variable: str, bind: str | None = None, *, without: str | None = None) -> str:
        bind = bind or f"127.0.0.1:{free_port()}"
        process = self.start(name, without=without, **{variable: bind})
        until(lambda: not process.alive or _ready(f"http://{bind}"), seconds=60, what=f"{name} to be ready")
        assert process.alive, process.said()
        return f"http://{bind}"

    def command(self, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run one of the product's commands, as an operator does."""
        told = {**os.environ, **self.environment, **environment}
        words = (sys.executable, "-m", "cli.main", *words)
        return subprocess.run(words, cwd=ROOT, env=told, capture_output=True, text=True, timeout=60, check=False)

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
        self.mongo.kill()
        self.valkey.kill()


@contextmanager
def running(directory: Path, **settings: str) -> Iterator[System]:
    """Run engines and whatever the test starts; leave nothing behind."""
    system = System(directory, **settings)
    try:
        system.start_engines()
        yield system
    finally:
        system.stop()


def in_threads(count: int, call: Callable[[int], Any]) -> list[Any]:
    """Call with 0 … count-1 at once and return the results in order."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(call, range(count)))


def _ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz", timeout=2).status_code == 200
    except requests.RequestException:
        return False
