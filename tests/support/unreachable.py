"""Addresses at which a vendor cannot be reached, each in another way; provably nothing is taken there.

Deliberately nothing that answers a request.
"""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from sandbox.engines.ports import free_port
from tests.support.rawserver import certificate, deaf, serving


@contextmanager
def refusing() -> Iterator[str]:
    """Nobody listens."""
    yield f"http://127.0.0.1:{free_port()}"


@contextmanager
def nameless() -> Iterator[str]:
    """No such name: `.invalid` is kept free of any."""
    yield "http://vendor.invalid"


@contextmanager
def distrusted(directory: Path) -> Iterator[str]:
    """Somebody who says to be the vendor, and cannot prove it."""
    context, _ = certificate(directory, "127.0.0.1")
    with serving(deaf, tls=context) as server:
        yield server.url
        assert server.requests == []


@contextmanager
def crowded() -> Iterator[str]:
    """Connections are begun and never come about: nobody accepts, and there is no room to wait in."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(2):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


#: Ways of C4.
WAYS: Mapping[str, Callable[[Path], AbstractContextManager[str]]] = {
    "refused": lambda _: refusing(),
    "no such name": lambda _: nameless(),
    "TLS fails": distrusted,
}
