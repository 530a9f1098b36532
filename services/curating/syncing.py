"""Bringing our templates in step with the vendors': new ones added, changed ones told, vanished ones marked.

A page is applied as it comes, in one transaction; what is missing is marked only when the whole list was read. A word
of a webhook that is younger than the page counts more (`telling`), so that two synchronisations at once, or one beside
webhooks, end in the same rows. Deliberately no removal: a template that comes back is itself again, with its counts.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from models.ids import new_id
from models.store.batch import Batch, TemplateKey, Tracked, Wanted
from models.store.codec import to_document
from models.store.conversations import Conversations
from models.store.templates import Templates
from models.template import Template, TemplateStatus
from providers.base import Account
from providers.outbound import ErrorKind, SendError, TemplateBook, TemplatePage
from runtime.calls import CallError
from runtime.clock import Clock
from runtime.errors import HooklineError, Invalid
from runtime.logs import logger
from runtime.metrics import TEMPLATE_SYNCS, TEMPLATES_SYNCED
from services.curating.telling import LAG, VANISHED, is_vanished, tell
from services.curating.vendor import Vendors

#: How often an account's templates are synchronised by themselves.
EVERY: Final = timedelta(hours=1)
#: Pages of one account, at most; a list that is longer goes in circles.
MAX_PAGES: Final = 1_000
#: How often a page is asked for before the synchronisation is broken off.
TRIES: Final = 3
#: What pages say by our field names; anything else is kept as the vendor's own.
_FIELDS: Final = frozenset(
    {
        "status",
        "category",
        "components",
        "content",
        "parameter_format",
        "quality",
        "rejection_reason",
        "variables",
        "whatsapp_template_id",
        "whatsapp_template_name",
    }
)
#: Fields that change with every synchronisation and say nothing about the template.
_STAMPS: Final = frozenset({"toldAt", "lastSyncAt"})
_PASSING: Final = frozenset({ErrorKind.RETRYABLE, ErrorKind.UNKNOWN})

_log = logger(__name__)
Row = Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class Synced:
    """What came of an account's synchronisation; `reason` says why it was broken off, the counts what had been done."""

    config_id: str
    provider: str
    reason: str | None = None
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    restored: int = 0
    vanished: int = 0


class _BrokenOff(HooklineError):
    """A list that cannot be read to its end now."""


