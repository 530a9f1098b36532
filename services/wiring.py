"""The composition root of worker, api and cli: settings in, services out.

Deliberately lazy: a command that only lists accounts opens no queue. Tests pass their own clock and ring.
"""

import threading
from collections.abc import Callable, Sequence
from functools import cached_property

import dramatiq

from models.store.audit import AuditTrail
from models.store.blocks import Blocks
from models.store.collections import Store
from models.store.configs import Configs
from models.store.conversations import Conversations
from models.store.follow_ups import FollowUps
from models.store.histories import Histories
from models.store.media_files import MediaFiles
from models.store.merges import Merges
from models.store.moves import Moves
from models.store.outboxes import Outboxes
from models.store.pauses import Pauses
from models.store.read_marks import ReadMarks
from models.store.sending import Sends
from models.store.templates import Templates
from models.store.tokens import ApiTokens
from models.store.webhook_events import WebhookEvents
from providers import registry
from providers.accounts import open_accounts
from providers.base import Account
from providers.directory import AccountDirectory
from runtime.broker import ring, ringing_broker, waiting
from runtime.clock import Clock, SharedClock
from runtime.connections import connect_mongo, connect_redis_briefly, mongo_time
from runtime.fetching import Fetching
from runtime.jobs import DELIVER, FETCH, RECEIPTS, RECEIVE, TYPING, Job
from runtime.lanes import connect_lanes
from runtime.limiter import LIMITER_BUDGET_S, Limiter
from runtime.outgoing import Outgoing
from runtime.settings import Settings
from services.auditing import Auditing
from services.blocking import Blocking
from services.connecting import Connecting
from services.conversing.moving import Moving
from services.conversing.reconciling import Reconciling
from services.curating.keeping import Keeping
from services.curating.syncing import Connected, Syncing
from services.curating.using import Using
from services.curating.vendor import Vendors
from services.hearing import Hearing
from services.marking import Marking, Telling
from services.media.fetching import MediaFetching
from services.media.lending import Lending
from services.media.links import Links
from services.media.receiving import Uploading
from services.media.storage import Storage, open_files
from services.media.ways import Ways
from services.merging import Merging
from services.reading import Reader
from services.receiving import Receiving, Retention
from services.reminding.firing import Firing, Patience
from services.reminding.messaging import Messaging
from services.reminding.planning import Planning
from services.reminding.windows import WindowReminding
from services.replaying import Replaying
from services.sending.calling import Calling
from services.sending.delivering import Delivering
from services.sending.gate import Gate
from services.sending.learning import Learning
from services.sending.pacing import Pacing
from services.sending.pausing import Pausing
from services.sending.queueing import Queueing
from services.sending.recording import Recording
from services.sending.steering import Steering
from services.sending.sweeping import Restoring
from services.sending.waking import Waking
from services.sweeping import Sweeping
from services.tokens import Tokens
from services.tracing import Tracing


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
        return Conversations(self.store, connect_lanes(self.settings.apply_lanes, self.settings.redis_url))

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
            moves=self.moves,
            reader=self.reader,
            clock=self.clock,
            lease=self.settings.lease,
            retention=Retention(ended=self.settings.retention, failed=self.settings.retention_failed),
            on_media=self.media_fetching.announce,
            on_heard=Hearing(self.configs).heard,
            on_trouble=self.pausing.heard,
        )

    @cached_property
    def moves(self) -> Moves:
        """Messages that are to follow into another chat."""
        return Moves(self.store)

    @cached_property
    def moving(self) -> Moving:
        """Letting messages follow where they belong."""
        return Moving(self.conversations, self.moves, self.reader, self.clock)

    @cached_property
    def merging(self) -> Merging:
        """People's word that two customers are one."""
        return Merging(Merges(self.store), self.auditing, self.clock)

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
    def tracing(self) -> Tracing:
        """Following one message through the house."""
        return Tracing(Histories(self.store))

    @cached_property
    def outgoing(self) -> Outgoing:
        """The HTTP client."""
        return Outgoing()

    @cached_property
    def limiter(self) -> Limiter:
        """The token buckets that all processes share."""
        return Limiter(connect_redis_briefly(self.settings.redis_url, budget=LIMITER_BUDGET_S))

    def base_url(self, account: Account) -> str:
        """Where an account's vendor is called: a host of its own, of the settings', or the vendor's."""
        provider = registry.by_names()[account.provider]
        usual = provider.sender.base_url if provider.sender else ""
        return account.api_base_url or self.settings.api_urls.get(provider.slug) or usual

    @cached_property
    def sends(self) -> Sends:
        """Outbound messages as stored."""
        return Sends(self.store)

    @cached_property
    def outboxes(self) -> Outboxes:
        """The chats that have something to send."""
        return Outboxes(self.store)

    @cached_property
    def gate(self) -> Gate:
        """Judging what may be sent."""
        return Gate(
            directory=self.directory,
            providers=registry.by_names(),
            usable_templates=self.using.usable,
            margin=self.settings.window_margin,
        )

    @cached_property
    def queueing(self) -> Queueing:
        """Taking messages for sending."""
        return Queueing(
            sends=self.sends,
            outboxes=self.outboxes,
            conversations=self.conversations,
            gate=self.gate,
            clock=self.clock,
            fill=self.using.filled,
            wake=self._wake_delivery,
            describe=self.lending.described,
        )

    @cached_property
    def steering(self) -> Steering:
        """Calling messages off, and trying them again."""
        return Steering(
            sends=self.sends,
            outboxes=self.outboxes,
            conversations=self.conversations,
            gate=self.gate,
            auditing=self.auditing,
            clock=self.clock,
            wake=self._wake_delivery,
        )

    @cached_property
    def pausing(self) -> Pausing:
        """Pausing accounts in trouble."""
        return Pausing(Pauses(self.store), self.auditing, self.clock)

    @cached_property
    def delivering(self) -> Delivering:
        """Sending what is queued."""
        return Delivering(
            sends=self.sends,
            outboxes=self.outboxes,
            calling=Calling(
                sends=self.sends,
                gate=self.gate,
                call=self.outgoing.call,
                lend=self.lending.for_sending,
                base_url=self.base_url,
                is_outage=self.conversations.is_outage,
                public_url=self.settings.public_url,
            ),
            recording=Recording(self.sends, self.conversations, self.reconciling, self.clock),
            learning=Learning(self.conversations, self.clock),
            pacing=Pacing(self.limiter),
            pausing=self.pausing,
            clock=self.clock,
            lease=self.settings.lease,
        )

    @cached_property
    def bell(self) -> threading.Event:
        """What the threads that send wait for."""
        return threading.Event()

    @cached_property
    def restoring(self) -> Restoring:
        """Finding chats that nobody sends for."""
        return Restoring(self.outboxes, self.clock, ring=self._ringing(DELIVER), after=self.settings.sweep_after)

    @property
    def _wake_delivery(self) -> Waking:
        return Waking(self._ringing(DELIVER))

    @cached_property
    def media_files(self) -> MediaFiles:
        """The files' rows."""
        return MediaFiles(self.store)

    @cached_property
    def media_storage(self) -> Storage:
        """The files themselves."""
        return Storage(open_files(self.settings.media_url, self.store), self.media_files, self.clock)

    @cached_property
    def file_client(self) -> Fetching:
        """The HTTP client for addresses that strangers chose."""
        return Fetching()

    @cached_property
    def media_fetching(self) -> MediaFetching:
        """Fetching what customers sent."""
        return MediaFetching(
            self.media_files,
            self.media_storage,
            Ways(
                outgoing=self.outgoing,
                fetching=self.file_client,
                providers=registry.by_names(),
                account=self.directory.by_id,
                base_url=self.base_url,
                configured=self._configured_url,
            ),
            self.clock,
            ring=self._ringing(FETCH),
            rings_waiting=lambda: waiting(self.broker, FETCH),
        )

    @cached_property
    def uploading(self) -> Uploading:
        """Taking files from agents."""
        return Uploading(self.media_files, self.media_storage, self.clock)

    @cached_property
    def media_links(self) -> Links:
        """Links that vendors follow."""
        return Links(self.settings.encryption_keys, self.clock, public_url=self.settings.public_url)

    @cached_property
    def lending(self) -> Lending:
        """Handing files to vendors."""
        return Lending(
            self.media_files,
            self.media_storage,
            self.media_links,
            self.clock,
            outgoing=self.outgoing,
            providers=registry.by_names(),
            base_url=self.base_url,
        )

    def _configured_url(self, account: Account) -> str | None:
        """Where the operator says an account's vendor is; None where nobody said."""
        provider = registry.by_name(account.provider)
        return account.api_base_url or self.settings.api_urls.get(provider.slug if provider else "")

    @cached_property
    def follow_ups(self) -> FollowUps:
        """The follow-ups as stored."""
        return FollowUps(self.store)

    @cached_property
    def planning(self) -> Planning:
        """Planning and ending follow-ups."""
        return Planning(self.follow_ups, self.auditing, self.clock)

    @cached_property
    def firing(self) -> Firing:
        """Firing reminders."""
        patience = Patience(grace=self.settings.follow_up_grace, late=self.settings.follow_up_late)
        return Firing(self.follow_ups, self.auditing, self.clock, patience)

    @cached_property
    def messaging(self) -> Messaging:
        """Queueing the messages that go with reminders."""
        late = self.settings.follow_up_late
        return Messaging(self.follow_ups, self.clock, self.queueing.queue_template, late=late)

    @cached_property
    def window_reminding(self) -> WindowReminding:
        """Reminding of windows that close."""
        return WindowReminding(self.follow_ups, self.auditing, self.clock, before=self.settings.window_reminder)

    @cached_property
    def blocking(self) -> Blocking:
        """Blocking senders."""
        return Blocking(
            Blocks(self.store),
            self.auditing,
            self.clock,
            account=self.directory.by_id,
            providers=registry.by_names(),
            calls=self.outgoing,
            base_url=self.base_url,
        )

    @cached_property
    def marking(self) -> Marking:
        """Marking as read."""
        return Marking(
            ReadMarks(self.store),
            self.clock,
            receipts=self.settings.read_receipts == "on",
            ring=self._ringing(RECEIPTS),
            ring_typing=self._ringing(TYPING),
            limiter=self.limiter,
        )

    @cached_property
    def telling(self) -> Telling:
        """Telling vendors what was read."""
        return Telling(
            ReadMarks(self.store),
            self.clock,
            account=self.directory.by_id,
            providers=registry.by_names(),
            calls=self.outgoing,
            base_url=self.base_url,
        )

    @cached_property
    def templates(self) -> Templates:
        """The templates as stored."""
        return Templates(self.store)

    @cached_property
    def using(self) -> Using:
        """Filling templates in."""
        return Using(self.templates)

    @cached_property
    def keeping(self) -> Keeping:
        """Making, changing and removing templates."""
        return Keeping(
            templates=self.templates,
            conversations=self.conversations,
            auditing=self.auditing,
            vendors=self._template_vendors,
            account=self._account_now,
            clock=self.clock,
        )

    @cached_property
    def syncing(self) -> Syncing:
        """Bringing templates in step with the vendors'."""
        return Syncing(
            connected=self._connected,
            vendors=self._template_vendors,
            templates=self.templates,
            conversations=self.conversations,
            clock=self.clock,
        )

    @property
    def _template_vendors(self) -> Vendors:
        return Vendors(self.outgoing, registry.by_names(), self.base_url)

    def _connected(self) -> list[Connected]:
        """Open all active accounts as they are now, with the time of their last synchronisation."""
        live = self.configs.live()
        last = {config.id: config.last_sync_at for config in live}
        accounts = open_accounts(live, self.settings.keyring(), at=self.clock.now())
        return [Connected(account=one, last_sync_at=last[one.id]) for one in accounts]

    def _account_now(self, config_id: str) -> Account | None:
        """Find an active account, one of a moment ago too."""
        if self.directory.by_id(config_id) is None:
            self.directory.refresh()
        return self.directory.by_id(config_id)

    def _ringing(self, job: Job) -> Callable[[Sequence[str]], None]:
        """Make what wakes the workers for a job."""
        return lambda ids: ring(self.broker, job, ids)

    @cached_property
    def broker(self) -> dramatiq.Broker:
        """The queue, for ringing only."""
        return ringing_broker(self.settings.broker_url)

    @property
    def ring_receive(self) -> Callable[[Sequence[str]], None]:
        """Wake the workers for stored webhooks."""
        return lambda ids: ring(self.broker, RECEIVE, ids)
