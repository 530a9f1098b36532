"""The log of one engine: a file of bounded size that also catches what the loader prints before it speaks.

Deliberately simple: the size is checked at each start, and one older file is kept.
"""

import json
from pathlib import Path
from typing import IO

#: Bytes from which a log is set aside at the next start.
KEPT_BYTES = 8 * 1024 * 1024
#: Lines shown when an engine does not start, and the most characters of each.
SHOWN_LINES, SHOWN_WIDTH = 8, 300
#: mongod's severities worth showing alone.
SEVERE = {"E", "F"}


class EngineLog:
    """Append-only output of an engine; `since_start` sees only the present run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._start = 0

    def open(self) -> IO[bytes]:
        """Set a large old log aside and return the file to write to."""
        if self.path.exists() and self.path.stat().st_size > KEPT_BYTES:
            self.path.replace(self.path.with_suffix(".log.1"))
        stream = self.path.open("ab")
        self._start = stream.tell()
        return stream

    def since_start(self) -> str:
        """Return everything written since the last `open`."""
        try:
            with self.path.open("rb") as stream:
                stream.seek(self._start)
                return stream.read().decode(errors="replace")
        except OSError:
            return ""

    def last_lines(self) -> str:
        """Return the lines a person needs to see: the severe ones if the engine marks them, else the last."""
        lines = self.since_start().splitlines()
        severe = [line for line in lines if _severity(line) in SEVERE]
        return "\n".join(line[:SHOWN_WIDTH] for line in (severe or lines)[-SHOWN_LINES:])


def _severity(line: str) -> str | None:
    if not line.startswith("{"):
        return None
    try:
        return str(json.loads(line).get("s"))
    except ValueError:
        return None
