"""One vendor with everything around it, put together: deliveries, books, API, orders.

Composition only.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.simulators.aftermath import Aftermath
from sandbox.simulators.api import Api
from sandbox.simulators.books import Books
from sandbox.simulators.control import Control
from sandbox.simulators.counter import Counter
from sandbox.simulators.delivery import Carrier, Delivery
from sandbox.simulators.ledger import Ledger
from sandbox.simulators.scribe import Scribe
from sandbox.simulators.server import VendorServer
from sandbox.simulators.windows import Windows


@dataclass(frozen=True, slots=True, kw_only=True)
class Backstage:
    """What a vendor's API works with."""

    aftermath: Aftermath
    windows: Windows
    delivery: Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """A vendor ready to be played."""

    scribe: Scribe
    carrier: Carrier
    api: Callable[[Backstage], Api]
    #: What comes before the first delivery, in place of waiting until the endpoint is there; it returns False when
    #: told to stop meanwhile.
    prepare: Callable[[threading.Event], bool] | None = None


class Stage:
    """A vendor on stage; `silent` leaves the customers out, and takes everybody for somebody who has just written."""

    def __init__(self, vendor: Vendor, *, stop: threading.Event, silent: bool = False) -> None:
        scribe = vendor.scribe
        self.ledger = Ledger()
        self.books = Books()
        self.windows = Windows([scribe.chat(person) for person in scribe.people], everybody=silent)
        self.delivery = Delivery(vendor.carrier, ledger=self.ledger, stop=stop)
        self.aftermath = Aftermath(
            scribe, delivery=self.delivery, books=self.books, windows=self.windows, lively=not silent
        )
        api = vendor.api(Backstage(aftermath=self.aftermath, windows=self.windows, delivery=self.delivery))
        self.counter = Counter(api, books=self.books, stop=stop)
        self.control = Control(
            scribe,
            ledger=self.ledger,
            books=self.books,
            counter=self.counter,
            aftermath=self.aftermath,
            windows=self.windows,
        )

    def serve(self, port: int) -> VendorServer:
        """Open the vendor's HTTP side."""
        server = VendorServer(port, control=self.control, counter=self.counter)
        server.start()
        return server
