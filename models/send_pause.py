"""Why an account does not send now, and when one message is to try again.

There is a row only for accounts in trouble; the first success removes it. Deliberately no message here: those of a
paused account stay queued as they are.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True, kw_only=True)
class SendPause:
    """One account's trouble; `id` is the account's."""

    id: str
    #: The vendor's code, or `vendor_down` after many failures in a row.
    reason: str | None = None
    #: Failures in a row, those of probes included.
    failures: int = 0
    failed_at: datetime | None = None
    #: Until then nothing is sent; then one message is, and this moves on. Absent: it still sends.
    paused_until: datetime | None = None
    #: How often it was probed in vain: what the pauses grow by.
    probes: int = 0
    since: datetime | None = None
    #: Whether the vendor told it later, of messages that it had taken: then its taking another proves nothing yet.
    reported: bool | None = None
    #: When it last took a message since.
    answered_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
