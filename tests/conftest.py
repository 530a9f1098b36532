"""Make the shared fixtures known to every test; deliberately holds next to none of its own."""

import pytest

from runtime.logs import clear_contextvars, configure_logs

pytest_plugins = ["tests.support.engines", "tests.support.wired"]

# As in every process of the product: without this, structlog prints tracebacks with the values of local variables.
configure_logs(level="ERROR", style="json")


@pytest.fixture(autouse=True)
def unbound_log_context() -> None:
    """Begin each test without the log context that an earlier one bound in this thread."""
    clear_contextvars()
