"""The error tree of the house.

    HooklineError
    ├── SettingsError          a setting is missing or wrong; names the variable
    ├── CryptoError            a sealed value does not open with our keys, or not in its place
    ├── SignatureError         a webhook was not made by whom it claims
    ├── Refused                a request cannot be taken; carries an HTTP-ish status word
    │   ├── TooLarge           … its body is over the limit
    │   ├── WrongType          … its media type or encoding is not the vendor's
    │   ├── Unparseable        … it is not a well-formed request
    │   └── Unavailable        … it cannot be made durable now; retry later
    ├── NotFound               no such live document
    ├── Conflict               the document's state forbids the step
    ├── Invalid                a value is wrong; carries the fields
    ├── Forbidden              known, but not allowed
    ├── Unauthenticated        not known
    └── LeaseLost              another worker holds what we thought ours; drop the work, nothing is wrong

Deliberately no HTTP here: `api/errors.py` and `ingest/webhooks.py` alone map a class to an answer.
"""

from collections.abc import Mapping


class HooklineError(Exception):
    """Root of everything we raise on purpose."""


class SettingsError(HooklineError):
    """A setting is missing or wrong."""


class CryptoError(HooklineError):
    """A sealed value cannot be opened here."""


class SignatureError(HooklineError):
    """A webhook's signature is missing or wrong."""


class Refused(HooklineError):
    """A request that cannot be taken."""


class TooLarge(Refused):
    """The body is over the limit."""


class WrongType(Refused):
    """The media type or content encoding is not accepted."""


class Unparseable(Refused):
    """The request is not well formed."""


class Unavailable(Refused):
    """Nothing durable can be promised now; the caller should retry."""


class NotFound(HooklineError):
    """No such live document."""


class Conflict(HooklineError):
    """The state forbids the step; `code` is a stable word such as state_conflict, `details` what helps to go on."""

    def __init__(
        self, message: str, *, code: str = "state_conflict", details: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.details = dict(details or {})


class Invalid(HooklineError):
    """A value is wrong; `fields` maps a path to its messages."""

    def __init__(self, message: str, *, fields: Mapping[str, list[str]] | None = None) -> None:
        super().__init__(message)
        self.fields = dict(fields or {})


class Forbidden(HooklineError):
    """The caller is known but lacks the permission."""


class Unauthenticated(HooklineError):
    """The caller is not known."""


class LeaseLost(HooklineError):
    """Another worker took over; this one's writes are void."""
