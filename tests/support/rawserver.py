"""A server that does byte for byte as it is told, with TLS where asked: for clients that must survive anything.

Deliberately no HTTP of its own beyond reading a request's head and body; every connection gets its own thread.
"""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Script = Callable[["Peer"], None]


@dataclass
class Request:
    """One request as it came."""

    head: bytes
    body: bytes

    @property
    def target(self) -> str:
        return self.head.split(b" ", 2)[1].decode()

    def header(self, name: str) -> bytes | None:
        found = [line for line in self.head.split(b"\r\n")[1:] if line.lower().startswith(name.lower().encode() + b":")]
        return found[0].partition(b":")[2].strip() if found else None


@dataclass
class Peer:
    """The client's end of one connection."""

    socket: socket.socket
    server: "RawServer"
    buffer: bytes = b""

    def request(self) -> Request | None:
        """Read one request, None where the client has gone."""
        while b"\r\n\r\n" not in self.buffer:
            if not self._more():
                return None
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        request = Request(head, b"")
        length = int(request.header("content-length") or 0)
        while len(self.buffer) < length and self._more():
            pass
        request.body, self.buffer = self.buffer[:length], self.buffer[length:]
        self.server.requests.append(request)
        return request

    def say(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self, body: bytes = b"ok", *, status: str = "200 OK", headers: str = "") -> None:
        self.say(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body)

    def drip(self, data: bytes, *, every: float) -> None:
        """Send a byte now and then until the client goes or the test ends."""
        for one in data:
            self.say(bytes([one]))
            if self.server.closing.wait(every):
                return

    def _more(self) -> bool:
        data = self.socket.recv(1 << 16)
        self.buffer += data
        return bool(data)


@dataclass
class RawServer:
    """A listening socket on loopback; `script` is run for each connection."""

    script: Script
    tls: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    closing: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._listening = socket.create_server((self.host, 0))
        self._peers: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        port: int = self._listening.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    def hang_up(self) -> None:
        """Close what is connected, and keep listening."""
        for peer in self._peers:
            with suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.closing.set()
        with suppress(OSError):
            # Without this the thread that waits would still accept one more.
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.hang_up()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                peer, _ = self._listening.accept()
                self.connections += 1
                self._peers.append(peer)
                threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        with suppress(OSError), peer:
            spoken = self.tls.wrap_socket(peer, server_side=True) if self.tls else peer
            with spoken:
                self.script(Peer(spoken, self))


@contextmanager
def serving(script: Script, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[RawServer]:
    """Serve until the block ends."""
    server = RawServer(script, tls, host)
    try:
        yield server
    finally:
        server.close()


def answering(body: bytes = b"ok", *, status: str = "200 OK", headers: str = "") -> Script:
    """Answer every request of a connection alike."""

    def script(peer: Peer) -> None:
        while peer.request():
            peer.answer(body, status=status, headers=headers)

    return script


def silent(peer: Peer) -> None:
    """Read a request and never answer."""
    peer.request()
    peer.server.closing.wait()


def deaf(peer: Peer) -> None:
    """Accept, and neither read nor say a thing."""
    peer.server.closing.wait()


def saying(data: bytes) -> Script:
    """Say the same bytes to every request, and hang up."""

    def script(peer: Peer) -> None:
        if peer.request():
            peer.say(data)

    return script


def certificate(directory: Path, *names: str) -> tuple[ssl.SSLContext, str]:
    """Make a certificate for names or addresses; return the server's context and the file that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([_san(one) for one in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    trusted, kept = directory / f"{names[0]}.crt", directory / f"{names[0]}.key"
    trusted.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    kept.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, kept)
    return context, str(trusted)


def _san(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
