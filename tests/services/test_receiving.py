"""Bringing stored webhooks to their end, on a real database."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier, local
from typing import Any

import pytest
from prometheus_client import REGISTRY

from models.store import conversations
from models.store.conversations import Conversations
from models.values import EventStatus
from models.webhook_event import WebhookEvent
from services import receiving
from services.reading import Row
from services.receiving import MAX_ATTEMPTS
from services.wiring import Services
from tests.support import meta_webhooks as meta
from tests.support.wired import Wired, add_meta_account


def chat(wired: Wired) -> dict[str, Any]:
    found = wired.store.chats.find_one({})
    assert found is not None
    return found


def test_a_text_becomes_a_chat_a_message_and_a_customer(wired: Wired) -> None:
    (event,) = wired.deliver(meta.envelope(meta.text("good morning")))

    assert event.status is EventStatus.PROCESSED
    assert [item.outcome for item in event.items] == ["applied"]
    message = wired.store.messages.find_one({"id": event.message_id})
    assert message is not None
    assert message["text"] == "good morning"
    assert message["chatId"] == event.chat_id == chat(wired)["id"]
    assert chat(wired)["unreadCount"] == 1
    assert chat(wired)["customerName"] == "Priya Raman"
    assert wired.store.customers.count_documents({"phoneNumber": f"+{meta.PHONE}"}) == 1


def test_the_service_window_is_open_for_a_day_by_the_vendors_time(wired: Wired) -> None:
    wired.deliver(meta.envelope(meta.text(at=meta.NOON)))

    found = chat(wired)
    assert found["lastInboundAt"].timestamp() == meta.NOON
    assert found["windowExpiresAt"] - found["lastInboundAt"] == timedelta(hours=24)


def test_one_message_in_many_deliveries_takes_effect_once(wired: Wired) -> None:
    value = meta.text("once", message_id="wamid.ONCE")
    other = meta.text("other", message_id="wamid.OTHER")

    events = wired.deliver(meta.envelope(value), meta.envelope(value, other), meta.envelope(other, value))

    assert wired.store.messages.count_documents({}) == 2
    assert chat(wired)["unreadCount"] == chat(wired)["totalMessages"] == 2
    assert sorted(item.outcome for event in events for item in event.items) == ["applied"] * 2 + ["duplicate"] * 3


def test_two_processes_busy_with_the_same_people_do_not_make_each_other_begin_again(
    wired: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "BATCH_ROWS", 50)
    monkeypatch.setattr(conversations, "WORTH_A_TURN", 0)
    other = Services(wired.settings, application="test", clock=wired.clock)
    texts = [meta.text(f"n{i}", message_id=f"wamid.{i}", sender=f"44770090000{i % 7}") for i in range(600)]
    ids = [wired.store_webhook(meta.envelope(text)) for text in texts]
    before = REGISTRY.get_sample_value("hookline_apply_retries_total") or 0

    with ThreadPoolExecutor(2) as pool:
        counts = list(pool.map(lambda services: services.receiving.receive(ids), [wired, other]))

    assert sum(counts) == wired.store.messages.count_documents({}) == 600
    assert all(counts), "both had their part in it"
    assert REGISTRY.get_sample_value("hookline_apply_retries_total") == before
    other.store.client.close()


def test_the_same_rows_received_by_many_workers_at_once_take_effect_once(wired: Wired) -> None:
    ids = [wired.store_webhook(meta.envelope(meta.text(f"n{i}", message_id=f"wamid.{i}"))) for i in range(30)]

    with ThreadPoolExecutor(8) as pool:
        claimed = list(pool.map(wired.receiving.receive, [ids] * 8))

    assert sum(claimed) == 30
    assert wired.store.messages.count_documents({}) == 30
    assert chat(wired)["unreadCount"] == 30


def test_rings_answered_at_the_same_moment_leave_none_of_their_rows_behind(
    wired: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four threads see the same rows waiting and take them from each other; each ring is for others all the same."""
    monkeypatch.setattr(receiving, "BATCH_ROWS", 20)
    rings = [[wired.store_webhook(meta.envelope(meta.text())) for _ in range(10)] for _ in range(4)]
    together = Barrier(4)
    seen = local()
    look = wired.events.next_waiting

    def look_together(*, limit: int) -> dict[str, int]:
        found = look(limit=limit)
        if not hasattr(seen, "before"):
            seen.before = True
            together.wait(10)
        return found

    monkeypatch.setattr(wired.events, "next_waiting", look_together)
    with ThreadPoolExecutor(4) as pool:
        claimed = list(pool.map(wired.receiving.receive, rings))

    assert sum(claimed) == 40
    assert wired.store.messages.count_documents({}) == 40


def test_an_album_of_a_new_sender_handled_in_parallel_opens_one_chat(wired: Wired) -> None:
    ids = [wired.store_webhook(meta.envelope(meta.image())) for _ in range(5)]

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(wired.receiving.receive, [[one] for one in ids]))

    assert wired.store.chats.count_documents({}) == 1
    assert wired.store.customers.count_documents({}) == 1
    assert wired.store.messages.count_documents({}) == 5
    assert chat(wired)["unreadCount"] == 5
    assert wired.outcomes(ids) == ["applied"] * 5


