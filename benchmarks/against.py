"""Is applying slower than it was? Another commit of this repository and this work tree, in turn within each round.

Each is run by its own benchmark, so what is compared is what each claims for itself on the same machine in the same
minute. Deliberately no figures of its own.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.figures import ratio, spread, table

ROOT: Final = Path(__file__).resolve().parent.parent
#: What may fail the comparison: this share of the other's events for a second of CPU.
FLOOR: Final = 0.95


def main(words: Sequence[str] | None = None) -> int:
    """Compare; return 1 where this tree needs clearly more CPU for an event than the other."""
    options = argparse.ArgumentParser(
        prog="python -m benchmarks.against", description=(__doc__ or "").partition("\n")[0]
    )
    options.add_argument("commit", help="the commit to compare with")
    options.add_argument("--runs", type=int, default=3, help="rounds, of which the median counts")
    chosen = options.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="hookline-against-") as directory:
        other = Path(directory)
        _export(chosen.commit, other)
        pairs = [(_measure(ROOT, other), _measure(other, other)) for _ in range(chosen.runs)]
    return _report(pairs)


def _export(commit: str, directory: Path) -> None:
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", str(directory)], input=archive, check=True)


def _measure(tree: Path, scratch: Path) -> dict[str, float]:
    """Run a tree's own short benchmark and pick Hookline's best way: events a second, and for a second of CPU."""
    found = scratch / "found.json"
    command = [sys.executable, "-m", "benchmarks.apply", "--short", "--runs", "1", "--json", str(found)]
    subprocess.run(
        command,
        cwd=tree,
        env={"PYTHONPATH": str(tree), "PATH": "/usr/bin:/bin"},
        check=False,
        stdout=subprocess.DEVNULL,
    )
    runs: dict[str, list[dict[str, Any]]] = json.loads(found.read_text())["runs"]
    own = [run for way, held in runs.items() if way.startswith("hookline") for run in held]
    best = max(own, key=lambda run: float(run["events"] / run["costs"]["seconds"]))
    costs = best["costs"]
    return {
        "events/s": best["events"] / costs["seconds"],
        "events per CPU second": best["events"] / (costs["worker"] + costs["mongod"]),
    }


def _report(pairs: Sequence[tuple[dict[str, float], dict[str, float]]]) -> int:
    rows: list[dict[str, object]] = []
    for measure in pairs[0][0]:
        ours, theirs = [own[measure] for own, _ in pairs], [other[measure] for _, other in pairs]
        found = ratio(ours, theirs)
        shown = {"here": spread(ours).shown(0), "there": spread(theirs).shown(0), "ratio": found.shown(2)}
        rows.append({"applying": measure, **shown})
    print(table(rows))
    return 0 if found.median >= FLOOR else 1


if __name__ == "__main__":
    sys.exit(main())
