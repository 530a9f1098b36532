"""How many stored webhooks a second become chats, messages and statuses: Hookline's batches, and one job per event.

Both are worker processes on the same mongod and Valkey, in turn within each round; they have started, and all jobs
wait in the X
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.appliers import HOOKLINE, ORDINARY, Applier, Crew, groups, hookline, ordinary, wait_for
from benchmarks.figures import Promise, Spread, judge, machine, publish, ratio, spread, table
from benchmarks.ledger import problems
from benchmarks.options import parser
from benchmarks.stage import Stage, open_stage
from benchmarks.traffic import Traffic

PROMISES: Final = (
    Promise("P5", "Hookline ÷ ordinary worker, events/s, each at its best", now=6, goal=15),
    Promise("P5c", "ordinary ÷ Hookline, CPU of worker and mongod per event, each at its best", now=6, goal=15),
    Promise("P7", "MongoDB round trips per event, applying alone, at the best", now=1, goal=0.3, at_most=True),
)
#: What a short run must show; far from what is promised, so that a busy machine does not fail it.
FLOORS: Final = {"P5c": 2.0, "P7": 1.0}


@dataclass(frozen=True, slots=True)
class Way:
    """A way of applying: who, with jobs of how many rows, on how many processes and threads of each.

    `share`: of how many events it gets one.
    """

    who: str
    group: int
    processes: int
    threads: int
    share: int = 1

    def __str__(self) -> str:
        rows = "one by one" if self.group == 1 else f"groups of {self.group}"
        return f"{self.who}, {rows}, {self.processes} × {self.threads} thread{'s' * (self.threads > 1)}"


#: Groups of a quiet, a lively and a busy minute. Hookline's default is 4 threads, Dramatiq's 2 processes with 8
#: threads. The slow ways get fewer events, on whose number their rate does not depend.
WAYS: Final = (
    Way(HOOKLINE, 1, 1, 1, share=10),
    Way(HOOKLINE, 32, 1, 4),
    Way(HOOKLINE, 32, 2, 4),
    Way(HOOKLINE, 100, 1, 1),
    Way(HOOKLINE, 100, 1, 4),
    Way(HOOKLINE, 100, 2, 4),
    Way(ORDINARY, 1, 1, 1, share=5),
    Way(ORDINARY, 1, 1, 8, share=5),
    Way(ORDINARY, 1, 2, 8, share=5),
)
#: What a short run is content with.
SHORT_WAYS: Final = (
    Way(HOOKLINE, 100, 1, 4),
    Way(HOOKLINE, 100, 2, 4),
    Way(ORDINARY, 1, 1, 8, share=5),
    Way(ORDINARY, 1, 2, 8, share=5),
)


class LedgerError(Exception):
    """What the database holds is not what the traffic says."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What has been used up to a moment: time and CPU in seconds, requests to mongod."""

    seconds: float
    worker: float
    mongod: float
    round_trips: float


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one way; `retries`: transactions that were begun again."""

    events: int
    costs: Costs
    retries: float

    @property
    def rate(self) -> float:
        """Events a second by the clock on the wall."""
        return self.events / self.costs.seconds

    @property
    def thrift(self) -> float:
        """Events for a second of CPU, of the worker and of mongod."""
        return self.events / (self.costs.worker + self.costs.mongod)


Found = dict[Way, list[Run]]


def main(words: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 1 when a short run fell below a floor."""
    chosen = _arguments(sys.argv[1:] if words is None else words)
    with open_stage(cache_gb=chosen.cache_gb) as stage:
        appliers = _appliers(stage, chosen)
        found: Found = {way: [] for way in chosen.ways}
        for number in range(chosen.runs):
            first = number % len(chosen.ways)
            for way in chosen.ways[first:] + chosen.ways[:first]:
                run = _measure(stage, appliers[way.who, way.share], way)
                found[way].append(run)
                print(f"round {number + 1}/{chosen.runs}  {way!s:40} {run.rate:8,.0f}/s", file=sys.stderr)
        setting = machine(stage.client.server_info(), stage.queue.info("server"))
    return _report(found, setting, chosen)


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    options = parser("apply", __doc__)
    options.add_argument("--events", type=int, help="stored webhooks of one run (20000; short 2000)")
    chosen = options.parse_args(words)
    chosen.runs = chosen.runs or (1 if chosen.short else 5)
    chosen.events = chosen.events or (2_000 if chosen.short else 20_000)
    chosen.ways = SHORT_WAYS if chosen.short else WAYS
    chosen.command = " ".join(["python -m benchmarks.apply", *words])
    return chosen


