"""Bringing updates and their messages together when they were stored apart.

A transaction that stores a message cannot see the update another one is parking at that moment, and the other way
round. So each side looks again after its own commit: whichever is later sees both. Should it die in
between, the timetable does the same. Deliberately no second set of rules: parked updates are folded like any other.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from models.pending_update import PendingUpdate
from models.store.batch import Batch, MessageKey
from models.store.conversations import Conversations
from models.store.webhook_events import Closing
from providers.base import Account
from runtime.clock import Clock
from services.conversing.applying import apply, event_of, wanted
from services.conversing.facts import Fact

#: Updates settled in one transaction, at most.
LIMIT: Final = 500
FindAccount = Callable[[str], Account | None]


class Reconciling:
    """Settles parked updates."""

    def __init__(self, conversations: Conversations, account: FindAccount, clock: Clock) -> None:
        self._conversations = conversations
        self._account = account
        self._clock = clock

    def after(self, arrived: Iterable[MessageKey], parked: Sequence[PendingUpdate]) -> int:
        """Settle what waited for messages that have just come, and what was just parked for messages that are here."""
        messages = {*arrived, *((update.config_id, update.provider_message_id) for update in parked)}
        refs = [update.client_ref for update in parked if update.client_ref]
        if not messages:
            return 0
        return self.settle(self._conversations.reconcilable(messages, refs))

    def sweep(self) -> int:
        """Settle whatever still waits although its message is here."""
        return self.settle(self._conversations.reconcilable_by_sweep(limit=LIMIT))

    def settle(self, updates: Sequence[PendingUpdate]) -> int:
        """Apply parked updates whose message is here; return how many there were."""
        pairs = [(update, fact) for update in updates if (fact := self._fact(update)) is not None]
        for start in range(0, len(pairs), LIMIT):
            some, facts = zip(*pairs[start : start + LIMIT], strict=True)
            self._settle(some, facts)
        return len(pairs)

    def _settle(self, updates: Sequence[PendingUpdate], facts: Sequence[Fact]) -> None:
        def fold(batch: Batch) -> list[Closing]:
            apply(batch, facts)
            return []

        self._conversations.settle(updates, wanted(facts), fold, now=self._clock.now())

    def _fact(self, update: PendingUpdate) -> Fact | None:
        account = self._account(update.config_id)
        if account is None:
            return None
        return Fact(
            event=event_of(update),
            account=account,
            event_id=update.event_id or "",
            received_at=update.received_at,
        )
