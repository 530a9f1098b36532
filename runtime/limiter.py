"""Token buckets in Redis, shared by all processes: who may act now, who in a moment, and who must come back later.

A bucket is one key that holds the moment at which it will be full again (GCRA). Taking from several is one step: all
or none. Whoever need not wait longer than it said takes its token and is told how long to wait for it, so that those
who wait do not crowd each other; of whoever would wait longer nothing is taken. A `hold` closes a bucket for a while
and makes its tokens come slower afterwards, then by and by faster again: what a vendor really allows is found within a
few holds, and found anew when it allows more.
Without Redis each process goes by buckets of its own, narrower ones; a bucket that is lost costs speed and nothing
else. Deliberately no names: keys are hashes of what the caller calls a bucket.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import redis

from runtime.logs import logger

PREFIX: Final = "hookline:bucket:"
#: How long (s) to wait for Redis: a send can wait longer than a ring, and a busy moment is no outage.
LIMITER_BUDGET_S: Final = 0.5
#: How long (s) this process goes by its own buckets after Redis did not answer.
ALONE_S: Final = 2.0
#: How much of a bucket's rate a process allows itself then, not knowing how many others do.
SHARE_ALONE: Final = 0.25
#: Buckets a process remembers for itself, at most; beyond that the fullest are forgotten.
MAX_OWN: Final = 10_000
#: A hold that nobody named the length of: the first (s), and the longest; each further one is twice as long.
FIRST_HOLD_S: Final = 1.0
LONGEST_HOLD_S: Final = 300.0
#: How long (s) after a hold has ended another one still counts as its repetition.
REMEMBERED_S: Final = 10.0
#: Each hold makes the bucket's tokens come slower by this factor, at most so many times slower in all: a vendor may
#: allow less than its documents say. Of what they come slower half is forgotten in so long (s) after a hold.
SLOWER: Final = 1.5
SLOWEST: Final = 16.0
HALF_FORGOTTEN_S: Final = 15.0

_log = logger(__name__)

#: How many times slower the tokens of a bucket come now: what is kept is how many times at the end of its last hold.
_SLOWNESS: Final = """
local now = redis.call('TIME')
now = now[1] * 1000 + now[2] / 1000
local function slowness(bucket, half)
  local factor, at = string.match(redis.call('GET', bucket .. ':slow') or '1:0', '(.+):(.+)')
  return math.max(1, factor * 2 ^ (math.min(0, at - now) / half))
end
"""
#: KEYS: the buckets. ARGV: longest wait worth a token (ms), half of slowness forgotten (ms), then per bucket the ms one
#: token takes and how many fit.
_TAKE: Final = (
    _SLOWNESS
    + """
local patience, half, wait, last = tonumber(ARGV[1]), tonumber(ARGV[2]), 0, 1
local full = {}
local spaced = {}
for i, key in ipairs(KEYS) do
  local each, fits = tonumber(ARGV[2 * i + 1]) * slowness(key, half), tonumber(ARGV[2 * i + 2])
  spaced[i] = each
  full[i] = math.max(tonumber(redis.call('GET', key) or 0), now)
  local until_this = math.max(full[i] - each * (fits - 1) - now, redis.call('PTTL', key .. ':hold'))
  if until_this > wait then
    wait, last = until_this, i
  end
end
if wait <= patience then
  for i, key in ipairs(KEYS) do
    local each = spaced[i]
    if each > 0 then
      redis.call('SET', key, string.format('%.3f', full[i] + each), 'PX', math.ceil(full[i] + each - now) + 1000)
    end
  end
end
return {math.ceil(wait), last}
"""
)
#: KEYS: the bucket. ARGV: asked length (ms, 0 for none), first, longest, remembered (ms), how much slower its tokens
#: come from now on, how slow at most, half of slowness forgotten (ms). While a hold lasts another one only counts if it
#: is longer: many that were on their way meet the same wall.
_HOLD: Final = (
    _SLOWNESS
    + """
local key, left = KEYS[1] .. ':hold', redis.call('PTTL', KEYS[1] .. ':hold')
local asked, first, longest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local times = tonumber(redis.call('GET', KEYS[1] .. ':holds') or 0)
local length = math.max(asked, math.min(first * 2 ^ math.min(times, 30), longest))
if left > 0 then
  if asked <= left then return left end
  length = asked
