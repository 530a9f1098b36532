"""Golden files: the normal form of every fixture, to be read by people and compared by tests.

    python -m tests.support.golden            # say which differ; exit 1 if any does
    python -m tests.support.golden --write    # write them anew, then read the difference against the protocol

Deliberately no update during a test run: a golden file changes because somebody looked at it.
"""

import json
import sys
from pathlib import Path
from typing import Any

from tests.support.normal_form import normal_form
from tests.support.signing import Kit, kits

#: Signs the fixtures; which secret it is does not matter to the normal form.
SECRET = "golden-files-need-no-secret"


def current(kit: Kit, fixture: Path) -> list[dict[str, Any]]:
    """Return the normal form that the dialect gives a fixture now."""
    request = kit.sign(kit.body(fixture), SECRET)
    return normal_form(kit.provider.parse(kit.delivery(request)))


def expected(kit: Kit, fixture: Path) -> Any:
    """Return the normal form that was read and approved; None where there is none yet."""
    path = kit.golden(fixture)
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def stale(kit: Kit) -> list[Path]:
    """List golden files whose fixture is gone."""
    names = {fixture.name for fixture in kit.fixtures()}
    return [path for path in sorted((kit.folder / "golden").glob("*.json")) if path.name not in names]


def differing() -> list[tuple[Kit, Path]]:
    """List the fixtures whose normal form is not the approved one."""
    return [(kit, one) for kit in kits() for one in kit.fixtures() if current(kit, one) != expected(kit, one)]


def _write(kit: Kit, fixture: Path) -> None:
    path = kit.golden(fixture)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(current(kit, fixture), indent=2, ensure_ascii=False) + "\n", "utf-8")


def main(arguments: list[str]) -> int:
    """Compare or write; return the exit code."""
    changed = differing()
    for kit, fixture in changed:
        print(f"{kit.slug}/{fixture.stem}")  # noqa: T201  a command's output
        if "--write" in arguments:
            _write(kit, fixture)
    return 1 if changed and "--write" not in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
