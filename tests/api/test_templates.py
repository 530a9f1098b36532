"""Templates at the desk: reading for all, changing for those who manage them, and what vendors are asked."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from models.agent import Permissions, Role
from models.ids import new_id
from models.template import Template, TemplateStatus
from tests.api.conftest import BASE, Api, Caller
from tests.api.rows import NOON
from tests.support.shelf import Shelf, refusal, served, template

PATH = f"{BASE}/templates"
PARTS = [
    {"type": "BODY", "text": "Hello {{1}}, see you.", "example": {"body_text": [["Priya"]]}},
    {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "Yes"}]},
]


@pytest.fixture
def shelf(api: Api) -> Iterator[Shelf]:
    with served(Shelf()) as found:
        api.wired.settings = replace(api.wired.settings, api_urls={"meta": found.url})
        yield found
    api.wired.outgoing.close()


def add(api: Api, **values: Any) -> str:
    defaults = {"name": "greeting", "language": "en_GB", "config_id": api.wired.account.id, "content": "Hello {{1}}."}
    one = Template(**{"id": new_id("tpl"), "status": TemplateStatus.APPROVED, **defaults, **values})
    api.wired.templates.add(one, now=NOON)
    return one.id


def put(caller: Caller, path: str, body: Any) -> Any:
    return caller.client.put(path, json=body, headers=caller.headers)


def delete(caller: Caller, path: str) -> Any:
    return caller.client.delete(path, headers=caller.headers)


def draft(api: Api, **values: Any) -> dict[str, Any]:
    """A vendor's template to be asked for."""
    asked = {"vendor": True, "configId": api.wired.account.id, "name": "visit", "language": "en_GB"}
    return {**asked, "category": "UTILITY", "components": PARTS, **values}


def audited(api: Api) -> list[tuple[str, str]]:
    rows = api.wired.store.auditentries.find({"entity": "template"}).sort("id", 1)
    return [(row["verb"], row["entityId"]) for row in rows]


def fields(response: Any) -> set[str]:
    assert response.status_code == 422, response.text
    return set(response.json["error"]["fields"])


def code(response: Any) -> str:
    assert response.status_code == 409, response.text
    found: str = response.json["error"]["code"]
    return found


def test_templates_are_listed_by_name_in_pages(api: Api) -> None:
    for name in ("c", "a", "b"):
        add(api, name=name)
    agent = api.agent

    first = agent.get(PATH, limit=2).json
    second = agent.get(PATH, limit=2, cursor=first["nextCursor"]).json  # type: ignore[index]

    assert [row["name"] for row in first["data"]] == ["a", "b"]  # type: ignore[index]
    assert ([row["name"] for row in second["data"]], second["nextCursor"]) == (["c"], None)  # type: ignore[index]


def test_filters(api: Api) -> None:
    greeting = add(api, category="UTILITY")
    paused = add(api, name="offer_10%", status=TemplateStatus.PAUSED, category="MARKETING", content="Ten off")
    other = add(api, config_id="cfg_2", language="de", is_active=False)
    admin = api.admin

    assert admin.ids(PATH, status="paused") == [paused]
    assert admin.ids(PATH, category=["UTILITY", "MARKETING"]) == [greeting, paused]
    assert admin.ids(PATH, configId="cfg_2") == admin.ids(PATH, language="de") == [other]
    assert admin.ids(PATH, isActive="true") == [greeting, paused]
    assert admin.ids(PATH, q="GREET") == [greeting, other]
    assert admin.ids(PATH, q="ten off") == admin.ids(PATH, q="10%") == [paused]
    assert admin.ids(PATH, q=".*") == []
    assert admin.ids(PATH, sort="-createdAt") == [other, paused, greeting]


def test_a_template_shows_what_it_asks_for_and_nothing_internal(api: Api, shelf: Shelf) -> None:
    shelf.templates = [template("visit")]
    api.wired.syncing.sync()
    (template_id,) = api.agent.ids(PATH)

    found = api.agent.get(f"{PATH}/{template_id}").json

    assert found is not None
    assert found["parameters"] == [{"component": "body", "position": 1, "kind": "text", "required": True}]
    assert (found["parameterFormat"], found["status"], found["usageCount"]) == ("positional", "approved", 0)
    assert not {"toldAt", "isDeleted", "_id"} & set(found)


