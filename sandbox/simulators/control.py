"""What the simulator itself answers to, beside the vendor's API: the ledger, and orders for whoever tests against it.

    GET    /ledger                                        what was delivered and taken, and `sends`
    POST   /faults     {"match": {…}, "do": …, …}         see `faults`; GET tells what struck, DELETE lifts all
    POST   /limits     {"limit_per_second": 80, "per": "number"}                           DELETE lifts all
    POST   /statuses   {"mode": "late", "seconds": 3}     see `aftermath.MODES`
    POST   /customers  {"number": …, "says": …} or {"number": …, "silent_for": seconds}

Deliberately open to anybody on this machine: a simulator keeps no secrets worth having.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.simulators.aftermath import Aftermath
from sandbox.simulators.books import Books
from sandbox.simulators.counter import Counter
from sandbox.simulators.exchange import Answer, Asked
from sandbox.simulators.ledger import Ledger
from sandbox.simulators.scribe import Scribe
from sandbox.simulators.stories import Step
from sandbox.simulators.windows import Windows

DONE: Mapping[str, Any] = {"ok": True}


class Control:
    """Answers what is asked of the simulator itself."""

    def __init__(
        self,
        scribe: Scribe,
        *,
        ledger: Ledger,
        books: Books,
        counter: Counter,
        aftermath: Aftermath,
        windows: Windows,
    ) -> None:
        self._scribe = scribe
        self._ledger = ledger
        self._books = books
        self._counter = counter
        self._aftermath = aftermath
        self._windows = windows
        faults, limits = counter.faults, counter.limits
        self._orders: Mapping[tuple[str, str], Callable[[Mapping[str, Any]], object]] = {
            ("GET", "/ledger"): lambda _: {**ledger.as_json(), "sends": books.as_json()},
            ("GET", "/faults"): lambda _: {"faults": faults.as_json()},
            ("POST", "/faults"): faults.order,
            ("DELETE", "/faults"): lambda _: faults.clear(),
            ("POST", "/limits"): limits.order,
            ("DELETE", "/limits"): lambda _: limits.clear(),
            ("POST", "/statuses"): lambda wish: aftermath.tell(wish["mode"], float(wish.get("seconds", 0))),
            ("POST", "/customers"): self._customer,
        }

    def answer(self, asked: Asked) -> Answer | None:
        """Return the answer, or None where the vendor is meant."""
        order = self._orders.get((asked.method, asked.path))
        if order is None:
            return None
        try:
            return Answer(200, order(asked.json()) or DONE)
        except (KeyError, TypeError, ValueError) as error:
            return Answer(400, {"error": f"{type(error).__name__}: {error}"})

    def _customer(self, wish: Mapping[str, Any]) -> None:
        """Let somebody write, or fall silent."""
        person = self._scribe.person(str(wish["number"]))
        if "silent_for" in wish:
            self._windows.heard(self._scribe.chat(person), ago=float(wish["silent_for"]))
        else:
            self._aftermath.say(person, Step("text", str(wish["says"])))
