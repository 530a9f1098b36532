"""Ports of 127.0.0.1: find one that is free, ask whether one is, and whether somebody answers.

Deliberately no reservation: between asking and using another process may take the port, so callers retry.
"""

import socket

#: The only interface the embedded run ever listens on.
LOOPBACK = "127.0.0.1"
#: Seconds to wait for a local listener to accept.
CONNECT_TIMEOUT = 0.5


def free_port() -> int:
    """Return a port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


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
