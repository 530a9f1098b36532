"""One of the product's processes with one of its mechanisms switched off: the negative controls' wrongdoers.

    python -m tests.support.sabotage "unknown is sent again" worker

What is replaced is replaced in this process alone, before it begins; then it runs as always. Deliberately only what a
careless hand could have written: each entry is a mistake that the journeys must notice.
"""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final
from uuid import uuid4

from redis import Redis

from api.schemas.orders import ZonedMoment
from cli.main import main
from models.follow_up import FollowUp
from models.message import Message
from models.store.audit import Session
from models.store.codec import from_document
from models.store.follow_ups import Fired, FollowUps
from providers.directory import AccountDirectory
from providers.outbound import ErrorKind
from runtime.settings import load_settings
from services.reminding import messaging
from services.sending import delivering, recording, steering
from services.sending.delivering import Delivering
from services.sending.pacing import Pace, Pacing
from services.sending.pausing import Pausing
from workers.lookout import Lookout

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


def _fire_as_read(self: FollowUps, *, now: datetime, since: datetime, limit: int, session: Session) -> Fired:
    """Read what is due, and mark it a moment later, whoever has done so meanwhile: the moment lasts until two read."""
    due = {"isDeleted": False, "reminderSent": False, "scheduledAt": {"$gt": since, "$lte": now}}
    rows = [from_document(FollowUp, row) for row in self._rows.find(due).limit(limit)]
    if rows:
        _meet(self._rows.database["meeting"], people=2)
        self._rows.update_many({"id": {"$in": [row.id for row in rows]}}, {"$set": {"reminderSent": True}})
    return Fired(rows)


def _meet(place: Any, *, people: int, seconds: float = 60) -> None:
    """Wait until so many processes are here."""
    place.insert_one({"_id": os.getpid()})
    until = time.monotonic() + seconds
    while place.count_documents({}) < people and time.monotonic() < until:
        time.sleep(0.02)


def _die(*_: Any, **__: Any) -> None:
    os._exit(9)


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
    "what was read is fired": [(FollowUps, "fire", _fire_as_read)],
    # The first is no mistake but a death in the worst moment, and the second the mistake on top of it.
    "dies before it writes down": [(FollowUps, "settle_template", _die)],
    "dies before it writes down, and has no key": [
        (FollowUps, "settle_template", _die),
        (messaging, "idempotency_key", lambda _: uuid4().hex),
    ],
    "no pace": [(Pacing, "take", lambda *_: Pace(timedelta(0), all_chats=False))],
    "late is never too late": [(FollowUps, "fire", _fire_whatever_the_age)],
    "the plan is in Redis": [(FollowUps, "fire", _fire_by_redis)],
    "nobody looks unasked": [(Lookout, "_look", lambda _: None)],
    "zones do not matter": [(ZonedMoment, "_deserialize", _read_without_zone)],
}


if __name__ == "__main__":
    for owner, name, replacement in SABOTAGES[sys.argv.pop(1)]:
        setattr(owner, name, replacement)
    main()
