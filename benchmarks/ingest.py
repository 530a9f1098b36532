"""How many webhooks a second become durable: Hookline's receiver, the ordinary one, and a server that does nothing.

All on one machine and one mongod, in turn within each round, so that whatever drifts hits all alike. After each run the
rows in MongoDB must be exactly the webhooks answered 200. Deliberately no workers: rings are counted, not answered.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.baselines import ordinary
from benchmarks.figures import Promise, Spread, machine, ratio, record, spread, table, write_json
from benchmarks.load import DRAIN_S, Load, LoadError, generator, load
from benchmarks.processes import Running
from benchmarks.signing import write_requests
from benchmarks.stage import Stage, open_stage
from benchmarks.traffic import Traffic
from models.store.indexes import apply
from sandbox.engines.ports import free_port

PROMISES: Final = (
    Promise("P1", "Hookline ÷ ordinary, webhooks/s at 64 connections", 4, 8),
    Promise("P2", "Hookline ÷ ordinary, webhooks/s at 256 connections", 4, 12),
    Promise("P3", "Hookline ÷ ordinary, p99 at 64 connections", 0.4, 0.15, at_most=True),
    Promise("P4", "Hookline ÷ hello world, webhooks/s at 64 connections", 0.2, 0.5),
)
#: What the short run must show; far below what is promised, so that a busy machine does not fail it.
FLOORS: Final = {"P1": 2.0, "P3": 1.0, "P4": 0.1}
#: The first run of each contender (s), which is not counted and tells how many requests are needed.
WARM_UP_S: Final = 1.0
#: Requests made for the first run, and room for a run faster than the first.
WARM_UP_REQUESTS: Final = 30_000
ROOM: Final = 1.7
#: The ordinary receiver's server.
_GUNICORN: Final = ("-m", "gunicorn", "-k", "gthread", "-w", "2", "--threads", "64", "--keep-alive", "30", "--log-level", "warning")


class LedgerError(Exception):
    """What was acknowledged is not what is stored."""


@dataclass(slots=True)
class Contender:
    """A receiver: its process, and how its rows are counted and cleared."""

    name: str
    port: int
    running: Running
    rows: Callable[[], int]
    clear: Callable[[], object]
    keeps_rows: bool = True


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one contender: what the generator saw, and what it cost."""

    load: Load
    rows: int
    server_cpu: float
    mongo_cpu: float
    valkey_cpu: float
    round_trips: int

    def each(self, amount: float) -> float:
        """Share an amount among the webhooks of the run."""
        return amount / max(1, self.load.answered)


Found = dict[tuple[str, int], list[Run]]


