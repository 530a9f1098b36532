"""One of the product's processes with one of its mechanisms switched off: the negative controls' wrongdoers.

    python -m tests.support.sabotage "unknown is sent again" worker

What is replaced is replaced in this process alone, before it begins; then it runs as always. Deliberately only what a
careless hand could have written: each entry is a mistake that the journeys must notice.
"""

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from redis import Redis

from api.schemas.orders import ZonedMoment
from cli.main import main
from models.message import Message
from models.store.audit import Session
from models.store.follow_ups import Fired, FollowUps
from providers.directory import AccountDirectory
from providers.outbound import ErrorKind
from runtime.settings import load_settings
from services.sending import delivering, recording, steering
from services.sending.delivering import Delivering
from services.sending.pausing import Pausing

_FIRE = FollowUps.fire
_RELOAD = AccountDirectory._reload
#: Waits of controls whose mistake shows only after several tries.
SHORTLY: Final = timedelta(milliseconds=100)
#: The key that the control of D6 cannot do without.
PLAN: Final = "hookline:plan"
_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)


def _outcome(kind: ErrorKind, taken_for: Any) -> tuple[Any, str, Any]:
    """Draw another consequence from one kind of failure."""
    return delivering, "_RECORDERS", {**delivering._RECORDERS, kind: taken_for}


def _queue_again(self: Delivering, head: Message, now: datetime) -> datetime | None:
    """Take a dead worker's message for one that was not sent."""
    if head.lease_until is not None and head.lease_until > now:
        return head.lease_until
    self._sends.put_back(head, {}, now=now)
    return None


def _load_once(self: AccountDirectory) -> None:
    """Know accounts as they were at the start."""
    if not self.has_loaded:
        _RELOAD(self)


def _fire_whatever_the_age(self: FollowUps, *, now: datetime, since: datetime, limit: int, session: Session) -> Fired:
    return _FIRE(self, now=now, since=_LONG_AGO, limit=limit, session=session)


@cache
def _planned() -> Redis:
    redis = Redis.from_url(load_settings().redis_url.reveal())
    redis.set(PLAN, "what is due, and when")
    return redis


def _fire_by_redis(self: FollowUps, *, now: datetime, since: datetime, limit: int, session: Session) -> Fired:
    """Keep the plan in Redis, made when the clock starts: what is not there any more is not due."""
    redis = _planned()
    if not redis.exists(PLAN):
        return Fired()
    return _FIRE(self, now=now, since=since, limit=limit, session=session)


def _read_without_zone(self: ZonedMoment, value: Any, *args: Any, **kwargs: Any) -> datetime:
    """Believe that everybody's clock shows our time."""
    return datetime.fromisoformat(value).replace(tzinfo=UTC)


#: Mistake -> what is replaced by what: owner, name, replacement.
SABOTAGES: Final[Mapping[str, Sequence[tuple[Any, str, Any]]]] = {
    "unknown is sent again": [_outcome(ErrorKind.UNKNOWN, Delivering._again)],
    "lost is sent again": [(Delivering, "_sending_elsewhere", _queue_again)],
    "unreachable is given up": [_outcome(ErrorKind.RETRYABLE, Delivering._failed)],
    "a throttle is an attempt": [_outcome(ErrorKind.THROTTLED, Delivering._again)],
    "no breaker": [(Pausing, "failed", lambda *_: None)],
    "what is final is tried again": [
        _outcome(ErrorKind.FINAL, Delivering._again),
        (delivering, "wait_after", lambda *_, **__: SHORTLY),
    ],
    "a bad token fails the message": [_outcome(ErrorKind.OURS, Delivering._failed)],
    "everybody is heard": [(steering, "_check", lambda *_: None)],
    "the last word wins": [(recording, "advance", lambda _known, told: told)],
    "no budget": [
        (delivering, "is_worth_another", lambda *_: True),
        (delivering, "wait_after", lambda *_, **__: SHORTLY),
    ],
    "accounts as at the start": [(AccountDirectory, "_reload", _load_once)],
    "replies are not looked at": [(FollowUps, "_answered", lambda *_: set())],
    "late is never too late": [(FollowUps, "fire", _fire_whatever_the_age)],
    "the plan is in Redis": [(FollowUps, "fire", _fire_by_redis)],
    "zones do not matter": [(ZonedMoment, "_deserialize", _read_without_zone)],
}


if __name__ == "__main__":
    for owner, name, replacement in SABOTAGES[sys.argv.pop(1)]:
        setattr(owner, name, replacement)
    main()
