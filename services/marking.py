"""What has been read, and telling the customer's vendor so: read receipts and typing indicators.

Marking is ours and exact; telling is a courtesy: it follows by itself, may be lost with a worker, and never stands in
anybody's way. Deliberately never for blocked senders, and not at all where a setting says so, typing included: every
vendor's typing indicator is a read receipt too.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final, Protocol

from models.caller import Caller
from models.chat import Chat
from models.message import Message
from models.store.read_marks import ReadMarks
from providers.base import Account, Provider
from providers.outbound import ErrorKind, Sender
from runtime.calls import CallError, HttpAnswer, HttpRequest, NotSent
from runtime.clock import Clock
from runtime.errors import Invalid
from runtime.limiter import Bucket, Limiter
from runtime.logs import logger
from runtime.metrics import RECEIPTS

#: How long a vendor may take to answer.
DEADLINE: Final = timedelta(seconds=10)
#: Vendors take receipts only for messages younger than this.
YOUNGER_THAN: Final = timedelta(days=30)
#: How often a receipt is tried, and how long to wait in between.
TRIES: Final = 3
PAUSE: Final = timedelta(seconds=30)
#: A receipt that waits for longer than its ring can take is rung for again.
RING_AGAIN_AFTER: Final = timedelta(seconds=3)
#: Chats rung for in one turn, at most.
LIMIT: Final = 500
#: A typing indicator is shown for this long (25 s) and longer; asked for again before, it is left alone.
TYPING_EVERY: Final = timedelta(seconds=20)

_log = logger(__name__)
Ring = Callable[[Sequence[str]], None]


class Calls(Protocol):
    """Makes HTTP calls (`runtime.outgoing.Outgoing`)."""

    def call(self, request: HttpRequest, *, deadline: timedelta) -> HttpAnswer:
        """Make a call and wait for its answer.

        Raises:
            CallError: there is none.
        """
        ...


class Marking:
    """Marks chats and messages as read."""

    def __init__(
        self, marks: ReadMarks, clock: Clock, *, receipts: bool, ring: Ring, ring_typing: Ring, limiter: Limiter
    ) -> None:
        self._marks = marks
        self._clock = clock
        self._receipts = receipts
        self._ring = ring
        self._ring_typing = ring_typing
        self._limiter = limiter

    def mark(self, chat_id: str, *, message_id: str | None = None, by: Caller) -> int:
        """Mark a chat, or one of its messages, as read; return how many messages had not been. Twice is once."""
        marked = self._marks.mark(
            chat_id, message_id=message_id, agent_id=by.agent_id, receipt=self._receipts, now=self._clock.now()
        )
        if marked and self._receipts:
            _try_to_ring(self._ring, chat_id)
        return marked

    def typing(self, chat_id: str) -> bool:
        """Let the customer see that somebody types; say whether that was passed on. Never fails."""
        shown = Bucket(f"typing:{chat_id}", TYPING_EVERY.total_seconds())
        if not self._receipts or self._limiter.take([shown], patience=timedelta(0)).length:
            return False
        return _try_to_ring(self._ring_typing, chat_id)

    def sweep(self) -> int:
        """Ring for receipts whose ring was lost; return how many."""
        due = self._marks.receipts_due(now=self._clock.now() - RING_AGAIN_AFTER, limit=LIMIT)
        if due:
            self._ring(due)
        return len(due)


class Telling:
    """Tells vendors."""

    def __init__(
        self,
        marks: ReadMarks,
        clock: Clock,
        *,
        account: Callable[[str], Account | None],
        providers: Mapping[str, Provider],
        calls: Calls,
        base_url: Callable[[Account], str],
    ) -> None:
        self._marks = marks
        self._clock = clock
        self._account = account
        self._providers = providers
        self._calls = calls
        self._base_url = base_url

    def receipts(self, chat_ids: Sequence[str]) -> int:
        """Send the receipts of these chats (or, given none, any that are due); return how many were taken."""
        now = self._clock.now()
        wanted = chat_ids or self._marks.receipts_due(now=now, limit=LIMIT)
        return sum(self._receipt(chat_id) for chat_id in wanted)

    def typing(self, chat_ids: Sequence[str]) -> int:
        """Show customers of these chats that somebody types; return how often that was taken."""
        found = (self._marks.newest_inbound(chat_id) for chat_id in chat_ids)
        outcomes = [self._tell(chat, message, typing=True) for chat, message in filter(None, found)]
        for outcome in outcomes:
            RECEIPTS.labels("typing", outcome).inc()
        return outcomes.count("taken")

    def _receipt(self, chat_id: str) -> bool:
        receipt = self._marks.claim_receipt(chat_id, now=self._clock.now())
        if receipt is None:
            return False
        found = self._marks.told_of(receipt)
        outcome = self._tell(*found, typing=False) if found else "too_late"
        if outcome == "again" and receipt.attempts + 1 < TRIES:
            now = self._clock.now()
            self._marks.put_receipt_back(receipt, due=now + PAUSE, now=now)
        RECEIPTS.labels("read", outcome).inc()
        return outcome == "taken"

    def _tell(self, chat: Chat, message: Message, *, typing: bool) -> str:
        """Tell the vendor, and say in one word what came of it. Never fails: a courtesy is nobody's trouble."""
        try:
            spoken = self._request(chat, message, typing=typing)
            answer = self._calls.call(spoken[1], deadline=DEADLINE) if spoken else None
        except Invalid:
            return "not_spoken"
        except CallError as error:
            _log.info("vendor_not_told", chat_id=chat.id, reason=error.reason)
            return "again" if isinstance(error, NotSent) else "unanswered"
        if spoken is None or answer is None:
            return "not_spoken"
        refusal = spoken[0].taken(answer)
        if refusal is None:
            return "taken"
        _log.info("vendor_refused_receipt", chat_id=chat.id, kind=refusal.kind.value, code=refusal.error.code)
        return "again" if refusal.kind in {ErrorKind.RETRYABLE, ErrorKind.THROTTLED} else "refused"

    def _request(self, chat: Chat, message: Message, *, typing: bool) -> tuple[Sender, HttpRequest] | None:
        """Build the call, with whom to ask what its answer means; None where the vendor has no such call."""
        account = self._account(chat.config_id)
        provider = self._providers.get(account.provider) if account else None
        if account is None or provider is None or provider.sender is None or not self._is_fit(message):
            return None
        sender = provider.sender.for_account(account)
        request = sender.mark_read(account, base_url=self._base_url(account), message=message, typing=typing)
        return (sender, request) if request else None

    def _is_fit(self, message: Message) -> bool:
        """Whether vendors take a receipt for a message: an inbound one of a person, and not too old."""
        young = self._clock.now() - message.timestamp < YOUNGER_THAN
        return young and bool(message.provider_message_id) and message.group_id is None


def _try_to_ring(ring: Ring, chat_id: str) -> bool:
    """Wake a worker; a ring that fails is the sweep's business, or nobody's."""
    try:
        ring([chat_id])
    except Exception as error:  # noqa: BLE001  the queue may be away; what was asked for is done or unimportant
        _log.info("not_rung", chat_id=chat_id, error=type(error).__name__)
        return False
    return True
