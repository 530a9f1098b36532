"""Make the shared fixtures known to every test; deliberately holds none of its own."""

pytest_plugins = ["tests.support.engines", "tests.support.wired"]
