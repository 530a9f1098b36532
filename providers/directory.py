"""Who is who: the live accounts, found by id, by the vendor's own names, or by vendor.

A snapshot with a short life, refreshed in the background; when the loader fails the last good one stays,
so a lost database does not turn valid webhooks away. Deliberately no database here: the loader is given.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from providers.base import Account, Provider
from providers.events import AccountKey
from runtime.logs import logger

#: Loads that requests may ask for at once: an account or secret of a moment ago is found without waiting.
SPARE_LOADS: Final = 20
#: Loads that become spare again each second, however many wrong signatures ask for one.
LOADS_PER_S: Final = 4.0
#: How long a request may wait (s) for a snapshot that another request is loading.
REFRESH_PATIENCE_S: Final = 1.0

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The accounts as they were at one moment, indexed."""

    by_id: Mapping[str, Account] = field(default_factory=dict)
    by_provider: Mapping[str, tuple[Account, ...]] = field(default_factory=dict)
    by_key: Mapping[tuple[str, AccountKey], tuple[Account, ...]] = field(default_factory=dict)


def index(accounts: Iterable[Account], providers: Mapping[str, Provider]) -> Snapshot:
    """Index accounts; the oldest first, so that every process chooses the same one."""
    ordered = sorted((a for a in accounts if a.provider in providers), key=lambda account: account.id)
    by_provider: dict[str, list[Account]] = defaultdict(list)
    by_key: dict[tuple[str, AccountKey], list[Account]] = defaultdict(list)
    for account in ordered:
        by_provider[account.provider].append(account)
        for key in providers[account.provider].account_keys(account):
            by_key[account.provider, key].append(account)
    return Snapshot(
        by_id={account.id: account for account in ordered},
        by_provider={name: tuple(found) for name, found in by_provider.items()},
        by_key={key: tuple(found) for key, found in by_key.items()},
    )


class AccountDirectory:
    """Finds accounts in a snapshot that is at most `ttl` old while the loader works.

    `has_loaded` is false until there has been any: then nobody can say yet who is known here.
    """

    def __init__(
        self,
        load: Callable[[], Sequence[Account]],
        *,
        providers: Mapping[str, Provider],
        ttl: timedelta,
    ) -> None:
        self._load = load
        self._providers = providers
        self._ttl = ttl
        self._snapshot = Snapshot()
        #: When the last load began, and when the one began that the snapshot is from.
        self._loaded_at = self._true_at = float("-inf")
        self._loading = threading.Lock()
        self._spare = float(SPARE_LOADS)
        self._counted_at = time.monotonic()
        self.has_loaded = False

    def by_id(self, account_id: str) -> Account | None:
        """Find an account by our id."""
        return self._snapshot.by_id.get(account_id)

    def of_provider(self, provider: Provider) -> tuple[Account, ...]:
        """All accounts of a vendor, oldest first."""
        return self._snapshot.by_provider.get(provider.name, ())

    def named(self, provider: Provider, key: AccountKey) -> tuple[Account, ...]:
        """The accounts a vendor means by one of its names; by a wider one where nobody has that."""
        found = self._snapshot.by_key.get((provider.name, key), ())
        return self.named(provider, key.wider) if not found and key.wider else found

    def candidates(
        self, provider: Provider, *, account_id: str | None, keys: Iterable[AccountKey]
    ) -> tuple[Account, ...]:
        """Choose whose secrets may have signed a request.

        The account of the URL alone; else those the body names, so that one tenant's valid secret does not
        speak for another's number; else, where it names none of ours, any account of the vendor.
        """
        if account_id is not None:
            account = self.by_id(account_id)
            return (account,) if account is not None and account.provider == provider.name else ()
        named = {account.id: account for key in keys for account in self.named(provider, key)}
        return tuple(named[key] for key in sorted(named)) or self.of_provider(provider)

    def speaks_for(self, verifier_id: str, account: Account) -> bool:
        """Say whether a webhook verified with one account's secret may change another account.

        It may where both hold a common webhook secret: one vendor app serves many numbers.
        """
        if verifier_id == account.id:
            return True
        verifier = self.by_id(verifier_id)
        if verifier is None or verifier.provider != account.provider:
            return False
        field_name = self._providers[account.provider].webhook_secret_field
        return bool(set(verifier.ring(field_name)) & set(account.ring(field_name)))

    def refresh(self, *, older_than: float | None = None) -> bool:
        """Load a new snapshot if the present one is so many seconds old; without a number, if a load is to spare.

        The latter is for a request that found nobody; a failing loader leaves the old snapshot. Say whether the
        snapshot is now as young as was asked for.
        """
        wanted_from = time.monotonic() - (older_than or 0)
        if self._loading.acquire(timeout=REFRESH_PATIENCE_S):
            try:
                # A load that began after it was asked for has seen whatever the request came for.
                if self._loaded_at <= wanted_from and (older_than is not None or self._take_spare()):
                    self._reload()
            finally:
                self._loading.release()
        return self._true_at > wanted_from

    def keep_fresh(self) -> "AccountDirectory":
        """Load now, and from a daemon thread for as long as the process lives."""
        self.refresh(older_than=0)
        threading.Thread(target=self._refresh_forever, name="accounts", daemon=True).start()
        return self

    def _refresh_forever(self) -> None:
        while True:
            time.sleep(self._ttl.total_seconds())
            self.refresh(older_than=self._ttl.total_seconds() / 2)

    def _reload(self) -> None:
        """Replace the snapshot; a failing loader leaves the old one."""
        began = time.monotonic()
        try:
            self._snapshot = index(self._load(), self._providers)
            self._true_at = began
            self.has_loaded = True
        except Exception as error:  # noqa: BLE001  whatever ails the loader, the last good snapshot serves
            _log.warning("accounts_not_refreshed", error=type(error).__name__)
        self._loaded_at = began

    def _take_spare(self) -> bool:
        now = time.monotonic()
        self._spare = min(SPARE_LOADS, self._spare + (now - self._counted_at) * LOADS_PER_S)
        self._counted_at = now
        if self._spare < 1:
            return False
        self._spare -= 1
        return True
