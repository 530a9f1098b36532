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

#: A snapshot younger than this (s) is not loaded again, however many wrong signatures ask for it.
MIN_AGE_S: Final = 0.5
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
    """Finds accounts in a snapshot that is at most `ttl` old while the loader works."""

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
        self._loaded_at = float("-inf")
        self._loading = threading.Lock()

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

    def refresh(self, *, older_than: float = MIN_AGE_S) -> None:
        """Load a new snapshot unless the present one is young; a failing loader leaves the old one."""
        if not self._loading.acquire(timeout=REFRESH_PATIENCE_S):
            return
        try:
            if time.monotonic() - self._loaded_at >= older_than:
                self._snapshot = index(self._load(), self._providers)
                self._loaded_at = time.monotonic()
        except Exception as error:  # noqa: BLE001  whatever ails the loader, the last good snapshot serves
            self._loaded_at = time.monotonic()
            _log.warning("accounts_not_refreshed", error=type(error).__name__)
        finally:
            self._loading.release()

    def keep_fresh(self) -> "AccountDirectory":
        """Load now, and from a daemon thread for as long as the process lives."""
        self.refresh(older_than=0)
        threading.Thread(target=self._refresh_forever, name="accounts", daemon=True).start()
        return self

    def _refresh_forever(self) -> None:
        while True:
            time.sleep(self._ttl.total_seconds())
            self.refresh(older_than=self._ttl.total_seconds() / 2)
