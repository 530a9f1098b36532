"""`hookline up`: engines, every process of the Procfile, one front door and, on request, simulated vendors.

Composition only. Deliberately for one machine and one person: production runs the Procfile on engines of its
own.
"""

import hashlib
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
from dotenv import dotenv_values

from runtime.errors import HooklineError
from sandbox import demo, layout
from sandbox.announcing import Announcer, Greeting
from sandbox.datadir import DataDir
from sandbox.engines import MongoEngine, ValkeyEngine
from sandbox.engines.engine import Engine
from sandbox.engines.ports import LOOPBACK, is_free, remembered_port
from sandbox.processes import Crew, Process, stop_signals
from sandbox.vendors import VENDORS

#: Variables other commands need to work on the same data, and to call whom it calls; they stand in the note of the
#: data directory.
SHARED = (
    *("MONGODB_URI", "MONGODB_DATABASE", "REDIS_URL", "BROKER_URL", "ENCRYPTION_KEYS", "PUBLIC_URL", "MEDIA_URL"),
    *(f"{vendor.slug.upper()}_API_URL" for vendor in VENDORS),
)
#: Each engine by the variable that names one of your own instead.
ENGINES: Mapping[str, tuple[str, type[Engine]]] = {
    "MONGODB_URI": ("mongo", MongoEngine),
    "REDIS_URL": ("valkey", ValkeyEngine),
}


class PortTakenError(HooklineError):
    """Somebody else listens on the port we were asked to serve."""


class ProcessFellError(HooklineError):
    """A process ended that should have gone on, or never became ready."""


class _AskedToStop(BaseException):
    """Ctrl-C, SIGTERM or a closed terminal while we start; no error, and nobody may swallow it."""


def run_up(data: Path, *, port: int, with_demo: bool) -> int:
    """Run everything until asked to stop; return the exit code.

    Raises:
        HooklineError: it cannot start, or a process fell; the message is for the person at the terminal.
    """
    directory = DataDir(data)
    try:
        with _stop_signals(), directory.lock():
            _run_locked(directory, port=port, with_demo=with_demo)
    except _AskedToStop:
        pass
    return 0


def _run_locked(directory: DataDir, *, port: int, with_demo: bool) -> None:
    if not is_free(port):
        raise PortTakenError(f"port {port} is taken on {LOOPBACK}: choose another with --port")
    ports = layout.choose_ports(port, former=_former_ports(directory))
    with ExitStack() as stack:
        environment = _environment(directory, port=port)
        embedded = _start_engines(directory, environment, stack)
        environment |= embedded
        public_url = environment["PUBLIC_URL"].rstrip("/")
        stack.enter_context(directory.announced(environment=shared(environment), url=public_url))
        token = directory.login_token(_database_key(environment, embedded), lambda: demo.login_token(environment))
        processes = _processes(directory, environment, ports, with_demo=with_demo)
        here = f"http://{LOOPBACK}:{port}"
        greeting = Greeting(url=here, public_url=public_url, token=token, data=str(directory.path), demo=with_demo)
        _run_crew(processes, greeting)


def shared(environment: Mapping[str, str]) -> dict[str, str]:
    """Choose what commands beside this run are told."""
    return {name: environment[name] for name in SHARED if name in environment}


def _environment(directory: DataDir, *, port: int) -> dict[str, str]:
    """Return what all processes are told: our choices, yours above them, and what must be so."""
    given = {name: value for name, value in {**dotenv_values(".env"), **os.environ}.items() if value}
    metrics = directory.path / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics = directory.room("metrics")
    chosen = {
        "MONGODB_DATABASE": "hookline",
        "ENCRYPTION_KEYS": directory.keys().encryption_keys,
        "PUBLIC_URL": f"http://{LOOPBACK}:{port}",
        "LOG_FORMAT": "console",
    }
    fixed = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), given.get("PATH", os.defpath)]),
        "PYTHONUNBUFFERED": "1",
        # Both before Python starts, or the workers' metrics stay empty.
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        "dramatiq_prom_db": str(metrics),
    }
    return chosen | given | fixed


def _start_engines(directory: DataDir, environment: Mapping[str, str], stack: ExitStack) -> dict[str, str]:
    """Start the engines nobody replaced; they are stopped after everything else."""
    uris = {}
    for variable, (room, engine_class) in ENGINES.items():
        if variable not in environment:
            engine = engine_class(directory.room(room))
            stack.callback(engine.stop)
            uris[variable] = engine.start()
            click.echo(f"{engine.name} runs on {uris[variable]}")
    return uris


def _database_key(environment: Mapping[str, str], embedded: Mapping[str, str]) -> str:
    """Name the database a login token is for; the embedded one keeps its name when its port changes."""
    uri = "embedded" if "MONGODB_URI" in embedded else environment["MONGODB_URI"]
    return hashlib.sha256(f"{uri} {environment['MONGODB_DATABASE']}".encode()).hexdigest()[:16]


def _processes(
    directory: DataDir, environment: Mapping[str, str], ports: layout.Ports, *, with_demo: bool
) -> list[Process]:
    processes = [*layout.production(ports, environment), layout.front(ports, directory.room("front"))]
    if with_demo:
        keys = directory.keys()
        config_ids = demo.accounts(keys, api_urls=layout.vendor_urls(ports), environment=environment)
        for slug in config_ids:
            _port_file(directory, slug).write_text(f"{getattr(ports, slug)}\n")
        processes += layout.simulators(ports, keys, config_ids=config_ids, environment=environment)
    return processes


def _former_ports(directory: DataDir) -> dict[str, int]:
    """Return where the simulated vendors listened before, because the demo's accounts have their addresses."""
    former = {vendor.slug: remembered_port(_port_file(directory, vendor.slug)) for vendor in VENDORS}
    return {slug: port for slug, port in former.items() if port}


def _port_file(directory: DataDir, slug: str) -> Path:
    return directory.path / f"{slug}.port"


def _run_crew(processes: list[Process], greeting: Greeting) -> None:
    missing: list[str] = []

    def late(names: list[str]) -> None:
        missing.extend(names)
        os.kill(os.getpid(), signal.SIGTERM)

    announcer = Announcer(
        {process.name: process.ready_url for process in processes},
        ready=lambda: click.echo(greeting.text()),
        late=late,
    )
    crew = Crew(processes, started=announcer.start)
    try:
        crew.loop()
    finally:
        _ignore_stop_signals()
        announcer.cancel()
    if missing:
        raise ProcessFellError(f"not ready in time: {', '.join(missing)}; see the lines above")
    if crew.fallen:
        name, code = crew.fallen
        raise ProcessFellError(f"{name} ended with exit code {code}; see its lines above")


@contextmanager
def _stop_signals() -> Iterator[None]:
    """Turn the first request to stop into an exception, and ignore more of them while we clean up."""

    def stop(*_: object) -> None:
        _ignore_stop_signals()
        raise _AskedToStop

    former = {number: signal.signal(number, stop) for number in stop_signals()}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _ignore_stop_signals() -> None:
    for number in stop_signals():
        signal.signal(number, signal.SIG_IGN)
