"""HTTP connections that keep a deadline for the whole exchange and know whether anything of it has left.

urllib3's timeouts are per read, so a server that drips a byte a second is never late; and its errors do not say
whether the request was on its way. Here every socket operation gets only what is left of the exchange's time, and the
first byte sent is noted. Deliberately no retries, no redirects and no proxies.
"""

import contextlib
import errno
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

#: A host and a port -> its addresses (numeric), in the order to be tried.
Resolve = Callable[[str, int], Sequence[str]]

#: Longest time (s) for a TCP connection, and once more for the TLS handshake.
CONNECT_S: Final = 5.0
#: Connections that were idle for longer (s) are not used again: servers close theirs after a minute or so, and a
#: request that crosses with that is a request of unknown fate.
IDLE_S: Final = 20.0
#: Idle connections kept per host, and hosts.
POOL_SIZE: Final = 32
POOLS: Final = 64

# They quote addresses, and with them the tokens in their queries, even in warnings; a level would be others' to set.
for _told in ("connection", "connectionpool", "poolmanager", "response", "util.retry"):
    logging.getLogger(f"urllib3.{_told}").disabled = True

_UNREACHABLE: Final = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL})


@dataclass(slots=True)
class Exchange:
    """One request and its answer: until when, whether a byte has left, and the word for what went wrong."""

    ends: float
    resolve: Resolve
    left: bool = False
    trouble: str | None = None

    def remaining(self) -> float:
        """Seconds left.

        Raises:
            TimeoutError: none.
        """
        seconds = self.ends - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the exchange took too long")
        return seconds


class _Current(threading.local):
    exchange: Exchange | None = None


_current = _Current()


@contextlib.contextmanager
def exchanging(exchange: Exchange) -> Iterator[Exchange]:
    """Bind all sockets that this thread uses to an exchange."""
    _current.exchange = exchange
    try:
        yield exchange
    finally:
        _current.exchange = None


def system_resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system for a host's addresses. It takes its own time: nothing can hurry it."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def pools(context: ssl.SSLContext) -> PoolManager:
    """Open pools of keep-alive connections, usable from many threads."""
    context.sslsocket_class = _TlsSocket
    manager = PoolManager(num_pools=POOLS, maxsize=POOL_SIZE, ssl_context=context)
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return manager


class _InTime:
    """Socket operations within what is left of the exchange."""

    def send(self, *args: Any) -> Any:
        self._hurry(leaving=True)
        return super().send(*args)  # type: ignore[misc]

    def sendall(self, *args: Any) -> Any:
        self._hurry(leaving=True)
        return super().sendall(*args)  # type: ignore[misc]

    def recv(self, *args: Any) -> Any:
        self._hurry()
        return super().recv(*args)  # type: ignore[misc]

    def recv_into(self, *args: Any) -> Any:
        self._hurry()
        return super().recv_into(*args)  # type: ignore[misc]

    def _hurry(self, *, leaving: bool = False) -> None:
        exchange = _current.exchange
        if exchange is not None:
            self.settimeout(exchange.remaining())  # type: ignore[attr-defined]
            exchange.left = exchange.left or leaving


class _Socket(_InTime, socket.socket):
    pass


class _TlsSocket(_InTime, ssl.SSLSocket):
    pass


class _Connecting:
    """How a connection is made: every step in time, and each failure with its word."""

    #: When (steady seconds) it was last put back.
    idle_since: float = 0.0

    def _new_conn(self) -> socket.socket:
        exchange = _current.exchange
        assert exchange is not None, "connections are made within an exchange"  # noqa: S101
        host, port = str(self._dns_host), int(self.port)  # type: ignore[attr-defined]
        exchange.trouble = "dns"
        addresses = exchange.resolve(host, port)
        sock = _first_to_answer(exchange, addresses, port)
        exchange.trouble = "tls"
        sock.settimeout(min(CONNECT_S, exchange.remaining()))
        return sock

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        assert _current.exchange is not None  # noqa: S101
        _current.exchange.trouble = None


class _Connection(_Connecting, HTTPConnection):
    pass


class _TlsConnection(_Connecting, HTTPSConnection):
    pass


class _NoLongIdle:
    """A pool that closes what was idle for too long, so that it is connected anew."""

    def _get_conn(self, timeout: float | None = None) -> Any:
        connection = super()._get_conn(timeout)  # type: ignore[misc]
        if not connection.is_closed and time.monotonic() - connection.idle_since > IDLE_S:
            connection.close()
        return connection

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.idle_since = time.monotonic()
        super()._put_conn(conn)  # type: ignore[misc]


class _Pool(_NoLongIdle, HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(_NoLongIdle, HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def _first_to_answer(exchange: Exchange, addresses: Sequence[str], port: int) -> socket.socket:
    """Connect to the first address that can be reached."""
    exchange.trouble = "unreachable"
    failure = OSError("no address")
    for address in addresses:
        sock = _Socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.settimeout(min(CONNECT_S, exchange.remaining()))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.connect((address, port))
        except OSError as error:
            sock.close()
            exchange.trouble = _word(error)
            failure = error
        else:
            return sock
    raise failure


def _word(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "connect_timeout"
    if isinstance(error, ConnectionRefusedError):
        return "connect_refused"
    return "unreachable" if error.errno in _UNREACHABLE else "connect_failed"