def test_quick_replies_are_made_changed_and_removed(api: Api) -> None:
    supervisor = api.supervisor

    made = supervisor.post(PATH, json={"name": "On its way", "content": "Hello {{name}}, order {{order}} is coming."})
    assert made.status_code == 201
    assert made.json is not None
    template_id = made.json["id"]
    assert (made.json["status"], made.json["variables"], made.json["isActive"]) == ("local", ["name", "order"], True)

    changed = put(supervisor, f"{PATH}/{template_id}", {"content": "Dear {{name}}", "category": "orders"}).json
    assert (changed["variables"], changed["category"], changed["name"]) == (["name"], "orders", "On its way")
    assert "category" not in put(supervisor, f"{PATH}/{template_id}", {"category": None}).json

    assert delete(supervisor, f"{PATH}/{template_id}").json == {"id": template_id}
    assert supervisor.get(f"{PATH}/{template_id}").status_code == 404
    assert delete(supervisor, f"{PATH}/{template_id}").status_code == 404
    steps = ["create", "update", "update", "delete"]
    assert audited(api) == [(verb, template_id) for verb in steps]
    update = api.wired.store.auditentries.find_one({"verb": "update"})
    assert update is not None
    assert update["before"]["content"] == "Hello {{name}}, order {{order}} is coming."
    assert update["after"] == {"content": "Dear {{name}}", "category": "orders"}


def test_a_name_is_taken_once_and_free_again_when_removed(api: Api) -> None:
    admin, reply = api.admin, {"name": "hello", "content": "Hello"}
    first, other = admin.post(PATH, json=reply).json, admin.post(PATH, json={**reply, "name": "bye"}).json
    assert first is not None
    assert other is not None

    assert code(admin.post(PATH, json=reply)) == "template_exists"
    assert code(put(admin, f"{PATH}/{other['id']}", {"name": "hello"})) == "template_exists"
    delete(admin, f"{PATH}/{first['id']}")
    assert admin.post(PATH, json=reply).status_code == 201
    assert len(audited(api)) == 4


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, {"name"}),
        ({"name": "hello"}, {"content"}),
        ({"name": " ", "content": "x"}, {"name"}),
        ({"name": "a\nb", "content": "x" * 4097}, {"name", "content"}),
        ({"name": "hello", "content": "Hello", "components": PARTS}, {"components"}),
        ({"name": "hello", "content": "Hello {{a}}", "variables": ["b"]}, {"variables"}),
        ({"name": "hello", "content": "Hello", "configId": "cfg_none"}, {"configId"}),
        ({"name": "hello", "content": "Hello", "status": "approved"}, {"status"}),
        ({"name": "hello", "content": {"$ne": 1}}, {"content"}),
    ],
)
def test_quick_replies_that_are_none(api: Api, body: dict[str, Any], wrong: set[str]) -> None:
    assert fields(api.admin.post(PATH, json=body)) == wrong
    assert api.wired.store.templates.count_documents({}) == 0


def test_only_our_own_fields_of_a_vendors_template_can_be_changed(api: Api) -> None:
    template_id = add(api)
    admin = api.admin

    assert fields(put(admin, f"{PATH}/{template_id}", {"content": "x", "name": "y", "isActive": False})) == {
        "content",
        "name",
    }
    assert put(admin, f"{PATH}/{template_id}", {"isActive": False}).json["isActive"] is False


def test_agents_read_and_change_nothing(api: Api) -> None:
    template_id = add(api)
    agent = api.agent
    manager = api.caller(Role.AGENT, permissions=Permissions(can_manage_templates=True))

    assert agent.get(PATH).status_code == 200
    assert agent.post(PATH, json={"name": "a", "content": "b"}).status_code == 403
    assert put(agent, f"{PATH}/{template_id}", {"isActive": False}).status_code == 403
    assert delete(agent, f"{PATH}/{template_id}").status_code == 403
    assert agent.post(f"{PATH}/sync").status_code == 403
    assert manager.post(PATH, json={"name": "a", "content": "b"}).status_code == 201


