"""How many stored webhooks a second become chats, messages and statuses: Hookline's batches, and one job per event.

Both run in this process, without a queue, on the same mongod, in turn within each round; what the database then holds is
compared with what the traffic says. Deliberately no HTTP: `benchmarks.ingest` measures the way in.
"""

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from prometheus_client import REGISTRY
from pymongo.database import Database

from benchmarks.baselines import ordinary_worker
from benchmarks.baselines.ordinary import DATABASE
from benchmarks.figures import Promise, machine, ratio, record, spread, table, write_json
from benchmarks.ledger import problems
from benchmarks.stage import Stage, open_stage
from benchmarks.traffic import PHONE_NUMBER_ID, Expected, Traffic
from models.store.indexes import apply as apply_indexes
from models.store.intake import intake_row
from services.wiring import Services

PROMISES: Final = (
    Promise("P5", "Hookline ÷ ordinary worker, events/s, the best of each", 6, 15),
    Promise("P7", "MongoDB round trips per event, applying alone", 1, 0.3, at_most=True),
)
#: What the short run must show at least; far below what is promised, so that a busy machine does not fail it.
FLOOR: Final = 2.0
#: Rows that one ring carries: a quiet and a busy minute. Threads: Hookline's default is 2.
GROUPS: Final = (32, 100)
THREADS: Final = (1, 2)
#: Threads of the ordinary worker; 8 is Dramatiq's default.
ORDINARY_THREADS: Final = (1, 8)
#: The ordinary worker gets one event in so many, because it is so slow; its rate does not depend on their number.
ORDINARY_SHARE: Final = 5
#: Rows of one insert while the stage is set, and of one batch of what happened before.
CHUNK: Final = 200
Documents = list[dict[str, Any]]


class LedgerError(Exception):
    """What the database holds is not what the traffic says."""


@dataclass(frozen=True, slots=True)
class Way:
    """A way of applying: who, with rings of how many rows, on how many threads."""

    who: str
    group: int
    threads: int

    def __str__(self) -> str:
        rows = "one event a job" if self.group == 1 else f"groups of {self.group}"
        return f"{self.who}, {rows}, {self.threads} thread{'s' * (self.threads > 1)}"


@dataclass(frozen=True, slots=True)
class Run:
    """What one run took."""

    events: int
    seconds: float
    worker_cpu: float
    mongo_cpu: float
    round_trips: int
    retries: float

    @property
    def rate(self) -> float:
        """Events a second by the clock on the wall."""
        return self.events / self.seconds

    @property
    def rate_per_core(self) -> float:
        """Events a second if the worker had a core for itself all the time."""
        return self.events / self.worker_cpu


@dataclass(slots=True)
class Worker:
    """One who applies: his database, how rows are stored for him, how he applies a group of them."""

    database: "Database[dict[str, Any]]"
    expected: Expected
    bodies: Sequence[bytes]
    store: Callable[[Iterable[bytes]], list[Any]]
    take: Callable[[Sequence[Any]], object]
    index: Callable[[], object]
    #: The database as it was before the traffic: collection -> documents.
    before: dict[str, Documents]


