"""What the sections work with: the services, and each collection as callers may see it.

Built once per app and found through it, so that sections stay plain functions. Deliberately no work at import
and no global: two apps in one process have two desks.
"""

from functools import cached_property
from typing import Final, cast

from flask import Flask, current_app

from api.schemas.chats import ChatSchema
from api.schemas.messages import MessageSchema
from api.schemas.webhooks import EventDetailSchema, EventSummarySchema
from api.schemas.wire import paths_of
from models.store.views import LIVE, View
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
    def replaying(self) -> Replaying:
        """Putting stored webhooks back to wait."""
        return self.services.replaying


def install(app: Flask, built: Desk) -> None:
    """Give an app its desk."""
    app.extensions[_PLACE] = built


def desk() -> Desk:
    """Return the desk of the app that answers."""
    return cast("Desk", current_app.extensions[_PLACE])
