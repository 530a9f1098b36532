"""The receiver's app: Flask for health and metrics, the street door in front of it for webhooks.

Composition only: connections, directory, committer and ringer are built here and nowhere else.
"""

from collections.abc import Sequence

from flask import Flask, Response

from ingest.committer import Committer
from ingest.door import StreetDoor
from ingest.ringer import Ringer
from ingest.webhooks import Receiver
from models.store.collections import Store
from models.store.configs import Configs
from models.store.intake import Intake
from providers import registry
from providers.accounts import open_accounts
from providers.base import Account
from providers.directory import AccountDirectory
from runtime.broker import ring, ringing_broker, waiting
from runtime.clock import Clock, SharedClock
from runtime.connections import connect_mongo, mongo_time
from runtime.jobs import RECEIVE
from runtime.logs import configure_logs
from runtime.metrics import CONTENT_TYPE, render
from runtime.settings import Settings, load_settings
from runtime.unread import ClosesUnread


def create_app(settings: Settings | None = None) -> Flask:
    """Build the app of one receiver process."""
    settings = settings or load_settings()
    configure_logs(level=settings.log_level, style=settings.log_format)
    client = connect_mongo(settings.mongodb_uri, application="ingest")
    store = Store(client[settings.mongodb_database])
    clock = SharedClock(mongo_time(client)).keep_in_sync()
    intake = Intake(store.webhookevents)
    broker = ringing_broker(settings.broker_url)
    ringer = Ringer(
        intake,
        ring=lambda ids: ring(broker, RECEIVE, ids),
        rings_waiting=lambda: waiting(broker, RECEIVE),
    )
    committer = Committer(
        intake,
        limit=settings.intake_queue_size,
        limit_bytes=settings.intake_queue_bytes,
        patience=settings.intake_timeout.total_seconds(),
        committed=ringer.committed,
    )
    receiver = Receiver(
        providers=registry.by_slugs(),
        directory=_directory(store, settings, clock),
        committer=committer,
        now=clock.now,
    )
    app = Flask("hookline.ingest", static_folder=None)
    app.wsgi_app = StreetDoor(  # type: ignore[method-assign]
        ClosesUnread(app.wsgi_app), receiver, max_body=settings.max_body_bytes, public_url=settings.public_url
    )
    _add_health(app, store)
    return app


def _directory(store: Store, settings: Settings, clock: Clock) -> AccountDirectory:
    keyring = settings.keyring()
    configs = Configs(store)

    def load() -> Sequence[Account]:
        return open_accounts(configs.live(), keyring, at=clock.now())

    return AccountDirectory(load, providers=registry.by_names(), ttl=settings.accounts_ttl).keep_fresh()


def _add_health(app: Flask, store: Store) -> None:
    @app.get("/healthz")
    def healthz() -> Response:
        return Response("ok\n", mimetype="text/plain")

    @app.get("/readyz")
    def readyz() -> Response:
        problem = store.problem()
        return Response(f"{problem or 'ready'}\n", status=503 if problem else 200, mimetype="text/plain")

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(render(), content_type=CONTENT_TYPE)
