"""An account whose vendor is a server of the test, and messages with files that come by it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from models.media_file import files_of
from models.message import Media, Message
from models.store.codec import from_document
from models.whatsapp_config import WhatsAppConfig
from tests.services.media.vendor import MetaMedia
from tests.support import meta_webhooks as meta
from tests.support.rawserver import RawServer, serving
from tests.support.wired import Wired, add_meta_account

TOKEN = "EAAtest"
NUMBER_ID = "441702589914427"


@dataclass
class Inbox:
    """The services, an account at the server, and its vendor."""

    wired: Wired
    vendor: MetaMedia
    server: RawServer
    account: WhatsAppConfig

    def receive(self, **file: Any) -> str:
        """Have a customer send a picture; return the message's id."""
        picture = {"id": "1037543291543636", "mime_type": "image/jpeg", "sha256": "", **file}
        value = meta.message({"type": "image", "image": picture})
        [event] = self.wired.deliver(meta.envelope(value, number_id=NUMBER_ID), config=self.account)
        [item] = event.items
        assert item.message_id is not None, item
        return item.message_id

    def message(self, message_id: str) -> Message:
        row = self.wired.store.messages.find_one({"id": message_id})
        assert row is not None
        return from_document(Message, row)

    def media(self, message_id: str) -> Media:
        [media] = files_of(self.message(message_id))
        return media

    def fetch(self, message_id: str) -> Media:
        """Try once, at the moment that a try is due."""
        due = self.message(message_id).fetch
        if due is not None and due.due_at > self.wired.clock.now():
            self.wired.clock_hand.move(due.due_at - self.wired.clock.now() + timedelta(milliseconds=1))
        assert self.wired.media_fetching.fetch([message_id]) == 1
        return self.media(message_id)

    def bytes_of(self, media: Media) -> bytes:
        file = self.wired.media_files.get((media.url or "").rpartition("/")[2])
        return b"".join(self.wired.media_storage._files.read(file.key, stop=file.size))


@pytest.fixture
def inbox(wired: Wired) -> Iterator[Inbox]:
    for collection in ("media.files", "media.chunks"):
        wired.store.database[collection].delete_many({})
    vendor = MetaMedia()
    with serving(vendor) as server:
        account = add_meta_account(wired, number_id=NUMBER_ID)
        wired.configs.change(account.id, {"api_base_url": server.url}, wired.clock)
        wired.directory.refresh(older_than=0)
        yield Inbox(wired, vendor, server, account)


Receive = Callable[..., str]