def test_a_preview_fills_in_what_it_can(api: Api) -> None:
    template_id = add(api, content="Hello {{name}}, {{order}}", status=TemplateStatus.LOCAL)

    shown = api.agent.post(f"{PATH}/{template_id}/preview", json={"values": {"name": "Priya"}}).json

    assert shown == {"text": "Hello Priya, {{order}}", "missing": ["order"]}


def test_a_vendor_is_asked_for_a_template(api: Api, shelf: Shelf) -> None:
    made = api.admin.post(PATH, json=draft(api, category="utility"))

    assert made.status_code == 201, made.text
    assert made.json is not None
    assert (made.json["status"], made.json["whatsappTemplateId"]) == ("pending", "1730559284410270")
    assert [one["kind"] for one in made.json["parameters"]] == ["text", "payload"]
    assert [(method, body["name"], body["components"]) for method, _, body in shelf.requests] == [
        ("POST", "visit", PARTS)
    ]
    assert audited(api) == [("create", made.json["id"])]
    api.wired.clock_hand.move(timedelta(hours=1))
    shelf.templates[0]["status"] = "APPROVED"
    report = api.admin.post(f"{PATH}/sync").json
    assert report is not None
    assert [(one["added"], one["changed"], one["vanished"]) for one in report["data"]] == [(0, 1, 0)]


def test_a_refusal_of_the_vendors_leaves_no_template(api: Api, shelf: Shelf) -> None:
    shelf.instead = [refusal(2388019, "limit reached")]

    assert code(api.admin.post(PATH, json=draft(api))) == "vendor_refused"
    assert api.admin.ids(PATH) == []
    assert [verb for verb, _ in audited(api)] == ["create", "delete"]


def test_without_an_answer_the_template_waits_for_the_next_synchronisation(api: Api, shelf: Shelf) -> None:
    shelf.instead = [None]

    made = api.admin.post(PATH, json=draft(api)).json

    assert made is not None
    assert made["status"] == "pending"
    assert shelf.methods() == ["POST"]
    shelf.templates = [template("visit", status="PENDING", id="77")]
    api.wired.clock_hand.move(timedelta(hours=1))
    api.wired.syncing.sync()
    assert api.admin.get(f"{PATH}/{made['id']}").json["whatsappTemplateId"] == "77"  # type: ignore[index]


def test_a_vendor_that_is_away_leaves_no_template(api: Api) -> None:
    assert api.admin.post(PATH, json=draft(api)).status_code == 503
    assert api.admin.ids(PATH) == []


def test_a_template_that_is_there_is_not_asked_for_again(api: Api, shelf: Shelf) -> None:
    add(api, name="visit")

    assert code(api.admin.post(PATH, json=draft(api))) == "template_exists"
    assert shelf.requests == []


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"name": "Visit!"}, {"name"}),
        ({"name": "x" * 513}, {"name"}),
        ({"language": "english"}, {"language"}),
        ({"language": None}, {"language"}),
        ({"category": "sales"}, {"category"}),
        ({"configId": "cfg_none"}, {"configId"}),
        ({"components": [{"type": "FOOTER", "text": "x"}]}, {"components"}),
        ({"components": [PARTS[0], PARTS[0]]}, {"components"}),
        ({"components": [{"type": "SIDE"}, PARTS[0]]}, {"components.0.type"}),
        ({"components": [{"type": "BODY", "text": "x" * 1025}]}, {"components.0.text"}),
        ({"components": [{"type": "BODY", "text": "Hello {{1}}."}]}, {"components.0.example"}),
        (
            {"components": [{"type": "BODY", "text": "{{1}} is it", "example": {"body_text": [["a"]]}}]},
            {"components.0.text"},
        ),
        (
            {"components": [{"type": "BODY", "text": "a {{1}} {{b}} c", "example": {"body_text": [["a", "b"]]}}]},
            {"components.0.text"},
        ),
        (
            {"components": [{"type": "BODY", "text": "a {{2}} c", "example": {"body_text": [["a"]]}}]},
            {"components.0.text"},
        ),
        ({"components": [{"type": "HEADER", "format": "TEXT", "text": "x" * 61}, PARTS[0]]}, {"components.0.text"}),
        ({"components": [{"type": "HEADER", "format": "GIF"}, PARTS[0]]}, {"components.0.format"}),
        ({"components": [PARTS[0], {"type": "FOOTER", "text": "x" * 61}]}, {"components.1.text"}),
        ({"components": [PARTS[0], {"type": "FOOTER", "text": "a {{1}}"}]}, {"components.1.text"}),
        (
            {"components": [PARTS[0], {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "x" * 26}]}]},
            {"components.1.buttons.0.text"},
        ),
        (
            {"components": [PARTS[0], {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "x"}] * 11}]},
            {"components.1.buttons"},
        ),
        (
            {"components": [PARTS[0], {"type": "BUTTONS", "buttons": [{"type": "PHONE_NUMBER", "text": "x"}] * 2}]},
            {"components.1.buttons"},
        ),
        ({"components": [PARTS[0], {"type": "BUTTONS", "buttons": []}]}, {"components.1.buttons"}),
        ({"components": [PARTS[0], {"type": "FOOTER", "a\0": 1}]}, {"components"}),
        ({"components": [PARTS[0], {"type": "FOOTER", "a": 2**64 - 1}]}, {"components"}),
    ],
)
def test_templates_that_vendors_refuse_are_not_asked_for(
    api: Api, shelf: Shelf, values: dict[str, Any], wrong: set[str]
) -> None:
    assert fields(api.admin.post(PATH, json=draft(api, **values))) == wrong
    assert shelf.requests == []
    assert api.wired.store.templates.count_documents({}) == 0


