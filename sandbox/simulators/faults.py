"""Faults ordered over HTTP: which calls they strike, and what then goes wrong.

Deliberately only the choice: `counter` and `server` carry it out.
"""

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.simulators.api import SEND, Call

#: What may be ordered: before the effect (nothing is booked), and after it.
BEFORE = frozenset({"throttle", "error", "close_before"})
AFTER = frozenset({"delay", "close_after_accept", "hang_after_accept", "garbage", "no_id", "big_body", "fail"})


@dataclass(slots=True, kw_only=True)
class Fault:
    """One order. Of several that match, the first ordered strikes."""

    #: What goes wrong.
    do: str
    #: The name of the call it is for.
    call: str = SEND
    references: frozenset[str] = frozenset()
    recipients: frozenset[str] = frozenset()
    #: Only the how-manieth of the calls that match otherwise, from 1.
    nth: int | None = None
    #: The share of the calls that match otherwise, at random.
    share: float = 1.0
    #: How often it may strike.
    times: int | None = None
    #: How long: of a delay, of a hang until the connection closes.
    seconds: float = 0.0
    #: The Retry-After header of a throttle or an error, as it stands there.
    retry_after: str | None = None
    #: The vendor's error code, and the HTTP status; a status alone gives the words of a proxy.
    code: str | None = None
    status: int | None = None
    seen: int = field(default=0, init=False)
    struck: int = field(default=0, init=False)

    def matches(self, call: Call) -> bool:
        """Say whether it is for such a call at all."""
        return (
            call.name == self.call
            and (not self.references or call.reference in self.references)
            and (not self.recipients or call.recipient in self.recipients)
        )

    def strikes(self, chance: random.Random) -> bool:
        """Count a call that matches, and say whether it is struck."""
        self.seen += 1
        spent = self.times is not None and self.struck >= self.times
        if spent or (self.nth is not None and self.seen != self.nth) or chance.random() >= self.share:
            return False
        self.struck += 1
        return True


class Faults:
    """All faults in force; safe to use from several threads."""

    def __init__(self, *, seed: int | None = None) -> None:
        self._lock = threading.Lock()
        self._chance = random.Random(seed)
        self._faults: list[Fault] = []

    def order(self, wish: Mapping[str, Any]) -> None:
        """Put a fault in force.

        Raises:
            ValueError: it is not understood.
        """
        fault = _fault(wish)
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """Lift all faults."""
        with self._lock:
            self._faults.clear()

    def strike(self, call: Call) -> Fault | None:
        """Return the fault that strikes a call, if one does."""
        with self._lock:
            return next((one for one in self._faults if one.matches(call) and one.strikes(self._chance)), None)

    def as_json(self) -> list[dict[str, Any]]:
        """Return each fault with how many calls it saw and how many it struck."""
        with self._lock:
            return [{"do": one.do, "call": one.call, "seen": one.seen, "struck": one.struck} for one in self._faults]


def _fault(wish: Mapping[str, Any]) -> Fault:
    match = dict(wish.get("match", {}))
    known = {"call", "reference", "recipient", "nth", "share"}, {"match", "do", *_OPTIONS}
    stray = [*(match.keys() - known[0]), *(wish.keys() - known[1])]
    if stray or wish.get("do") not in BEFORE | AFTER:
        raise ValueError(f"not understood: {', '.join(sorted(stray)) or 'do'}")
    return Fault(
        do=str(wish["do"]),
        call=str(match.get("call", SEND)),
        references=frozenset(_all(match.get("reference"))),
        recipients=frozenset(one.lstrip("+") for one in _all(match.get("recipient"))),
        nth=match.get("nth"),
        share=float(match.get("share", 1.0)),
        **{name: read(wish[name]) for name, read in _OPTIONS.items() if wish.get(name) is not None},
    )


def _all(value: object) -> list[str]:
    """Return one or several as a list."""
    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


#: Options beside the match, and how each is read.
_OPTIONS: Mapping[str, Any] = {"times": int, "seconds": float, "retry_after": str, "code": str, "status": int}
