"""`hookline templates`: lists and synchronises."""

import json
from collections.abc import Iterator

import pytest

from models.template import Template
from tests.cli.conftest import Hookline
from tests.support.shelf import Shelf, refusal, served, template
from tests.support.wired import Wired


@pytest.fixture
def shelf(hookline: Hookline, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    with served(Shelf(template("a"), template("b", status="PAUSED"))) as found:
        monkeypatch.setenv("META_API_URL", found.url)
        yield found


def test_sync_reads_all_accounts_and_says_what_came_of_it(hookline: Hookline, shelf: Shelf, wired: Wired) -> None:
    outcome = hookline("templates", "sync", "--json")

    assert (outcome.code, outcome.err) == (0, "")
    (row,) = json.loads(outcome.out)
    assert (row["configId"], row["added"], row["vanished"]) == (wired.account.id, 2, 0)
    assert wired.store.templates.count_documents({}) == 2


def test_sync_fails_where_an_account_could_not_be_read(hookline: Hookline, shelf: Shelf) -> None:
    shelf.instead = [refusal(190, "expired")]

    outcome = hookline("templates", "sync")

    assert outcome.code == 1
    assert "190" in outcome.out


def test_sync_of_an_account_that_is_none_says_so(hookline: Hookline, shelf: Shelf) -> None:
    outcome = hookline("templates", "sync", "--config", "cfg_none")

    assert outcome.code == 1
    assert outcome.complaint == "no account cfg_none"
    assert shelf.requests == []


def test_list_shows_the_templates_of_an_account_or_status(hookline: Hookline, shelf: Shelf, wired: Wired) -> None:
    hookline("templates", "sync")
    wired.templates.add(Template(id="tpl_1", name="hello", content="Hello"), now=wired.clock.now())

    def listed(*arguments: str) -> list[str]:
        return [row["name"] for row in json.loads(hookline("templates", "list", "--json", *arguments).out)]

    assert listed() == ["a", "b", "hello"]
    assert listed("--status", "paused") == ["b"]
    assert listed("--config", wired.account.id) == ["a", "b"]
    assert "toldAt" not in hookline("templates", "list", "--json").out
