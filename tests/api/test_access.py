"""Who may do what: every route, for every kind of caller."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from prometheus_client import REGISTRY

from api.access import check_all_routes
from models.agent import Permissions, Role
from tests.api.conftest import AGENT_ID, BASE, Api, Caller
from tests.api.rows import (
    NOON,
    add_block,
    add_chat,
    add_customer,
    add_event,
    add_file,
    add_follow_up,
    add_message,
    add_template,
)

KINDS = ("nobody", "bad token", "agent", "supervisor", "admin")
OPEN = (200, 200, 200, 200, 200)
#: Route -> the answers to each kind of caller. Chats and messages are another agent's; the event has ended.
MATRIX = {
    "GET /healthz": OPEN,
    "GET /readyz": OPEN,
    "GET /metrics": OPEN,
    "GET /openapi.json": OPEN,
    "GET /docs": OPEN,
    "GET /docs/<name>": OPEN,
    f"GET {BASE}/chats": (401, 401, 200, 200, 200),
    f"GET {BASE}/chats/<chat_id>": (401, 401, 404, 200, 200),
    f"GET {BASE}/chats/<chat_id>/messages": (401, 401, 404, 200, 200),
    f"GET {BASE}/messages/<message_id>": (401, 401, 404, 200, 200),
    f"PUT {BASE}/chats/<chat_id>/read": (401, 401, 404, 200, 200),
    f"POST {BASE}/chats/<chat_id>/typing": (401, 401, 404, 202, 202),
    f"PUT {BASE}/messages/<message_id>/read": (401, 401, 404, 200, 200),
    f"GET {BASE}/chats/<chat_id>/followups": (401, 401, 404, 200, 200),
    f"GET {BASE}/followups": (401, 401, 200, 200, 200),
    f"POST {BASE}/followups": (401, 401, 422, 422, 422),
    f"GET {BASE}/followups/<follow_up_id>": (401, 401, 404, 200, 200),
    f"PUT {BASE}/followups/<follow_up_id>": (401, 401, 404, 200, 200),
    f"DELETE {BASE}/followups/<follow_up_id>": (401, 401, 404, 200, 200),
    # What is wrong with the body is told before the chat is looked for.
    f"POST {BASE}/chats/<chat_id>/messages": (401, 401, 422, 422, 422),
    f"POST {BASE}/messages/<message_id>/retry": (401, 401, 404, 409, 409),
    f"POST {BASE}/messages/<message_id>/cancel": (401, 401, 404, 409, 409),
    f"POST {BASE}/media": (401, 401, 422, 422, 422),
    f"GET {BASE}/media/<media_id>": (401, 401, 404, 200, 200),
    f"GET {BASE}/media/<media_id>/thumbnail": (401, 401, 404, 200, 200),
    f"POST {BASE}/media/<message_id>/refetch": (401, 401, 404, 409, 409),
    # Open to who has a signed link; nobody here has one.
    f"GET {BASE}/media/<media_id>/public": (404, 404, 404, 404, 404),
    f"GET {BASE}/templates": (401, 401, 200, 200, 200),
    f"POST {BASE}/templates": (401, 401, 403, 422, 422),
    f"POST {BASE}/templates/sync": (401, 401, 403, 200, 200),
    f"GET {BASE}/templates/<template_id>": (401, 401, 200, 200, 200),
    f"PUT {BASE}/templates/<template_id>": (401, 401, 403, 200, 200),
    f"DELETE {BASE}/templates/<template_id>": (401, 401, 403, 200, 200),
    f"POST {BASE}/templates/<template_id>/preview": (401, 401, 200, 200, 200),
    f"GET {BASE}/customers": (401, 401, 403, 200, 200),
    f"GET {BASE}/customers/<customer_id>": (401, 401, 404, 200, 200),
    f"POST {BASE}/customers/<customer_id>/merge": (401, 401, 403, 422, 422),
    f"POST {BASE}/customers/<customer_id>/unmerge": (401, 401, 403, 200, 200),
    f"GET {BASE}/blocked-numbers": (401, 401, 403, 200, 200),
    f"POST {BASE}/blocked-numbers": (401, 401, 403, 422, 422),
    f"GET {BASE}/blocked-numbers/<block_id>": (401, 401, 403, 200, 200),
    f"DELETE {BASE}/blocked-numbers/<block_id>": (401, 401, 403, 200, 200),
    f"GET {BASE}/webhooks/events": (401, 401, 403, 200, 200),
    f"GET {BASE}/webhooks/events/<event_id>": (401, 401, 403, 200, 200),
    f"POST {BASE}/webhooks/events/<event_id>/replay": (401, 401, 403, 403, 202),
    f"POST {BASE}/webhooks/events/replay": (401, 401, 403, 403, 422),
}
NEVER_MADE = "hk_" + "x" * 43


def callers(api: Api) -> dict[str, Caller]:
    found = (api.stranger(), api.stranger(NEVER_MADE), api.agent, api.supervisor, api.admin)
    return dict(zip(KINDS, found, strict=True))


def routes(app: Flask) -> list[tuple[str, str]]:
    return [
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD"})
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_every_route_answers_every_caller_as_the_matrix_says(api: Api, kind: str) -> None:
    chat_id = add_chat(api.wired.store, assigned_to="agt_somebody_else")
    #: Some routes remove what they are about: those get a row of their own.
    places: dict[str, str | Callable[[], str]] = {
        "<chat_id>": chat_id,
        "<message_id>": add_message(api.wired.store, chat_id),
        "<event_id>": add_event(api.wired.store),
        "<customer_id>": add_customer(api.wired.store),
        "<follow_up_id>": lambda: add_follow_up(api.wired.store, chat_id, agent_id="agt_somebody_else"),
        "<block_id>": lambda: add_block(api.wired.store),
        "<media_id>": add_file(api.wired, chat_id),
        "<template_id>": lambda: add_template(api.wired.store),
        "<name>": "start.js",
    }
    who = callers(api)[kind]
    answers = {}
    for method, rule in routes(api.app):
        path = rule
        for place, value in places.items():
            if place in path:
                path = path.replace(place, value if isinstance(value, str) else value())
        answers[f"{method} {rule}"] = who.client.open(path, method=method, headers=who.headers).status_code
    assert answers == {route: row[KINDS.index(kind)] for route, row in MATRIX.items()}


def test_head_is_let_in_like_get(api: Api) -> None:
    stranger = api.stranger().client
    for method, rule in routes(api.app):
        if method == "GET":
            assert stranger.head(rule).status_code == stranger.get(rule).status_code, rule


def test_a_route_that_does_not_say_what_it_needs_keeps_the_app_from_starting() -> None:
    app = Flask("careless", static_folder=None)
    app.add_url_rule("/open-by-oversight", view_func=lambda: "hello")
    with pytest.raises(RuntimeError, match="/open-by-oversight"):
        check_all_routes(app)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "hk_only", 'Bearer {"$ne": null}'])
def test_what_is_no_bearer_token_is_401(api: Api, header: str) -> None:
    response = api.app.test_client().get(f"{BASE}/chats", headers={"Authorization": header})
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_the_scheme_is_read_in_any_case(api: Api) -> None:
    headers = {"Authorization": f"bEaReR  {api.agent.token} "}
    assert api.app.test_client().get(f"{BASE}/chats", headers=headers).status_code == 200


def test_why_a_token_is_refused_is_counted_and_not_told(api: Api) -> None:
    revoked = api.admin
    api.wired.tokens.revoke(api.wired.tokens.all()[-1].id)
    answers = []
    for who, reason in ((api.stranger(), "missing"), (api.stranger(NEVER_MADE), "unknown"), (revoked, "revoked")):
        before = failures(reason)
        answer = who.get(f"{BASE}/chats").json
        answers.append((answer["error"]["code"], answer["error"]["message"]))  # type: ignore[index]
        assert failures(reason) == before + 1
    assert len(set(answers)) == 1


def failures(reason: str) -> float:
    return REGISTRY.get_sample_value("hookline_login_failures_total", {"reason": reason}) or 0


def test_a_token_is_refused_from_the_moment_it_expires(api: Api) -> None:
    new = api.wired.tokens.create(name="brief", role=Role.ADMIN, expires_at=NOON + timedelta(minutes=1))
    who = api.stranger(new.clear.reveal())
    assert who.get(f"{BASE}/chats").status_code == 200
    api.wired.clock_hand.move(timedelta(minutes=1))
    assert who.get(f"{BASE}/chats").status_code == 401


def test_flags_of_a_token_replace_those_of_its_role(api: Api) -> None:
    chat_id = add_chat(api.wired.store, assigned_to="agt_somebody_else")
    curious = api.caller(Role.AGENT, agent_id=AGENT_ID, permissions=Permissions(can_view_all_chats=True))
    blinkered = api.caller(Role.SUPERVISOR, permissions=Permissions())
    assert curious.get(f"{BASE}/chats/{chat_id}").status_code == 200
    assert blinkered.get(f"{BASE}/chats/{chat_id}").status_code == 404


def test_an_agent_sees_own_and_unassigned_chats_only(api: Api) -> None:
    store = api.wired.store
    own, free = add_chat(store, assigned_to=AGENT_ID), add_chat(store)
    foreign = add_chat(store, assigned_to="agt_somebody_else")
    assert set(api.agent.ids(f"{BASE}/chats")) == {own, free}
    assert set(api.supervisor.ids(f"{BASE}/chats")) == {own, free, foreign}
    for chat_id, status in ((own, 200), (free, 200), (foreign, 404)):
        message_id = add_message(store, chat_id)
        paths = (f"/chats/{chat_id}", f"/chats/{chat_id}/messages", f"/messages/{message_id}")
        assert [api.agent.get(BASE + path).status_code for path in paths] == [status] * 3


def test_an_agent_cannot_ask_for_chats_of_others_by_filter(api: Api) -> None:
    add_chat(api.wired.store, assigned_to="agt_somebody_else")
    assert api.agent.ids(f"{BASE}/chats", assignedTo="agt_somebody_else") == []
    assert api.agent.ids(f"{BASE}/chats", status="assigned") == []


def test_a_service_with_an_agents_role_has_no_chats_of_its_own(api: Api) -> None:
    free = add_chat(api.wired.store)
    add_chat(api.wired.store, assigned_to="agt_somebody_else")
    assert api.caller(Role.AGENT).ids(f"{BASE}/chats") == [free]


def test_a_chat_that_is_hidden_is_answered_like_one_that_never_was(api: Api) -> None:
    foreign = add_chat(api.wired.store, assigned_to="agt_somebody_else")
    hidden = api.agent.get(f"{BASE}/chats/{foreign}").json["error"]  # type: ignore[index]
    absent = api.agent.get(f"{BASE}/chats/chat_never").json["error"]  # type: ignore[index]
    assert hidden["message"].replace(foreign, "chat_never") == absent["message"]
    assert hidden["code"] == absent["code"]
