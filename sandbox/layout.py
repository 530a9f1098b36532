"""Who runs on this machine: every process with its command, its environment and its ports.

Deliberately pure: it starts nothing, so that tests can look at what would be started.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from sandbox.datadir import Keys
from sandbox.engines.ports import LOOPBACK, free_ports
from sandbox.front import Front
from sandbox.processes import Process, module_command, procfile_commands
from sandbox.vendors import TWILIO, VENDORS, Vendor

#: Procfile processes that serve their own port for requests; the others only one for health and metrics.
SERVERS = ("ingest", "api")
#: Variables a simulator may see: it plays the vendor and knows none of our settings.
SIMULATOR_SEES = ("PATH", "HOME", "LANG", "PYTHONUNBUFFERED")
#: Where vendors deliver, below any address of ours.
WEBHOOKS = "/api/whatsapp/webhooks"
#: What a careful customer of Twilio's adds to the webhook's address: repeat whatever went wrong.
TWILIO_OVERRIDES = "#rc=3&rp=all"


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
    twilio: int
    chatapi: int


def choose_ports(front: int, *, former: Mapping[str, int] | None = None) -> Ports:
    """Return the asked front port, the vendors' former ports, and free ones for everybody else."""
    names = [one.name for one in fields(Ports) if one.name != "front"]
    free = dict(zip(names, free_ports(len(names)), strict=True))
    return Ports(front=front, **(free | dict(former or {})))


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


def simulators(
    ports: Ports, keys: Keys, *, config_ids: Mapping[str, str], environment: Mapping[str, str]
) -> list[Process]:
    """Return the simulated vendors, which deliver through the front door as the real ones would."""
    return [_simulator(vendor, ports, keys, config_ids[vendor.slug], environment) for vendor in VENDORS]


def vendor_urls(ports: Ports) -> dict[str, str]:
    """Return what the demo's accounts call instead of the real vendors."""
    return {vendor.slug: _local(getattr(ports, vendor.slug)) for vendor in VENDORS}


def _simulator(vendor: Vendor, ports: Ports, keys: Keys, config_id: str, environment: Mapping[str, str]) -> Process:
    path = f"{WEBHOOKS}/{vendor.slug}/{config_id}"
    arguments = {
        "--webhook": f"{_local(ports.front)}{path}",
        "--port": str(getattr(ports, vendor.slug)),
        **vendor.flags,
    }
    if vendor is TWILIO:
        # It signs what it calls from outside, which is not where it delivers from within.
        arguments["--configured"] = f"{environment['PUBLIC_URL'].rstrip('/')}{path}{TWILIO_OVERRIDES}"
    words = [word for argument in arguments.items() for word in argument]
    secrets = {secret.variable: secret.of(keys) for secret in vendor.secrets}
    seen = {name: environment[name] for name in SIMULATOR_SEES if name in environment}
    return Process(
        name=vendor.slug,
        command=module_command(f"sandbox.simulators.{vendor.slug}", *words),
        environment=seen | secrets,
        ready_url=f"{vendor_urls(ports)[vendor.slug]}/ledger",
    )


def _bind_variable(name: str) -> str:
    return f"{name.upper()}_BIND" if name in SERVERS else "METRICS_BIND"


def _local(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"
