"""Which processes belong to a run: what a test looks at when it says that nothing is left.

Deliberately reads /proc instead of asking the run itself.
"""

import os
from pathlib import Path


def belonging(data: Path) -> list[int]:
    """Return every live process whose arguments or environment name the directory."""
    mark = str(data).encode()
    return [int(entry.name) for entry in Path("/proc").iterdir() if _mentions(entry, mark)]


def alive(pid: int) -> bool:
    """Say whether a process runs; one that only waits to be buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _mentions(entry: Path, mark: bytes) -> bool:
    if not entry.name.isdigit() or int(entry.name) == os.getpid():
        return False
    try:
        return mark in (entry / "cmdline").read_bytes() or mark in (entry / "environ").read_bytes()
    except OSError:
        return False
