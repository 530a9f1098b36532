"""No verb reads a whole collection: with scans forbidden, all of them still work."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from models.blocked_number import BlockedNumber
from models.chat import Chat
from models.ids import new_id
from models.pending_update import PendingUpdate, UpdateKind
from models.store.audit import Session
from models.store.blocks import Blocks
from models.store.codec import to_document
from models.store.collections import Store
from models.store.configs import Configs
from models.store.conversations import Conversations
from models.store.follow_ups import FollowUps
from models.store.outboxes import Outboxes
from models.store.pauses import Pauses
from models.store.read_marks import ReadMarks
from models.store.sending import Sends
from models.store.templates import Templates, saying
from models.store.tokens import ApiTokens
from models.store.transactions import transact
from models.store.views import Listing, View
from models.store.webhook_events import Stretch, WebhookEvents
from models.values import EventStatus, MessageStatus

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
    stretch = Stretch(status=status, since=since, provider="twilio")
    assert events.find(stretch, limit=10) == []
    assert events.ended_ids(stretch) == []
    assert events.count_ended(stretch, before=NOON) == 0
    assert events.reopen_some(stretch, after="", limit=10, before=NOON, now=NOON) == []


def test_waiting_webhooks_are_found(scanless: Store) -> None:
    events = WebhookEvents(scanless)
    assert events.waiting(now=NOON, limit=10) == []
    assert events.next_waiting(limit=10) == {}
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


def test_templates_are_found(scanless: Store) -> None:
    templates = Templates(scanless)
    assert templates.all() == templates.all(config_id="cfg_1", status="approved") == []
    assert (templates.named("cfg_1", "greeting"), templates.usable("cfg_1")) == ([], [])
    assert templates.unseen("cfg_1", made_before=NOON, met_before=NOON) == []
    assert templates.removed("cfg_1", ["greeting"]) == set()
    listing = Listing(wanted={"status": "approved"}, sort="name")
    assert View(scanless.templates, noun="template", fields=["id"]).page(listing, scope=saying("a")).items == []


def test_what_the_clock_looks_for_is_found(scanless: Store) -> None:
    follow_ups, blocks, marks = FollowUps(scanless), Blocks(scanless), ReadMarks(scanless)

    def fire(session: Session) -> int:
        fired = follow_ups.fire(now=NOON, since=NOON - timedelta(days=1), limit=10, session=session)
        passed = follow_ups.pass_over(reminded=True, until=NOON, now=NOON, limit=10, session=session)
        return len(fired) + len(passed) + len(follow_ups.settle_answered(now=NOON, limit=10, session=session))

    assert transact(scanless.client, fire) == 0
    assert follow_ups.templates_due(now=NOON, limit=10) == []
    assert follow_ups.closing_windows(now=NOON, before=NOON, active_since=NOON, limit=10) == []
    assert blocks.due(now=NOON, limit=10) == []
    assert marks.receipts_due(now=NOON, limit=10) == []


def test_what_hangs_on_a_block_is_found(scanless: Store) -> None:
    blocks, block = Blocks(scanless), BlockedNumber(id="blk_1", phone_number="+447700900123", user_id="GB.1")
    scanless.addresses.insert_one({"id": "a", "configId": "c", "kind": "phone", "value": "v", "canonical": "v"})
    scanless.whatsappconfigs.insert_one({"id": "c", "isDeleted": False})

    def work(session: Session) -> int:
        places = blocks.places(block, session=session)
        blocks.give_up_pushes(block, now=NOON, session=session)
        return blocks.flag(places, now=NOON, session=session) + blocks.unflag(places, now=NOON, session=session)

    assert transact(scanless.client, work) == 0
    assert blocks.blocked([("phone", "+447700900123"), ("bsuid", "GB.1")]) == set()
    assert blocks.claim("blk_1", now=NOON, until=NOON) is None


def test_what_is_unread_is_found(scanless: Store) -> None:
    scanless.chats.insert_one(
        to_document(Chat(id="chat_1", config_id="c", address_id="a", provider="p", unread_count=1))
    )
    marks = ReadMarks(scanless)
    assert marks.mark("chat_1", agent_id="agt_1", receipt=True, now=NOON) == 0
    assert marks.newest_inbound("chat_1") is None
    assert marks.claim_receipt("chat_1", now=NOON) is None


def test_what_is_to_be_sent_is_found(scanless: Store) -> None:
    outboxes, sends = Outboxes(scanless), Sends(scanless)
    until = NOON + timedelta(seconds=20)
    for narrowed in ({}, {"without": ["cfg_1"]}, {"only": ["cfg_1"]}):
        assert outboxes.claim(now=NOON, until=until, limit=10, **narrowed) == []
    assert outboxes.stranded(now=NOON, after=timedelta(seconds=5)) == []
    assert outboxes.restore(now=NOON, after="") == (0, "")
    assert sends.head("chat_1") == (None, True)
    assert sends.in_state(MessageStatus.FAILED, limit=10) == []
    assert Pauses(scanless).all() == {}
