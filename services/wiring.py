"""The composition root of worker, api and cli: settings in, services out.

Deliberately lazy: a command that only lists accounts opens no queue. Tests pass their own clock and ring.
"""

from collections.abc import Callable, Sequence
from functools import cached_property

import dramatiq

from models.store.audit import AuditTrail
from models.store.collections import Store
from models.store.configs import Configs
from models.store.conversations import Conversations
from models.store.tokens import ApiTokens
from models.store.webhook_events import WebhookEvents
from providers import registry
from providers.accounts import open_accounts
from providers.base import Account
from providers.directory import AccountDirectory
from runtime.broker import ring, ringing_broker, waiting
from runtime.clock import Clock, SharedClock
from runtime.connections import connect_mongo, mongo_time
from runtime.jobs import RECEIVE
from runtime.settings import Settings
from services.auditing import Auditing
from services.connecting import Connecting
from services.conversing.reconciling import Reconciling
from services.reading import Reader
from services.receiving import Receiving, Retention
from services.replaying import Replaying
from services.sweeping import Sweeping
from services.tokens import Tokens


class Services:
    """Everything a door may ask for, built when first asked."""

    def __init__(self, settings: Settings, *, application: str, clock: Clock | None = None) -> None:
        self.settings = settings
        self._application = application
        self._given_clock = clock

    @cached_property
    def store(self) -> Store:
        """The database."""
        client = connect_mongo(self.settings.mongodb_uri, application=self._application)
        return Store(client[self.settings.mongodb_database])

    @cached_property
    def clock(self) -> Clock:
        """The shared clock."""
        return self._given_clock or SharedClock(mongo_time(self.store.client)).keep_in_sync()

    @cached_property
    def configs(self) -> Configs:
        """The accounts as stored."""
        return Configs(self.store)

    @cached_property
    def events(self) -> WebhookEvents:
        """The stored webhooks."""
        return WebhookEvents(self.store)

    @cached_property
    def conversations(self) -> Conversations:
        """Chats with all that hangs on them."""
        return Conversations(self.store)

    @cached_property
    def connecting(self) -> Connecting:
        """Adding and changing accounts."""
        return Connecting(self.configs, self.settings.keyring(), self.clock, public_url=self.settings.public_url)

    @cached_property
    def directory(self) -> AccountDirectory:
        """The accounts opened for use, kept fresh."""
        keyring = self.settings.keyring()

        def load() -> Sequence[Account]:
            return open_accounts(self.configs.live(), keyring, at=self.clock.now())

        return AccountDirectory(load, providers=registry.by_names(), ttl=self.settings.accounts_ttl).keep_fresh()

    @cached_property
    def reader(self) -> Reader:
        """Reading stored webhooks."""
        return Reader(providers=registry.by_names(), directory=self.directory)

    @cached_property
    def receiving(self) -> Receiving:
        """Applying stored webhooks."""
        return Receiving(
            events=self.events,
            conversations=self.conversations,
            reader=self.reader,
            clock=self.clock,
            lease=self.settings.lease,
            retention=Retention(ended=self.settings.retention, failed=self.settings.retention_failed),
        )

    @cached_property
    def reconciling(self) -> Reconciling:
        """Settling parked updates."""
        return Reconciling(self.conversations, self.reader.account, self.clock)

    @cached_property
    def sweeping(self) -> Sweeping:
        """Finding what was left behind."""
        return Sweeping(
            self.events,
            self.clock,
            ring=self.ring_receive,
            after=self.settings.sweep_after,
            rings_waiting=lambda: waiting(self.broker, RECEIVE),
        )

    @cached_property
    def auditing(self) -> Auditing:
        """Changes that leave an entry in the audit trail."""
        return Auditing(AuditTrail(self.store), self.clock)

    @cached_property
    def tokens(self) -> Tokens:
        """The tokens of the API."""
        return Tokens(ApiTokens(self.store), self.auditing, self.clock)

    @cached_property
    def replaying(self) -> Replaying:
        """Putting stored webhooks back to wait."""
        return Replaying(self.events, self.auditing, self.clock, ring=self.ring_receive)

    @cached_property
    def broker(self) -> dramatiq.Broker:
        """The queue, for ringing only."""
        return ringing_broker(self.settings.broker_url)

    @property
    def ring_receive(self) -> Callable[[Sequence[str]], None]:
        """Wake the workers for stored webhooks."""
        return lambda ids: ring(self.broker, RECEIVE, ids)
