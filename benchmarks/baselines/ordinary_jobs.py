"""The ordinary worker's processes: `dramatiq benchmarks.baselines.ordinary_jobs`, as Dramatiq's documents say."""

import os
from functools import cache
from typing import Any

from bson import ObjectId
from pymongo import MongoClient

from benchmarks.baselines.ordinary import DATABASE, declare_job
from benchmarks.baselines.ordinary_worker import OrdinaryWorker


@cache
def _worker() -> OrdinaryWorker:
    # At the first job: Dramatiq forks its processes, and a client must not be carried over a fork.
    client: MongoClient[dict[str, Any]] = MongoClient(os.environ["MONGODB_URI"], tz_aware=True)
    return OrdinaryWorker(client[DATABASE])


def _process(event_id: str) -> None:
    _worker().process(ObjectId(event_id))


broker = declare_job(os.environ["REDIS_URL"], _process).broker
