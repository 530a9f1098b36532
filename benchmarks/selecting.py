"""A load generator in Python, for machines without wrk: the same file, the same window, the same line of JSON.

One thread and one request in flight on each connection. Its percentiles are of the answers as they came, whereas wrk
also counts the requests that a slow answer kept from being sent, so the two are not compared with each other.
"""

import json
import select
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Final

from benchmarks.signing import read_requests

#: Bytes read at once; every answer fits.
CHUNK: Final = 65_536
#: Longest sleep (s) between two looks at the time.
TICK_S: Final = 0.05


@dataclass(slots=True)
class Connection:
    """A kept-alive connection and the answer it waits for."""

    sock: socket.socket
    sent_at: float = 0.0
    answer: bytes = b""

    def send(self, request: bytes) -> None:
        """Send a request; it fits into the socket's buffer, which holds nothing else."""
        self.answer = b""
        self.sent_at = time.perf_counter()
        self.sock.sendall(request)

    def status(self) -> int | None:
        """Read what came; return the status once the answer is whole.

        Raises:
            ConnectionError: the other side hung up.
        """
        data = self.sock.recv(CHUNK)
        if not data:
            raise ConnectionResetError
        self.answer += data
        return whole_answer(self.answer)


class Window:
    """One run: connections that send while the window is open."""

    def __init__(self, requests: Iterator[bytes], *, seconds: float, drain: float) -> None:
        self._requests = requests
        self._seconds = seconds
        self._drain = drain
        self._waiting: dict[int, Connection] = {}
        self._poll = select.epoll()
        self._deadline = 0.0
        self.latencies: list[float] = []
        self.seen = dict.fromkeys(("issued", "idle", "exhausted", "answered", "refused", "broken"), 0)

    def run(self, connections: list[Connection]) -> None:
        """Send until the window closes, then wait for the last answers."""
        self._deadline = time.perf_counter() + self._seconds
        for connection in connections:
            self._poll.register(connection.sock.fileno(), select.EPOLLIN)
            self._waiting[connection.sock.fileno()] = connection
            self._next(connection)
        while self._waiting and time.perf_counter() < self._deadline + self._drain:
            for number, _ in self._poll.poll(TICK_S):
                self._hear(self._waiting[number])

    def _next(self, connection: Connection) -> None:
        open_still = time.perf_counter() < self._deadline
        request = next(self._requests, None) if open_still else None
        if request is None:
            self.seen["exhausted"] += open_still
            self._end(connection, "idle")
            return
        self.seen["issued"] += 1
        connection.send(request)

    def _hear(self, connection: Connection) -> None:
        try:
            status = connection.status()
        except OSError:
            self._end(connection, "broken")
            return
        if status is None:
            return
        self.latencies.append(time.perf_counter() - connection.sent_at)
        self.seen["answered"] += 1
        self.seen["refused"] += status != 200
        self._next(connection)

    def _end(self, connection: Connection, why: str) -> None:
        self.seen[why] += 1
        self._poll.unregister(connection.sock.fileno())
        del self._waiting[connection.sock.fileno()]


def whole_answer(answer: bytes) -> int | None:
    """Return the status of an answer with a Content-Length, None while a part of it is missing."""
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return None
    lines = head.lower().split(b"\r\n")
    length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
    return int(lines[0].split()[1]) if len(body) >= length else None


def main(port: str, requests: str, connections: str, seconds: str, drain: str) -> None:
    """Run one window and print what was seen."""
    opened = [Connection(socket.create_connection(("127.0.0.1", int(port)))) for _ in range(int(connections))]
    window = Window(read_requests(Path(requests)), seconds=float(seconds), drain=float(drain))
    window.run(opened)
    cuts = quantiles(window.latencies, n=100) if len(window.latencies) > 1 else [0.0] * 99
    spread = {"p50_ms": cuts[49], "p99_ms": cuts[98], "max_ms": max(window.latencies, default=0.0)}
    print(json.dumps(window.seen | {name: round(value * 1000, 3) for name, value in spread.items()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