def _appliers(stage: Stage, chosen: argparse.Namespace) -> dict[tuple[str, int], Applier]:
    """Make one applier for each share of the events; those of one name use one database in turn."""
    make = {HOOKLINE: hookline, ORDINARY: ordinary}
    wanted = sorted({(way.who, way.share) for way in chosen.ways})
    return {
        (who, share): make[who](stage).live_through(Traffic(events=chosen.events // share)) for who, share in wanted
    }


def _measure(stage: Stage, applier: Applier, way: Way) -> Run:
    """Apply all rows, and compare the database with the traffic.

    Raises:
        LedgerError: a message is missing or there twice, a count or a status is wrong, a row has no end.
    """
    crew = applier.crew(way.processes, way.threads)
    # Before there is anything to be done: workers look after rows that nobody rings for.
    crew.pause()
    ids = applier.reset()
    stage.settle()
    for group in groups(ids, way.group):
        applier.tell(group)
    before = _costs(stage, crew)
    crew.resume()
    wait_for(applier)
    after = _costs(stage, crew)
    retries = crew.retries()
    crew.stop()
    if wrong := problems(applier.database, applier.expected, events=len(ids)):
        raise LedgerError(f"{way}: {'; '.join(wrong)}")
    return Run(len(ids), Costs(*(late - early for late, early in zip(after, before, strict=True))), retries)


def _costs(stage: Stage, crew: Crew) -> tuple[float, ...]:
    return time.perf_counter(), crew.cpu(), stage.mongo_cpu(), stage.round_trips()


def _report(found: Found, setting: dict[str, str], chosen: argparse.Namespace) -> int:
    figures = table([_row(way, runs) for way, runs in found.items()])
    ratios = ratios_of(found)
    promised = table([promise.row(ratios[promise.number]) for promise in PROMISES])
    notes = f"Costs are CPU microseconds per event. At their best: {best(found, HOOKLINE)}; {best(found, ORDINARY)}."
    runs = {str(way): runs for way, runs in found.items()}
    publish("Apply", chosen, setting, [figures, notes, promised], runs)
    return judge(ratios, PROMISES, FLOORS) if chosen.short else 0


#: Column -> what it shows of a run, and with how many digits.
_COLUMNS: Final[Mapping[str, tuple[Callable[[Run], float], int]]] = {
    "events/s": (lambda run: run.rate, 0),
    "events/s/core": (lambda run: run.events / run.costs.worker, 0),
    "worker cpu": (lambda run: run.costs.worker / run.events * 1e6, 0),
    "mongod cpu": (lambda run: run.costs.mongod / run.events * 1e6, 0),
    "round trips": (lambda run: run.costs.round_trips / run.events, 2),
    "retries": (lambda run: run.retries, 0),
}


def _row(way: Way, runs: Sequence[Run]) -> dict[str, object]:
    measured = {column: spread([of(run) for run in runs]).shown(digits) for column, (of, digits) in _COLUMNS.items()}
    return {"worker": str(way), "events": runs[0].events, **measured}


def best(found: Mapping[Way, Sequence[Run]], who: str) -> Way:
    """Find somebody's fastest way."""
    own = [way for way in found if way.who == who]
    return max(own, key=lambda way: spread([run.rate for run in found[way]]).median)


def ratios_of(found: Mapping[Way, Sequence[Run]]) -> dict[str, Spread]:
    """Work out what was promised."""
    ours, theirs = found[best(found, HOOKLINE)], found[best(found, ORDINARY)]
    return {
        "P5": ratio([run.rate for run in ours], [run.rate for run in theirs]),
        "P5c": ratio([run.thrift for run in ours], [run.thrift for run in theirs]),
        "P7": spread([run.costs.round_trips / run.events for run in ours]),
    }


if __name__ == "__main__":
    sys.exit(main())
