"""How many webhooks a second become durable: Hookline's receiver, the ordinary one, and a server that does nothing.

All on one machine and one mongod, in turn within each round, so that whatever drifts hits all alike. After each run the
rows in MongoDB must be exactly the webhooks answered 200. Deliberately no workers: rings are queued, not answered.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.contenders import HELLO, HOOKLINE, ORDINARY, Contender, all_contenders
from benchmarks.figures import Promise, Spread, judge, machine, publish, ratio, spread, table
from benchmarks.load import ExhaustedError, Load, generators, load
from benchmarks.options import parser
from benchmarks.signing import write_requests
from benchmarks.stage import Stage, open_stage
from benchmarks.traffic import Traffic

PROMISES: Final = (
    Promise("P1", "Hookline ÷ ordinary, webhooks/s at 64 connections", now=4, goal=8),
    Promise("P1c", "ordinary ÷ Hookline, CPU per webhook at 64 connections", now=4, goal=8),
    Promise("P2", "Hookline ÷ ordinary, webhooks/s at 256 connections", now=4, goal=12),
    Promise("P3", "Hookline ÷ ordinary, p99 at 64 connections", now=0.4, goal=0.15, at_most=True),
    Promise("P4", "Hookline ÷ hello world, webhooks/s at 64 connections", now=0.2, goal=0.5),
)
#: What a short run must show; far from what is promised, so that a busy machine does not fail it.
FLOORS: Final = {"P1": 2.0, "P1c": 2.0, "P4": 0.1}
#: How long (s) the last answers of a run may take, and of a short one.
DRAIN_S: Final = 3
SHORT_DRAIN_S: Final = 1
#: The first run of each contender (s), which is not counted and tells how many requests are needed.
WARM_UP_S: Final = 1.0
WARM_UP_REQUESTS: Final = 30_000
#: Room for a run that is faster than the first one.
ROOM: Final = 1.7


class LedgerError(Exception):
    """What was acknowledged is not what is stored."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What has been used up to a moment: CPU in seconds, and requests to mongod."""

    server: float
    mongod: float
    valkey: float
    round_trips: float

    @property
    def cpu(self) -> float:
        """CPU of all that a receiver keeps busy; the load generator does not count."""
        return self.server + self.mongod + self.valkey


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one contender: what the generator saw, and what it cost."""

    load: Load
    costs: Costs

    def each(self, amount: float) -> float:
        """Share an amount among the webhooks of the run."""
        return amount / max(1, self.load.answered)


Found = dict[tuple[str, int], list[Run]]


def main(words: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 1 when a short run fell below a floor."""
    chosen = _arguments(sys.argv[1:] if words is None else words)
    with open_stage(cache_gb=chosen.cache_gb) as stage:
        rounds = Rounds(stage, all_contenders(stage), chosen)
        rounds.prepare()
        rounds.run()
        setting = machine(stage.client.server_info(), stage.queue.info("server")) | {"load": chosen.load}
    return _report(rounds.found, setting, chosen)


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    options = parser("ingest", __doc__)
    options.add_argument("--seconds", type=float, help="length of each run (8; short 2)")
    options.add_argument("--connections", type=int, nargs="+", help="kept-alive connections (64 256; short 64)")
    options.add_argument("--load", choices=generators(), default=generators()[0], help="what makes the load")
    chosen = options.parse_args(words)
    chosen.runs = chosen.runs or (1 if chosen.short else 5)
    chosen.seconds = chosen.seconds or (2.0 if chosen.short else 8.0)
    chosen.connections = chosen.connections or ([64] if chosen.short else [64, 256])
    chosen.command = " ".join(["python -m benchmarks.ingest", *words])
    return chosen


