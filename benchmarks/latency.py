"""How long a customer's message takes from the street door to the desk, with the whole system at work.

Receiver, worker and clock run as in the Procfile under a steady stream of webhooks; the messages of one customer are
looked for until they can be read, through MongoDB (a majority has them) or through the API. Counted from the moment
the webhook begins to be sent, so the look itself and the answer to the vendor are in the figure. Deliberately an open
loop: a slow system does not slow the stream down.
"""

import argparse
import http.client
import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
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

PROMISE: Final = Promise("P6", "received → readable, p95 in ms", now=500, goal=150, at_most=True)
#: What the short run must show at most (ms).
CEILING_MS: Final = 5_000
#: Of so many webhooks one is a message of the watched customer.
WATCHED: Final = 10
#: Connections of the stream; each sends its share at its own times.
SENDERS: Final = 8
#: How often (s) it is looked whether a message can be read.
LOOK_S: Final = 0.01
#: The stream before the first counted message (s), and how long (s) the last ones may take.
WARM_UP_S: Final = 2.0
PATIENCE_S: Final = 15.0
#: Messages of the watched chat that one request to the API returns.
PAGE: Final = 100
#: Returns those of the given messages that can be read now.
Look = Callable[[set[str]], set[str]]


@dataclass(slots=True)
class Stream:
    """Webhooks with the moment each is to be sent, and the moments at which watched ones were."""

    planned: list[tuple[float, bytes, str | None]]
    port: int
    sent: dict[str, float] = field(default_factory=dict)
    refused: int = 0

    def run(self) -> list[threading.Thread]:
        """Begin to send."""
        began = time.perf_counter()
        threads = [threading.Thread(target=self._send, args=(began, number), daemon=True) for number in range(SENDERS)]
        for thread in threads:
            thread.start()
        return threads

    def _send(self, began: float, number: int) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)) as connection:
            connection.connect()
            for due, request, watched in self.planned[number::SENDERS]:
                time.sleep(max(0.0, began + due - time.perf_counter()))
                if watched and due >= WARM_UP_S:
                    self.sent[watched] = time.perf_counter()
                connection.sock.sendall(request)
                answer = http.client.HTTPResponse(connection.sock, method="POST")
                answer.begin()
                answer.read()
                self.refused += answer.status != 200


def main(words: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 1 when the short run was slower than its ceiling."""
    chosen = _arguments(sys.argv[1:] if words is None else words)
    runs = []
    with open_stage(cache_gb=chosen.cache_gb) as stage:
        port = _start(stage)
        look = _through_api(stage) if chosen.through == "api" else _through_mongo(stage)
        for number in range(chosen.runs):
            runs.append(_measure(stage, port, look, chosen))
            print(f"round {number + 1}/{chosen.runs}  p95 {_cut(runs[-1], 95):.0f} ms", file=sys.stderr)
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
    port = free_port()
    receiver = stage.hookline("ingest", INGEST_BIND=f"127.0.0.1:{port}")
    metrics = {name: free_port() for name in ("worker", "clock")}
    others = {name: stage.hookline(name, METRICS_BIND=f"127.0.0.1:{one}") for name, one in metrics.items()}
    receiver.wait_until_it_answers(port, "/readyz")
    for name, running in others.items():
        running.wait_until_it_answers(metrics[name], "/healthz")
    return port


def _through_mongo(stage: Stage) -> Look:
    """Look in MongoDB: a message counts once a majority has it."""
    messages = stage.database.get_collection("messages", read_concern=ReadConcern("majority"))

    def look(wanted: set[str]) -> set[str]:
        found = messages.find({"providerMessageId": {"$in": list(wanted)}}, {"_id": 0, "providerMessageId": 1})
        return {message["providerMessageId"] for message in found}

    return look


def _through_api(stage: Stage) -> Look:
    """Look as an agent's screen does: the newest messages of the watched customer's chat."""
    port = free_port()
    stage.hookline("api", API_BIND=f"127.0.0.1:{port}").wait_until_it_answers(port, "/healthz")
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


def _measure(stage: Stage, port: int, look: Look, chosen: argparse.Namespace) -> list[float]:
    """Send one stream; return how long (s) each watched message took.

    Raises:
        RuntimeError: a webhook was refused, or a message never appeared.
    """
    stream = Stream(_plan(stage, chosen), port)
    senders = stream.run()
    taken: dict[str, float] = {}
    patience = time.perf_counter() + WARM_UP_S + chosen.seconds + PATIENCE_S
    while any(thread.is_alive() for thread in senders) or len(taken) < len(stream.sent):
        waiting = {one for one in list(stream.sent) if one not in taken}
        if waiting:
            seen = look(waiting)
            now = time.perf_counter()
            taken |= {one: now - stream.sent[one] for one in seen}
        if stream.refused or time.perf_counter() > patience:
            raise RuntimeError(f"{stream.refused} webhooks refused, {len(waiting)} messages did not appear")
        time.sleep(LOOK_S)
    return list(taken.values())


def _plan(stage: Stage, chosen: argparse.Namespace) -> list[tuple[float, bytes, str | None]]:
    """Lay out the stream: mixed traffic at even distances, with the watched customer's messages among it."""
    count = int((WARM_UP_S + chosen.seconds) * chosen.rate)
    traffic = Traffic(events=count)
    earlier = [(body, None) for body in traffic.before()][: count // 4]
    others = iter([*earlier, *((body, None) for body in traffic.mixed())])
    planned = []
    for number in range(count):
        body, watched = traffic.watched() if number % WATCHED == 0 else next(others)
        planned.append((number / chosen.rate, signed_request(body, stage.webhook_secret), watched))
    return planned


def _cut(taken: Sequence[float], percent: int) -> float:
    return quantiles(taken, n=100)[percent - 1] * 1000


def _report(runs: Sequence[Sequence[float]], setting: dict[str, str], chosen: argparse.Namespace) -> int:
    cuts = {percent: spread([_cut(run, percent) for run in runs]) for percent in (50, 95, 99)}
    row = {"looked through": chosen.through, "webhooks/s": chosen.rate, "messages": sum(map(len, runs))}
    figures = table([row | {f"p{percent} ms": one.shown(1) for percent, one in cuts.items()}])
    promised = table([PROMISE.row(cuts[95])])
    publish("Latency", chosen, setting, [figures, promised], {"seconds": runs})
    return judge({PROMISE.number: cuts[95]}, [PROMISE], {PROMISE.number: CEILING_MS}) if chosen.short else 0


if __name__ == "__main__":
    sys.exit(main())
