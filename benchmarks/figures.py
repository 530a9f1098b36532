"""Figures of several runs: medians with their spread, ratios of the same round, tables, verdicts and records.

A ratio is taken within each round, where both sides met the same machine, and then its median over the rounds.
Deliberately no measuring.
"""

import json
import platform
import subprocess
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Final

RESULTS: Final = Path(__file__).with_name("RESULTS.md")
#: Packages whose version changes the figures.
_PACKAGES: Final = ("granian", "flask", "gunicorn", "dramatiq", "pymongo", "orjson")
Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of several values and how far they lie apart."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The value in the middle."""
        return median(self.values)

    def shown(self, digits: int = 0) -> str:
        """Write the median, and the least and the greatest value where there are several."""
        middle = f"{self.median:,.{digits}f}"
        if len(self.values) == 1:
            return middle
        return f"{middle} ({min(self.values):,.{digits}f}–{max(self.values):,.{digits}f})"


@dataclass(frozen=True, slots=True)
class Promise:
    """A figure that was promised: at least (or at most) so much at this stage, and in the end."""

    number: str
    what: str
    now: float
    goal: float
    at_most: bool = False

    def holds(self, value: float, bound: float) -> bool:
        """Judge a value."""
        return value <= bound if self.at_most else value >= bound

    def row(self, spread: Spread) -> Row:
        """Show what was found beside what was promised."""
        sign = "≤" if self.at_most else "≥"
        verdict = "goal" if self.holds(spread.median, self.goal) else "holds"
        if not self.holds(spread.median, self.now):
            verdict = "MISSED"
        bounds = {"first stage": f"{sign} {self.now:g}", "goal": f"{sign} {self.goal:g}"}
        return {"promise": self.number, "what": self.what, "found": spread.shown(2), **bounds, "verdict": verdict}


def spread(values: Sequence[float]) -> Spread:
    """Gather the values of all rounds."""
    return Spread(tuple(values))


def ratio(above: Sequence[float], below: Sequence[float]) -> Spread:
    """Divide round by round."""
    return Spread(tuple(one / other for one, other in zip(above, below, strict=True)))


def table(rows: Sequence[Row]) -> str:
    """Lay rows out as a Markdown table that also reads well on a terminal."""
    columns = list(rows[0])
    cells = [columns, *([str(row[column]) for column in columns] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(columns))]
    head, *lines = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ["-" * width for width in widths], *lines])


def machine(mongo: Mapping[str, Any], queue: Mapping[str, Any]) -> dict[str, str]:
    """Describe where figures were found; `mongo` and `queue` are what the engines say of themselves."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{_cpus()} × {_line('/proc/cpuinfo', 'model name')}",
        "memory": f"{int(_line('/proc/meminfo', 'MemTotal').split()[0]) / 2**20:.0f} GiB",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "mongod": str(mongo["version"]),
        "valkey": str(queue.get("valkey_version") or queue["redis_version"]),
        **{name: version(name) for name in _PACKAGES},
        "commit": _commit(),
    }


def publish(
    title: str, chosen: Namespace, setting: Mapping[str, str], shown: Sequence[str], runs: Mapping[str, Sequence[Any]]
) -> None:
    """Print what was found; write it as JSON and append it to RESULTS.md where that was asked."""
    print("\n\n".join(shown))
    if chosen.json:
        chosen.json.write_text(json.dumps({"machine": setting, "runs": runs}, indent=2, default=asdict) + "\n")
    if chosen.record:
        facts = " · ".join(f"{name} {value}" for name, value in setting.items() if name != "date")
        section = [f"## {title}, {setting['date']}", f"`{chosen.command}`", facts, *shown]
        with RESULTS.open("a") as file:
            file.write("\n" + "\n\n".join(section) + "\n")


def judge(found: Mapping[str, Spread], promises: Sequence[Promise], floors: Mapping[str, float]) -> int:
    """Compare a short run with the bounds it must keep; 1, and a line for each, where it does not."""
    beyond = [
        promise.number
        for promise in promises
        if promise.number in found and promise.number in floors
        if not promise.holds(found[promise.number].median, floors[promise.number])
    ]
    for number in beyond:
        print(f"{number} is {found[number].median:.2f}, which is beyond {floors[number]:g}", file=sys.stderr)
    return 1 if beyond else 0


def _cpus() -> int:
    return Path("/proc/cpuinfo").read_text().count("processor\t")


def _line(path: str, key: str) -> str:
    lines = Path(path).read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "unknown")


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False, cwd=RESULTS.parent)
    return asked.stdout.strip() or "unknown"
