"""What the conformance suite must know of a vendor: its fixtures, and how the vendor signs them.

A vendor joins with a folder `tests/fixtures/<slug>/` that holds payloads (*.json), their normal form (golden/)
and a module `conformance` with a `KIT`. Signing is a second opinion, written from the vendor's documents:
deliberately nothing here calls a provider's own code for it.
"""

import hashlib
import importlib
import inspect
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Final

from providers import registry
from providers.base import JSON, Account, Delivery, Provider, WebhookRequest

FIXTURES: Final = Path(__file__).parent.parent / "fixtures"

#: Bytes in a block of SHA-256 and of SHA-1.
_BLOCK: Final = 64


class Kit(ABC):
    """A vendor's fixtures and signature."""

    slug: ClassVar[str]
    #: Beginnings of the names of fixtures that are no webhooks (requests and answers of the vendor's API).
    other: ClassVar[tuple[str, ...]] = ()
    content_type: ClassVar[str] = JSON
    #: The header that carries the signature, if one does.
    signature_header: ClassVar[str] = ""
    #: Whether the signature covers the body; where a bare secret in the URL authenticates, it cannot.
    signs_body: ClassVar[bool] = True

    @abstractmethod
    def account(self, *ring: str) -> Account:
        """Make the account the fixtures are for, with these webhook secrets, newest first."""

    @abstractmethod
    def sign(self, body: bytes, secret: str) -> WebhookRequest:
        """Make the request the vendor would make."""

    def item_paths(self, body: bytes) -> set[str]:
        """Tell the places of a delivery that must each have an event."""
        return set()

    @cached_property
    def provider(self) -> Provider:
        """The dialect under test."""
        found = registry.by_slug(self.slug)
        assert found is not None, f"no dialect is called {self.slug}"
        return found

    @cached_property
    def folder(self) -> Path:
        """Where the fixtures are: beside the kit."""
        return Path(inspect.getfile(type(self))).parent

    def fixtures(self) -> list[Path]:
        """List the webhooks among the fixtures."""
        return [path for path in sorted(self.folder.glob("*.json")) if not path.name.startswith(self.other or "\0")]

    def golden(self, fixture: Path) -> Path:
        """Tell where a fixture's normal form is kept."""
        return self.folder / "golden" / fixture.name

    def body(self, fixture: Path) -> bytes:
        """Read a fixture as the vendor sends it."""
        return fixture.read_bytes()

    def encode(self, document: Any) -> bytes:
        """Write an altered fixture as the vendor would."""
        return json.dumps(document).encode()

    def framed(self, value: Any) -> Iterator[Any]:
        """Put any value where the vendor's payloads hold something, so that it reaches the readers."""
        yield value

    def delivery(self, request: WebhookRequest) -> Delivery:
        """Keep of a request what the receiver keeps."""
        kept = {name: request.headers[name] for name in self.provider.kept_headers if name in request.headers}
        query = self.provider.kept_query(request)
        return Delivery(body=request.body, content_type=request.content_type, query=query, headers=kept)

    def flipped_bodies(self, request: WebhookRequest) -> Iterator[WebhookRequest]:
        """Flip one bit of every byte of the body in turn."""
        for index in range(len(request.body)):
            body = bytearray(request.body)
            body[index] ^= 1 << index % 8
            yield replace(request, body=bytes(body))

    def flipped_signatures(self, request: WebhookRequest) -> Iterator[WebhookRequest]:
        """Exchange every character of the signature in turn, for one of another meaning."""
        signature = request.headers[self.signature_header]
        for index, character in enumerate(signature):
            other = "0" if character != "0" else "1"
            altered = signature[:index] + other + signature[index + 1 :]
            yield replace(request, headers={**request.headers, self.signature_header: altered})


def kits() -> list[Kit]:
    """Find the kits of all vendors."""
    names = sorted(path.parent.name for path in FIXTURES.glob("*/conformance.py"))
    return [importlib.import_module(f"tests.fixtures.{name}.conformance").KIT for name in names]


def hmac_by_hand(key: bytes, message: bytes, algorithm: str = "sha256") -> bytes:
    """Compute an HMAC from its definition (RFC 2104)."""
    if len(key) > _BLOCK:
        key = hashlib.new(algorithm, key).digest()
    padded = key.ljust(_BLOCK, b"\0")
    inner = hashlib.new(algorithm, bytes(byte ^ 0x36 for byte in padded) + message).digest()
    return hashlib.new(algorithm, bytes(byte ^ 0x5C for byte in padded) + inner).digest()
