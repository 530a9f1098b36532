"""Who applies stored webhooks: Hookline's worker in batches, and the ordinary worker one by one.

Each has its database on the same mongod, its Dramatiq worker on the same Valkey, its rows, and what must come of them;
both can be put back to the moment before the traffic. Deliberately no measuring.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from bson import ObjectId
from dramatiq.common import dq_name
from dramatiq.worker import Worker
from pymongo.collection import Collection
from pymongo.database import Database

from benchmarks.baselines import ordinary_worker
from benchmarks.baselines.ordinary import DATABASE, JOBS, declare_job
from benchmarks.stage import Stage
from benchmarks.traffic import PHONE_NUMBER_ID, Expected, Traffic
from models.store import indexes
from models.store.intake import intake_row
from runtime.broker import ring, ringing_broker
from runtime.jobs import RECEIVE
from services.wiring import Services
from workers.process import PREFETCH, build_worker

HOOKLINE: Final = "hookline"
ORDINARY: Final = "ordinary"
#: Rows of one insert while the stage is set, and of one batch of what happened before the traffic.
CHUNK: Final = 200
#: What the conversations before the traffic left, and what the traffic itself fills.
_KEPT: Final = ("customers", "chats", "messages", "addresses")
_FILLED: Final = ("webhookevents", "pendingupdates")
#: How often (s) to look whether a queue is empty.
_LOOK_EVERY_S: Final = 0.02
Document = dict[str, Any]


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
    #: Builds the worker with so many threads.
    worker: Callable[[int], Worker]
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

    ringing = ringing_broker(stage.settings.broker_url)
    return Applier(
        HOOKLINE,
        stage.database,
        store,
        take=services.receiving.receive,
        index=lambda: indexes.apply(stage.database),
        tell=lambda ids: ring(ringing, RECEIVE, ids),
        queue=RECEIVE.queue,
        worker=lambda threads: build_worker(services, {RECEIVE.queue}, threads=threads, prefetch=PREFETCH),
    )


def ordinary(stage: Stage) -> Applier:
    """Make the ordinary worker, with Dramatiq's own settings."""
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
        worker=lambda threads: Worker(job.broker, queues={JOBS}, worker_threads=threads),
    )


def wait_for(worker: Worker, queue: str) -> None:
    """Let a worker do all that is in its queue."""
    worker.start()
    while _left(worker.broker, queue):
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
