"""Fetching a file from an address that a stranger may have chosen, into a file, within limits.

HTTPS only, no user names, and no address of ours: a host is resolved, refused if any of its addresses is not public,
and connected to at the very address that was looked at, so that a second look-up cannot be told another story. Every
redirect is a new address and looked at likewise. Deliberately no decoding and no opinion on what was fetched.
"""

import contextlib
import hashlib
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import BinaryIO, Final
from urllib.parse import urljoin

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from runtime.calls import CallError, HttpRequest
from runtime.outgoing import CHUNK, FAILURES, failure, send, trusting, word_for
from runtime.punctual import Exchange, Resolve, exchanging, pools, system_resolve

#: Networks that Python calls global although they lead to others' inner addresses, or nowhere.
NOT_PUBLIC: Final = tuple(
    ip_network(one)
    for one in (
        "::/96",  # IPv4 in disguise
        "::ffff:0:0/96",  # likewise
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",  # NAT64 of one's own
        "2001::/32",  # Teredo
        "2002::/16",  # 6to4
        "fec0::/10",  # site-local of old
        "100.64.0.0/10",  # carriers' NAT
        "192.0.0.0/24",  # protocols' own
        "192.88.99.0/24",  # 6to4 relays
    )
)
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PORTS: Final = {"http": 80, "https": 443}
#: Builds the request for an address; credentials are in it only where the address deserves them.
Opening = Callable[[str], HttpRequest]


class Unfetchable(CallError):
    """The address leads where nothing is fetched from, or the file is over the limit; another try changes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """From where, how much and how long."""

    #: Hosts, or with a leading dot domains; empty: any.
    hosts: frozenset[str] = frozenset()
    #: Addresses (scheme, host, port) that the operator configured: these may be plain HTTP, and private.
    configured: frozenset[tuple[str, str, int]] = frozenset()
    redirects: int = 0
    max_bytes: int
    deadline: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What came; nothing was written unless `status` is 200."""

    status: int
    size: int = 0
    #: Lower-case hex.
    sha256: str = ""
    headers: dict[str, str] = field(default_factory=dict)


def origin_of(address: str) -> tuple[str, str, int]:
    """Take scheme, host and port from an address.

    Raises:
        Unfetchable: it is none.
    """
    return _origin(_parsed(address))


def is_public(address: str) -> bool:
    """Say whether a numeric address is one of the open Internet."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    odd = any(ip in network for network in NOT_PUBLIC if _is_same_kind(network, ip.version))
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified or odd)


class Fetching:
    """Fetches files; each over a connection of its own, made to an address that was looked at."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, resolve: Resolve = system_resolve) -> None:
        self._tls = tls or trusting()
        self._resolve = resolve

    def fetch(self, address: str, opening: Opening, *, into: BinaryIO, limits: Limits) -> Fetched:
        """Fetch a file, following redirects as far as allowed.

        Raises:
            Unfetchable: the address, or one it leads to, is not to be fetched from, or the file is too large.
            NotSent: nobody could be reached.
            Unanswered: no whole answer came in time.
        """
        exchange = Exchange(time.monotonic() + limits.deadline.total_seconds(), self._resolve)
        with exchanging(exchange):
            fetched, error = self._try(exchange, address, opening, into, limits)
        if fetched is not None:
            return fetched
        raise failure(exchange, error)

    def _try(
        self, exchange: Exchange, address: str, opening: Opening, into: BinaryIO, limits: Limits
    ) -> tuple[Fetched | None, str]:
        try:
            for _ in range(limits.redirects + 1):
                exchange.resolve = self._checked(check(address, limits), limits)
                with self._answer(opening(address)) as response:
                    if response.status not in _REDIRECTS:
                        return _keep(response, into, limits.max_bytes), ""
                    address = urljoin(address, response.headers.get("Location", ""))
        except FAILURES as error:
            return None, word_for(error)
        raise Unfetchable("too_many_redirects")

    @contextlib.contextmanager
    def _answer(self, request: HttpRequest) -> Iterator[BaseHTTPResponse]:
        """Send a request over a connection that serves once: the next file's address is looked at anew."""
        own = pools(self._tls)
        try:
            response = send(own, request)
            try:
                yield response
            finally:
                response.close()
        finally:
            own.clear()

    def _checked(self, origin: tuple[str, str, int], limits: Limits) -> Resolve:
        def resolve(host: str, port: int) -> Sequence[str]:
            addresses = list(self._resolve(host, port))
            if origin not in limits.configured and not all(map(is_public, addresses)):
                raise Unfetchable("private_address")
            return addresses

        return resolve


def check(address: str, limits: Limits) -> tuple[str, str, int]:
    """Judge an address by its looks.

    Raises:
        Unfetchable: nothing is fetched from there.
    """
    url = _parsed(address)
    origin = _origin(url)
    if url.auth is not None:
        raise Unfetchable("userinfo")
    if origin in limits.configured:
        return origin
    if url.scheme != "https":
        raise Unfetchable("not_https")
    if limits.hosts and not is_among(origin[1], limits.hosts):
        raise Unfetchable("host_not_allowed")
    return origin


def is_among(host: str, hosts: frozenset[str]) -> bool:
    """Say whether a host is one of these, or within one of these domains."""
    return host in hosts or any(one.startswith(".") and host.endswith(one) for one in hosts)


def _keep(response: BaseHTTPResponse, into: BinaryIO, max_bytes: int) -> Fetched:
    """Write the body away while it comes."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    if response.status != 200:
        return Fetched(status=response.status, headers=headers)
    if int(headers.get("content-length", "0")) > max_bytes:
        raise Unfetchable("too_large")
    size, digest = 0, hashlib.sha256()
    while chunk := response.read(CHUNK):
        size += len(chunk)
        if size > max_bytes:
            raise Unfetchable("too_large")
        digest.update(chunk)
        into.write(chunk)
    return Fetched(status=200, size=size, sha256=digest.hexdigest(), headers=headers)


def _parsed(address: str) -> Url:
    """Parse an address as the client that connects will."""
    with contextlib.suppress(LocationParseError, ValueError):
        return parse_url(address)
    raise Unfetchable("bad_address")


def _origin(url: Url) -> tuple[str, str, int]:
    scheme = url.scheme or ""
    if scheme not in _PORTS or not url.host:
        raise Unfetchable("bad_address")
    return scheme, url.host.rstrip(".").lower(), url.port or _PORTS[scheme]


def _is_same_kind(network: IPv4Network | IPv6Network, version: int) -> bool:
    return network.version == version
