"""How a process hears that it is to stop."""

import signal
import threading
from queue import SimpleQueue


def stop_signal() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set; called once, in the main thread.

    A handler runs in the middle of whatever the main thread does, which may be holding the event's own lock in `wait`;
    so it only leaves word, in the one kind of queue that a handler may use, and a thread sets the event.
    """
    stop = threading.Event()
    told: SimpleQueue[None] = SimpleQueue()

    def relay() -> None:
        told.get()
        stop.set()

    threading.Thread(target=relay, name="stop-signal", daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.put(None))
    return stop
