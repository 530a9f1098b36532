"""What a person may do with a message after it was queued: call it off, or ask for another attempt.

Both are decided in one transaction over the message's present state, so of many who ask at once one is heard.
Deliberately no sending.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from models.caller import Caller
from models.message import Message
from models.store.audit import Session
from models.store.batch import Batch, Wanted
from models.store.conversations import Conversations
from models.store.outboxes import Outboxes
from models.store.sending import Sends
from models.values import Direction, MessageStatus
from runtime.clock import Clock
from runtime.errors import Conflict, NotFound
from services.auditing import Auditing
from services.conversing.messages import restate
from services.sending.destinations import destination_of
from services.sending.gate import Gate
from services.sending.queueing import Wake

#: From where a message may be tried again.
RETRIABLE: Final = frozenset({MessageStatus.FAILED, MessageStatus.UNKNOWN})


class Steering:
    """Calls messages off, and tries them again."""

    def __init__(
        self,
        *,
        sends: Sends,
        outboxes: Outboxes,
        conversations: Conversations,
        gate: Gate,
        auditing: Auditing,
        clock: Clock,
        wake: Wake,
    ) -> None:
        self._sends = sends
        self._outboxes = outboxes
        self._conversations = conversations
        self._gate = gate
        self._auditing = auditing
        self._clock = clock
        self._wake = wake

    def retry(self, message_id: str, *, by: Caller | None, reason: str | None = None) -> Message:
        """Queue a message that failed, or whose fate is not known, for another attempt; audited.

        Raises:
            NotFound: there is no such message.
            Conflict: it is in another state, or its chat cannot be written to now.
        """
        message = self._sends.get(message_id)
        account, provider, _ = self._gate.account(message.config_id)

        def change(session: Session, known: Message) -> dict[str, Any]:
            _check(known, RETRIABLE, "tried again")
            chat = self._sends.chat(known.chat_id, session=session)
            to = destination_of(chat.id, self._sends.addresses(chat, session=session))
            phone, user_id = (to.phone, to.user_id) if to else (None, None)
            blocked = self._sends.is_blocked(phone=phone, user_id=user_id, session=session)
            self._gate.check_chat(chat, blocked=blocked, to=to)
            self._gate.check_window(chat, provider.window(account), [known.type], self._clock.now())
            at = self._outboxes.put(known.chat_id, known.config_id, at=self._clock.now(), session=session)
            return {
                "status": MessageStatus.QUEUED,
                "queued_at": at,
                "next_attempt_at": None,
                "lease_until": None,
                "sent_at": None,
                "failed_at": None,
                "provider_status": None,
                "error": None,
                "tries": 0,
                "provider_message_id": None,
                "attempts": _named(known),
            }

        changed = self._change(message, change, by=by, verb="retry", reason=reason)
        self._wake(changed.chat_id)
        return changed

    def cancel(self, message_id: str, *, by: Caller | None) -> Message:
        """Call off a message that is still queued; audited.

        Raises:
            NotFound: there is no such message.
            Conflict: it is not queued any more.
        """

        def change(_: Session, known: Message) -> dict[str, Any]:
            _check(known, frozenset({MessageStatus.QUEUED}), "canceled")
            return {"status": MessageStatus.CANCELED, "next_attempt_at": None}

        changed = self._change(self._sends.get(message_id), change, by=by, verb="cancel")
        # Those behind it need not wait for its time any more.
        self._wake(changed.chat_id)
        return changed

    def _change(
        self,
        message: Message,
        change: Callable[[Session, Message], dict[str, Any]],
        *,
        by: Caller | None,
        verb: str,
        reason: str | None = None,
    ) -> Message:
        def fold(batch: Batch, session: Session) -> Message:
            known = batch.by_ref.get(message.id)
            if known is None or known.entity.is_deleted:
                raise NotFound(f"There is no message {message.id}.")
            before = known.entity.status
            restate(batch, known, **change(session, known.entity))
            batch.audit.append(
                self._auditing.entry(
                    by=by,
                    verb=verb,
                    entity="message",
                    entity_id=message.id,
                    before={"status": before.value},
                    after={"status": known.entity.status.value},
                    reason=reason,
                )
            )
            return known.entity

        return self._conversations.change(Wanted(refs={message.id}), fold, now=self._clock.now())


def _check(message: Message, wanted: frozenset[MessageStatus], what: str) -> None:
    if message.direction is not Direction.OUTBOUND or message.status not in wanted:
        raise Conflict(f"A message that is {message.status} cannot be {what}.")


def _named(message: Message) -> list[Any]:
    """The attempts so far; the last keeps the vendor's id of what it sent, since the message's is the next one's."""
    attempts = message.attempts or []
    if not attempts or message.provider_message_id is None:
        return attempts
    return [*attempts[:-1], replace(attempts[-1], provider_message_id=message.provider_message_id)]
