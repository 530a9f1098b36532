"""The options that all benchmarks share; each adds its own."""

import argparse
from pathlib import Path

from benchmarks.stage import CACHE_GB


def parser(name: str, described: str | None) -> argparse.ArgumentParser:
    """Begin the command line of a benchmark."""
    first_line = (described or "").partition("\n")[0]
    options = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=first_line)
    options.add_argument("--short", action="store_true", help="a few seconds, for CI: fails beyond generous bounds")
    options.add_argument("--runs", type=int, help="rounds, of which the median counts (5; short 1)")
    options.add_argument("--cache-gb", type=float, default=CACHE_GB, help=f"cache of mongod, for all ({CACHE_GB:g})")
    options.add_argument("--json", type=Path, help="write everything found to this file")
    options.add_argument("--record", action="store_true", help="append a section to benchmarks/RESULTS.md")
    return options
