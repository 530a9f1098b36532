"""Connections: wrong addresses are told by their variable, and nobody waits for a queue that never answers."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import redis
from redis.exceptions import RedisError

from runtime.broker import ring, ringing_broker
from runtime.connections import connect_mongo, connect_redis, connect_redis_briefly
from runtime.crypto import Secret
from runtime.errors import SettingsError
from runtime.jobs import RECEIVE

CANARY = "canary-pw"
#: The budget of a ring is 50 ms (s); connecting costs a little besides, and so does a busy machine.
LONGEST_RING = 0.25


@pytest.fixture
def black_hole() -> Iterator[str]:
    """A socket that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def accept() -> None:
            try:
                while True:
                    held.append(server.accept()[0])
            except OSError:
                return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for one in held:
            one.close()


@pytest.mark.parametrize(
    "uri",
    [
        f"mongodb://user:{CANARY}/x@db.example",
        f"mongodb://user:{CANARY}@x@db.example",
        f"mongodb://user:{CANARY}@db.example:port",
        f"mongodb://user:{CANARY}@db.example/?tls=false&ssl=true",
        f"mongodb://user:{CANARY}@/",
    ],
)
def test_an_address_the_driver_cannot_use_names_the_variable_and_no_password(uri: str) -> None:
    with pytest.raises(SettingsError, match=r"^MONGODB_URI: ") as refused:
        connect_mongo(Secret(uri), application="test")

    assert CANARY not in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_the_database_is_told_who_calls(mongo_uri: str) -> None:
    client = connect_mongo(Secret(mongo_uri), application="ingest")
    try:
        assert client.options.pool_options.metadata["application"] == {"name": "hookline-ingest"}
        assert client.options.retry_writes
    finally:
        client.close()


def test_a_ring_into_a_black_hole_is_over_within_its_budget(black_hole: str) -> None:
    broker = ringing_broker(Secret(black_hole))
    began = time.perf_counter()

    with pytest.raises(RedisError):
        ring(broker, RECEIVE, ["evt_1"])

    assert time.perf_counter() - began < LONGEST_RING


def test_a_brief_connection_tries_once(black_hole: str) -> None:
    client = connect_redis_briefly(Secret(black_hole))
    began = time.perf_counter()

    with pytest.raises(redis.TimeoutError):
        client.ping()

    assert time.perf_counter() - began < LONGEST_RING


def test_a_workers_connection_never_waits_for_ever() -> None:
    options = connect_redis(Secret("redis://127.0.0.1:1/0")).connection_pool.connection_kwargs

    assert 0 < options["socket_timeout"] <= 5
    assert 0 < options["socket_connect_timeout"] <= 2
    assert options["health_check_interval"] == 15
    # Absorbs a restart of the queue that takes a few seconds.
    assert sum(options["retry"]._backoff.compute(n) for n in range(options["retry"].get_retries())) < 10


def test_a_workers_connection_survives_that_it_was_cut(redis_client: redis.Redis, redis_uri: str) -> None:
    client = connect_redis(Secret(redis_uri))
    assert client.ping()

    redis_client.client_kill_filter(_type="normal", skipme=True)

    assert client.ping()
    client.close()
