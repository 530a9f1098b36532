"""What goes wrong around a claim: crashes, outages, rows of every size; neighbours never pay for it.

A crash is a BaseException out of the reader: whatever comes after it in the process does not happen.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pymongo.errors import AutoReconnect, NetworkTimeout

from models.store import webhook_events
from models.store.batch import Batch
from models.values import EventStatus
from models.webhook_event import WebhookEvent
from runtime.crypto import Secret
from runtime.errors import Unavailable
from services import reading, receiving
from services.conversing import applying
from services.conversing.facts import Fact, Verdict
from services.reading import Row
from services.receiving import MAX_ATTEMPTS
from services.wiring import Services
from tests.support import meta_webhooks as meta
from tests.support.failing import failing
from tests.support.wired import Wired, add_meta_account


class Crash(BaseException):
    """The process ends here."""


def texts(wired: Wired, count: int) -> list[str]:
    return [wired.store_webhook(meta.envelope(meta.text(message_id=f"wamid.{n}"))) for n in range(count)]


def statuses(wired: Wired, ids: Sequence[str]) -> list[str]:
    return [wired.events.get(event_id).status.value for event_id in ids]


def end_leases(wired: Wired) -> None:
    wired.clock_hand.move(wired.settings.lease * 2)
    wired.events.hand_back_expired(now=wired.clock.now())


def read_before(wired: Wired, look: Callable[[WebhookEvent], None]) -> None:
    """Let something happen whenever a row is about to be read."""
    read = wired.reader.read

    def looked_at(event: WebhookEvent) -> Row:
        look(event)
        return read(event)

    wired.reader.read = looked_at  # type: ignore[method-assign]


def test_a_row_that_crashes_its_workers_costs_no_other_row_its_chances(wired: Wired) -> None:
    ids = texts(wired, 5)

    def crash(event: WebhookEvent) -> None:
        if event.id == ids[1]:
            raise Crash

    read_before(wired, crash)
    for _ in range(MAX_ATTEMPTS):
        with pytest.raises(Crash):
            wired.receiving.receive(ids)
        end_leases(wired)
    wired.receiving.receive(ids)

    assert statuses(wired, ids) == ["processed", "failed", "processed", "processed", "processed"]
    assert (wired.events.get(ids[1]).error or "").startswith("gave_up")


def test_a_row_of_a_vendor_we_do_not_speak_fails_alone(wired: Wired) -> None:
    """An older worker meets it during a rolling upgrade."""
    ids = texts(wired, 3)
    wired.store.webhookevents.update_one({"id": ids[0]}, {"$set": {"provider": "acme"}})

    wired.receiving.receive(ids)

    assert statuses(wired, ids) == ["failed", "processed", "processed"]
    assert wired.events.get(ids[0]).error == "unknown_provider"


def break_transactions(wired: Wired, error: Exception) -> Callable[[], None]:
    transact = wired.conversations.transact

    def broken(*_: Any, **__: Any) -> None:
        raise error

    def mend() -> None:
        wired.conversations.transact = transact  # type: ignore[method-assign]

    wired.conversations.transact = broken  # type: ignore[method-assign]
    return mend


def test_an_outage_gives_rows_back_at_once_and_counts_no_attempt(wired: Wired) -> None:
    ids = texts(wired, 3)
    mend = break_transactions(wired, AutoReconnect("away"))

    for _ in range(MAX_ATTEMPTS + 1):
        with pytest.raises(AutoReconnect):
            wired.receiving.receive(ids)
    mend()

    assert wired.receiving.receive(ids) == 3
    assert statuses(wired, ids) == ["processed"] * 3


#: How a call loses its server: before anything of it was done, or after all of it was.
LOST: dict[str, dict[str, Any]] = {
    "before": {"closeConnection": True},
    "no primary": {"errorCode": 10107},
    "after": {"writeConcernError": {"code": 189, "errmsg": "Primary stepped down while waiting for replication"}},
}


@pytest.mark.parametrize("lost", LOST)
def test_a_claim_that_loses_its_server_half_way_is_one_claim_all_the_same(lost: str, wired: Wired) -> None:
    ids = texts(wired, 3)
    # A driver that looks often for who is the primary now: this server does not tell it that anything has changed.
    uri = Secret(f"{wired.settings.mongodb_uri.reveal()}&heartbeatFrequencyMS=500")
    worker = Services(replace(wired.settings, mongodb_uri=uri), application="worker", clock=wired.clock)

    with failing(wired.store.webhookevents, "update", times=1, **LOST[lost]):
        assert worker.receiving.receive(ids) == 3

    worker.store.client.close()
    assert statuses(wired, ids) == ["processed"] * 3
    assert [wired.events.get(event_id).attempts for event_id in ids] == [1, 1, 1]


def test_work_that_always_takes_too_long_is_set_aside_in_the_end(wired: Wired) -> None:
    ids = texts(wired, 1)
    mend = break_transactions(wired, NetworkTimeout("too slow"))
    for _ in range(MAX_ATTEMPTS):
        with pytest.raises(NetworkTimeout):
            wired.receiving.receive(ids)
        assert wired.receiving.receive(ids) == 0
        end_leases(wired)
    mend()

    wired.receiving.receive(ids)

    assert statuses(wired, ids) == ["failed"]


def test_while_the_accounts_cannot_be_read_nothing_is_taken_for_a_strangers(wired: Wired) -> None:
    wired.directory.refresh(older_than=0)
    account = add_meta_account(wired, number_id="555000111222333", business_id="77")
    load = wired.directory._load

    def fail() -> Any:
        raise AutoReconnect("away")

    wired.directory._load = fail
    event_id = wired.store_webhook(meta.envelope(meta.text(), number_id="555000111222333"), config=account)
    with pytest.raises(Unavailable):
        wired.receiving.receive([event_id])
    assert statuses(wired, [event_id]) == ["pending"]

    wired.directory._load = load
    wired.receiving.receive([event_id])

    assert statuses(wired, [event_id]) == ["processed"]


def test_large_rows_are_taken_as_many_at_a_time_as_fit_into_memory(
    wired: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = texts(wired, 10)
    monkeypatch.setattr(webhook_events, "CLAIM_BYTES", 3 * len(wired.events.get(ids[0]).raw_body) - 1)
    sizes: list[int] = []
    apply = wired.receiving._apply

    def noted(batch: Sequence[Row]) -> None:
        sizes.append(len(batch))
        apply(batch)

    wired.receiving._apply = noted  # type: ignore[method-assign]

    assert wired.receiving.receive(ids) == 10

    assert sizes == [3, 3, 3, 1]
    assert [wired.events.get(event_id).attempts for event_id in ids] == [1] * 10


def test_a_large_delivery_is_applied_in_several_transactions(wired: Wired, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "BATCH_PARTS", 4)
    values = [meta.text(message_id=f"wamid.{n}", sender=f"4477009001{n:02d}") for n in range(10)]
    sizes = transactions(wired)

    (event,) = wired.deliver(meta.envelope(*values))

    assert sizes == [4, 4, 2, 0]
    assert event.status is EventStatus.PROCESSED
    assert [item.outcome.value for item in event.items] == ["applied"] * 10
    assert wired.store.chats.count_documents({}) == 10


def transactions(wired: Wired) -> list[int]:
    """Note how many messages each transaction brings."""
    sizes: list[int] = []
    transact = wired.conversations.transact

    def noted(wanted: Any, fold: Any, **how: Any) -> None:
        sizes.append(len(wanted.messages))
        transact(wanted, fold, **how)

    wired.conversations.transact = noted  # type: ignore[method-assign]
    return sizes


def test_a_large_delivery_keeps_its_lease_however_long_it_takes(wired: Wired, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "BATCH_PARTS", 2)
    event_id = wired.store_webhook(meta.envelope(*(meta.text() for _ in range(10))))
    apply_piece = wired.receiving._apply_piece

    def slowly(parts: Any) -> None:
        apply_piece(parts)
        wired.clock_hand.move(wired.settings.lease * 0.9)
        assert wired.events.hand_back_expired(now=wired.clock.now()) == 0

    wired.receiving._apply_piece = slowly  # type: ignore[method-assign]
    wired.receiving.receive([event_id])

    assert statuses(wired, [event_id]) == ["processed"]


def poison(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let messages of these ids break the fold, as a fault of a handler would."""
    apply = applying.apply

    def broken(documents: Batch, facts: Sequence[Fact]) -> list[Verdict]:
        if {getattr(fact.event, "provider_message_id", None) for fact in facts} & set(names):
            raise ZeroDivisionError
        return apply(documents, facts)

    monkeypatch.setattr(receiving, "apply", broken)


