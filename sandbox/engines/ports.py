"""Ports of 127.0.0.1: find free ones, remember one, ask whether one is free, and whether somebody answers.

Deliberately no reservation: between asking and using another process may take the port, so callers retry.
"""

import socket
from contextlib import ExitStack
from pathlib import Path

#: The only interface the embedded run ever listens on.
LOOPBACK = "127.0.0.1"
#: Seconds to wait for a local listener to accept.
CONNECT_TIMEOUT = 0.5


def free_port() -> int:
    """Return a port nobody listens on at this moment."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Return different ports nobody listens on at this moment."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((LOOPBACK, 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def remembered_port(path: Path) -> int | None:
    """Return the port written in a file, if it is one and free."""
    try:
        port = int(path.read_text())
    except (OSError, ValueError):
        return None
    return port if 0 < port < 65536 and is_free(port) else None


def is_free(port: int) -> bool:
    """Tell whether a server could bind the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def is_listening(port: int) -> bool:
    """Tell whether somebody accepts connections on the port."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=CONNECT_TIMEOUT).close()
    except OSError:
        return False
    return True
