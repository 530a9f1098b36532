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
from runtime.logs import logger
from services.conversing.applying import apply, event_of, wanted
from services.conversing.facts import Fact
from services.conversing.own_sends import QUEUE_NUMBER

#: Updates settled in one transaction, at most.
LIMIT: Final = 500
#: Waiting updates that one sweep looks at, at most: so many of the newest, and so many of the others in turn.
STRETCH: Final = 2_000
_log = logger(__name__)
FindAccount = Callable[[str], Account | None]


class Reconciling:
    """Settles parked updates."""

    def __init__(self, conversations: Conversations, account: FindAccount, clock: Clock) -> None:
        self._conversations = conversations
        self._account = account
        self._clock = clock
        #: The last of the waiting updates that the sweep has looked at in its round through all of them.
        self._swept_to = ""

    def after(self, arrived: Iterable[MessageKey], parked: Sequence[PendingUpdate]) -> int:
        """Settle what waited for messages that have just come, and what was just parked for messages that are here."""
        refs = {update.client_ref for update in parked if update.client_ref}
        here, ours = self._conversations.present(
            ((update.config_id, update.provider_message_id) for update in parked), refs
        )
        messages = {*arrived, *here}
        found = self._conversations.reconcilable(messages, ours) if messages or ours else []
        known = {update.id for update in found}
        # What is known by a number is looked for in the settling itself, which keeps what it does not find.
        numbered = [one for one in parked if QUEUE_NUMBER in one.payload and one.id not in known]
        return self.settle([*found, *numbered])

    def sweep(self) -> int:
        """Settle what still waits although its message is here.

        Looks at what was parked last, where nearly all such pairs are, and at one more stretch of all that waits:
        a number whose messages others send may have statuses waiting by the hundred thousand.
        """
        newest = self._conversations.parked_ids(after=None, limit=STRETCH)
        others = self._conversations.parked_ids(after=self._swept_to, limit=STRETCH)
        self._swept_to = others[-1] if len(others) == STRETCH else ""
        ids = list({*newest, *others})
        return self.settle(self._conversations.reconcilable_by_sweep(ids)) if ids else 0

    def settle(self, updates: Sequence[PendingUpdate]) -> int:
        """Apply parked updates whose message is here; return how many there were."""
        pairs = [(update, fact) for update in updates if (fact := self._fact(update)) is not None]
        for start in range(0, len(pairs), LIMIT):
            self._settle_some(pairs[start : start + LIMIT])
        return len(pairs)

    def _settle_some(self, pairs: Sequence[tuple[PendingUpdate, Fact]]) -> None:
        """Settle updates together, and where that fails in ever smaller pieces: what is poisoned waits alone."""
        try:
            self._settle([update for update, _ in pairs], [fact for _, fact in pairs])
        except Exception as error:
            if self._conversations.is_outage(error):
                raise
            if len(pairs) == 1:
                _log.error("update_not_settled", update_id=pairs[0][0].id, error=type(error).__name__, exc_info=True)
                return
            self._settle_some(pairs[: len(pairs) // 2])
            self._settle_some(pairs[len(pairs) // 2 :])

    def _settle(self, updates: Sequence[PendingUpdate], facts: Sequence[Fact]) -> None:
        def fold(batch: Batch) -> list[Closing]:
            apply(batch, facts)
            return []

        self._conversations.settle(updates, wanted(facts), fold, now=self._clock.now())

    def _fact(self, update: PendingUpdate) -> Fact | None:
        account = self._account(update.config_id)
        if account is None:
            return None
        try:
            event = event_of(update)
        except (KeyError, TypeError, ValueError) as error:
            _log.error("update_not_readable", update_id=update.id, error=type(error).__name__)
            return None
        return Fact(
            event=event,
            account=account,
            event_id=update.event_id or "",
            received_at=update.received_at,
        )