def main(words: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 1 when the short run fell below a floor."""
    chosen = _arguments(words)
    with open_stage(cache_gb=chosen.cache_gb) as stage:
        contenders = [_hookline(stage), _hello(stage), _ordinary(stage)]
        requests = _prepare(stage, contenders, chosen)
        found = _rounds(stage, contenders, requests, chosen)
        setting = machine(stage.client.server_info(), stage.queue.info("server")) | {"load": generator()}
    return _report(found, setting, chosen)


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="a few seconds, for CI: fails below generous floors")
    parser.add_argument("--runs", type=int, help="rounds, of which the median counts (5)")
    parser.add_argument("--seconds", type=float, help="length of each run (8)")
    parser.add_argument("--connections", type=int, nargs="+", help="kept-alive connections (64 256)")
    parser.add_argument("--cache-gb", type=float, default=1.0, help="cache of mongod, for all contenders (1)")
    parser.add_argument("--json", type=Path, help="write everything found to this file")
    parser.add_argument("--record", action="store_true", help="append a section to benchmarks/RESULTS.md")
    chosen = parser.parse_args(words)
    chosen.runs = chosen.runs or (1 if chosen.short else 5)
    chosen.seconds = chosen.seconds or (2.0 if chosen.short else 8.0)
    chosen.connections = chosen.connections or ([64] if chosen.short else [64, 256])
    chosen.words = list(words if words is not None else sys.argv[1:])
    return chosen


def _hookline(stage: Stage) -> Contender:
    port = free_port()
    running = stage.hookline("ingest", INGEST_BIND=f"127.0.0.1:{port}")
    running.wait_until_it_answers(port, "/readyz")
    events = stage.database["webhookevents"]

    def clear() -> None:
        events.drop()
        apply(stage.database)

    return Contender("hookline", port, running, lambda: events.count_documents({}), clear)


def _hello(stage: Stage) -> Contender:
    port = free_port()
    running = stage.start("hello", sys.executable, "-m", "benchmarks.baselines.hello", f"127.0.0.1:{port}")
    running.wait_until_it_answers(port, "/healthz")
    return Contender("hello world", port, running, lambda: 0, lambda: None, keeps_rows=False)


def _ordinary(stage: Stage) -> Contender:
    port = free_port()
    app = "benchmarks.baselines.ordinary:create_app()"
    running = stage.start("ordinary", sys.executable, *_GUNICORN, "-b", f"127.0.0.1:{port}", app)
    running.wait_until_it_answers(port, "/healthz")
    events = stage.client[ordinary.DATABASE][ordinary.COLLECTION]

    def clear() -> None:
        events.drop()
        for name in ordinary.INDEXES:
            events.create_index(name)

    return Contender("ordinary", port, running, lambda: events.count_documents({}), clear)


def _prepare(stage: Stage, contenders: Sequence[Contender], chosen: argparse.Namespace) -> Path:
    """Warm everybody up, then sign as many different webhooks as the fastest can take in one run."""
    few = _signed(stage, "warm-up", WARM_UP_REQUESTS)
    fastest = 0.0
    for contender in contenders:
        with suppress(LoadError):
            run = _measure(stage, contender, few, connections=chosen.connections[0], window=WARM_UP_S)
            fastest = max(fastest, run.load.rate)
    needed = max(fastest, WARM_UP_REQUESTS / WARM_UP_S / 2) * chosen.seconds * ROOM
    return _signed(stage, "requests", int(needed) + max(chosen.connections))


def _signed(stage: Stage, name: str, count: int) -> Path:
    traffic = Traffic(events=count)
    path = stage.directory / name
    for _ in traffic.before():
        pass
    write_requests(path, traffic.mixed(), stage.webhook_secret)
    return path


def _rounds(stage: Stage, contenders: Sequence[Contender], requests: Path, chosen: argparse.Namespace) -> Found:
    found: Found = defaultdict(list)
    for number in range(chosen.runs):
        for connections in chosen.connections:
            # Who goes first changes from round to round.
            for contender in [*contenders[number % 3 :], *contenders[: number % 3]]:
                run = _measure(stage, contender, requests, connections=connections, window=chosen.seconds)
                found[contender.name, connections].append(run)
                print(f"round {number + 1}/{chosen.runs}  {contender.name:12} {connections:4} connections  {run.load.rate:8,.0f}/s", file=sys.stderr)
    return found


def _measure(stage: Stage, contender: Contender, requests: Path, *, connections: int, window: float) -> Run:
    """Load one contender, and check that what it acknowledged is what is stored.

    Raises:
        LedgerError: it is not; the benchmark ends here.
    """
    contender.clear()
    stage.settle()
    before = _costs(stage, contender)
    seen = load(contender.port, requests, connections=connections, window=window, drain=DRAIN_S)
    used = [after - earlier for after, earlier in zip(_costs(stage, contender), before, strict=True)]
    rows = contender.rows()
    if contender.keeps_rows and not seen.acknowledged <= rows <= seen.acknowledged + seen.unanswered + seen.refused:
        raise LedgerError(f"{contender.name}: {seen.acknowledged} acknowledged, {seen.unanswered} unanswered, {rows} stored")
    server, mongo, valkey, trips = used
    return Run(seen, rows, server_cpu=server, mongo_cpu=mongo, valkey_cpu=valkey, round_trips=int(trips))


def _costs(stage: Stage, contender: Contender) -> tuple[float, float, float, float]:
    return contender.running.cpu(), stage.mongo_cpu(), stage.valkey_cpu(), stage.round_trips()


def _report(found: Found, setting: dict[str, str], chosen: argparse.Namespace) -> int:
    figures = table([_row(name, connections, runs) for (name, connections), runs in sorted(found.items(), key=lambda item: item[0][1])])
    ratios = _ratios(found)
    promised = table([promise.row(ratios[promise.number]) for promise in PROMISES if promise.number in ratios])
    print(f"{figures}\n\nCosts are CPU microseconds per webhook on all cores; load from {setting['load']}.\n\n{promised}")
    if chosen.json:
        runs = {f"{name} {connections}": [asdict(run) for run in all_runs] for (name, connections), all_runs in found.items()}
        write_json(chosen.json, {"machine": setting, "runs": runs, "ratios": {name: one.median for name, one in ratios.items()}})
    if chosen.record:
        record("Ingest", " ".join(["python -m benchmarks.ingest", *chosen.words]), setting, [figures, promised])
    return _judge(ratios) if chosen.short else 0


def _row(name: str, connections: int, runs: Sequence[Run]) -> dict[str, object]:
    return {
        "receiver": name,
        "connections": connections,
        "webhooks/s": spread([run.load.rate for run in runs]).shown(),
        "p50 ms": spread([run.load.p50_ms for run in runs]).shown(1),
        "p99 ms": spread([run.load.p99_ms for run in runs]).shown(1),
        "server": spread([run.each(run.server_cpu) * 1e6 for run in runs]).shown(),
        "mongod": spread([run.each(run.mongo_cpu) * 1e6 for run in runs]).shown(),
        "valkey": spread([run.each(run.valkey_cpu) * 1e6 for run in runs]).shown(),
        "load": spread([run.each(run.load.cpu) * 1e6 for run in runs]).shown(),
        "round trips": spread([run.each(run.round_trips) for run in runs]).shown(3),
        "not 200": sum(run.load.refused + run.load.broken for run in runs),
        "unanswered": sum(run.load.unanswered for run in runs),
    }


def _ratios(found: Mapping[tuple[str, int], Sequence[Run]]) -> dict[str, Spread]:
    def of(name: str, connections: int, value: Callable[[Run], float]) -> list[float]:
        return [value(run) for run in found.get((name, connections), ())]

    def rate(run: Run) -> float:
        return run.load.rate

    def slow(run: Run) -> float:
        return run.load.p99_ms

    pairs: dict[str, tuple[list[float], list[float]]] = {
        "P1": (of("hookline", 64, rate), of("ordinary", 64, rate)),
        "P2": (of("hookline", 256, rate), of("ordinary", 256, rate)),
        "P3": (of("hookline", 64, slow), of("ordinary", 64, slow)),
        "P4": (of("hookline", 64, rate), of("hello world", 64, rate)),
    }
    return {number: ratio(above, below) for number, (above, below) in pairs.items() if above}


def _judge(ratios: Mapping[str, Spread]) -> int:
    """Compare with the floors; the promises themselves are judged by full runs on a quiet machine."""
    by_number = {promise.number: promise for promise in PROMISES}
    low = [n for n, floor in FLOORS.items() if n in ratios and not by_number[n].holds(ratios[n].median, floor)]
    for number in low:
        print(f"{number} is {ratios[number].median:.2f}, beyond its floor of {FLOORS[number]:g}", file=sys.stderr)
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
