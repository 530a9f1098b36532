"""Lanes: work of one lane is done by one thread at a time, in all processes that share a Redis.

In this process a lane is a lock. Between processes it is a token in Redis: whoever takes it works, whoever waits is
woken when it is given back, in turn. Lanes save collisions and nothing depends on them: without Redis, after a wait
that was too long, or should the holder have died, the work is done all the same, beside another's.
Deliberately no idea of what is done in a lane.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from uuid import uuid4

import redis

from runtime.connections import connect_redis_briefly
from runtime.crypto import Secret
from runtime.logs import logger

PREFIX: Final = "hookline:lane:"
#: How long (s) to wait for a lane that other processes hold; then the work is done beside them.
PATIENCE_S: Final = 2
#: How long (ms) a holder may be waited for until a lane counts as free again: it has died, or hangs.
FORGOTTEN_MS: Final = 5_000
#: How long (s) this process goes by its own locks after Redis did not answer.
ALONE_S: Final = 5.0
#: How much longer (s) than a wait its answer may take.
ANSWER_S: Final = 0.5
_log = logger(__name__)

#: KEYS: where the token lies when nobody has it, and where when somebody does. ARGV: a new token, FORGOTTEN_MS. Puts a
#: token there if there is none (the first time, or Redis has lost its memory, or its holder it), and lets the time of
#: a holder begin to run, for somebody waits now.
_PREPARE: Final = """
if redis.call('EXISTS', KEYS[1]) == 0 then
  local left = redis.call('PTTL', KEYS[2])
  if left == -2 then
    redis.call('RPUSH', KEYS[1], ARGV[1])
  elseif left == -1 then
    redis.call('PEXPIRE', KEYS[2], ARGV[2])
  end
end
"""
#: KEYS: the same. ARGV: the token. One that was replaced meanwhile is not put back beside its successor.
_GIVE_BACK: Final = """
if redis.call('LREM', KEYS[2], 1, ARGV[1]) == 1 then
  redis.call('RPUSH', KEYS[1], ARGV[1])
end
"""


class Lanes:
    """A number of lanes, shared with other processes where there is a Redis."""

    def __init__(self, count: int, shared: redis.Redis | None = None) -> None:
        self.count = count
        self._locks = tuple(threading.Lock() for _ in range(count))
        self._shared = shared
        self._alone_until = float("-inf")

    @contextmanager
    def turn(self, lane: int | None, *, shared: bool = True) -> Iterator[None]:
        """Wait for a lane, or for all (None), and keep it meanwhile; `shared`: from other processes too."""
        with ExitStack() as held:
            # Several in their order, so that nobody waits for one who waits for him.
            for one in range(self.count) if lane is None else (lane,):
                held.enter_context(self._locks[one])
                if shared and (token := self._take(one)):
                    held.callback(self._give_back, one, token)
            yield

    def _take(self, lane: int) -> bytes | None:
        """Take a lane's token; None where there is none to be had in time."""
        free, taken = _keys(lane)

        def ask(shared: redis.Redis) -> Any:
            with shared.pipeline(transaction=False) as asking:
                asking.eval(_PREPARE, 2, free, taken, uuid4().hex, FORGOTTEN_MS)
                # Of one token it is all the same from which end; the newer BLMOVE is unknown to Redis 6.0.
                asking.brpoplpush(free, taken, PATIENCE_S)
                return asking.execute()[1]

        token: bytes | None = self._ask(ask)
        return token

    def _give_back(self, lane: int, token: bytes) -> None:
        self._ask(lambda shared: shared.eval(_GIVE_BACK, 2, *_keys(lane), token))

    def _ask(self, question: Callable[[redis.Redis], Any]) -> Any:
        """Ask Redis; None where it does not answer, or did not a moment ago."""
        if self._shared is None or time.monotonic() < self._alone_until:
            return None
        try:
            return question(self._shared)
        except redis.RedisError as error:
            self._alone_until = time.monotonic() + ALONE_S
            _log.warning("lanes_alone", error=type(error).__name__)
            return None


def connect_lanes(count: int, url: Secret) -> Lanes:
    """Open lanes that all processes with this Redis share."""
    return Lanes(count, connect_redis_briefly(url, budget=PATIENCE_S + ANSWER_S))


def _keys(lane: int) -> Sequence[str]:
    # In braces what decides on which node of a cluster they are: on the same.
    return f"{PREFIX}{{{lane}}}:free", f"{PREFIX}{{{lane}}}:taken"
