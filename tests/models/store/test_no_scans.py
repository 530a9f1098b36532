"""No verb reads a whole collection: with scans forbidden, all of them still work."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from models.ids import new_id
from models.pending_update import PendingUpdate, UpdateKind
from models.store.codec import to_document
from models.store.collections import Store
from models.store.configs import Configs
from models.store.conversations import Conversations
from models.store.tokens import ApiTokens
from models.store.webhook_events import WebhookEvents
from models.values import EventStatus

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def scanless(store: Store) -> Iterator[Store]:
    """Yield a store that refuses every query without an index."""
    store.client.admin.command("setParameter", 1, notablescan=True)
    yield store
    store.client.admin.command("setParameter", 1, notablescan=False)


@pytest.mark.parametrize("status", [None, *EventStatus])
@pytest.mark.parametrize("since", [None, NOON])
def test_webhooks_are_listed(scanless: Store, status: EventStatus | None, since: datetime | None) -> None:
    events = WebhookEvents(scanless)
    assert events.find(status=status, since=since, limit=10) == []
    assert events.ended_ids(status=status, since=since) == []


def test_waiting_webhooks_are_found(scanless: Store) -> None:
    events = WebhookEvents(scanless)
    assert events.waiting(now=NOON, limit=10) == []
    assert events.stranded(now=NOON, after=timedelta(seconds=5)) == []
    assert events.hand_back_expired(now=NOON) == 0


def test_updates_whose_message_is_here_are_found(scanless: Store) -> None:
    update = PendingUpdate(
        id=new_id("pnd"),
        config_id="cfg_1",
        provider_message_id="wamid.1",
        kind=UpdateKind.STATUS,
        key="k",
        received_at=NOON,
    )
    other = to_document(update) | {"id": new_id("pnd"), "configId": "cfg_2", "key": "k2"}
    scanless.pendingupdates.insert_many([to_document(update), other])
    scanless.messages.insert_one({"id": new_id("msg"), "configId": "cfg_1", "providerMessageId": "wamid.1"})
    conversations = Conversations(scanless)
    assert [found.id for found in conversations.reconcilable([("cfg_1", "wamid.1")], ["msg_1"])] == [update.id]
    parked = conversations.parked_ids(after="", limit=10)
    assert parked == conversations.parked_ids(after=None, limit=10)[::-1]
    assert [found.id for found in conversations.reconcilable_by_sweep(parked)] == [update.id]


def test_accounts_and_tokens_are_found(scanless: Store) -> None:
    assert Configs(scanless).live() == []
    assert Configs(scanless).all() == []
    assert ApiTokens(scanless).by_digest("0" * 64) is None
    assert ApiTokens(scanless).all() == []
