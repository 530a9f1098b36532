"""What the sections work with: the services, and each collection as callers may see it.

Built once per app and found through it, so that sections stay plain functions. Deliberately no work at import
and no global: two apps in one process have two desks.
"""

from functools import cached_property
from typing import Final, cast

from flask import Flask, current_app

from api.schemas.blocks import BlockedNumberSchema
from api.schemas.chats import ChatSchema
from api.schemas.customers import CustomerSchema
from api.schemas.followups import FollowUpSchema
from api.schemas.messages import MessageSchema
from api.schemas.templates import TemplateSchema
from api.schemas.webhooks import EventDetailSchema, EventSummarySchema
from api.schemas.wire import paths_of
from models.store.media_files import MediaFiles
from models.store.views import LIVE, View
from services.blocking import Blocking
from services.curating.keeping import Keeping
from services.curating.syncing import Syncing
from services.marking import Marking
from services.media.fetching import MediaFetching
from services.media.links import Links
from services.media.receiving import Uploading
from services.media.storage import Storage
from services.reminding.planning import Planning
from services.replaying import Replaying
from services.tokens import Tokens
from services.wiring import Services

_PLACE: Final = "hookline.desk"


class Desk:
    """Everything a section may ask for, built when first asked."""

    def __init__(self, services: Services) -> None:
        self.services = services

    @cached_property
    def chats(self) -> View:
        """The chats."""
        return View(self.services.store.chats, noun="chat", fields=paths_of(ChatSchema), rows=LIVE)

    @cached_property
    def messages(self) -> View:
        """The messages."""
        return View(self.services.store.messages, noun="message", fields=paths_of(MessageSchema), rows=LIVE)

    @cached_property
    def customers(self) -> View:
        """The customers."""
        return View(self.services.store.customers, noun="customer", fields=paths_of(CustomerSchema), rows=LIVE)

    @cached_property
    def templates(self) -> View:
        """The templates."""
        return View(self.services.store.templates, noun="template", fields=paths_of(TemplateSchema), rows=LIVE)

    @cached_property
    def follow_ups(self) -> View:
        """The follow-ups."""
        return View(self.services.store.followups, noun="follow-up", fields=paths_of(FollowUpSchema), rows=LIVE)

    @cached_property
    def blocks(self) -> View:
        """The blocked numbers."""
        fields = paths_of(BlockedNumberSchema)
        return View(self.services.store.blockednumbers, noun="blocked number", fields=fields, rows=LIVE)

    @cached_property
    def event_summaries(self) -> View:
        """The stored webhooks, in short."""
        fields = paths_of(EventSummarySchema)
        return View(self.services.store.webhookevents, noun="webhook event", fields=fields)

    @cached_property
    def events(self) -> View:
        """The stored webhooks with their bodies."""
        fields = [*paths_of(EventDetailSchema), "rawBody"]
        return View(self.services.store.webhookevents, noun="webhook event", fields=fields)

    @property
    def tokens(self) -> Tokens:
        """The tokens of the API."""
        return self.services.tokens

    @property
    def keeping(self) -> Keeping:
        """Making, changing and removing templates."""
        return self.services.keeping

    @property
    def syncing(self) -> Syncing:
        """Bringing templates in step with the vendors'."""
        return self.services.syncing

    @property
    def planning(self) -> Planning:
        """Planning and ending follow-ups."""
        return self.services.planning

    @property
    def blocking(self) -> Blocking:
        """Blocking senders."""
        return self.services.blocking

    @property
    def marking(self) -> Marking:
        """Marking as read."""
        return self.services.marking

    @property
    def media_files(self) -> MediaFiles:
        """The files' rows."""
        return self.services.media_files

    @property
    def media_storage(self) -> Storage:
        """The files themselves."""
        return self.services.media_storage

    @property
    def media_fetching(self) -> MediaFetching:
        """Fetching what customers sent."""
        return self.services.media_fetching

    @property
    def media_links(self) -> Links:
        """Links that vendors follow."""
        return self.services.media_links

    @property
    def uploading(self) -> Uploading:
        """Taking files from agents."""
        return self.services.uploading

    @property
    def replaying(self) -> Replaying:
        """Putting stored webhooks back to wait."""
        return self.services.replaying


def install(app: Flask, built: Desk) -> None:
    """Give an app its desk."""
    app.extensions[_PLACE] = built


def desk() -> Desk:
    """Return the desk of the app that answers."""
    return cast("Desk", current_app.extensions[_PLACE])
