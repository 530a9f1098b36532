"""Who runs on this machine: every process with its command, its environment and its ports.

Deliberately pure: it starts nothing, so that tests can look at what would be started.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from sandbox import demo
from sandbox.datadir import Keys
from sandbox.engines.ports import LOOPBACK, free_ports
from sandbox.front import Front
from sandbox.processes import Process, module_command, procfile_commands

#: Procfile processes that serve their own port for requests; the others only one for health and metrics.
SERVERS = ("ingest", "api")
#: Variables a simulator may see: it plays the vendor and knows none of our settings.
SIMULATOR_SEES = ("PATH", "HOME", "LANG", "PYTHONUNBUFFERED")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where each process of this run listens, all on 127.0.0.1."""

    front: int
    ingest: int
    api: int
    worker: int
    clock: int
    realtime: int
    meta: int


def choose_ports(front: int, *, meta: int | None = None) -> Ports:
    """Return the asked front port, the vendor's former port, and free ones for everybody else."""
    names = [one.name for one in fields(Ports) if one.name != "front"]
    free = dict(zip(names, free_ports(len(names)), strict=True))
    return Ports(front=front, **(free | ({"meta": meta} if meta else {})))


def production(ports: Ports, environment: Mapping[str, str]) -> list[Process]:
    """Return the processes of the Procfile, each on a port of its own."""
    return [
        Process(
            name=name,
            command=command,
            environment={**environment, _bind_variable(name): f"{LOOPBACK}:{getattr(ports, name)}"},
            ready_url=f"{_local(getattr(ports, name))}/{'readyz' if name in SERVERS else 'healthz'}",
        )
        for name, command in procfile_commands().items()
    ]


def front(ports: Ports, room: Path) -> Process:
    """Return the front door."""
    door = Front(
        port=ports.front,
        ingest_port=ports.ingest,
        api_port=ports.api,
        realtime_port=ports.realtime,
        data_dir=room,
    )
    return Process(
        name="front",
        command=door.command(),
        environment=door.environment(),
        ready_url=f"{_local(ports.front)}/readyz",
    )


def meta_simulator(ports: Ports, keys: Keys, *, config_id: str, environment: Mapping[str, str]) -> Process:
    """Return the simulated vendor, which delivers through the front door as the real one would."""
    arguments = {
        "--webhook": f"{_local(ports.front)}/api/whatsapp/webhooks/meta/{config_id}",
        "--port": str(ports.meta),
        "--phone-number-id": demo.PHONE_NUMBER_ID,
        "--business-account-id": demo.BUSINESS_ACCOUNT_ID,
        "--display-phone-number": demo.DISPLAY_PHONE_NUMBER,
    }
    words = [word for argument in arguments.items() for word in argument]
    secrets = {"META_APP_SECRET": keys.demo_app_secret, "META_VERIFY_TOKEN": keys.demo_verify_token}
    seen = {name: environment[name] for name in SIMULATOR_SEES if name in environment}
    return Process(
        name="meta",
        command=module_command("sandbox.simulators.meta", *words),
        environment=seen | secrets,
        ready_url=f"{meta_url(ports)}/ledger",
    )


def meta_url(ports: Ports) -> str:
    """Return what the demo account calls instead of the real vendor."""
    return _local(ports.meta)


def _bind_variable(name: str) -> str:
    return f"{name.upper()}_BIND" if name in SERVERS else "METRICS_BIND"


def _local(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"
