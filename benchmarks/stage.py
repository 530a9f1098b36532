"""The stage of a benchmark: a real mongod and a real Valkey, one account, and an environment for processes.

Everything is local and made for the run; nothing of the machine's own database is touched. Deliberately no measuring.
"""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import redis
from cryptography.fernet import Fernet
from pymongo import MongoClient
from pymongo.database import Database

from benchmarks.processes import Running, cpu_of
from benchmarks.traffic import BUSINESS_ACCOUNT_ID, DISPLAY_NUMBER, PHONE_NUMBER_ID
from models.store.indexes import apply
from providers import registry
from runtime.crypto import Secret
from runtime.logs import configure_logs
from runtime.settings import Settings
from sandbox.engines import MongoEngine, ValkeyEngine
from sandbox.engines.ports import free_port
from services.wiring import Services

ROOT: Final = Path(__file__).resolve().parent.parent
#: Cache of mongod (GB) and size of its operations log (MB): the same for all contenders.
CACHE_GB: Final = 1.0
OPLOG_MB: Final = 1024
#: Variables of our own environment that processes may see.
_PASSED_ON: Final = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "TZ", "LANG")


@dataclass(slots=True)
class Stage:
    """Engines, account and environment of one benchmark."""

    directory: Path
    mongo: MongoEngine
    valkey: ValkeyEngine
    client: "MongoClient[dict[str, Any]]"
    queue: redis.Redis
    settings: Settings
    environment: dict[str, str]
    webhook_secret: str
    config_id: str
    stack: ExitStack

    @property
    def database(self) -> "Database[dict[str, Any]]":
        """Hookline's database."""
        return self.client[self.settings.mongodb_database]

    def start(self, name: str, *command: str, **environment: str) -> Running:
        """Start a process that ends with the stage."""
        metrics = self.directory / f"metrics-{name}"
        metrics.mkdir(exist_ok=True)
        own = self.environment | {"PROMETHEUS_MULTIPROC_DIR": str(metrics)} | environment
        running = Running(name, command, environment=own, directory=self.directory)
        self.stack.callback(running.stop)
        return running

    def hookline(self, command: str, *, name: str | None = None, **environment: str) -> Running:
        """Start one of Hookline's own processes, as the Procfile does."""
        return self.start(name or command, _hookline(), command, **environment)

    def ask(self, *words: str) -> dict[str, Any]:
        """Run one of Hookline's commands with `--json`, and read what it prints."""
        command = [_hookline(), *words]
        ended = subprocess.run(command, env=self.environment, cwd=self.directory, capture_output=True, check=True)
        answer: dict[str, Any] = json.loads(ended.stdout)
        return answer

    def settle(self) -> None:
        """Empty the queue and write a checkpoint, so that no run pays for the one before it."""
        self.queue.flushall()
        self.client.admin.command("fsync")

    def round_trips(self) -> int:
        """Requests mongod has answered since its start."""
        return int(self.client.admin.command("serverStatus")["network"]["numRequests"])

    def mongo_cpu(self) -> float:
        """CPU (s) of mongod."""
        return cpu_of(self.mongo.pid or 0)

    def valkey_cpu(self) -> float:
        """CPU (s) of Valkey."""
        return cpu_of(self.valkey.pid or 0)


@contextmanager
def open_stage(*, cache_gb: float = CACHE_GB) -> Iterator[Stage]:
    """Set the stage, and clear it away with all its processes and data, on SIGTERM too."""
    configure_logs(level="ERROR", style="console")
    directory = Path(tempfile.mkdtemp(prefix="hookline-benchmark-"))
    with _unwinding_on_sigterm(), ExitStack() as stack:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        mongo = MongoEngine(directory / "mongo", cache_gb=cache_gb, oplog_mb=OPLOG_MB)
        valkey = ValkeyEngine(directory / "valkey")
        for engine in (mongo, valkey):
            engine.start()
            stack.callback(engine.kill)
        yield _furnished(directory, mongo, valkey, stack)


@contextmanager
def _unwinding_on_sigterm() -> Iterator[None]:
    """Let SIGTERM leave as Ctrl-C does, through all that is open; a second one changes nothing."""

    def leave(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_IGN)
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _furnished(directory: Path, mongo: MongoEngine, valkey: ValkeyEngine, stack: ExitStack) -> Stage:
    settings = Settings(
        mongodb_uri=Secret(mongo.uri),
        redis_url=Secret(valkey.uri),
        broker_url=Secret(valkey.uri),
        encryption_keys=(Secret(Fernet.generate_key().decode()),),
    )
    client = stack.enter_context(MongoClient[dict[str, Any]](mongo.uri, tz_aware=True))
    apply(client[settings.mongodb_database])
    webhook_secret = secrets.token_hex(16)
    return Stage(
        directory=directory,
        mongo=mongo,
        valkey=valkey,
        client=client,
        queue=stack.enter_context(redis.Redis.from_url(valkey.uri)),
        settings=settings,
        environment=_environment(settings) | {"WEBHOOK_SECRET": webhook_secret},
        webhook_secret=webhook_secret,
        config_id=_account(settings, webhook_secret),
        stack=stack,
    )


def _hookline() -> str:
    return str(Path(sys.executable).with_name("hookline"))


def _environment(settings: Settings) -> dict[str, str]:
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return passed | {
        "MONGODB_URI": settings.mongodb_uri.reveal(),
        "REDIS_URL": settings.redis_url.reveal(),
        "ENCRYPTION_KEYS": settings.encryption_keys[0].reveal(),
        "METRICS_BIND": f"127.0.0.1:{free_port()}",
        "LOG_LEVEL": "WARNING",
        "PYTHONPATH": str(ROOT),
    }


def _account(settings: Settings, webhook_secret: str) -> str:
    """Add the account all traffic is for; its webhooks are signed with the secret."""
    services = Services(settings, application="benchmark")
    provider = registry.by_name("meta-whatsapp")
    assert provider is not None
    values = {
        "phoneNumberId": PHONE_NUMBER_ID,
        "businessAccountId": BUSINESS_ACCOUNT_ID,
        "phoneNumber": f"+{DISPLAY_NUMBER}",
        "webhookSecret": webhook_secret,
        "webhookVerifyToken": secrets.token_hex(8),
    }
    config = services.connecting.add(provider, values, name="benchmark")
    services.store.client.close()
    return config.id