class _Passing(_BrokenOff):
    """… but perhaps a moment later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """An account opened for use, and when its templates were last synchronised."""

    account: Account
    last_sync_at: datetime | None = None


class Syncing:
    """Synchronises templates."""

    def __init__(
        self,
        *,
        connected: Callable[[], Sequence[Connected]],
        vendors: Vendors,
        templates: Templates,
        conversations: Conversations,
        clock: Clock,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connected = connected
        self._vendors = vendors
        self._templates = templates
        self._conversations = conversations
        self._clock = clock
        self._pause = pause

    def sync(self, config_id: str | None = None) -> list[Synced]:
        """Synchronise all accounts whose vendor has templates, or one; a failing one does not keep the others."""
        return self._run(one for one in self._connected() if config_id in {None, one.account.id})

    def due(self) -> list[Synced]:
        """Synchronise the accounts whose turn it is, new ones among them."""
        before = self._clock.now() - EVERY
        return self._run(one for one in self._connected() if one.last_sync_at is None or one.last_sync_at <= before)

    def _run(self, accounts: Iterator[Connected]) -> list[Synced]:
        books = ((one.account, self._vendors.book(one.account)) for one in accounts)
        return [self._one(account, book) for account, book in books if book is not None]

    def _one(self, account: Account, book: TemplateBook) -> Synced:
        synced = Synced(config_id=account.id, provider=account.provider)
        began = self._clock.now()
        try:
            for asked, page in self._pages(account, book):
                self._note(synced, self._take(account, page.templates, asked))
            self._note(synced, self._mark_vanished(account, began))
        except _BrokenOff as error:
            synced.reason = str(error)
            _log.warning("templates_not_synced", config_id=account.id, reason=synced.reason)
        TEMPLATE_SYNCS.labels(account.provider, "failed" if synced.reason else "done").inc()
        return synced

    def _pages(self, account: Account, book: TemplateBook) -> Iterator[tuple[datetime, TemplatePage]]:
        """Read the list page by page, each with the moment at which it was asked for.

        Raises:
            _BrokenOff: it cannot be read to its end.
        """
        cursor: str | None = None
        seen: set[str | None] = set()
        while cursor not in seen and len(seen) < MAX_PAGES:
            seen.add(cursor)
            asked = self._clock.now()
            page = self._page(account, book, cursor)
            yield asked, page
            if page.next is None:
                return
            cursor = page.next
        raise _BrokenOff("the list has no end")

    def _page(self, account: Account, book: TemplateBook, cursor: str | None) -> TemplatePage:
        again = Retrying(
            retry=retry_if_exception_type(_Passing),
            stop=stop_after_attempt(TRIES),
            wait=wait_random_exponential(multiplier=0.5, max=5),
            sleep=self._pause,
            reraise=True,
        )
        return again(self._page_once, account, book, cursor)

    def _page_once(self, account: Account, book: TemplateBook, cursor: str | None) -> TemplatePage:
        try:
            request = book.page(account, base_url=self._vendors.base_url(account), cursor=cursor)
            answer = self._vendors.ask(request)
        except Invalid as error:
            raise _BrokenOff(f"the account cannot be asked: {error}") from None
        except CallError as error:
            raise _Passing(f"the vendor cannot be reached ({error.reason})") from None
        found = book.read_at(answer, cursor=cursor)
        if isinstance(found, SendError):
            kind = _Passing if found.kind in _PASSING else _BrokenOff
            raise kind(f"the vendor refused: {found.error.code or answer.status} {found.error.message or ''}".strip())
        return found

    def _take(self, account: Account, rows: Sequence[Row], asked: datetime) -> Counter[str]:
        """Apply a page in one transaction."""
        named = [(key, row) for row in rows if (key := _key(account, row)) is not None]
        now = self._clock.now()
        return self._conversations.change(
            Wanted(templates={key for key, _ in named}),
            lambda batch, _: Counter(_taken(batch, key, row, asked) for key, row in named),
            now=now,
        )

    def _mark_vanished(self, account: Account, began: datetime) -> Counter[str]:
        """Mark those that the whole list lacked, and note that it was read."""
        unseen = self._templates.unseen(account.id, made_before=began - LAG, met_before=began)
        removed = self._templates.removed(account.id, [name for _, name, _ in unseen])

        def fold(batch: Batch, _: object) -> Counter[str]:
            if account.id in batch.configs:
                batch.configs[account.id].set(last_sync_at=began)
            known = ((key in removed, batch.templates[key]) for key in unseen if key in batch.templates)
            return Counter(vanished=sum(_vanished(one, began, was_removed=ours) for ours, one in known))

        wanted = Wanted(templates=set(unseen), configs={account.id})
        return self._conversations.change(wanted, fold, now=self._clock.now())

    def _note(self, synced: Synced, counts: Counter[str]) -> None:
        for outcome, count in counts.items():
            setattr(synced, outcome, getattr(synced, outcome) + count)
            TEMPLATES_SYNCED.labels(synced.provider, outcome).inc(count)


def _key(account: Account, row: Row) -> TemplateKey | None:
    name = row.get("name")
    return (account.id, str(name), str(row.get("language") or "")) if name else None


def _taken(batch: Batch, key: TemplateKey, row: Row, asked: datetime) -> str:
    """Take the vendor's word on one template; say what that did."""
    known = batch.templates.get(key)
    is_new = known is None
    known = known or batch.add_template(key, _new(key))
    was_vanished, before = is_vanished(known.entity), _content(known)
    tell(known, _told(row), at=asked - LAG)
    if known.entity.last_sync_at is None or asked > known.entity.last_sync_at:
        known.set(last_sync_at=asked)
    if is_new:
        return "added"
    if was_vanished and not is_vanished(known.entity):
        return "restored"
    return "unchanged" if _content(known) == before else "changed"


def _told(row: Row) -> dict[str, Any]:
    """Bring a page's row under our field names; a reason for rejection that is not told is none any more."""
    own = {
        name: value for name, value in row.items() if name not in {*_FIELDS, "name", "language"} and value is not None
    }
    told = {name: value for name, value in row.items() if name in _FIELDS}
    return {"rejection_reason": None, **told, **({"metadata": own} if own else {})}


def _new(key: TemplateKey) -> Template:
    config_id, name, language = key
    return Template(
        id=new_id("tpl"),
        config_id=config_id,
        name=name,
        whatsapp_template_name=name,
        language=language or None,
        status=TemplateStatus.PENDING,
    )


def _vanished(known: Tracked[Template], began: datetime, *, was_removed: bool) -> bool:
    """Mark a template unless another synchronisation has met it, or a webhook spoken of it, meanwhile.

    One that we had removed stood here again because the vendor told of its end: it goes for good.
    """
    marked = not is_vanished(known.entity) and bool(tell(known, {"status": TemplateStatus.DISABLED}, at=began - LAG))
    if marked:
        known.set(rejection_reason=VANISHED)
    if was_removed and is_vanished(known.entity):
        known.set(is_deleted=True, deleted_at=began)
    return marked and not was_removed


def _content(known: Tracked[Template]) -> dict[str, Any]:
    return {name: value for name, value in to_document(known.entity).items() if name not in _STAMPS}
