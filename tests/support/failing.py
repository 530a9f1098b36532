"""Make a real mongod fail on command, for one collection only.

Deliberately nothing that a database in trouble could not do by itself.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pymongo.collection import Collection


@contextmanager
def failing(
    collection: "Collection[dict[str, Any]]", *commands: str, times: int | None = None, **data: Any
) -> Iterator[Callable[[], object]]:
    """Let commands on a collection, or the first few, fail (`errorCode`, `closeConnection`, …) or hang (`blockTimeMS`).

    Yields a function that waits until a first command has met the trouble.
    """
    admin = collection.database.client.admin
    told = {"failCommands": list(commands), "namespace": collection.full_name, **data}
    if "blockTimeMS" in data:
        told["blockConnection"] = True
    mode = {"times": times} if times else "alwaysOn"
    set_ = admin.command({"configureFailPoint": "failCommand", "mode": mode, "data": told})
    wait = {"waitForFailPoint": "failCommand", "timesEntered": set_["count"] + 1, "maxTimeMS": 5000}
    try:
        yield lambda: admin.command(wait)
    finally:
        admin.command({"configureFailPoint": "failCommand", "mode": "off"})