@pytest.mark.parametrize("key", ["body_text", "body_text_named_params"])
@pytest.mark.parametrize("odd", [True, 7, "Ada", {"n": "Ada"}])
def test_examples_that_are_no_list_are_none(api: Api, shelf: Shelf, key: str, odd: object) -> None:
    part = {"type": "BODY", "text": "Hello {{n}}.", "example": {key: odd}}

    assert fields(api.admin.post(PATH, json=draft(api, components=[part]))) == {"components.0.example"}
    assert shelf.requests == []


def test_a_vendors_template_is_removed_there_too(api: Api, shelf: Shelf) -> None:
    shelf.templates = [template("visit", id="77"), template("other", id="78")]
    api.wired.syncing.sync()
    (template_id,) = api.admin.ids(PATH, q="visit")

    assert delete(api.admin, f"{PATH}/{template_id}").status_code == 200

    assert [one["name"] for one in shelf.templates] == ["other"]
    assert api.admin.ids(PATH, q="visit") == []
    assert audited(api) == [("delete", template_id)]


@pytest.mark.parametrize(
    ("answer", "status", "word"), [(refusal(100), 409, "vendor_refused"), (None, 503, "unavailable")]
)
def test_a_template_that_the_vendor_keeps_stays(api: Api, shelf: Shelf, answer: Any, status: int, word: str) -> None:
    template_id = add(api, whatsapp_template_id="77")
    shelf.instead = [answer]

    refused = delete(api.admin, f"{PATH}/{template_id}")

    assert (refused.status_code, refused.json["error"]["code"]) == (status, word)
    assert api.admin.ids(PATH) == [template_id]


def test_what_has_vanished_is_removed_without_asking(api: Api, shelf: Shelf) -> None:
    template_id = add(api, status=TemplateStatus.DISABLED, rejection_reason="vanished", whatsapp_template_id="77")

    assert delete(api.admin, f"{PATH}/{template_id}").status_code == 200
    assert shelf.requests == []


def test_a_synchronisation_of_an_account_that_is_none_says_so(api: Api, shelf: Shelf) -> None:
    refused = api.admin.post(f"{PATH}/sync", json={"configId": "cfg_nobody"})
    assert refused.status_code == 422
    assert list(refused.json["error"]["fields"]) == ["configId"]  # type: ignore[index]


def test_a_synchronisation_reports_what_it_did_and_what_it_could_not(api: Api, shelf: Shelf) -> None:
    shelf.templates = [template("a"), template("b")]
    config_id = api.wired.account.id

    done = api.admin.post(f"{PATH}/sync", json={"configId": config_id}).json
    shelf.instead = [refusal(190, "expired")]
    failed = api.admin.post(f"{PATH}/sync").json

    counts = {"changed": 0, "unchanged": 0, "restored": 0, "vanished": 0}
    assert done == {"data": [{"configId": config_id, "provider": "meta-whatsapp", "added": 2, **counts}]}
    assert failed is not None
    assert "190" in failed["data"][0]["reason"]
