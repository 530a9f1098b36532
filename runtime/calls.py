"""An HTTP call to somebody else, and what came of it: plain values, and the two ways to fail.

Deliberately no I/O: `runtime.outgoing` makes the calls.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from runtime.crypto import Secret
from runtime.errors import HooklineError


class CallError(HooklineError):
    """A call without a whole answer; `reason` is a stable word such as connect_refused, dns, tls, timeout."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotSent(CallError):
    """Nothing of the request can have been acted upon: it may be made again."""


class Unanswered(CallError):
    """The request, or part of it, left, and no whole answer came: nobody knows whether it was acted upon."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a multipart body; its bytes are handed to the HTTP client beside the request."""

    field: str
    file_name: str
    mime_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request to a vendor. Secrets stay apart from what may be shown, so that no repr or log tells them."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    #: The value of the Authorization header.
    authorization: Secret | None = None
    #: Query parameters that hold secrets (ChatAPI's token).
    secret_query: Mapping[str, Secret] = field(default_factory=dict)
    #: Plain fields and the one file of a multipart/form-data body; `body` is then empty.
    form: Mapping[str, str] = field(default_factory=dict)
    file: Part | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """A vendor's answer; `headers` have lower-case names, `body` is cut at a limit."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
