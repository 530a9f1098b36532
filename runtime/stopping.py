"""How a process hears that it is to stop."""

import signal
import socket
import threading
from typing import Final

_NUMBERS: Final = (signal.SIGTERM, signal.SIGINT)


def stop_signal() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set; called once, in the main thread.

    Python runs a signal's handler in the main thread, when it comes to it: in the middle of whatever it does, be it
    with the event's own lock in its hands, and not at all while it waits for a lock and the system gave the signal to
    another thread. So the handlers do nothing. What Python does at once, in whatever thread, is write the signal's
    number into a socket; a thread reads it and sets the event.
    """
    stop = threading.Event()
    reading, writing = socket.socketpair()
    writing.settimeout(0)

    def relay() -> None:
        # Both stay open, and are read, for as long as the process lives.
        with reading, writing:
            while number := reading.recv(1):
                if number[0] in _NUMBERS:
                    stop.set()

    threading.Thread(target=relay, name="stop-signal", daemon=True).start()
    for number in _NUMBERS:
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    return stop
