"""Who applies stored webhooks: Hookline's workers in batches, and the ordinary workers one by one.

Each has its database on the same mongod, its processes that fetch jobs from the same Valkey, its rows, and what must
come of them; both can be put back to the moment before the traffic. Deliberately no measuring.
"""

import http.client
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bson import ObjectId
from dramatiq.common import dq_name
from prometheus_client.parser import text_string_to_metric_families
from pymongo.collection import Collection
from pymongo.database import Database

from benchmarks.baselines import ordinary_worker
from benchmarks.baselines.ordinary import DATABASE, JOBS, declare_job
from benchmarks.processes import Running
from benchmarks.stage import Stage
from benchmarks.traffic import PHONE_NUMBER_ID, Expected, Traffic
from models.store import indexes
from models.store.intake import intake_row
from runtime.broker import ring, worker_broker
from runtime.jobs import RECEIVE
from sandbox.engines.ports import free_port
from services.wiring import Services

HOOKLINE: Final = "hookline"
ORDINARY: Final = "ordinary"
#: Rows of one insert while the stage is set, and of one batch of what happened before the traffic.
CHUNK: Final = 200
#: What the conversations before the traffic left, and what the traffic itself fills.
_KEPT: Final = ("customers", "chats", "messages", "addresses")
_FILLED: Final = ("webhookevents", "pendingupdates")
#: How often (s) to look whether a queue is empty.
_LOOK_EVERY_S: Final = 0.02
#: What Hookline's processes count each time a transaction is begun again.
_RETRIES: Final = "hookline_apply_retries_total"
#: What a process of Dramatiq's writes to its log when it has started.
_DRAMATIQ_STARTED: Final = "Worker process is ready for action."
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Crew:
    """The worker processes of one run; `ports`: where they tell what they count."""

    processes: Sequence[Running]
    ports: Sequence[int] = ()

    def pause(self) -> None:
        """Stop all of them, where they are."""
        for one in self.processes:
            one.pause()

    def resume(self) -> None:
        """Let all of them go on."""
        for one in self.processes:
            one.resume()

    def stop(self) -> None:
        """End all of them."""
        for one in self.processes:
            one.stop()

    def cpu(self) -> float:
        """CPU (s) that they have used."""
        return sum(one.cpu() for one in self.processes)

    def retries(self) -> float:
        """Transactions that were begun again, as far as they tell."""
        return sum(_counted(port, _RETRIES) for port in self.ports)


@dataclass(slots=True)
class Applier:
    """One who applies: how rows are stored for him, and how he applies a group of them."""

    name: str
    database: "Database[Document]"
    store: Callable[[Iterable[bytes]], list[Any]]
    take: Callable[[Sequence[Any]], object]
    index: Callable[[], object]
    #: Tells the worker of rows, as the receiver does.
    tell: Callable[[Sequence[Any]], object]
    queue: str
    #: Whose jobs these are.
    broker: Any
    #: Starts so many processes with so many threads each, and waits until they are ready.
    crew: Callable[[int, int], Crew]
    bodies: Sequence[bytes] = ()
    expected: Expected = field(default_factory=Expected)
    #: The database as it was before the traffic: collection -> documents.
    before: dict[str, list[Document]] = field(default_factory=dict)

    def reset(self) -> list[Any]:
        """Put the database back to the moment before the traffic, store the traffic's rows, return their ids."""
        for name in (*_KEPT, *_FILLED):
            self.database[name].drop()
        self.index()
        for name, documents in self.before.items():
            insert(self.database[name], documents)
        return self.store(self.bodies)

    def live_through(self, traffic: Traffic) -> "Applier":
        """Apply what happened before the traffic, remember the database as it is then, and take up the traffic."""
        self.reset()
        earlier = self.store(traffic.before())
        for group in groups(earlier, CHUNK):
            self.take(group)
        self.before = {name: list(self.database[name].find()) for name in _KEPT}
        self.bodies, self.expected = list(traffic.mixed()), traffic.expected
        return self


