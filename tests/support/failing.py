"""Make a real mongod fail on command, for one collection only.

Deliberately nothing that a database in trouble could not do by itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pymongo.collection import Collection


@contextmanager
def failing(collection: "Collection[dict[str, Any]]", *commands: str, **data: Any) -> Iterator[None]:
    """Let commands on a collection fail (`errorCode`, `closeConnection`, …) or hang (`blockTimeMS`)."""
    admin = collection.database.client.admin
    told = {"failCommands": list(commands), "namespace": collection.full_name, **data}
    if "blockTimeMS" in data:
        told["blockConnection"] = True
    admin.command({"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": told})
    try:
        yield
    finally:
        admin.command({"configureFailPoint": "failCommand", "mode": "off"})
