"""Reading a stored webhook: parse it, find whom its parts are for, and judge whether its signer may speak for them.

Deliberately no writing: the result is a row of parts, each a fact to apply or a verdict that there is none.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from models.store.webhook_events import Closing
from models.values import EventStatus, Outcome
from models.webhook_event import EventItem, WebhookEvent, event_type_of, status_of
from providers.base import Account, Delivery, Provider
from providers.directory import AccountDirectory
from providers.events import (
    AccountChanged,
    ContactSynced,
    Event,
    IdentityLinked,
    Ignored,
    Malformed,
    MessageArrived,
    MessageEdited,
    MessageRevoked,
    PreferenceChanged,
    ReactionChanged,
    StatusChanged,
    TemplateChanged,
)
from providers.wire import holds_more
from runtime.errors import Unavailable
from runtime.logs import logger
from services.conversing.facts import Fact, Verdict, ignored

#: What each kind of event is called in `items`, in `eventType` and in metrics.
KINDS: Final[Mapping[type[Event], str]] = {
    MessageArrived: "message",
    StatusChanged: "status",
    ReactionChanged: "reaction",
    MessageEdited: "edit",
    MessageRevoked: "revoke",
    IdentityLinked: "identity",
    ContactSynced: "contact",
    PreferenceChanged: "preference",
    TemplateChanged: "template",
    AccountChanged: "account",
    Ignored: "ignored",
    Malformed: "malformed",
}
#: The webhook was signed for an account that is not the one it speaks of, and shares no secret with it.
FOREIGN: Final = "foreign_account"
#: The webhook speaks of a number we have no account for; it can be replayed once there is one.
UNKNOWN: Final = "unknown_account"
#: The webhook is of a vendor whose dialect this worker does not speak: an older one, during a rolling upgrade.
UNSPOKEN: Final = "unknown_provider"
#: Parts of one delivery, at most. The vendors' largest (3 MB of synced history) hold fewer; what becomes of each is
#: written into the row, and the row must stay a document.
MAX_PARTS: Final = 20_000
#: Objects, lists and elements of lists in one delivery, at most: it is parsed only if it holds no more. A message of
#: the largest holds some five.
MAX_VALUES: Final = 10 * MAX_PARTS

_log = logger(__name__)
RetainUntil = Callable[[EventStatus, datetime], datetime]


@dataclass(slots=True)
class Part:
    """One event of a row: a fact to apply, or the verdict that there is none."""

    event: Event
    fact: Fact | None = None
    verdict: Verdict | None = None


@dataclass(slots=True)
class Row:
    """A claimed webhook and its parts."""

    event: WebhookEvent
    parts: list[Part] = field(default_factory=list)

    @property
    def facts(self) -> list[Fact]:
        """What is to be applied."""
        return [part.fact for part in self.parts if part.fact is not None]


class Reader:
    """Reads stored webhooks of all vendors."""

    def __init__(self, *, providers: Mapping[str, Provider], directory: AccountDirectory) -> None:
        self._providers = providers
        self._directory = directory

    def refresh_for(self, events: Sequence[WebhookEvent]) -> None:
        """Make sure that the accounts which verified these webhooks are known here too.

        Raises:
            Unavailable: the accounts cannot be read, so nobody can say now whose these webhooks are.
        """
        unknown = any(event.config_id and self._directory.by_id(event.config_id) is None for event in events)
        if unknown and not self._directory.refresh(older_than=0):
            raise Unavailable("the accounts cannot be read")

    def read(self, event: WebhookEvent) -> Row:
        """Parse a webhook and route its parts."""
        provider = self._providers.get(event.provider)
        if provider is None:
            return set_aside(event, UNSPOKEN)
        if holds_more(event.raw_body, MAX_VALUES):
            return set_aside(event, "too_many_parts")
        found = self._parse(provider, event)
        if len(found) > MAX_PARTS:
            return set_aside(event, f"too_many_parts: {len(found)}")
        return Row(event, [part for item in found for part in self._route(event, provider, item)])

    def account(self, account_id: str) -> Account | None:
        """Find an account by id."""
        return self._directory.by_id(account_id)

    def provider(self, name: str) -> Provider:
        """Find a dialect by its stored name."""
        return self._providers[name]

    def _parse(self, provider: Provider, event: WebhookEvent) -> list[Event]:
        delivery = Delivery(
            body=event.raw_body,
            content_type=event.content_type or "",
            query=event.query or "",
            headers=event.headers,
        )
        try:
            return provider.parse(delivery)
        except Exception as error:  # noqa: BLE001  a parser is total; should one fail, the row says so and can be replayed
            _log.error("parser_crashed", event_id=event.id, error=type(error).__name__, exc_info=True)
            return [Malformed(account=None, path="", key="", reason=f"parser_error: {type(error).__name__}")]

    def _route(self, row: WebhookEvent, provider: Provider, event: Event) -> Iterator[Part]:
        if isinstance(event, Malformed):
            yield Part(event, verdict=Verdict(outcome=Outcome.FAILED, reason=event.reason))
            return
        if isinstance(event, Ignored):
            yield Part(event, verdict=ignored(event.reason))
            return
        accounts = self._accounts(row, provider, event)
        if not accounts and self._directory.refresh():
            # Another process may have added the account a moment ago.
            accounts = self._accounts(row, provider, event)
        allowed = [account for account in accounts if self._directory.speaks_for(row.config_id or "", account)]
        if not allowed:
            yield Part(event, verdict=ignored(FOREIGN if accounts else UNKNOWN))
        for account in allowed:
            yield Part(event, fact=_fact(row, provider, event, account))

    def _accounts(self, row: WebhookEvent, provider: Provider, event: Event) -> Sequence[Account]:
        """The accounts an event is for: those its key names, else the one that verified the webhook."""
        if event.account is None:
            own = self._directory.by_id(row.config_id or "")
            return [own] if own else []
        named = self._directory.named(provider, event.account)
        if event.shared or len(named) < 2:
            return named
        return [next((account for account in named if account.id == row.config_id), named[0])]


def closing(row: Row, applied: Iterator[Verdict], *, now: datetime, retention: RetainUntil) -> Closing:
    """Say how a row ends; `applied` yields the verdicts on its facts, in order."""
    verdicts = [part.verdict if part.fact is None and part.verdict else next(applied) for part in row.parts]
    items = [_item(part.event, verdict) for part, verdict in zip(row.parts, verdicts, strict=True)]
    items = _remembering(row.event.items, items)
    status = status_of(item.outcome for item in items)
    only = verdicts[0] if len(verdicts) == 1 else None
    reasons = dict.fromkeys(
        item.reason for item in items if item.outcome in {Outcome.FAILED, Outcome.IGNORED} and item.reason
    )
    return Closing(
        id=row.event.id,
        generation=row.event.generation,
        status=status,
        items=items,
        event_type=event_type_of(item.kind for item in items) or "ignored",
        error="; ".join(list(reasons)[:5]) if status is not EventStatus.PROCESSED and reasons else None,
        chat_id=only.chat_id if only else None,
        message_id=only.message_id if only else None,
        processed_at=now,
        expires_at=retention(status, now),
    )


def set_aside(event: WebhookEvent, reason: str) -> Row:
    """A row that cannot be brought to its end: it fails whole, for a person to look at."""
    nothing = Malformed(account=None, path="", key="", reason=reason)
    return Row(event, [Part(nothing, verdict=Verdict(outcome=Outcome.FAILED, reason=reason))])


def _fact(row: WebhookEvent, provider: Provider, event: Event, account: Account) -> Fact:
    return Fact(
        event=event,
        account=account,
        event_id=row.id,
        received_at=row.received_at,
        service_window=provider.window(account),
    )


def _item(event: Event, verdict: Verdict) -> EventItem:
    return EventItem(
        index=event.path,
        kind=KINDS[type(event)],
        key=event.key or None,
        outcome=verdict.outcome,
        reason=verdict.reason,
        message_id=verdict.message_id,
        chat_id=verdict.chat_id,
    )


def _remembering(before: Sequence[EventItem], now: Sequence[EventItem]) -> list[EventItem]:
    """On a replay, what was applied then stays applied although it is a repetition now."""
    applied = {(item.index, item.key) for item in before if item.outcome is Outcome.APPLIED}
    for item in now:
        if item.outcome is Outcome.DUPLICATE and (item.index, item.key) in applied:
            item.outcome = Outcome.APPLIED
    return list(now)