def test_media_is_kept_pending_and_never_holds_the_message_back(wired: Wired) -> None:
    (event,) = wired.deliver(meta.envelope(meta.image()))

    message = wired.store.messages.find_one({"id": event.message_id})
    assert message is not None
    assert message["media"]["state"] == "pending"


def test_a_status_before_its_message_waits_and_is_applied_when_it_appears(wired: Wired) -> None:
    early, late = wired.deliver(
        meta.envelope(meta.status("wamid.OUT", "delivered", at=meta.NOON + 60)),
        meta.envelope(meta.echo(message_id="wamid.OUT"), field="smb_message_echoes"),
    )

    assert [item.reason for item in early.items] == ["waits_for_message"]
    message = wired.store.messages.find_one({"id": late.message_id})
    assert message is not None
    assert message["status"] == "delivered"
    assert message["deliveredAt"].timestamp() == meta.NOON + 60
    assert wired.store.pendingupdates.count_documents({}) == 0


@pytest.mark.parametrize(
    "order", [("sent", "delivered", "read"), ("read", "sent", "delivered"), ("delivered", "read", "sent")]
)
def test_statuses_in_any_order_end_in_the_greatest_with_every_time(wired: Wired, order: tuple[str, ...]) -> None:
    times = {"sent": meta.NOON + 1, "delivered": meta.NOON + 2, "read": meta.NOON + 3}
    wired.deliver(meta.envelope(meta.echo(message_id="wamid.OUT"), field="smb_message_echoes"))

    wired.deliver(*(meta.envelope(meta.status("wamid.OUT", word, at=times[word])) for word in order))

    message = wired.store.messages.find_one({"providerMessageId": "wamid.OUT"})
    assert message is not None
    assert message["status"] == "read"
    assert [message[f"{word}At"].timestamp() for word in ("sent", "delivered", "read")] == list(times.values())


def test_a_poisoned_part_fails_alone_and_its_neighbours_are_applied(wired: Wired) -> None:
    statuses = [meta.status(f"wamid.{i}", "sent")["statuses"][0] for i in range(1000)]
    statuses[500] = {"id": 7, "status": ["sent"]}

    (event,) = wired.deliver(meta.envelope({"statuses": statuses}))

    outcomes = [item.outcome.value for item in event.items]
    assert outcomes.count("applied") == 999
    assert outcomes.count("failed") == 1
    assert event.status is EventStatus.FAILED
    assert wired.store.pendingupdates.count_documents({}) == 999


def test_a_document_the_database_refuses_fails_alone(wired: Wired) -> None:
    poisoned = wired.store_webhook(meta.envelope(meta.text(message_id="wamid.A")))
    good = wired.store_webhook(meta.envelope(meta.text(message_id="wamid.B")))
    read = wired.reader.read

    def with_poison(event: WebhookEvent) -> Row:
        """Dialects give storable values only; should one ever not, this is what happens."""
        row = read(event)
        if event.id == poisoned:
            row.parts[0].event.metadata = {"beyond 64 bits": 2**70}
        return row

    wired.reader.read = with_poison  # type: ignore[method-assign]
    wired.receiving.receive([poisoned, good])

    assert wired.events.get(poisoned).status is EventStatus.FAILED
    assert wired.outcomes([poisoned, good]) == ["failed", "applied"]
    assert wired.store.messages.count_documents({}) == 1


def test_junk_is_recorded_as_failed_with_its_reason(wired: Wired) -> None:
    (event,) = wired.deliver(b"{junk")

    assert event.status is EventStatus.FAILED
    assert event.error == "not_json"


def test_a_webhook_for_an_unknown_number_is_kept_and_applied_once_the_account_exists(wired: Wired) -> None:
    body = meta.envelope(meta.text("is anybody there"), number_id="999000111222333")
    (event,) = wired.deliver(body)
    assert event.status is EventStatus.IGNORED
    assert [item.reason for item in event.items] == ["unknown_account"]

    add_meta_account(wired, number_id="999000111222333")
    wired.directory.refresh(older_than=0)
    wired.events.reopen(event.id, now=wired.clock.now())
    wired.receiving.receive([event.id])

    assert wired.events.get(event.id).status is EventStatus.PROCESSED
    assert wired.store.messages.count_documents({"text": "is anybody there"}) == 1


def test_a_number_added_a_moment_ago_by_another_process_is_known(wired: Wired) -> None:
    wired.directory.refresh(older_than=0)
    add_meta_account(wired, number_id="999000111222333")

    (event,) = wired.deliver(meta.envelope(meta.text("you are quick"), number_id="999000111222333"))

    assert [item.outcome.value for item in event.items] == ["applied"]


def test_a_tenants_valid_secret_does_not_speak_for_anothers_number(wired: Wired) -> None:
    stranger = add_meta_account(wired, number_id="888000111222333", secret="f" * 32, business_id="1")
    wired.directory.refresh(older_than=0)

    (event,) = wired.deliver(meta.envelope(meta.text()), config=stranger)

    assert [item.reason for item in event.items] == ["foreign_account"]
    assert wired.store.messages.count_documents({}) == 0


