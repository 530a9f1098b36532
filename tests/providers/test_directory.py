"""Who is who: candidates for an unverified webhook, who may speak for whom, and snapshots that outlive their source."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from providers import directory as directories
from providers import registry
from providers.base import Account, Provider
from providers.directory import AccountDirectory, index
from providers.events import AccountKey
from providers.meta.change import BUSINESS_ACCOUNT, PHONE_NUMBER
from runtime.crypto import Secret
from tests.support.waiting import until

META = registry.by_names()["meta-whatsapp"]
TWILIO = registry.by_names().get("twilio")


def account(number: str, *secrets: str, provider: Provider = META, business: str = "", id_: str = "") -> Account:
    fields = {"phoneNumberId": number, **({"businessAccountId": business} if business else {})}
    ring = tuple(map(Secret, secrets))
    return Account(id=id_ or f"cfg_{number}", provider=provider.name, fields=fields, secrets={"webhookSecret": ring})


def number(value: str) -> AccountKey:
    return AccountKey(PHONE_NUMBER, value)


class Source:
    """A loader whose accounts change, and that fails or hangs when told to."""

    def __init__(self, *accounts: Account) -> None:
        self.accounts: Sequence[Account] = accounts
        self.failing = False
        self.loads = 0
        self.open = threading.Event()
        self.open.set()

    def __call__(self) -> Sequence[Account]:
        self.loads += 1
        self.open.wait(10)
        if self.failing:
            raise ConnectionError
        return self.accounts


Open = Callable[..., AccountDirectory]


@pytest.fixture
def source() -> Iterator[Source]:
    source = Source(account("1", "a", business="100"), account("2", "b", business="200"))
    yield source
    source.open.set()


def opened(source: Source, *, ttl: float = 60) -> AccountDirectory:
    directory = AccountDirectory(source, providers=registry.by_names(), ttl=timedelta(seconds=ttl))
    directory.refresh(older_than=0)
    return directory


def ids(found: Sequence[Account]) -> list[str]:
    return [one.id for one in found]


def test_accounts_are_found_by_id_by_vendor_and_by_the_vendors_names(source: Source) -> None:
    directory = opened(source)

    assert directory.by_id("cfg_1") is source.accounts[0]
    assert directory.by_id("cfg_9") is None
    assert ids(directory.of_provider(META)) == ["cfg_1", "cfg_2"]
    assert ids(directory.named(META, number("2"))) == ["cfg_2"]
    assert ids(directory.named(META, AccountKey(BUSINESS_ACCOUNT, "100"))) == ["cfg_1"]
    assert directory.named(META, number("9")) == ()


def test_the_account_of_the_address_is_the_only_candidate_whatever_the_body_names(source: Source) -> None:
    directory = opened(source)

    assert ids(directory.candidates(META, account_id="cfg_1", keys={number("2")})) == ["cfg_1"]
    assert directory.candidates(META, account_id="cfg_9", keys={number("1")}) == ()


@pytest.mark.skipif(TWILIO is None, reason="one vendor only")
def test_an_account_of_another_vendor_is_no_candidate(source: Source) -> None:
    assert TWILIO is not None

    assert opened(source).candidates(TWILIO, account_id="cfg_1", keys=()) == ()
    assert opened(source).of_provider(TWILIO) == ()


def test_whom_the_body_names_is_candidate_and_nobody_else(source: Source) -> None:
    directory = opened(source)

    assert ids(directory.candidates(META, account_id=None, keys={number("2")})) == ["cfg_2"]
    assert ids(directory.candidates(META, account_id=None, keys={number("2"), number("1")})) == ["cfg_1", "cfg_2"]
    assert ids(directory.candidates(META, account_id=None, keys={number("2"), number("9")})) == ["cfg_2"]


def test_a_body_that_names_none_of_ours_may_be_anybodys(source: Source) -> None:
    directory = opened(source)

    for keys in (set(), {number("9")}):
        assert ids(directory.candidates(META, account_id=None, keys=keys)) == ["cfg_1", "cfg_2"]


def test_every_process_chooses_the_same_of_two_that_fit() -> None:
    twins = [account("1", "a", id_=f"cfg_{n}") for n in (3, 1, 2)]

    for order in (twins, twins[::-1]):
        found = index(order, registry.by_names()).by_key[META.name, number("1")]
        assert ids(found) == ["cfg_1", "cfg_2", "cfg_3"]


def test_an_account_of_a_vendor_nobody_speaks_is_left_out() -> None:
    stranger = Account(id="cfg_x", provider="acme", fields={}, secrets={})

    assert index([stranger], registry.by_names()).by_id == {}


@pytest.mark.parametrize(
    ("ours", "theirs", "may"),
    [
        (["a"], ["a"], True),
        (["new", "a"], ["a"], True),
        (["new", "a"], ["b", "a"], True),
        (["a"], ["b"], False),
        ([], [], False),
        (["a"], [], False),
    ],
)
def test_who_holds_a_common_secret_may_speak_for_the_other(ours: list[str], theirs: list[str], may: bool) -> None:
    directory = opened(Source(account("1", *ours), account("2", *theirs)))
    first, second = directory.by_id("cfg_1"), directory.by_id("cfg_2")
    assert first
    assert second

    assert directory.speaks_for("cfg_1", second) is may
    assert directory.speaks_for("cfg_2", first) is may
    assert directory.speaks_for("cfg_1", first)
    assert not directory.speaks_for("cfg_9", first)


@pytest.mark.skipif(TWILIO is None, reason="one vendor only")
def test_a_common_secret_of_two_vendors_joins_nobody() -> None:
    assert TWILIO is not None
    directory = opened(Source(account("1", "a"), account("2", "a", provider=TWILIO)))
    other = directory.by_id("cfg_2")
    assert other

    assert not directory.speaks_for("cfg_1", other)


def test_an_account_of_a_moment_ago_is_found_without_waiting_for_the_snapshots_end(source: Source) -> None:
    directory = opened(source)
    for n in range(3, 8):
        source.accounts = [*source.accounts, account(str(n), "x")]

        directory.refresh()

        assert ids(directory.named(META, number(str(n)))) == [f"cfg_{n}"]


def test_wrong_signatures_cannot_make_it_load_without_end(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directories, "LOADS_PER_S", 0.001)
    directory = opened(source)
    before = source.loads

    for _ in range(200):
        directory.refresh()

    assert source.loads - before == directories.SPARE_LOADS


def test_loads_become_spare_again(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = opened(source)
    for _ in range(200):
        directory.refresh()
    before = source.loads
    monkeypatch.setattr(directories, "LOADS_PER_S", 1000.0)

    def loads_again() -> bool:
        directory.refresh()
        return source.loads > before

    until(loads_again, seconds=5, what="another load")


def test_many_who_ask_at_once_share_a_load(source: Source) -> None:
    directory = opened(source)
    before = source.loads
    source.open.clear()
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(directory.refresh) for _ in range(8)]
        until(lambda: source.loads > before, seconds=5, what="the load to begin")
        source.open.set()
        for one in asked:
            one.result()

    # Whoever asked before it began is served by it; one who asked later may have needed another.
    assert source.loads - before < 8


def test_nobody_waits_long_for_a_source_that_hangs(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directories, "REFRESH_PATIENCE_S", 0.05)
    directory = opened(source)
    before = source.loads
    source.open.clear()
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(directory.refresh)
        until(lambda: source.loads > before, seconds=5, what="the load to begin")

        began = time.perf_counter()
        directory.refresh()
        took = time.perf_counter() - began

        assert ids(directory.of_provider(META)) == ["cfg_1", "cfg_2"]
        source.open.set()
        hanging.result()
    assert took < 1


def test_a_failing_source_leaves_the_last_good_snapshot(source: Source) -> None:
    directory = opened(source)
    source.failing = True

    directory.refresh()
    directory.refresh(older_than=0)

    assert ids(directory.of_provider(META)) == ["cfg_1", "cfg_2"]
    assert directory.has_loaded
    source.failing, source.accounts = False, []
    directory.refresh(older_than=0)
    assert directory.of_provider(META) == ()


def test_until_a_first_load_it_says_that_it_knows_nobody_yet(source: Source) -> None:
    source.failing = True
    directory = opened(source)
    assert not directory.has_loaded

    source.failing = False
    directory.refresh()

    assert directory.has_loaded


def test_a_snapshot_younger_than_asked_for_is_kept(source: Source) -> None:
    directory = opened(source)
    before = source.loads

    directory.refresh(older_than=60)

    assert source.loads == before


def test_it_keeps_itself_fresh_and_outlives_a_failing_source(source: Source) -> None:
    directory = AccountDirectory(source, providers=registry.by_names(), ttl=timedelta(milliseconds=20)).keep_fresh()
    source.failing = True
    failed_from = source.loads
    until(lambda: source.loads > failed_from + 2, seconds=5, what="loads that fail")
    assert ids(directory.of_provider(META)) == ["cfg_1", "cfg_2"]

    source.accounts, source.failing = [account("3", "c")], False

    until(lambda: ids(directory.of_provider(META)) == ["cfg_3"], seconds=5, what="the new accounts")