else
  redis.call('SET', KEYS[1] .. ':holds', times + 1, 'PX', math.ceil(length + tonumber(ARGV[4])))
  local half = tonumber(ARGV[7])
  local slow = math.min(slowness(KEYS[1], half) * tonumber(ARGV[5]), tonumber(ARGV[6]))
  local forgotten = math.ceil(length + half * math.log(slow) / math.log(2))
  redis.call('SET', KEYS[1] .. ':slow', string.format('%.3f:%.0f', slow, now + length), 'PX', forgotten)
end
redis.call('SET', key, 1, 'PX', math.ceil(length))
return math.ceil(length)
"""
)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket by name: a token comes every so many seconds, and so many fit. With 0 seconds it can only be held."""

    name: str
    seconds: float
    fits: int = 1

    @property
    def key(self) -> str:
        """Where Redis keeps it."""
        return PREFIX + hashlib.sha256(self.name.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Wait:
    """How long to wait, and for which of the buckets."""

    length: timedelta
    bucket: Bucket | None = None

    def __bool__(self) -> bool:
        return bool(self.length)


class Limiter:
    """Takes tokens. Any number of processes may share the buckets of one Redis."""

    def __init__(self, client: redis.Redis, *, counted: Callable[[], float] = time.monotonic) -> None:
        self._take = client.register_script(_TAKE)
        self._hold = client.register_script(_HOLD)
        self._counted = counted
        self._own = _OwnBuckets(counted)
        self._alone_until = float("-inf")

    def take(self, buckets: Sequence[Bucket], *, patience: timedelta) -> Wait:
        """Take a token of each bucket, or of none; say how long to wait.

        Not longer than `patience`: the tokens are taken, the caller may act after the wait. Longer: nothing was taken.
        """
        if not buckets:
            return Wait(timedelta(0))
        longest = patience / timedelta(milliseconds=1)
        numbers = [number for one in buckets for number in (one.seconds * 1000, one.fits)]
        answer = self._ask(self._take, [one.key for one in buckets], [longest, HALF_FORGOTTEN_S * 1000, *numbers])
        wait, last = self._own.take(buckets, longest) if answer is None else (float(answer[0]), int(answer[1]) - 1)
        return Wait(timedelta(milliseconds=max(0.0, wait)), buckets[last] if wait > 0 else None)

    def hold(self, bucket: Bucket, asked: timedelta | None = None) -> timedelta:
        """Close a bucket for everyone, for as long as was asked, and longer each time; return for how long."""
        length = 0 if asked is None else asked / timedelta(milliseconds=1)
        lengths = [length, FIRST_HOLD_S * 1000, LONGEST_HOLD_S * 1000, REMEMBERED_S * 1000]
        answer = self._ask(self._hold, [bucket.key], [*lengths, SLOWER, SLOWEST, HALF_FORGOTTEN_S * 1000])
        held = max(length, FIRST_HOLD_S * 1000) if answer is None else float(answer)
        # Should Redis be lost before it has ended, those of this process still know.
        self._own.hold(bucket, held)
        return timedelta(milliseconds=held)

    def _ask(self, script: Any, keys: list[str], numbers: list[float]) -> Any:
        """Run a script; None where Redis does not answer, or did not a moment ago."""
        if self._counted() < self._alone_until:
            return None
        try:
            return script(keys=keys, args=numbers)
        except redis.RedisError as error:
            self._alone_until = self._counted() + ALONE_S
            _log.warning("limiter_alone", error=type(error).__name__)
            return None


class _OwnBuckets:
    """The buckets of one process."""

    def __init__(self, counted: Callable[[], float]) -> None:
        self._counted = counted
        self._full: dict[str, float] = {}
        self._held: dict[str, float] = {}
        self._lock = threading.Lock()

    def take(self, buckets: Sequence[Bucket], patience: float) -> tuple[float, int]:
        with self._lock:
            now = self._counted() * 1000
            full = {one.name: max(self._full.get(one.name, 0.0), now) for one in buckets}
            # One token fits into each: what the shared bucket still held is not known.
            waits = [max(full[one.name], self._held.get(one.name, 0.0)) - now for one in buckets]
            wait = max(waits)
            if wait <= patience:
                self._forget(now)
                for one in buckets:
                    self._full[one.name] = full[one.name] + one.seconds * 1000 / SHARE_ALONE
            return wait, waits.index(wait)

    def hold(self, bucket: Bucket, length: float) -> None:
        with self._lock:
            self._held[bucket.name] = max(self._held.get(bucket.name, 0.0), self._counted() * 1000 + length)

    def _forget(self, now: float) -> None:
        """Forget buckets that are full, when there are too many."""
        for known in (self._full, self._held):
            if len(known) > MAX_OWN:
                for name in [name for name, until in known.items() if until <= now]:
                    del known[name]