def test_a_replay_of_what_was_right_changes_nothing(wired: Wired) -> None:
    bodies = [meta.envelope(meta.text(f"n{i}", message_id=f"wamid.{i}")) for i in range(3)]
    bodies.append(meta.envelope(meta.reaction("wamid.1", "👍")))
    events = wired.deliver(*bodies)
    before = everything(wired)

    for event in events:
        wired.events.reopen(event.id, now=wired.clock.now())
    wired.receiving.receive([event.id for event in events])

    assert everything(wired) == before
    assert [wired.events.get(event.id).items for event in events] == [event.items for event in events]


def test_a_worker_that_was_overtaken_cannot_write(wired: Wired) -> None:
    event_id = wired.store_webhook(meta.envelope(meta.text(message_id="wamid.A")))
    transact = Conversations.transact

    def overtaken(self: Conversations, *args: Any, **kwargs: Any) -> None:
        """Just before the slow worker writes, its lease ends and another one does the whole work."""
        wired.conversations.transact = transact.__get__(wired.conversations)  # type: ignore[method-assign]
        wired.clock_hand.move(wired.settings.lease * 2)
        wired.events.hand_back_expired(now=wired.clock.now())
        wired.receiving.receive([event_id])
        transact(self, *args, **kwargs)

    wired.receiving._conversations.transact = overtaken.__get__(wired.conversations)  # type: ignore[method-assign]
    wired.receiving.receive([event_id])

    event = wired.events.get(event_id)
    assert event.generation == 2
    assert event.status is EventStatus.PROCESSED
    assert [item.outcome.value for item in event.items] == ["applied"]
    assert chat(wired)["unreadCount"] == 1


def test_rows_claimed_in_vain_are_applied_with_fewer_neighbours_each_time(wired: Wired) -> None:
    ids = [wired.store_webhook(meta.envelope(meta.text())) for _ in range(45)]
    sizes: list[list[int]] = []
    for _ in range(3):
        applied: list[int] = []

        def crash(batch: Any, applied: list[int] = applied) -> None:
            """As far as the rows can tell: nothing comes of the claim."""
            applied.append(len(batch))

        wired.receiving._apply_batch = crash  # type: ignore[method-assign]
        wired.receiving.receive(ids)
        sizes.append(applied)
        wired.clock_hand.move(wired.settings.lease * 2)
        wired.events.hand_back_expired(now=wired.clock.now())

    assert sizes == [[45], [20, 20, 5], [1] * 45]


def test_a_slow_worker_keeps_its_rows(wired: Wired) -> None:
    ids = [wired.store_webhook(meta.envelope(meta.text())) for _ in range(3)]
    now = wired.clock.now()
    for _ in range(2):
        wired.events.claim(ids, now=now, until=now)
        wired.events.hand_back_expired(now=now)
    apply_batch = wired.receiving._apply_batch

    def slowly(batch: Any) -> None:
        """Each takes most of a lease, while the sweep looks for what was left behind."""
        apply_batch(batch)
        wired.clock_hand.move(wired.settings.lease * 0.6)
        assert wired.events.hand_back_expired(now=wired.clock.now()) == 0

    wired.receiving._apply_batch = slowly  # type: ignore[method-assign]
    wired.receiving.receive(ids)

    assert [wired.events.get(event_id).attempts for event_id in ids] == [3, 3, 3]
    assert wired.outcomes(ids) == ["applied"] * 3


def test_a_row_that_never_comes_to_an_end_is_set_aside(wired: Wired) -> None:
    event_id = wired.store_webhook(meta.envelope(meta.text()))
    for _ in range(MAX_ATTEMPTS):
        now = wired.clock.now()
        assert wired.events.claim([event_id], now=now, until=now)
        assert wired.events.hand_back_expired(now=now) == 1

    wired.receiving.receive([event_id])

    event = wired.events.get(event_id)
    assert event.status is EventStatus.FAILED
    assert event.error is not None
    assert event.error.startswith("gave_up")


def test_without_ids_whatever_waits_is_received(wired: Wired) -> None:
    ids = [wired.store_webhook(meta.envelope(meta.text())) for _ in range(3)]

    assert wired.receiving.receive([]) == 3
    assert wired.outcomes(ids) == ["applied"] * 3


def test_only_ended_rows_expire(wired: Wired) -> None:
    (ended,) = wired.deliver(meta.envelope(meta.text()))
    waiting = wired.store_webhook(meta.envelope(meta.text()))

    assert wired.events.get(waiting).expires_at is None
    assert ended.expires_at == ended.processed_at + wired.settings.retention if ended.processed_at else False


def everything(wired: Wired) -> dict[str, list[dict[str, Any]]]:
    """All that webhooks changed, our bookkeeping times left out."""
    names = ("chats", "messages", "customers", "addresses", "pendingupdates")
    return {name: [_plain(row) for row in wired.store.database[name].find().sort("id", 1)] for name in names}


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "updatedAt"}
