"""`hookline tokens`: printed once, listed by its beginning, ended at once."""

import json
import re
from typing import Any

import pytest

from runtime.errors import Unauthenticated
from tests.cli.conftest import Hookline
from tests.support.wired import Wired


def made(hookline: Hookline, *arguments: str) -> dict[str, Any]:
    outcome = hookline("tokens", "create", "--name", "Dashboard", *arguments, "--json")
    assert outcome.code == 0, outcome.err
    found: dict[str, Any] = json.loads(outcome.out)
    return found


def listed(hookline: Hookline) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(hookline("tokens", "list", "--json").out)
    return found


def test_a_new_token_opens_the_door_as_what_it_was_made_for(hookline: Hookline, wired: Wired) -> None:
    told = made(hookline, "--agent", "agt_1", "--role", "supervisor")

    assert set(told) == {"token", "id"}
    caller = wired.tokens.authenticate(told["token"])
    assert (caller.token_id, caller.agent_id, caller.role) == (told["id"], "agt_1", "supervisor")


def test_without_json_the_token_alone_is_printed(hookline: Hookline) -> None:
    assert re.fullmatch(r"hk_[\w-]{43}\n", hookline("tokens", "create", "--name", "x").out)


def test_the_token_is_kept_nowhere_in_clear(hookline: Hookline, wired: Wired) -> None:
    token = made(hookline)["token"]

    kept = [str(row) for name in ("apitokens", "auditentries") for row in wired.store.database[name].find()]
    assert len(kept) >= 2
    assert not any(token in row for row in kept)


def test_the_list_tells_tokens_by_their_beginning_and_state(hookline: Hookline) -> None:
    told = made(hookline, "--role", "admin")

    (row,) = listed(hookline)
    assert (row["id"], row["name"], row["role"], row["state"]) == (told["id"], "Dashboard", "admin", "live")
    assert told["token"].startswith(row["prefix"])
    assert told["token"] not in json.dumps(row)
    table = hookline("tokens", "list").out
    assert table.splitlines()[0].split()[:4] == ["id", "prefix", "name", "role"]
    assert told["token"] not in table


def test_a_revoked_token_is_no_token(hookline: Hookline, wired: Wired) -> None:
    told = made(hookline)

    outcome = hookline("tokens", "revoke", told["id"])

    assert (outcome.code, outcome.out) == (0, f"token {told['id']} revoked\n")
    assert listed(hookline)[0]["state"] == "revoked"
    with pytest.raises(Unauthenticated):
        wired.tokens.authenticate(told["token"])


def test_a_token_may_end_by_itself(hookline: Hookline) -> None:
    made(hookline, "--expires", "90d")
    made(hookline, "--expires", "2999-01-31")

    first, second = listed(hookline)
    assert first["expiresAt"].endswith("Z")
    assert second["expiresAt"] == "2999-01-31T00:00:00Z"
    assert {first["state"], second["state"]} == {"live"}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [(("--expires", "2001-01-01"), "has passed"), (("--name", " "), "needs a name")],
)
def test_a_token_of_nobody_or_of_the_past_is_refused(
    arguments: tuple[str, ...], complaint: str, hookline: Hookline
) -> None:
    outcome = hookline("tokens", "create", "--name", "x", *arguments)

    assert outcome.code == 1
    assert complaint in outcome.complaint
    assert listed(hookline) == []


def test_a_token_that_is_not_there_is_not_found(hookline: Hookline) -> None:
    outcome = hookline("tokens", "revoke", "tok_nobody")

    assert outcome.code == 1
    assert "tok_nobody" in outcome.complaint