def test_poisoned_parts_of_a_delivery_are_found_in_few_steps(wired: Wired, monkeypatch: pytest.MonkeyPatch) -> None:
    poison(monkeypatch, "wamid.5", "wamid.200")
    sizes = transactions(wired)

    (event,) = wired.deliver(meta.envelope(*(meta.text(message_id=f"wamid.{n}") for n in range(256))))

    failed = [item.key for item in event.items if item.outcome == "failed"]
    assert failed == ["m:wamid.5", "m:wamid.200"]
    assert wired.store.messages.count_documents({}) == 254
    assert len(sizes) < 40


def test_a_poisoned_row_among_many_is_found_in_few_steps(wired: Wired, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction for each of its neighbours would hold all of them up, for longer than a lease if they are many."""
    ids = texts(wired, 256)
    poison(monkeypatch, "wamid.100")
    sizes = transactions(wired)

    assert wired.receiving.receive(ids) == 256

    assert [n for n, status in enumerate(statuses(wired, ids)) if status != "processed"] == [100]
    assert wired.store.messages.count_documents({}) == 255
    assert len(sizes) < 25


def test_a_row_lost_while_its_parts_are_applied_holds_nobody_up(wired: Wired, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = texts(wired, 3)
    poison(monkeypatch, "wamid.0")
    apply_piece = wired.receiving._apply_piece

    def overtaken(parts: Any) -> None:
        apply_piece(parts)
        wired.store.webhookevents.update_one({"id": ids[0]}, {"$inc": {"generation": 1}, "$set": {"claim": "another"}})

    wired.receiving._apply_piece = overtaken  # type: ignore[method-assign]
    wired.receiving.receive(ids)

    assert statuses(wired, ids[1:]) == ["processed"] * 2
    assert wired.events.get(ids[0]).claim == "another"


def test_a_delivery_of_more_parts_than_anybody_sends_is_set_aside(
    wired: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_PARTS", 5)
    many = wired.store_webhook(meta.envelope(*(meta.text() for _ in range(6))))
    good = wired.store_webhook(meta.envelope(meta.text()))

    wired.receiving.receive([many, good])

    assert statuses(wired, [many, good]) == ["failed", "processed"]
    assert wired.events.get(many).error == "too_many_parts: 6"


def test_a_row_whose_end_cannot_be_stored_is_set_aside(wired: Wired, monkeypatch: pytest.MonkeyPatch) -> None:
    vast = wired.store_webhook(meta.envelope(meta.text(message_id="wamid.0")))
    good = wired.store_webhook(meta.envelope(meta.text(message_id="wamid.1")))
    closing = reading.closing

    def too_large(row: Row, *args: Any, **kwargs: Any) -> Any:
        ended = closing(row, *args, **kwargs)
        if row.event.id == vast and len(ended.items) == 1 and ended.items[0].key == "m:wamid.0":
            ended.items[0].reason = "x" * 17_000_000
        return ended

    monkeypatch.setattr(receiving, "closing", too_large)
    wired.receiving.receive([vast, good])

    assert statuses(wired, [vast, good]) == ["failed", "processed"]
    assert (wired.events.get(vast).error or "").startswith("no_end")
    assert wired.store.messages.count_documents({}) == 2


def test_the_sweep_looks_at_the_oldest_rows_only_however_many_wait(
    wired: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = texts(wired, 6)
    now = wired.clock.now()
    wired.events.claim([ids[1], ids[5]], now=now, until=now)
    monkeypatch.setattr(webhook_events, "SWEEP_LIMIT", 3)

    assert wired.events.hand_back_expired(now=now + timedelta(seconds=1)) == 1
    assert [wired.events.get(event_id).claim is None for event_id in ids] == [True] * 5 + [False]
