"""How long a customer's message takes from the street door to the desk, with the whole system at work.

Receiver, worker and clock run as in the Procfile under a steady stream of webhooks; the messages of one customer are
looked for until they can be read, through MongoDB (a majority has them) or through the API. Counted from the moment
the webhook begins to be sent, so the look itself is in the figure. Deliberately an open loop: a slow system does not
slow the stream down, it falls behind.
"""

import argparse
import http.client
import json
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any, Final

from pymongo.read_concern import ReadConcern

from benchmarks.figures import Promise, judge, machine, publish, spread, table
from benchmarks.options import parser
from benchmarks.signing import signed_request
from benchmarks.stage import Stage, open_stage
from benchmarks.traffic import Traffic, phone
from sandbox.engines.ports import free_port

PROMISES: Final = (
    Promise("P6", "received → readable, p95 in ms", now=500, goal=150, at_most=True),
    Promise("P7", "MongoDB round trips per event, end to end, all processes", now=1, goal=0.3, at_most=True),
)
#: What a short run must show (ms); far from what is promised, so that a busy machine does not fail it.
FLOORS: Final = {"P6": 10_000}
#: Of so many webhooks one is a message of the watched customer.
WATCHED: Final = 10
#: Connections of the stream; each sends its share at its own times.
SENDERS: Final = 8
#: How often (s) it is looked whether a message can be read; no figure is finer.
LOOK_S: Final = 0.01
#: The stream before the first counted message (s), and how long (s) the last ones may take.
WARM_UP_S: Final = 2.0
PATIENCE_S: Final = 60.0
#: Messages of the watched chat that one request to the API returns.
PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class Planned:
    """A webhook, when it is to be sent (s from the beginning), and the message in it that is looked for."""

    due: float
    request: bytes
    watched: str | None


@dataclass(slots=True)
class Looker:
    """Says which of the given messages can be read now, and counts its own requests to mongod."""

    look: Callable[[set[str]], set[str]]
    round_trips: int = 0

    def __call__(self, wanted: set[str]) -> set[str]:
        """Look once."""
        self.round_trips += 1
        return self.look(wanted)


@dataclass(slots=True)
class Stream:
    """Webhooks on their way, and the moments at which watched ones were sent."""

    port: int
    planned: Sequence[Planned]
    sent: dict[str, float] = field(default_factory=dict)

    def run(self, pool: ThreadPoolExecutor) -> "list[Future[None]]":
        """Begin to send."""
        began = time.perf_counter()
        return [pool.submit(self._send, began, self.planned[number::SENDERS]) for number in range(SENDERS)]

    def _send(self, began: float, share: Sequence[Planned]) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)) as connection:
            connection.connect()
            for one in share:
                time.sleep(max(0.0, began + one.due - time.perf_counter()))
                if one.watched and one.due >= WARM_UP_S:
                    self.sent[one.watched] = time.perf_counter()
                connection.sock.sendall(one.request)
                self._check(connection)

    @staticmethod
    def _check(connection: http.client.HTTPConnection) -> None:
        answer = http.client.HTTPResponse(connection.sock, method="POST")
        answer.begin()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"a webhook was answered {answer.status}")


@dataclass(frozen=True, slots=True)
class Run:
    """One stream: how long (s) each watched message took, and requests to mongod per webhook."""

    taken: Sequence[float]
    round_trips: float

    def cut(self, percent: int) -> float:
        """Tell within how many milliseconds so many of them were readable."""
        return quantiles(self.taken, n=100)[percent - 1] * 1000


