"""A process that is told to stop hears it."""

import os
import subprocess
import sys

from tests.support.system import ROOT

#: A signal in the moment in which the main thread holds the event's lock, as it does on its way into `wait`.
INTERRUPTED = """
import os, signal
from runtime.stopping import stop_signal
stop = stop_signal()
with stop._cond:
    os.kill(os.getpid(), signal.SIGTERM)
stop.wait()
print("stopped", flush=True)
"""


def test_a_signal_is_heard_whatever_it_interrupts() -> None:
    heard = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], cwd=ROOT, env=os.environ, capture_output=True, timeout=30, check=True
    )

    assert heard.stdout == b"stopped\n"
