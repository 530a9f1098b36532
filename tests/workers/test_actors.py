"""The actors: every job has one, each calls its service with its ids, and nonsense is no end of a worker."""

from collections.abc import Iterator

import dramatiq
import pytest
import redis
from dramatiq.worker import Worker

from models.values import EventStatus
from runtime.broker import ring, ringing_broker, worker_broker
from runtime.jobs import ALL, QUEUES, RECEIVE, Job
from tests.support import meta_webhooks as meta
from tests.support.waiting import until
from tests.support.wired import Wired
from workers.actors import CALLS, declare
from workers.middleware import Observed


@pytest.fixture
def broker(wired: Wired, redis_client: redis.Redis) -> Iterator[dramatiq.Broker]:
    broker = worker_broker(wired.settings.broker_url, [Observed()])
    declare(broker, wired)
    worker = Worker(broker, worker_threads=2, worker_timeout=10)
    worker.start()
    yield broker
    worker.stop()


def ended(wired: Wired, event_id: str) -> bool:
    return wired.events.get(event_id).status is EventStatus.PROCESSED


def test_every_job_has_an_actor_in_its_queue(wired: Wired, redis_uri: str) -> None:
    broker = worker_broker(wired.settings.broker_url)

    declare(broker, wired)

    assert set(CALLS) == set(ALL)
    assert {Job(name, actor.queue_name) for name, actor in broker.actors.items()} == set(ALL)
    assert {job.queue for job in ALL} == set(QUEUES) == broker.get_declared_queues()


def test_a_ring_brings_a_stored_webhook_to_its_end(wired: Wired, broker: dramatiq.Broker) -> None:
    event_id = wired.store_webhook(meta.envelope(meta.text("rung")))

    ring(ringing_broker(wired.settings.broker_url), RECEIVE, [event_id])

    until(lambda: ended(wired, event_id), seconds=10, what="the webhook's end")
    assert wired.store.messages.count_documents({"text": "rung"}) == 1


def test_a_ring_without_ids_looks_for_whatever_waits(wired: Wired, broker: dramatiq.Broker) -> None:
    ids = [wired.store_webhook(meta.envelope(meta.text(f"n{n}"))) for n in range(3)]

    ring(ringing_broker(wired.settings.broker_url), RECEIVE, [])

    until(lambda: all(ended(wired, one) for one in ids), seconds=10, what="the webhooks' end")


def test_twenty_rings_for_one_webhook_are_one_effect(wired: Wired, broker: dramatiq.Broker) -> None:
    event_id = wired.store_webhook(meta.envelope(meta.text("rung often")))
    ringing = ringing_broker(wired.settings.broker_url)

    for _ in range(20):
        ring(ringing, RECEIVE, [event_id])

    until(lambda: ended(wired, event_id), seconds=10, what="the webhook's end")
    later = wired.store_webhook(meta.envelope(meta.text("later")))
    ring(ringing, RECEIVE, [later])
    until(lambda: ended(wired, later), seconds=10, what="a later webhook's end")
    assert wired.events.get(event_id).attempts == 1
    assert wired.store.messages.count_documents({"text": "rung often"}) == 1


def test_ids_of_nothing_are_no_trouble(wired: Wired, broker: dramatiq.Broker) -> None:
    ringing = ringing_broker(wired.settings.broker_url)
    ring(ringing, RECEIVE, ["evt_nobody", "", "$where", "\x00"])
    event_id = wired.store_webhook(meta.envelope(meta.text("after")))

    ring(ringing, RECEIVE, [event_id])

    until(lambda: ended(wired, event_id), seconds=10, what="the webhook's end")


def test_the_row_of_an_unknown_actors_ring_waits_for_the_sweep(
    wired: Wired, broker: dramatiq.Broker, redis_client: redis.Redis
) -> None:
    """A newer version rings for a job that this worker does not know: its row is not lost for the system."""
    event_id = wired.store_webhook(meta.envelope(meta.text("of tomorrow")))
    ring(ringing_broker(wired.settings.broker_url), Job("receive_faster", RECEIVE.queue), [event_id])
    until(lambda: redis_client.zcard(f"hookline:{RECEIVE.queue}.XQ"), seconds=10, what="the ring to be put aside")
    assert wired.events.get(event_id).status is EventStatus.PENDING

    wired.clock_hand.move(wired.settings.sweep_after * 2)
    wired.sweeping.stranded()

    until(lambda: ended(wired, event_id), seconds=10, what="the webhook's end")