class Rounds:
    """All runs: every contender once in each round, at each number of connections."""

    def __init__(self, stage: Stage, contenders: Sequence[Contender], chosen: argparse.Namespace) -> None:
        self.found: Found = {}
        self._stage = stage
        self._contenders = list(contenders)
        self._chosen = chosen
        self._requests = Path()
        self._signed = 0

    def prepare(self) -> None:
        """Warm everybody up, then sign as many different webhooks as the fastest can take in one run."""
        self._sign(WARM_UP_REQUESTS / ROOM)
        fastest = max(self._warm_up(contender) for contender in self._contenders)
        self._sign(fastest * self._chosen.seconds)

    def run(self) -> None:
        """Run all rounds; who goes first changes from round to round."""
        for number in range(self._chosen.runs):
            first = number % len(self._contenders)
            for connections in self._chosen.connections:
                for contender in self._contenders[first:] + self._contenders[:first]:
                    run = self._measured(contender, connections)
                    self.found.setdefault((contender.name, connections), []).append(run)
                    self._tell(number, contender, run)

    def _warm_up(self, contender: Contender) -> float:
        try:
            return self._measure(contender, self._chosen.connections[0], WARM_UP_S).load.rate
        except ExhaustedError:
            return 2 * WARM_UP_REQUESTS / WARM_UP_S

    def _sign(self, count: float) -> None:
        """Sign so many different webhooks, and some more."""
        traffic = Traffic(events=int(count * ROOM))
        for _ in traffic.before():
            pass
        self._requests = self._stage.directory / "requests"
        self._signed = write_requests(self._requests, traffic.mixed(), self._stage.webhook_secret)

    def _measured(self, contender: Contender, connections: int) -> Run:
        """Measure one run; if it took all there was, sign more and begin it again."""
        while True:
            try:
                return self._measure(contender, connections, self._chosen.seconds)
            except ExhaustedError:
                self._sign(self._signed)

    def _measure(self, contender: Contender, connections: int, window: float) -> Run:
        """Load one contender, and check that what it acknowledged is what is stored."""
        contender.clear()
        self._stage.settle()
        before = self._costs(contender)
        how = {"by": self._chosen.load, "drain": SHORT_DRAIN_S if self._chosen.short else DRAIN_S}
        seen = load(contender.port, self._requests, connections=connections, window=window, **how)
        after = self._costs(contender)
        check_ledger(contender, seen)
        return Run(seen, Costs(*(late - early for late, early in zip(after, before, strict=True))))

    def _costs(self, contender: Contender) -> tuple[float, ...]:
        stage = self._stage
        return contender.running.cpu(), stage.mongo_cpu(), stage.valkey_cpu(), stage.round_trips()

    def _tell(self, number: int, contender: Contender, run: Run) -> None:
        place = f"round {number + 1}/{self._chosen.runs}  {contender.name:12} {run.load.connections:4} connections"
        print(f"{place} {run.load.rate:8,.0f}/s", file=sys.stderr)


def check_ledger(contender: Contender, seen: Load) -> None:
    """Compare the rows with the answers: one row for each 200, and none but for requests of unknown fate.

    Raises:
        LedgerError: they differ; no figure of the run means anything.
    """
    if contender.rows is None:
        return
    rows = contender.rows()
    if not seen.acknowledged <= rows <= seen.acknowledged + seen.refused + seen.unanswered:
        told = f"{seen.acknowledged} acknowledged, {seen.refused} refused, {seen.unanswered} unanswered"
        raise LedgerError(f"{contender.name}: {told}, but {rows} stored")


def _report(found: Found, setting: dict[str, str], chosen: argparse.Namespace) -> int:
    figures = table([_row(*key, found[key]) for key in sorted(found, key=lambda key: key[1])])
    ratios = ratios_of(found)
    promised = table([promise.row(ratios[promise.number]) for promise in PROMISES if promise.number in ratios])
    notes = f"Costs are CPU microseconds per webhook, on all cores; the load is made by {setting['load']}."
    runs = {f"{name}, {connections} connections": runs for (name, connections), runs in found.items()}
    publish("Ingest", chosen, setting, [figures, notes, promised], runs)
    return judge(ratios, PROMISES, FLOORS) if chosen.short else 0


#: Column -> what it shows of a run, and with how many digits.
_COLUMNS: Final[Mapping[str, tuple[Callable[[Run], float], int]]] = {
    "webhooks/s": (lambda run: run.load.rate, 0),
    "p50 ms": (lambda run: run.load.p50_ms, 1),
    "p99 ms": (lambda run: run.load.p99_ms, 1),
    "server": (lambda run: run.each(run.costs.server) * 1e6, 0),
    "mongod": (lambda run: run.each(run.costs.mongod) * 1e6, 0),
    "valkey": (lambda run: run.each(run.costs.valkey) * 1e6, 0),
    "load": (lambda run: run.each(run.load.cpu) * 1e6, 0),
    "round trips": (lambda run: run.each(run.costs.round_trips), 3),
}


def _row(name: str, connections: int, runs: Sequence[Run]) -> dict[str, object]:
    measured = {column: spread([of(run) for run in runs]).shown(digits) for column, (of, digits) in _COLUMNS.items()}
    troubles = {
        "not 200": sum(run.load.refused for run in runs),
        "broken": sum(run.load.broken for run in runs),
        "unanswered": sum(run.load.unanswered for run in runs),
    }
    return {"receiver": name, "connections": connections, **measured, **troubles}


def ratios_of(found: Mapping[tuple[str, int], Sequence[Run]]) -> dict[str, Spread]:
    """Divide what was promised as a ratio, as far as it was measured."""
    rate, slowest = _COLUMNS["webhooks/s"][0], _COLUMNS["p99 ms"][0]

    def thrift(run: Run) -> float:
        return run.load.answered / run.costs.cpu

    wanted: dict[str, tuple[str, int, Callable[[Run], float]]] = {
        "P1": (ORDINARY, 64, rate),
        "P1c": (ORDINARY, 64, thrift),
        "P2": (ORDINARY, 256, rate),
        "P3": (ORDINARY, 64, slowest),
        "P4": (HELLO, 64, rate),
    }
    return {
        number: ratio([of(run) for run in found[HOOKLINE, connections]], [of(run) for run in found[other, connections]])
        for number, (other, connections, of) in wanted.items()
        if (other, connections) in found
    }


if __name__ == "__main__":
    sys.exit(main())
