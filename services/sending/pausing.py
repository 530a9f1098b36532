"""Accounts in trouble: after enough failures nothing is sent, then one message at a time tries, until one succeeds.

Two kinds of trouble: the account itself (token, permission, payment), which the first failure shows, and a vendor
that fails many messages in a row. Where trouble of the account was told by a status, of a message that the vendor had
taken, a probe that it takes ends the pause only if nothing is heard of it for an interval. Deliberately no judgement
of single messages.
"""

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from models.message import MessageError
from models.send_pause import SendPause
from models.store.pauses import Pauses
from models.whatsapp_config import Health, HealthState
from providers.outbound import ErrorKind, SendError
from runtime.clock import Clock
from runtime.logs import logger
from runtime.metrics import SEND_PAUSES
from services.auditing import Auditing

#: Failures in a row of the vendor's doing after which nothing more is sent for a while.
MANY: Final = 10
#: Failures of the account's own doing after which people are told: one may be the vendor's whim.
TOLD_AFTER: Final = 2
#: The first pause, and the longest: each probe that fails doubles it.
FIRST_PAUSE: Final = timedelta(seconds=2)
LONGEST_PAUSE: Final = timedelta(minutes=1)
#: Failures further apart are not in a row.
IN_A_ROW: Final = timedelta(minutes=10)
#: How long what is known of pauses serves, in a process.
KNOWN_FOR: Final = timedelta(milliseconds=500)
VENDOR_DOWN: Final = "vendor_down"
#: What the reason of a health begins with that sending has noted, and that a success takes back.
_NOTED: Final = "sending: "

_log = logger(__name__)


class Pausing:
    """Pauses and resumes accounts."""

    def __init__(self, pauses: Pauses, auditing: Auditing, clock: Clock) -> None:
        self._pauses = pauses
        self._auditing = auditing
        self._clock = clock
        self._known: Mapping[str, SendPause] = {}
        self._known_at: datetime | None = None
        self._lock = threading.Lock()

    def known(self) -> Mapping[str, SendPause]:
        """The accounts in trouble, as they were a moment ago."""
        with self._lock:
            now = self._clock.now()
            if self._known_at is None or now - self._known_at >= KNOWN_FOR:
                self._known, self._known_at = self._pauses.all(), now
            return self._known

    def remembered(self) -> Mapping[str, SendPause]:
        """As `known`, but not asked for anew while there are none: who sends asks before each message."""
        return self.known() if self._known else {}

    def take_probe(self, pause: SendPause) -> SendPause | None:
        """Take the one probe of an interval; the next is due when the next, longer interval has ended.

        None where another has it, or none is needed any more.
        """
        if _is_proven(pause):
            self._resume(pause.id)
            return None
        now = self._clock.now()
        taken = self._pauses.take_probe(pause, now=now, until=now + _next_interval(pause))
        self._forget()
        return taken

    def heard(self, troubles: Mapping[str, tuple[MessageError, str | None]]) -> None:
        """Take notice of trouble that statuses told of, by account. Never fails."""
        for account_id, (error, health) in troubles.items():
            try:
                self.failed(account_id, SendError(kind=ErrorKind.OURS, error=error, health=health), reported=True)
            except Exception as failure:  # noqa: BLE001  the next status or send tells it again
                _log.warning("trouble_not_noted", config_id=account_id, error=type(failure).__name__)

    def failed(self, account_id: str, error: SendError | None = None, *, reported: bool = False) -> None:
        """Count a failure: of the account, where the error says so, else of the vendor."""
        now = self._clock.now()
        ours = error is not None
        reason = (error.error.code or "ours") if error is not None else VENDOR_DOWN
        pause = self._pauses.count(account_id, reason=reason, now=now, within=IN_A_ROW, reported=reported)
        opens = pause.paused_until is None and (ours or pause.failures >= MANY)
        first = LONGEST_PAUSE if reported else interval(0)
        if opens and self._pauses.pause(account_id, now=now, until=now + first):
            SEND_PAUSES.labels("vendor_down" if not ours else (error.health if error else None) or "paused").inc()
            _log.warning("sending_paused", config_id=account_id, reason=reason, failures=pause.failures)
        if pause.failures >= (TOLD_AFTER if ours else MANY):
            self._note(account_id, HealthState((error.health if error else None) or HealthState.PAUSED), reason)
        self._forget()

    def answered(self, account_id: str) -> None:
        """Resume an account whose vendor took a message, or at least looked at it."""
        pause = self.known().get(account_id)
        if pause is None:
            return
        if pause.reported and pause.paused_until is not None:
            self._pauses.note_answer(account_id, now=self._clock.now())
            self._forget()
            return
        self._resume(account_id)

    def _resume(self, account_id: str) -> None:
        ended = self._pauses.resume(account_id)
        self._forget()
        if ended is not None and ended.paused_until is not None:
            SEND_PAUSES.labels("resumed").inc()
            _log.info("sending_resumed", config_id=account_id, reason=ended.reason)
        if ended is not None:
            self._note(account_id, HealthState.OK, None)

    def _note(self, account_id: str, state: HealthState, reason: str | None) -> None:
        """Note an account's health, audited, where it is news; what others have noted is not taken back."""
        before, now = self._pauses.health(account_id), self._clock.now()
        if before is None or before.state is state:
            return
        if state is HealthState.OK and not (before.reason or "").startswith(_NOTED):
            return
        health = Health(state=state, since=now, reason=_NOTED + reason if reason else None)
        self._auditing.audited(
            lambda session: self._pauses.set_health(account_id, health, session),
            by=None,
            verb="pause" if reason else "resume",
            entity="whatsappConfig",
            entity_id=account_id,
            before={"health": before.state.value},
            after={"health": state.value},
            reason=health.reason,
        )

    def _forget(self) -> None:
        with self._lock:
            self._known_at = None


def _is_proven(pause: SendPause) -> bool:
    """Whether nothing bad was heard of what the vendor took since, for an interval."""
    return pause.answered_at is not None and (pause.failed_at is None or pause.failed_at < pause.answered_at)


def _next_interval(pause: SendPause) -> timedelta:
    return LONGEST_PAUSE if pause.reported else interval(pause.probes + 1)


def interval(probes: int) -> timedelta:
    """How long to wait after so many probes in vain."""
    return min(FIRST_PAUSE * 2.0 ** min(probes, 10), LONGEST_PAUSE)
