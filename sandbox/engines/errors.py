"""What can keep an embedded engine from running, each with the way out in its message.

    EngineError
    ├── NoEngineError         no wheel of this platform carries the binary
    ├── MissingLibraryError   the binary is here, a system library it needs is not
    └── EngineStartError      it started and gave up; carries the last lines of its log

Deliberately no recovery here: the runner prints the message and stops.
"""

import re

from runtime.errors import HooklineError

#: System library (as the loader names it) to the package that holds it on Debian and Ubuntu.
PACKAGES = {
    "libcurl.so.4": "libcurl4",
    "libssl.so.3": "libssl3",
    "libcrypto.so.3": "libssl3",
    "liblzma.so.5": "liblzma5",
    "libgcc_s.so.1": "libgcc-s1",
}

#: What the dynamic loader prints when it cannot find a library, or finds one that is too old.
LOADER_COMPLAINT = re.compile(
    r"error while loading shared libraries: (?P<missing>\S+?):"
    r"|(?P<old>lib[\w.+-]+\.so[\w.]*): version `[^']+' not found"
)


class EngineError(HooklineError):
    """An embedded engine cannot do its work."""


class NoEngineError(EngineError):
    """No binary was installed for this platform."""

    def __init__(self, name: str, distribution: str) -> None:
        super().__init__(
            f"no embedded {name} for this platform (wheel {distribution} is not installed): "
            "set MONGODB_URI and REDIS_URL to engines of your own, or use `docker compose up`"
        )


class MissingLibraryError(EngineError):
    """A shared library of the system is missing or too old."""

    def __init__(self, name: str, library: str) -> None:
        packages = PACKAGES.get(library)
        remedy = "libcurl4 libssl3" if packages in (None, "libcurl4", "libssl3") else packages
        super().__init__(
            f"{name} needs the system library {library}, which is missing or too old here: "
            f"`apt-get install {remedy}`, or set MONGODB_URI and REDIS_URL, or use `docker compose up`"
        )
        self.library = library


class EngineStartError(EngineError):
    """The engine gave up while starting."""

    def __init__(self, name: str, reason: str, log: str = "") -> None:
        super().__init__(f"{name} did not start: {reason}" + (f"\n{log}" if log else ""))


def loader_complaint(output: str) -> str | None:
    """Return the library the dynamic loader could not use, if that is what `output` says."""
    found = LOADER_COMPLAINT.search(output)
    if found is None:
        return None
    library = found["missing"] or found["old"]
    return library.rsplit("/", 1)[-1]