def hookline(stage: Stage) -> Applier:
    """Make Hookline's worker."""
    services = Services(stage.settings, application="benchmark")
    stage.stack.callback(services.store.client.close)

    def store(bodies: Iterable[bytes]) -> list[str]:
        rows = [_row(stage.config_id, body) for body in bodies]
        insert(stage.database["webhookevents"], rows)
        return [row["id"] for row in rows]

    ringing = worker_broker(stage.settings.broker_url)
    return Applier(
        HOOKLINE,
        stage.database,
        store,
        take=services.receiving.receive,
        index=lambda: indexes.apply(stage.database),
        tell=lambda ids: ring(ringing, RECEIVE, ids),
        queue=RECEIVE.queue,
        broker=ringing,
        crew=lambda processes, threads: _hookline_crew(stage, processes, threads),
    )


def _hookline_crew(stage: Stage, processes: int, threads: int) -> Crew:
    ports = [free_port() for _ in range(processes)]
    crew = [
        stage.hookline("worker", name=f"worker-{port}", METRICS_BIND=f"127.0.0.1:{port}", WORKER_THREADS=str(threads))
        for port in ports
    ]
    for one, port in zip(crew, ports, strict=True):
        one.wait_until_it_answers(port, "/metrics")
    return Crew(crew, ports)


def _counted(port: int, name: str) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/metrics")
    told = connection.getresponse().read().decode()
    connection.close()
    samples = (sample for family in text_string_to_metric_families(told) for sample in family.samples)
    return sum(sample.value for sample in samples if sample.name == name)


def ordinary(stage: Stage) -> Applier:
    """Make the ordinary worker: Dramatiq's own command, with its own settings."""
    database = stage.client[DATABASE]
    worker = ordinary_worker.OrdinaryWorker(database)
    database["whatsappconfigs"].insert_one({"phoneNumberId": PHONE_NUMBER_ID, "isActive": True})

    def store(bodies: Iterable[bytes]) -> list[Any]:
        same = {"provider": "meta-whatsapp", "status": "pending", "receivedAt": datetime.now(UTC)}
        return insert(database["webhookevents"], [{**same, "rawBody": body} for body in bodies])

    def take(ids: Sequence[Any]) -> None:
        for one in ids:
            worker.process(one)

    job = declare_job(stage.settings.broker_url.reveal(), lambda one: worker.process(ObjectId(one)))

    def tell(ids: Sequence[Any]) -> None:
        for one in ids:
            job.send(str(one))

    return Applier(
        ORDINARY,
        database,
        store,
        take=take,
        index=lambda: ordinary_worker.prepare(database),
        tell=tell,
        queue=JOBS,
        broker=job.broker,
        crew=lambda processes, threads: _ordinary_crew(stage, processes, threads),
    )


def _ordinary_crew(stage: Stage, processes: int, threads: int) -> Crew:
    dramatiq = str(Path(sys.executable).with_name("dramatiq"))
    numbers = ("--processes", str(processes), "--threads", str(threads))
    crew = stage.start("dramatiq", dramatiq, "benchmarks.baselines.ordinary_jobs:broker", *numbers)
    crew.wait_until_it_says(_DRAMATIQ_STARTED, times=processes)
    return Crew([crew])


def wait_for(applier: Applier) -> None:
    """Let the workers do all that is in their queue."""
    while _left(applier.broker, applier.queue):
        time.sleep(_LOOK_EVERY_S)


def _left(broker: Any, queue: str) -> int:
    """Count the jobs that are not acknowledged yet, those included that are to be tried again."""
    return sum(broker.do_qsize(name) for name in (queue, dq_name(queue)))


def groups(rows: Sequence[Any], size: int) -> list[Sequence[Any]]:
    """Cut rows into groups, in their order."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def insert(collection: "Collection[Document]", documents: Sequence[Document]) -> list[Any]:
    """Store documents in a few inserts; return their internal ids."""
    return [one for chunk in groups(documents, CHUNK) for one in collection.insert_many(chunk).inserted_ids]


def _row(config_id: str, body: bytes) -> Document:
    """Make a waiting row as the receiver does."""
    row = intake_row(
        provider="meta-whatsapp",
        config_id=config_id,
        body=body,
        content_type="application/json",
        query="",
        headers={"content-type": "application/json", "user-agent": "facebookexternalua"},
        received_at=datetime.now(UTC),
    )
    return dict(row.document)
