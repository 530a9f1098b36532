"""The books of sending: every message this vendor took, in the order it took them.

An entry is made before the answer leaves. Append-only and in memory; deliberately no judgement: how often a message
may be here is for whoever reads them.
"""

import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Accept:
    """One message taken."""

    #: The how-manieth of all.
    order: int
    #: Unix seconds.
    at: float
    reference: str | None
    recipient: str
    vendor_id: str
    #: SHA-256 of what was to be sent, without our own reference; equal for equal messages.
    digest: str


class Books:
    """Accepts and refusals; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._accepts: list[Accept] = []
        self._refused: Counter[str] = Counter()

    def accepted(self, *, reference: str | None, recipient: str, vendor_id: str, digest: str) -> Accept:
        """Enter a message that was taken."""
        with self._lock:
            entry = Accept(
                order=len(self._accepts) + 1,
                at=time.time(),
                reference=reference,
                recipient=recipient,
                vendor_id=vendor_id,
                digest=digest,
            )
            self._accepts.append(entry)
            return entry

    def refused(self, reason: str) -> None:
        """Enter a send that was not taken."""
        with self._lock:
            self._refused[reason] += 1

    def as_json(self) -> dict[str, Any]:
        """Return totals, the accepts of each reference, the sequence of each recipient, and refusals by reason."""
        with self._lock:
            accepts, refused = list(self._accepts), dict(self._refused)
        references: dict[str, dict[str, Any]] = {}
        recipients: dict[str, list[dict[str, Any]]] = {}
        for entry in accepts:
            recipients.setdefault(entry.recipient, []).append(_row(entry))
            if entry.reference is not None:
                row = references.setdefault(entry.reference, {"accepts": 0, "orders": [], "vendorIds": []})
                row["accepts"] += 1
                row["orders"].append(entry.order)
                row["vendorIds"].append(entry.vendor_id)
        return {"accepted": len(accepts), "byReference": references, "byRecipient": recipients, "refused": refused}


def _row(entry: Accept) -> dict[str, Any]:
    row = asdict(entry)
    return {**{name: row[name] for name in ("order", "at", "reference", "digest")}, "vendorId": row["vendor_id"]}