def main(words: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 1 when a short run was slower than its ceiling."""
    chosen = _arguments(sys.argv[1:] if words is None else words)
    runs = []
    with open_stage(cache_gb=chosen.cache_gb) as stage:
        port = _start(stage)
        look = Looker((_through_api if chosen.through == "api" else _through_mongo)(stage))
        for number in range(chosen.runs):
            runs.append(_measure(stage, Stream(port, _plan(stage, chosen)), look))
            print(f"round {number + 1}/{chosen.runs}  p95 {runs[-1].cut(95):.0f} ms", file=sys.stderr)
        setting = machine(stage.client.server_info(), stage.queue.info("server"))
    return _report(runs, setting, chosen)


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    options = parser("latency", __doc__)
    options.add_argument("--through", choices=("mongo", "api"), default="mongo", help="where messages are looked for")
    options.add_argument("--rate", type=int, default=200, help="webhooks a second (200)")
    options.add_argument("--seconds", type=float, help="length of each run (20; short 5)")
    chosen = options.parse_args(words)
    chosen.runs = chosen.runs or (1 if chosen.short else 5)
    chosen.seconds = chosen.seconds or (5.0 if chosen.short else 20.0)
    chosen.command = " ".join(["python -m benchmarks.latency", *words])
    return chosen


def _start(stage: Stage) -> int:
    """Start everything a message passes through; return the receiver's port."""
    port = free_port()
    receiver = stage.hookline("ingest", INGEST_BIND=f"127.0.0.1:{port}")
    metrics = {name: free_port() for name in ("worker", "clock")}
    others = {name: stage.hookline(name, METRICS_BIND=f"127.0.0.1:{one}") for name, one in metrics.items()}
    receiver.wait_until_it_answers(port, "/readyz")
    for name, running in others.items():
        running.wait_until_it_answers(metrics[name], "/healthz")
    return port


def _through_mongo(stage: Stage) -> Callable[[set[str]], set[str]]:
    """Look in MongoDB: a message counts once a majority has it."""
    messages = stage.database.get_collection("messages", read_concern=ReadConcern("majority"))

    def look(wanted: set[str]) -> set[str]:
        found = messages.find({"providerMessageId": {"$in": list(wanted)}}, {"_id": 0, "providerMessageId": 1})
        return {message["providerMessageId"] for message in found}

    return look


def _through_api(stage: Stage) -> Callable[[set[str]], set[str]]:
    """Look as an agent's screen does: the newest messages of the watched customer's chat."""
    port = free_port()
    api = stage.hookline("api", API_BIND=f"127.0.0.1:{port}", RATE_LIMIT="1000000/minute")
    api.wait_until_it_answers(port, "/healthz")
    token = stage.ask("tokens", "create", "--name", "benchmark", "--role", "admin", "--json")["token"]
    headers = {"Authorization": f"Bearer {token}"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)

    def look(wanted: set[str]) -> set[str]:
        chat = stage.database["chats"].find_one({"phoneNumber": f"+{phone(0)}"}, {"id": 1})
        if chat is None:
            return set()
        connection.request("GET", f"/api/whatsapp/chats/{chat['id']}/messages?limit={PAGE}", headers=headers)
        answer = connection.getresponse()
        content: dict[str, Any] = json.loads(answer.read())
        if answer.status != 200:
            raise RuntimeError(f"the API answered {answer.status}")
        return wanted & {message.get("providerMessageId") for message in content["data"]}

    return look


def _plan(stage: Stage, chosen: argparse.Namespace) -> list[Planned]:
    """Lay out the stream: mixed traffic at even distances, with the watched customer's messages among it."""
    count = int((WARM_UP_S + chosen.seconds) * chosen.rate)
    traffic = Traffic(events=count)
    earlier = list(traffic.before())[: count // 4]
    others = iter([*earlier, *traffic.mixed()])
    planned = []
    for number in range(count):
        body, watched = traffic.watched() if number % WATCHED == 0 else (next(others), None)
        planned.append(Planned(number / chosen.rate, signed_request(body, stage.webhook_secret), watched))
    return planned


def _measure(stage: Stage, stream: Stream, look: Looker) -> Run:
    """Send one stream, and look until all watched messages were seen and nothing waits any more."""
    before = stage.round_trips() - look.round_trips
    with ThreadPoolExecutor(SENDERS) as pool:
        senders = stream.run(pool)
        taken = _watch(stream, senders, look)
        for sender in senders:
            sender.result()
    look.round_trips += _settle(stage)
    trips = stage.round_trips() - look.round_trips - before
    return Run(list(taken.values()), trips / len(stream.planned))


def _settle(stage: Stage) -> int:
    """Wait until no webhook waits any more; return how often that was asked.

    Raises:
        RuntimeError: some wait for ever.
    """
    unfinished = {"status": {"$in": ["pending", "processing"]}}
    deadline = time.perf_counter() + PATIENCE_S
    asked = 1
    while stage.database["webhookevents"].find_one(unfinished, {"_id": 1}):
        if time.perf_counter() > deadline:
            raise RuntimeError("webhooks still wait long after the stream")
        time.sleep(LOOK_S)
        asked += 1
    return asked


def _watch(stream: Stream, senders: "Sequence[Future[None]]", look: Looker) -> dict[str, float]:
    """Look until every watched message was seen; return how long (s) each took.

    Raises:
        RuntimeError: one of them does not appear.
    """
    taken: dict[str, float] = {}
    deadline = time.perf_counter() + stream.planned[-1].due + PATIENCE_S
    while not all(sender.done() for sender in senders) or len(taken) < len(stream.sent):
        waiting = set(stream.sent) - taken.keys()
        seen = look(waiting) if waiting else set()
        now = time.perf_counter()
        taken |= {one: now - stream.sent[one] for one in seen}
        if now > deadline:
            raise RuntimeError(f"{len(waiting)} messages did not appear in {PATIENCE_S:g} s")
        time.sleep(LOOK_S)
    return taken


def _report(runs: Sequence[Run], setting: dict[str, str], chosen: argparse.Namespace) -> int:
    cuts = {percent: spread([run.cut(percent) for run in runs]) for percent in (50, 95, 99)}
    found = {"P6": cuts[95], "P7": spread([run.round_trips for run in runs])}
    row = {"looked through": chosen.through, "webhooks/s": chosen.rate, "messages": sum(len(run.taken) for run in runs)}
    shown = {f"p{percent} ms": one.shown(1) for percent, one in cuts.items()}
    figures = table([row | shown | {"round trips": found["P7"].shown(2)}])
    # Through the API the looks themselves ask MongoDB, so that figure is not the system's alone.
    judged = [one for one in PROMISES if one.number == "P6" or chosen.through == "mongo"]
    promised = table([promise.row(found[promise.number]) for promise in judged])
    publish("Latency", chosen, setting, [figures, promised], {"streams": runs})
    return judge(found, PROMISES, FLOORS) if chosen.short else 0


if __name__ == "__main__":
    sys.exit(main())
