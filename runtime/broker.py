"""Dramatiq's broker, set up so that every disaster of the queue costs latency and never work.

What Dramatiq would do by itself and must not here: retry (rows carry their own due times), delay (held in
worker memory), keep tracebacks in Redis. Rings carry ids; MongoDB is the queue of record (docs/decisions/0003).
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.errors import ConnectionClosed, DecodeError
from dramatiq.message import Message
from dramatiq.middleware import AgeLimit, Middleware, Retries, ShutdownNotifications, TimeLimit

from runtime.connections import connect_redis, connect_redis_briefly
from runtime.crypto import Secret
from runtime.jobs import QUEUES, Job
from runtime.logs import context_to_carry, logger

#: Share of commands, per million, that look for messages of dead processes: one in ten.
MAINTENANCE_CHANCE: Final = 100_000
#: A process silent for this long (ms) is taken for dead; safe because every claim is fenced.
HEARTBEAT_TIMEOUT_MS: Final = 30_000
#: Dead letters are hints about rows that the sweep finds anyway; they are kept (ms) for a look.
DEAD_MESSAGE_TTL_MS: Final = 86_400_000
#: A job that runs longer (ms) is interrupted; its lease has long passed to another worker.
TIME_LIMIT_MS: Final = 120_000
NAMESPACE: Final = "hookline"

_log = logger(__name__)


class SteadyConsumer(_RedisConsumer):
    """A consumer that survives every answer Redis can give.

    Errors that Dramatiq does not map (READONLY, OOM, LOADING, a timed-out read) end in a reconnect, not in a
    dead thread; a message that nobody can read is put aside without starving those fetched behind it.
    """

    def ack(self, message: Any) -> None:
        """Acknowledge, or ask for a reconnect."""
        with _reconnecting():
            super().ack(message)

    def nack(self, message: Any) -> None:
        """Dead-letter, or ask for a reconnect."""
        with _reconnecting():
            super().nack(message)

    def requeue(self, messages: Any) -> None:
        """Give messages back, or ask for a reconnect."""
        with _reconnecting():
            super().requeue(messages)

    def __next__(self) -> Any:
        with _reconnecting():
            message = self._next_readable()
            if message is False:
                self._put_aside_unreadable()
            return message or None

    def _next_readable(self) -> Any:
        """Return a message, None where there is none, False where there is one that nobody can read."""
        try:
            message = super().__next__()
        except (DecodeError, TypeError):
            return False
        if message is None or _is_readable(message, self.queue_name):
            return message
        self.queued_message_ids.discard(message.message_id)
        return False

    def _put_aside_unreadable(self) -> None:
        """Dead-letter what was fetched and cannot be read: left alone it would come back at every restart."""
        broker, queue = self.broker, self.queue_name
        for job_id in broker.client.smembers(f"{broker.namespace}:__acks__.{broker.broker_id}.{queue}"):
            if not _can_be_read(broker.client.hget(f"{broker.namespace}:{queue}.msgs", job_id), queue):
                broker.do_nack(queue, job_id)
                _log.warning("unreadable_job_put_aside", queue=queue)


@contextmanager
def _reconnecting() -> Iterator[None]:
    """Turn whatever Redis or the way there answers into the one error upon which Dramatiq connects anew."""
    try:
        yield
    except redis.RedisError as error:
        raise ConnectionClosed(error) from None


def _can_be_read(data: bytes | None, queue: str) -> bool:
    """Say whether stored bytes are a job; bytes that are gone are no trouble either."""
    try:
        return data is None or _is_readable(Message.decode(data), queue)
    except DecodeError:
        return False


def _is_readable(message: Any, queue: str) -> bool:
    """Say whether a decoded message is one that no thread of Dramatiq's will fall over."""
    return (
        message.queue_name == queue
        and isinstance(message.message_id, str)
        and isinstance(message.actor_name, str)
        and isinstance(message.kwargs, dict)
        and isinstance(message.options, dict)
        and isinstance(message.options.get("redis_message_id"), str)
    )


class SteadyRedisBroker(RedisBroker):
    """A Redis broker with the steady consumer, and without the queues of delayed messages.

    Rows carry their own due times, so nobody would put a message there; yet each such queue would be looked at as
    often as the real one, which is half of what an idle worker costs.
    """

    def declare_queue(self, queue_name: str) -> None:
        """Declare a queue, and no second one for messages that are to come later."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Enqueue a message.

        Raises:
            ValueError: with a delay; nobody would ever fetch it.
        """
        if delay is not None:
            raise ValueError("jobs are not delayed: rows carry their due times")
        return super().enqueue(message)

    @property
    def consumer_class(self) -> type[SteadyConsumer]:
        """The consumer to use."""
        return SteadyConsumer


def worker_broker(url: Secret, middleware: Sequence[Middleware] = ()) -> dramatiq.Broker:
    """Build the broker of a worker process: fetches, runs, acknowledges."""
    if url.reveal().startswith("amqp"):
        return _rabbit_broker(url, [*_base_middleware(), *middleware])
    return _redis_broker(connect_redis(url), [*_base_middleware(), *middleware])


def ringing_broker(url: Secret) -> dramatiq.Broker:
    """Build the broker of a process that only rings: one brief try per ring."""
    if url.reveal().startswith("amqp"):
        return _rabbit_broker(url, [])
    return _redis_broker(connect_redis_briefly(url), [])


def ring(broker: dramatiq.Broker, job: Job, ids: Sequence[str]) -> None:
    """Wake a worker for these ids. A lost ring is no loss: the sweep rings again.

    Raises:
        redis.RedisError, dramatiq.errors.BrokerError: the queue could not be reached.
    """
    broker.enqueue(
        Message(
            queue_name=job.queue,
            actor_name=job.name,
            args=(list(ids),),
            kwargs={},
            options={"context": context_to_carry(), "rung_at": int(time.time() * 1000)},
        )
    )


def waiting(broker: dramatiq.Broker, job: Job) -> int:
    """Count the jobs of a queue that no worker has fetched yet; 0 where the broker cannot say.

    Raises:
        redis.RedisError: the queue could not be reached.
    """
    return int(broker.client.llen(f"{NAMESPACE}:{job.queue}")) if isinstance(broker, SteadyRedisBroker) else 0


def _redis_broker(client: Any, middleware: list[Middleware]) -> dramatiq.Broker:
    broker = SteadyRedisBroker(
        client=client,
        middleware=middleware,
        namespace=NAMESPACE,
        maintenance_chance=MAINTENANCE_CHANCE,
        heartbeat_timeout=HEARTBEAT_TIMEOUT_MS,
        dead_message_ttl=DEAD_MESSAGE_TTL_MS,
    )
    return _declared(broker)


def _rabbit_broker(url: Secret, middleware: list[Middleware]) -> dramatiq.Broker:
    from dramatiq.brokers.rabbitmq import RabbitmqBroker  # noqa: PLC0415  an optional extra (hookline[rabbitmq])

    return _declared(RabbitmqBroker(url=url.reveal(), middleware=middleware))


def _declared(broker: dramatiq.Broker) -> dramatiq.Broker:
    for queue in QUEUES:
        broker.declare_queue(queue)
    return broker


def _base_middleware() -> list[Middleware]:
    return [
        AgeLimit(),
        TimeLimit(time_limit=TIME_LIMIT_MS),
        ShutdownNotifications(),
        # Installed with no retries: without it a failing job would be acknowledged as done instead of dead-lettered.
        Retries(max_retries=0),
    ]
