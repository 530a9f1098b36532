"""Findings about a message before it is sent, and the two that many fields share: length and uniqueness.

Deliberately knows no message: `limits` and its neighbours say which field has which bound.
"""

from collections.abc import Iterable, Iterator

#: The path of a field, and what is wrong with it.
Finding = tuple[str, str]


def bounded(path: str, value: str | None, most: int, *, required: bool = True) -> Iterator[Finding]:
    """Check that a text is there (where it must be) and not too long."""
    if not (value or "").strip():
        if required:
            yield path, "is needed"
    elif len(value or "") > most:
        yield path, f"is longer than {most} characters"


def unique(paths: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    """Check that no value comes twice; the later one is named."""
    seen: set[str] = set()
    for path, value in paths:
        if value and value in seen:
            yield path, "is used twice"
        seen.add(value)
