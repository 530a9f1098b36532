"""Make the shared fixtures known to every test; deliberately holds none of its own."""

from runtime.logs import configure_logs

pytest_plugins = ["tests.support.engines", "tests.support.wired"]

# As in every process of the product: without this, structlog prints tracebacks with the values of local variables.
configure_logs(level="ERROR", style="json")
