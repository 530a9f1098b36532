"""The error tree: what is drawn is what is there."""

import re

from runtime import errors
from runtime.errors import HooklineError


def test_the_tree_that_is_drawn_is_the_tree_that_is_there() -> None:
    drawn = re.findall(r"^    ([│├└─ ]*)(\w+)", errors.__doc__ or "", re.MULTILINE)
    path: list[str] = []
    parents = {}
    for branch, name in drawn:
        depth = len(branch) // 4
        parents[name] = path[depth - 1] if depth else "Exception"
        path[depth:] = [name]

    there = {
        name: cls.__bases__[0].__name__
        for name, cls in vars(errors).items()
        if isinstance(cls, type) and issubclass(cls, HooklineError)
    }
    assert parents == there
