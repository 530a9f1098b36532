"""Views: only described fields leave, and a scope has the last word."""

import pytest
from pymongo import MongoClient

from models.agent import Permissions, Role
from models.caller import Caller
from models.store.collections import Store
from models.store.views import Listing, View, chats_seen_by
from runtime.errors import NotFound

BY_ID = "id"


@pytest.fixture
def view(mongo_client: "MongoClient[dict[str, object]]", database_name: str) -> View:
    store = Store(mongo_client[database_name])
    store.labels.insert_many(
        [
            {"id": "a", "team": "north", "isDeleted": False, "card": {"shown": 1, "hidden": 2}, "hidden": 3},
            {"id": "b", "team": "south", "isDeleted": False},
            {"id": "c", "team": "north", "isDeleted": True},
        ]
    )
    return View(store.labels, noun="label", fields=["id", "team", "card.shown"], rows={"isDeleted": False})


def test_only_named_fields_leave(view: View) -> None:
    assert view.one("a") == {"id": "a", "team": "north", "card": {"shown": 1}}
    assert view.page(Listing(wanted={}, sort=BY_ID)).items[0] == view.one("a")


def test_rows_outside_are_not_there(view: View) -> None:
    assert [row["id"] for row in view.page(Listing(wanted={}, sort=BY_ID)).items] == ["a", "b"]
    for absent in ("c", "never"):
        with pytest.raises(NotFound):
            view.one(absent)
        with pytest.raises(NotFound):
            view.check(absent)


def test_a_scope_overrules_what_was_asked(view: View) -> None:
    asked = Listing(wanted={"team": "south", "isDeleted": True}, sort=BY_ID)
    assert [row["id"] for row in view.page(asked, scope={"team": "north"}).items] == ["a"]
    with pytest.raises(NotFound):
        view.one("b", scope={"team": "north"})
    with pytest.raises(NotFound):
        view.check("b", scope={"team": "north"})
    view.check("a", scope={"team": "north"})


def test_operators_are_no_values(view: View) -> None:
    with pytest.raises(TypeError):
        view.page(Listing(wanted={"team": {"$ne": None}}, sort=BY_ID))  # type: ignore[dict-item]


def caller(agent_id: str | None, *, sees_all: bool) -> Caller:
    flags = Permissions(can_view_all_chats=sees_all)
    return Caller(token_id="tok_1", name="x", agent_id=agent_id, role=Role.AGENT, permissions=flags)


def test_who_sees_all_chats_is_not_narrowed() -> None:
    assert chats_seen_by(caller(None, sees_all=True)) == {}


def test_a_service_without_an_agent_does_not_own_what_nobody_owns() -> None:
    assert chats_seen_by(caller(None, sees_all=False)) == {"$or": [{"status": "unassigned"}]}
