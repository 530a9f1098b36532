"""A process that is told to stop hears it."""

import os
import subprocess
import sys

import pytest

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


#: A signal that another thread than the main one receives, while that one waits without end.
ELSEWHERE = """
import signal, threading
from runtime.stopping import stop_signal
stop = stop_signal()
def other():
    while not stop._cond._waiters:
        pass
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
threading.Thread(target=other).start()
stop.wait()
print("stopped", flush=True)
"""


@pytest.mark.parametrize("program", [INTERRUPTED, ELSEWHERE])
def test_a_signal_is_heard_whatever_it_interrupts(program: str) -> None:
    heard = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=os.environ, capture_output=True, timeout=30, check=True
    )

    assert heard.stdout == b"stopped\n"
