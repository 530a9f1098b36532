"""Logs of this process, sent where they cannot end in what a test captures.

Threads of the product live on behind the tests; they must find a stderr that is open.
"""

import contextlib
import sys

from runtime.logs import configure_logs


def quiet() -> None:
    """Log errors only, past every capture."""
    with contextlib.redirect_stderr(sys.__stderr__):
        configure_logs(level="CRITICAL", style="json")
