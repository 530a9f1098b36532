"""Sending under a rate limit: many messages to many chats on one number, with a storm of throttling in the middle.

The vendor takes 80 messages a second of a number, and for some seconds none at all; a second number has a vendor of
its own and must not notice. What counts first is the vendor's books: nothing lost, doubled or out of order.
Deliberately without the API: messages are queued in this process, as the API would.
"""

import argparse
import shlex
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import quantiles
from typing import Final

from benchmarks import options
from benchmarks.bookkeeper import Bookkeeper, open_bookkeeper, patiently
from benchmarks.figures import machine, publish, spread, table
from benchmarks.stage import Stage, open_stage
from sandbox.engines.ports import free_port
from services.sending.orders import text_order
from services.wiring import Services

#: What the vendor allows a number: messages a second, and how many at once.
PER_SECOND: Final = 80
BURST: Final = 80
#: How long (s) the storm lasts.
STORM_S: Final = 5.0
#: Messages and chats; and in short.
FULL: Final = (2000, 200)
SHORT: Final = (240, 40)
#: Chats of the other number, each with two messages in mid-storm, and how long (s) they may take; and in short, where
#: the machine may be busy.
QUIET_CHATS: Final = 10
QUIET_S: Final = 10.0
QUIET_SHORT_S: Final = 45.0
#: Threads that queue, and how long (s) everything may take.
WRITERS: Final = 4
PATIENCE_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Run:
    """What one run found."""

    seconds: float
    queueing_seconds: float
    ideal_seconds: float
    throttled: int
    spent: int
    faults: Mapping[str, int]
    quiet_slowest_s: float
    wait_p95_s: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; non-zero where a message was lost, doubled or sent out of order."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = options.parser("sending", __doc__)
    parser.add_argument("--workers", type=int, default=2, help="worker processes (2)")
    chosen = parser.parse_args(arguments)
    chosen.command = shlex.join(["python", "-m", "benchmarks.sending", *arguments])
    with open_stage(cache_gb=chosen.cache_gb) as stage:
        setting = machine(stage.client.server_info(), stage.queue.info("server"))
        run = _run(stage, chosen)
    return _report(run, setting, chosen)


