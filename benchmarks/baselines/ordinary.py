"""The ordinary receiver: Flask on gunicorn, verify the signature, insert one row durably, enqueue one job, answer 200.

Where there was a choice it took the faster one: the body is stored as bytes and not parsed, the collection has two
small indexes, there is no look-up of the account and no recognition of duplicates (its worker would do that).
"""

import hashlib
import hmac
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from flask import Flask, abort, request
from pymongo import MongoClient, WriteConcern

#: Where it keeps its rows, on the same mongod as Hookline.
DATABASE: Final = "ordinary"
COLLECTION: Final = "webhookevents"
INDEXES: Final = ("status", "receivedAt")
#: The queue of its jobs.
JOBS: Final = "webhooks"


def create_app() -> Flask:
    """Build the app of one gunicorn worker."""
    secret = os.environ["WEBHOOK_SECRET"].encode()
    client: MongoClient[dict[str, Any]] = MongoClient(os.environ["MONGODB_URI"])
    events = client[DATABASE].get_collection(COLLECTION, write_concern=WriteConcern(w="majority", j=True))
    process = declare_job(os.environ["REDIS_URL"], _elsewhere)
    app = Flask("ordinary")

    @app.get("/healthz")
    def healthz() -> str:
        return "ok"

    @app.post("/api/whatsapp/webhooks/meta")
    def receive() -> str:
        body = request.get_data()
        signature = hmac.new(secret, body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(f"sha256={signature}", request.headers.get("X-Hub-Signature-256", "")):
            abort(401)
        row = {
            "provider": "meta-whatsapp",
            "status": "pending",
            "rawBody": body,
            "headers": {"userAgent": request.headers.get("User-Agent")},
            "receivedAt": datetime.now(UTC),
        }
        process.send(str(events.insert_one(row).inserted_id))
        return "EVENT_RECEIVED"

    return app


def declare_job(redis_url: str, work: Callable[[str], None]) -> "dramatiq.Actor[[str], None]":
    """Declare the job that a worker does for each stored webhook."""
    broker = RedisBroker(url=redis_url)  # type: ignore[no-untyped-call]

    @dramatiq.actor(broker=broker, queue_name=JOBS)
    def process(event_id: str) -> None:
        work(event_id)

    return process


def _elsewhere(event_id: str) -> None:
    """The receiver only enqueues."""
    raise NotImplementedError(event_id)
