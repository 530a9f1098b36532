"""The house itself: its floors, its notices, the size of its rooms, and what must not lie around in it."""

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.jobs import ALL
from workers.actors import CALLS

ROOT = Path(__file__).parents[2]
ROOMS = ("runtime", "models", "providers", "services", "ingest", "workers", "api", "cli", "sandbox")
#: What no tracked file may hold: places of one machine, hosts of package registries, numbers that may be somebody's.
FORBIDDEN = {
    "the development's shared folder": re.compile(r"\.\./shar" + "ed"),
    "a path of a development machine": re.compile(r"(?<![\w.])/(work|root|home/\w+)/"),
    "a package registry's host": re.compile(r"pypi\." + r"org|pythonhosted\.|npmjs\.|crates\.io|proxy\.golang"),
}
#: Longest function, longest file; nine of ten functions are within 25 lines, half within 8.
LONGEST_FUNCTION, LONGEST_FILE = 50, 500


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def sources() -> list[Path]:
    return [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]


def functions() -> Iterator[tuple[str, int]]:
    """Every function and its length in lines of code: docstring, comments and blank lines left out."""
    for path in sources():
        lines = path.read_text().splitlines()
        for node in ast.walk(ast.parse("\n".join(lines))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
                taken = lines[body[0].lineno - 1 : node.end_lineno]
                code = [line for line in taken if line.strip() and not line.strip().startswith("#")]
                yield f"{path.relative_to(ROOT)}:{node.name}", len(code)


def test_each_floor_imports_only_from_those_below() -> None:
    lint = Path(sys.executable).parent / "lint-imports"

    found = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_has_its_notice(room: str) -> None:
    notice = ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text()))

    assert notice
    assert len(notice.splitlines()) >= 4


def test_every_module_says_what_it_is_for() -> None:
    silent = [str(path.relative_to(ROOT)) for path in sources() if not ast.get_docstring(ast.parse(path.read_text()))]

    assert silent == []


def test_functions_are_short() -> None:
    lengths = dict(functions())
    tenths = statistics.quantiles(lengths.values(), n=10)

    assert {name for name, length in lengths.items() if length > LONGEST_FUNCTION} == set()
    assert statistics.median(lengths.values()) <= 8
    assert tenths[-1] <= 25


def test_files_are_short() -> None:
    long = [path for path in sources() if len(path.read_text().splitlines()) > LONGEST_FILE]

    assert long == []


@pytest.mark.parametrize("what", FORBIDDEN)
def test_nothing_lies_around_that_belongs_elsewhere(what: str) -> None:
    pattern, here = FORBIDDEN[what], Path(__file__)
    texts = {path: path.read_bytes().decode("utf-8", "ignore") for path in tracked() if path != here}

    assert [str(path.relative_to(ROOT)) for path, text in texts.items() if pattern.search(text)] == []


def test_every_job_has_an_actor() -> None:
    assert set(CALLS) == set(ALL)