def _run(stage: Stage, chosen: argparse.Namespace) -> Run:
    services = Services(stage.settings, application="benchmark")
    receiver = _receiver(stage)
    crowded = open_bookkeeper(stage, services, receiver, "331700900150011")
    quiet = open_bookkeeper(stage, services, receiver, "331700900150012")
    stage.start("clock", *_hookline("clock"), METRICS_BIND=_bind(), LEASE_SECONDS="10")
    for number in range(chosen.workers):
        stage.start(f"worker-{number}", *_hookline("worker"), METRICS_BIND=_bind(), LEASE_SECONDS="10")
    messages, chats = SHORT if chosen.short else FULL
    people = _people(stage, crowded, [f"44770090{one:04d}" for one in range(chats)])
    few = _people(stage, quiet, [f"44770091{one:04d}" for one in range(QUIET_CHATS)])
    crowded.order("POST", "/limits", limit_per_second=PER_SECOND, burst=BURST, per="number")
    return _measure(services, (crowded, people, messages // chats), (quiet, few, 2))


Side = tuple[Bookkeeper, Mapping[str, str], int]


def _measure(services: Services, crowd: Side, few: Side) -> Run:
    """Write to the crowd; in mid-stream the storm, and in it the other number's messages."""
    crowded, people, each = crowd
    total = len(people) * each
    began = time.time()
    with ThreadPoolExecutor(2) as pool, _told_in_the_end() as over:
        writing = pool.submit(_write, services, people, each, over)
        patiently(lambda: crowded.books().accepted >= total // 2, PATIENCE_S, "half of the messages")
        storm = pool.submit(_storm, crowded, over)
        quiet_slowest = _write_quietly(services, few)
        storm.result()
        written, queued_at = writing.result()
    patiently(lambda: crowded.books().accepted >= total, PATIENCE_S, "all messages")
    books = crowded.books()
    taken = books.times()
    waits = [at - queued_at[reference] for reference, at in taken.items()]
    faults = books.faults(written)
    return Run(
        seconds=max(taken.values()) - began,
        queueing_seconds=max(queued_at.values()) - began,
        ideal_seconds=(total - BURST) / PER_SECOND + STORM_S,
        throttled=books.throttled,
        spent=_spent(services, crowded),
        faults=faults,
        quiet_slowest_s=quiet_slowest,
        wait_p95_s=quantiles(waits, n=20)[-1],
    )


@contextmanager
def _told_in_the_end() -> Iterator[threading.Event]:
    """Yield an event that tells threads to leave off, however the block ends."""
    over = threading.Event()
    try:
        yield over
    finally:
        over.set()


def _write(
    services: Services, people: Mapping[str, str], each: int, over: threading.Event
) -> tuple[dict[str, list[str]], dict[str, float]]:
    """Queue so many messages for each, in order; return them by recipient, and when each was queued."""
    queued_at: dict[str, float] = {}

    def write(chat_id: str) -> list[str]:
        ids = []
        for serial in range(each):
            if over.is_set():
                break
            message = services.queueing.queue(chat_id, text_order(f"Your turn is number {serial + 1}."))
            queued_at[message.id] = time.time()
            ids.append(message.id)
        return ids

    with ThreadPoolExecutor(WRITERS) as pool:
        written = dict(zip(people, pool.map(write, people.values()), strict=True))
    return written, queued_at


def _write_quietly(services: Services, few: Side) -> float:
    """Write from the other number; return how long (s) the slowest message took."""
    quiet, people, each = few
    written, queued_at = _write(services, people, each, threading.Event())
    patiently(lambda: quiet.books().accepted >= len(queued_at), PATIENCE_S, "the other number's messages")
    books = quiet.books()
    if any(books.faults(written).values()):
        raise RuntimeError(f"the other number: {dict(books.faults(written))}")
    return max(at - queued_at[reference] for reference, at in books.times().items())


def _storm(crowded: Bookkeeper, over: threading.Event) -> None:
    crowded.order("POST", "/faults", do="throttle")
    over.wait(STORM_S)
    crowded.order("DELETE", "/faults")


def _spent(services: Services, crowded: Bookkeeper) -> int:
    """Count the messages that spent more than one attempt."""
    return services.store.messages.count_documents({"configId": crowded.account.id, "tries": {"$gt": 1}})


def _people(stage: Stage, keeper: Bookkeeper, numbers: Sequence[str]) -> dict[str, str]:
    """Let people write to a number; return their chats."""
    for number in numbers:
        keeper.order("POST", "/customers", number=number, says="Which number am I?")
    found: dict[str, str] = {}

    def all_there() -> bool:
        rows = stage.database["chats"].find({"configId": keeper.account.id}, {"id": 1, "phoneNumber": 1})
        found.update({row["phoneNumber"].lstrip("+"): row["id"] for row in rows})
        return len(found) == len(numbers)

    patiently(all_there, PATIENCE_S, "the chats")
    return found


def _receiver(stage: Stage) -> str:
    bind = _bind()
    running = stage.start("ingest", *_hookline("ingest"), INGEST_BIND=bind, INGEST_WORKERS="1")
    running.wait_until_it_answers(int(bind.rpartition(":")[2]), "/readyz")
    return f"http://{bind}"


def _hookline(command: str) -> tuple[str, ...]:
    return sys.executable, "-m", "cli.main", command


def _bind() -> str:
    return f"127.0.0.1:{free_port()}"


def _report(run: Run, setting: Mapping[str, str], chosen: argparse.Namespace) -> int:
    messages, chats = SHORT if chosen.short else FULL
    row = {
        "messages": messages,
        "chats": chats,
        "seconds": f"{run.seconds:.1f}",
        "queued after": f"{run.queueing_seconds:.1f}",
        "at best": f"{run.ideal_seconds:.1f}",
        "share of the limit": f"{run.ideal_seconds / run.seconds:.0%}",
        "throttled": run.throttled,
        "attempts spent on it": run.spent,
        "p95 wait s": spread([run.wait_p95_s]).shown(1),
        "other number's slowest s": f"{run.quiet_slowest_s:.2f}",
    }
    verdict = {name: run.faults.get(name, 0) for name in ("lost", "doubled", "out of order")}
    publish("Sending", chosen, setting, [table([row]), table([verdict])], {"sending": [run]})
    quiet = QUIET_SHORT_S if chosen.short else QUIET_S
    broken = any(verdict.values()) or run.spent or run.quiet_slowest_s > quiet
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
