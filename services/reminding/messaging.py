"""The message template that may go with a reminder: queued once for each time a follow-up is scheduled.

Firing marks the row, this pass hands the message on under a key made of the follow-up and its due time: whoever dies
between the two is repeated by the next clock, and the key makes the repetition the same message. Deliberately no
sending: what the vendor is sent, and when, is `services.sending`'s.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from models.follow_up import FollowUp, ReminderStep, idempotency_key
from models.store.follow_ups import FollowUps
from runtime.clock import Clock
from runtime.errors import Conflict, Forbidden, HooklineError, Invalid, NotFound
from runtime.logs import logger
from runtime.metrics import FOLLOW_UPS
from services.sending.queueing import ANSWERED

#: Messages handed on in one turn, at most.
LIMIT: Final = 500
#: How long one who began may take before another tries.
LEASE: Final = timedelta(minutes=1)
#: How often queueing is begun before it counts as failed.
MAX_ATTEMPTS: Final = 10
#: Errors that say the message is wrong, not that the moment is.
_REFUSALS: Final = (Invalid, Conflict, NotFound, Forbidden)

_log = logger(__name__)


class QueueTemplate(Protocol):
    """Queues a template message to a chat's customer."""

    def __call__(
        self,
        *,
        chat_id: str,
        name: str,
        language: str | None,
        values: Mapping[str, Any],
        idempotency_key: str,
        silent_since: datetime | None,
    ) -> str:
        """Queue the message and return our id of it; the same key queues one message, however often it is used.

        With `silent_since` it is not queued should the customer have written since: Conflict `answered`.

        Raises:
            Invalid, Conflict, NotFound, Forbidden: the message cannot be sent, now or later.
        """
        ...


class Messaging:
    """Hands on the messages of reminders that fired."""

    def __init__(
        self, follow_ups: FollowUps, clock: Clock, queue: QueueTemplate, *, late: timedelta = timedelta(days=1)
    ) -> None:
        self._follow_ups = follow_ups
        self._clock = clock
        self._queue = queue
        #: How long after its reminder a message may still be begun with.
        self._late = late

    def due(self) -> int:
        """Queue the messages of the reminders that fired; return how many."""
        now = self._clock.now()
        until = now + LEASE
        queued = 0
        for found in self._follow_ups.templates_due(now=now, limit=LIMIT):
            if self._follow_ups.claim_template(found, until=until):
                queued += self._hand_on(found, until=until, now=now)
        return queued

    def _hand_on(self, found: FollowUp, *, until: datetime, now: datetime) -> bool:
        outcome = self._outcome(found)
        if outcome is None:
            return False
        self._follow_ups.settle_template(found, until=until, outcome=outcome, now=now)
        state = outcome["state"]
        FOLLOW_UPS.labels(f"message_{state.value}").inc()
        _log.info("reminder_message", follow_up_id=found.id, state=state.value, message_id=outcome.get("message_id"))
        return bool(state is ReminderStep.QUEUED)

    def _outcome(self, found: FollowUp) -> dict[str, Any] | None:
        """Queue one message and say what came of it; None where that is to be tried again later."""
        template = found.template
        if template is None:
            return {"state": ReminderStep.FAILED, "error": "not_found"}
        if not template.attempts and self._is_too_late(found):
            return {"state": ReminderStep.DROPPED, "error": "too_late"}
        try:
            message_id = self._queue(
                chat_id=found.chat_id,
                name=template.name,
                language=template.language,
                values=template.values,
                idempotency_key=idempotency_key(found),
                silent_since=found.silent_since,
            )
        except _REFUSALS as error:
            reason = _reason(error)
            return {"state": ReminderStep.DROPPED if reason == ANSWERED else ReminderStep.FAILED, "error": reason}
        except Exception as error:  # noqa: BLE001  one message's trouble is not the others'
            _log.warning("reminder_message_not_queued", follow_up_id=found.id, error=type(error).__name__)
            given_up = template.attempts + 1 >= MAX_ATTEMPTS
            return {"state": ReminderStep.FAILED, "error": "not_queued"} if given_up else None
        return {"state": ReminderStep.QUEUED, "message_id": message_id}

    def _is_too_late(self, found: FollowUp) -> bool:
        """Whether no clock has come to this message for so long that customers would wonder at it."""
        return found.reminder_sent_at is not None and self._clock.now() - found.reminder_sent_at > self._late


def _reason(error: HooklineError) -> str:
    """Say in a stable word, and with the fields concerned, why a message cannot be sent."""
    if isinstance(error, Conflict):
        return error.code
    if isinstance(error, Invalid):
        return f"invalid: {', '.join(sorted(error.fields))}" if error.fields else "invalid"
    return "not_found" if isinstance(error, NotFound) else "forbidden"