def main(words: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 1 when the short run fell below its floor."""
    chosen = _arguments(words)
    with open_stage(cache_gb=chosen.cache_gb) as stage:
        workers = {"hookline": _hookline(stage, chosen.events), "ordinary": _ordinary(stage, chosen.events // ORDINARY_SHARE)}
        found = _rounds(stage, workers, chosen)
        setting = machine(stage.client.server_info(), stage.queue.info("server"))
    return _report(found, setting, chosen)


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.apply", description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="a few seconds, for CI: fails below a generous floor")
    parser.add_argument("--runs", type=int, help="rounds, of which the median counts (5)")
    parser.add_argument("--events", type=int, help="stored webhooks of one run (20000)")
    parser.add_argument("--cache-gb", type=float, default=1.0, help="cache of mongod, for both (1)")
    parser.add_argument("--json", type=Path, help="write everything found to this file")
    parser.add_argument("--record", action="store_true", help="append a section to benchmarks/RESULTS.md")
    chosen = parser.parse_args(words)
    chosen.runs = chosen.runs or (1 if chosen.short else 5)
    chosen.events = chosen.events or (2_000 if chosen.short else 20_000)
    chosen.words = list(words if words is not None else sys.argv[1:])
    return chosen


def _hookline(stage: Stage, events: int) -> Worker:
    services = Services(stage.settings, application="benchmark")
    stage.stack.callback(services.store.client.close)
    rows = stage.database["webhookevents"]

    def store(bodies: Iterable[bytes]) -> list[str]:
        documents = [_row(stage.config_id, body) for body in bodies]
        _insert(rows, documents)
        return [document["id"] for document in documents]

    def index() -> object:
        return apply_indexes(stage.database)

    return _settled(Worker(stage.database, Expected(), (), store, services.receiving.receive, index, {}), events)


def _row(config_id: str, body: bytes) -> dict[str, Any]:
    """Make a pending row as the receiver does."""
    row = intake_row(
        provider="meta-whatsapp", config_id=config_id, body=body, content_type="application/json", query="",
        headers={"content-type": "application/json", "user-agent": "facebookexternalua"}, received_at=datetime.now(UTC),
    )  # fmt: skip
    return dict(row.document)


def _ordinary(stage: Stage, events: int) -> Worker:
    database = stage.client[DATABASE]
    worker = ordinary_worker.OrdinaryWorker(database)
    database["whatsappconfigs"].insert_one({"phoneNumberId": PHONE_NUMBER_ID, "isActive": True})

    def store(bodies: Iterable[bytes]) -> list[Any]:
        now = datetime.now(UTC)
        documents = [{"provider": "meta-whatsapp", "status": "pending", "rawBody": body, "receivedAt": now} for body in bodies]
        return _insert(database["webhookevents"], documents)

    def take(ids: Sequence[Any]) -> None:
        for one in ids:
            worker.process(one)

    return _settled(Worker(database, Expected(), (), store, take, lambda: ordinary_worker.prepare(database), {}), events)


def _settled(worker: Worker, events: int) -> Worker:
    """Let a worker apply what happened before the traffic, and remember the database as it is then."""
    worker.index()
    traffic = Traffic(events=events)
    before = worker.store(traffic.before())
    with ThreadPoolExecutor(8 if worker.database.name == DATABASE else 1) as pool:
        list(pool.map(worker.take, _groups(before, CHUNK)))
    worker.database["webhookevents"].drop()
    worker.before = {name: list(worker.database[name].find()) for name in ("customers", "chats", "messages", "addresses")}
    worker.bodies = list(traffic.mixed())
    worker.expected = traffic.expected
    return worker


def _rounds(stage: Stage, workers: Mapping[str, Worker], chosen: argparse.Namespace) -> dict[Way, list[Run]]:
    ways = [Way("hookline", group, threads) for group in GROUPS for threads in THREADS]
    ways += [Way("ordinary", 1, threads) for threads in ORDINARY_THREADS]
    found: dict[Way, list[Run]] = defaultdict(list)
    for number in range(chosen.runs):
        for way in [*ways[number % len(ways) :], *ways[: number % len(ways)]]:
            run = _measure(stage, workers[way.who], way)
            found[way].append(run)
            print(f"round {number + 1}/{chosen.runs}  {way!s:40} {run.rate:8,.0f}/s", file=sys.stderr)
    return {way: found[way] for way in ways}


def _measure(stage: Stage, worker: Worker, way: Way) -> Run:
    """Apply all rows, and compare the database with the traffic.

    Raises:
        LedgerError: a message is missing or there twice, a count or a status is wrong, a row has no end.
    """
    ids = _reset(worker)
    stage.settle()
    before = _costs(stage)
    with ThreadPoolExecutor(way.threads) as pool:
        list(pool.map(worker.take, _groups(ids, way.group)))
    seconds, cpu, mongo, trips, retries = (after - earlier for after, earlier in zip(_costs(stage), before, strict=True))
    if wrong := problems(worker.database, worker.expected, events=len(ids)):
        raise LedgerError(f"{way}: {'; '.join(wrong)}")
    return Run(len(ids), seconds, cpu, mongo, int(trips), retries)


def _reset(worker: Worker) -> list[Any]:
    """Put the database back to what it was before the traffic, and store the traffic's rows."""
    for name in (*worker.before, "webhookevents", "pendingupdates"):
        worker.database[name].drop()
    worker.index()
    for name, documents in worker.before.items():
        _insert(worker.database[name], documents)
    return worker.store(worker.bodies)


def _costs(stage: Stage) -> tuple[float, float, float, float, float]:
    retries = REGISTRY.get_sample_value("hookline_apply_retries_total") or 0.0
    return time.perf_counter(), time.process_time(), stage.mongo_cpu(), stage.round_trips(), retries


def _groups(rows: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _insert(collection: Any, documents: Documents) -> list[Any]:
    return [one for chunk in _groups(documents, CHUNK) for one in collection.insert_many(chunk).inserted_ids]


def _report(found: Mapping[Way, Sequence[Run]], setting: dict[str, str], chosen: argparse.Namespace) -> int:
    figures = table([_shown(way, runs) for way, runs in found.items()])
    best = {who: max((way for way in found if way.who == who), key=lambda way: spread([run.rate for run in found[way]]).median) for who in ("hookline", "ordinary")}
    above, below = found[best["hookline"]], found[best["ordinary"]]
    gained = ratio([run.rate for run in above], [run.rate for run in below])
    trips = spread([run.round_trips / run.events for run in above])
    promised = table([promise.row(one) for promise, one in zip(PROMISES, (gained, trips), strict=True)])
    print(f"{figures}\n\nCosts are CPU microseconds per event.\n\n{promised}\n\nbest: {best['hookline']} · {best['ordinary']}")
    if chosen.json:
        write_json(chosen.json, {"machine": setting, "runs": {str(way): [asdict(run) for run in runs] for way, runs in found.items()}})
    if chosen.record:
        record("Apply", " ".join(["python -m benchmarks.apply", *chosen.words]), setting, [figures, promised])
    if chosen.short and gained.median < FLOOR:
        print(f"P5 is {gained.median:.2f}, below its floor of {FLOOR:g}", file=sys.stderr)
        return 1
    return 0


def _shown(way: Way, runs: Sequence[Run]) -> dict[str, object]:
    return {
        "worker": way,
        "events": runs[0].events,
        "events/s": spread([run.rate for run in runs]).shown(),
        "events/s/core": spread([run.rate_per_core for run in runs]).shown(),
        "worker": str(way),
        "worker cpu": spread([run.worker_cpu / run.events * 1e6 for run in runs]).shown(),
        "mongod cpu": spread([run.mongo_cpu / run.events * 1e6 for run in runs]).shown(),
        "round trips": spread([run.round_trips / run.events for run in runs]).shown(2),
        "retries": sum(int(run.retries) for run in runs),
    }


if __name__ == "__main__":
    sys.exit(main())
