"""Ringing after the commit: who is woken for what, and that trouble with the queue stays here."""

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from prometheus_client import REGISTRY
from pymongo import MongoClient

from ingest import ringer as ringing
from ingest.ringer import MAX_BACKLOG, MAX_IDS, Ringer
from models.store.collections import Store
from models.store.intake import Intake, IntakeRow, Stored, intake_row
from runtime.clock import SystemClock
from tests.support.failing import failing
from tests.support.waiting import until


class Queue:
    """A queue that writes down its rings, and refuses or holds them when told to."""

    def __init__(self) -> None:
        self.rings: list[list[str]] = []
        self.refused = 0
        self.refusing = False
        self.open = threading.Event()
        self.open.set()

    def __call__(self, ids: Sequence[str]) -> None:
        self.open.wait(10)
        if self.refusing:
            self.refused += 1
            raise ConnectionError
        self.rings.append(list(ids))

    @property
    def rung(self) -> list[str]:
        return [one for ids in self.rings for one in ids]


@pytest.fixture
def store(mongo_client: "MongoClient[dict[str, Any]]", indexed_database: str) -> Store:
    store = Store(mongo_client[indexed_database])
    store.webhookevents.delete_many({})
    return store


@pytest.fixture
def queue() -> Iterator[Queue]:
    queue = Queue()
    yield queue
    queue.open.set()


@pytest.fixture
def ringer(store: Store, queue: Queue) -> Ringer:
    return Ringer(Intake(store.webhookevents), ring=queue)


def rows(count: int, *, start: int = 0) -> list[IntakeRow]:
    return [
        intake_row(
            provider="meta-whatsapp",
            config_id="cfg_1",
            body=b"%d" % n,
            content_type="application/json",
            query="",
            headers={},
            received_at=SystemClock().now(),
        )
        for n in range(start, start + count)
    ]


def counted(outcome: str) -> float:
    labels = {"job": "receive", "outcome": outcome}
    return REGISTRY.get_sample_value("hookline_rings_total", labels) or 0


def test_a_group_is_one_ring(ringer: Ringer, queue: Queue) -> None:
    group = rows(10)

    ringer.committed(group, [Stored.NEW] * 10)

    until(lambda: queue.rings, seconds=5, what="a ring")
    assert queue.rings == [[one.id for one in group]]


def test_groups_that_wait_are_rung_together_in_bounded_rings(ringer: Ringer, queue: Queue) -> None:
    queue.open.clear()
    groups = [rows(150, start=150 * n) for n in range(4)]
    for group in groups:
        ringer.committed(group, [Stored.NEW] * len(group))
    queue.open.set()

    until(lambda: len(queue.rung) == 600, seconds=5, what="all rings")
    assert sorted(queue.rung) == sorted(one.id for group in groups for one in group)
    assert max(len(ids) for ids in queue.rings) <= MAX_IDS
    assert len(queue.rings) < 6


def test_a_refused_row_rings_for_nobody(ringer: Ringer, queue: Queue) -> None:
    group = rows(3)

    ringer.committed(group, [Stored.NEW, Stored.REFUSED, Stored.NEW])

    until(lambda: queue.rings, seconds=5, what="a ring")
    assert queue.rung == [group[0].id, group[2].id]


def test_while_enough_rings_wait_for_workers_no_more_are_made(
    store: Store, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ringing, "ENOUGH_RINGS", 3)
    monkeypatch.setattr(ringing, "LOOK_EVERY_S", 0)
    ringer = Ringer(Intake(store.webhookevents), ring=queue, rings_waiting=lambda: len(queue.rings))
    before = counted("left_to_waiting_rings")

    for n in range(10):
        ringer.committed(rows(MAX_IDS, start=n * MAX_IDS), [Stored.NEW] * MAX_IDS)
    until(lambda: counted("left_to_waiting_rings") == before + 7, seconds=10, what="the rings left out")
    assert len(queue.rings) == 3

    queue.rings.clear()
    (late,) = rows(1, start=9_999)
    ringer.committed([late], [Stored.NEW])
    until(lambda: queue.rung == [late.id], seconds=5, what="a ring when the others were answered")


@pytest.mark.parametrize("status", ["pending", "processing", "processed", "failed", "ignored"])
def test_a_repeated_delivery_is_rung_again_unless_it_is_at_its_end(
    status: str, ringer: Ringer, queue: Queue, store: Store
) -> None:
    (first,), (again,) = rows(1), rows(1)
    Intake(store.webhookevents).store([first])
    store.webhookevents.update_one({"id": first.id}, {"$set": {"status": status}})

    ringer.committed([again], [Stored.DUPLICATE])

    until(lambda: store.webhookevents.find_one({"id": first.id, "redeliveries": 1}), seconds=5, what="its count")
    (marker,) = rows(1, start=7)
    ringer.committed([marker], [Stored.NEW])
    until(lambda: marker.id in queue.rung, seconds=5, what="the next ring")
    assert (first.id in queue.rung) is (status in {"pending", "processing"})
    assert again.id not in queue.rung


def test_an_unreachable_queue_is_left_alone_for_a_while(
    ringer: Ringer, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ringing, "BREAK_S", 0.3)
    queue.refusing = True
    before = counted("skipped")
    for n in range(5):
        ringer.committed(rows(1, start=n), [Stored.NEW])
        until(lambda: ringer._queue.qsize() == 0, seconds=5, what="the group to be taken")

    until(lambda: counted("skipped") > before, seconds=5, what="a ring that was spared")
    assert queue.refused == 1

    queue.refusing = False
    until(lambda: ringer._closed_until < time.monotonic(), seconds=5, what="the breaker to close")
    (last,) = rows(1, start=99)
    ringer.committed([last], [Stored.NEW])
    until(lambda: queue.rung == [last.id], seconds=5, what="the first ring after the break")


def test_a_queue_that_hangs_holds_up_nobody(ringer: Ringer, queue: Queue) -> None:
    queue.open.clear()
    before = counted("dropped")

    for n in range(MAX_BACKLOG + MAX_IDS + 50):
        ringer.committed(rows(1, start=n), [Stored.NEW])

    assert ringer._queue.qsize() <= MAX_BACKLOG
    assert counted("dropped") - before >= 50
    queue.open.set()
    until(lambda: len(queue.rung) >= MAX_BACKLOG, seconds=5, what="what had been kept")


def test_a_database_in_trouble_does_not_silence_the_new(ringer: Ringer, queue: Queue, store: Store) -> None:
    (new,), (again,) = rows(1), rows(1, start=1)
    with failing(store.webhookevents, "update", errorCode=50):
        ringer.committed([new, again], [Stored.NEW, Stored.DUPLICATE])
        until(lambda: queue.rung == [new.id], seconds=5, what="the new row's ring")

    (after,) = rows(1, start=2)
    ringer.committed([after], [Stored.NEW])
    until(lambda: after.id in queue.rung, seconds=5, what="a ring after the trouble")
