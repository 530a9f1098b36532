"""Errors: one shape, stable codes, a path per wrong value, and nothing of what lies inside."""

import base64
import json
import logging
import re
from typing import Any

import pytest
from bson import ObjectId
from prometheus_client import REGISTRY
from werkzeug.test import TestResponse

from api.app import MAX_BODY_BYTES
from tests.api.conftest import BASE, Api
from tests.api.rows import add_chat, add_event, add_message

CHATS, EVENTS = f"{BASE}/chats", f"{BASE}/webhooks/events"


def refusal(response: TestResponse, status: int, code: str) -> dict[str, Any]:
    """Check the shape of a refusal and return what it says."""
    assert response.status_code == status, response.text
    assert response.content_type == "application/json"
    assert response.json is not None
    assert list(response.json) == ["error"]
    error: dict[str, Any] = response.json["error"]
    assert set(error) - {"fields"} == {"code", "message", "requestId"}
    assert error["code"] == code
    assert error["message"]
    assert error["requestId"] == response.headers["X-Request-Id"]
    return error


def test_wrong_values_are_named_each_by_its_path(api: Api) -> None:
    response = api.admin.get(CHATS, limit="many", sort="-_id", status="open", unread="yes", colour="red")
    fields = refusal(response, 422, "validation_failed")["fields"]
    assert set(fields) == {"limit", "sort", "status.0", "unread", "colour"}
    assert fields["colour"] == ["There is no such parameter."]
    assert fields["status.0"] == ["Not one of unassigned, assigned, resolved, closed."]


@pytest.mark.parametrize("limit", ["0", "-1", "many", "1.5", "", "1e3", "9" * 5000])
def test_a_limit_that_is_no_count_is_refused(api: Api, limit: str) -> None:
    fields = refusal(api.admin.get(CHATS, limit=limit), 422, "validation_failed")["fields"]
    assert list(fields) == ["limit"]


@pytest.mark.parametrize("moment", ["yesterday", "2026-13-01", "1793100000", "", "0001-01-01T00:00:00+10:00"])
def test_a_moment_that_is_none_is_refused(api: Api, moment: str) -> None:
    fields = refusal(api.admin.get(CHATS, **{"from": moment}), 422, "validation_failed")["fields"]
    assert list(fields) == ["from"]


def test_a_value_given_twice_is_refused(api: Api) -> None:
    admin = api.admin
    response = admin.client.get(f"{CHATS}?limit=1&limit=2", headers=admin.headers)
    assert list(refusal(response, 422, "validation_failed")["fields"]) == ["limit"]


def cursor(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "forged",
    [
        "x",
        "!!!",
        cursor([]),
        cursor({"list": "chat", "sort": "-lastMessageTime -id", "row": [{"$ne": None}, "x"]}),
        cursor({"list": "chat", "sort": "-lastMessageTime -id", "row": [{"$gt": ""}, {"$gt": ""}]}),
        cursor({"list": "chat", "sort": "-password -id", "row": [1, "x"]}),
    ],
)
def test_a_cursor_that_is_not_ours_is_refused(api: Api, forged: str) -> None:
    add_chat(api.wired.store)
    fields = refusal(api.admin.get(CHATS, cursor=forged), 422, "validation_failed")["fields"]
    assert list(fields) == ["cursor"]


def test_a_cursor_of_another_order_is_refused(api: Api) -> None:
    for _ in range(2):
        add_chat(api.wired.store)
    admin = api.admin
    other = admin.get(CHATS, limit=1).json["nextCursor"]  # type: ignore[index]
    refusal(admin.get(CHATS, cursor=other, sort="createdAt"), 422, "validation_failed")


def test_a_body_that_nobody_read_does_not_stand_before_the_next_request(api: Api) -> None:
    """A proxy sends other callers' requests over the connection on which one was refused early."""
    large = {"reason": "x" * MAX_BODY_BYTES}
    path = f"{EVENTS}/evt_1/replay"
    refused = [api.admin.post(path, json=large), api.stranger("hk_none").post(path, json=large)]

    assert [(one.status_code, one.headers.get("Connection")) for one in refused] == [(413, "close"), (401, "close")]
    assert "Connection" not in api.admin.post(path, json={"reason": "x"}).headers
    assert "Connection" not in api.admin.get(CHATS).headers


def test_a_cursor_of_another_list_is_refused(api: Api) -> None:
    """It would be read as a place in this list, and rows be skipped in silence."""
    store, admin = api.wired.store, api.admin
    chats = [add_chat(store) for _ in range(2)]
    for chat_id in chats:
        add_event(store)
        for _ in range(2):
            add_message(store, chat_id)
    mine = f"{CHATS}/{chats[0]}/messages"
    order = {"sort": "-createdAt"}
    cursors = {
        "of chats": admin.get(CHATS, limit=1, **order).json["nextCursor"],  # type: ignore[index]
        "of webhooks": admin.get(EVENTS, limit=1).json["nextCursor"],  # type: ignore[index]
    }
    elsewhere = [
        (EVENTS, cursors["of chats"], {}),
        (f"{BASE}/customers", cursors["of chats"], {}),
        (CHATS, cursors["of webhooks"], order),
        (f"{CHATS}/{chats[1]}/messages", admin.get(mine, limit=1).json["nextCursor"], {}),  # type: ignore[index]
    ]
    for path, foreign, query in elsewhere:
        fields = refusal(admin.get(path, cursor=foreign, **query), 422, "validation_failed")["fields"]
        assert "another list" in fields["cursor"][0]
    assert admin.get(CHATS, limit=1, cursor=cursors["of chats"], **order).status_code == 200


#: What a MongoDB operator looks like on its way in.
OPERATORS = ('{"$ne": null}', "[$ne]", "$where", '{"$gt": ""}', "'; return true; //", "\0")


@pytest.mark.parametrize("operator", OPERATORS)
def test_no_filter_of_any_list_takes_an_operator(api: Api, operator: str) -> None:
    """Every parameter of every list, as the document names them: refused, or a text that matches nothing."""
    store = api.wired.store
    chat_id = add_chat(store, assigned_to="agt_1", labels=["lbl_1"], phone_number="+447700900123")
    add_message(store, chat_id)
    add_event(store, chatId=chat_id)
    admin = api.admin
    asked = 0
    for path, operations in admin.client.get("/openapi.json").json["paths"].items():  # type: ignore[index]
        parameters = operations.get("get", {}).get("parameters", ())
        # What is no list has parameters too: a signed link, which is 404 when it is not good.
        for parameter in parameters if "cursor" in {one["name"] for one in parameters} else ():
            where = path.replace("{chat_id}", chat_id)
            response = admin.get(where, **{parameter["name"]: operator})
            assert response.status_code in {200, 422}, (path, parameter["name"], response.text)
            assert response.status_code == 422 or response.json["data"] == []  # type: ignore[index]
            spelled = admin.get(where, **{f"{parameter['name']}[$ne]": "x"})
            assert f"{parameter['name']}[$ne]" in refusal(spelled, 422, "validation_failed")["fields"]
            asked += 1
    assert asked > 20


@pytest.mark.parametrize("operator", OPERATORS)
def test_no_path_takes_an_operator(api: Api, operator: str) -> None:
    add_message(api.wired.store, add_chat(api.wired.store))
    for path in (f"{CHATS}/{operator}", f"{CHATS}/{operator}/messages", f"{BASE}/messages/{operator}"):
        assert api.admin.get(path.replace("//", "%2F%2F")).status_code == 404


@pytest.mark.parametrize("reason", [{"$ne": None}, ["x"], 1, True, "x" * 501])
def test_a_body_takes_texts_where_it_wants_texts(api: Api, reason: object) -> None:
    path = f"{EVENTS}/{add_event(api.wired.store)}/replay"
    error = refusal(api.admin.post(path, json={"reason": reason}), 422, "validation_failed")
    assert list(error["fields"]) == ["reason"]


@pytest.mark.parametrize("field", ["_id", "status", "role", "$set"])
def test_fields_nobody_asked_for_are_refused_by_name(api: Api, field: str) -> None:
    path = f"{EVENTS}/{add_event(api.wired.store)}/replay"
    error = refusal(api.admin.post(path, json={field: "x"}), 422, "validation_failed")
    assert error["fields"] == {field: ["There is no such field."]}


def test_a_body_that_is_no_object_is_refused(api: Api) -> None:
    path = f"{EVENTS}/{add_event(api.wired.store)}/replay"
    for body in ([], ["reason"], "reason", 7):
        assert list(refusal(api.admin.post(path, json=body), 422, "validation_failed")["fields"]) == ["body"]


@pytest.mark.parametrize("body", [b"{oops", b'{"reason": NaN}', b'{"reason": "\xff"}', b"[" * 5000])
def test_a_body_that_is_no_json_is_400(api: Api, body: bytes) -> None:
    path = f"{EVENTS}/{add_event(api.wired.store)}/replay"
    refusal(api.admin.post(path, data=body, content_type="application/json"), 400, "bad_request")


def test_a_body_of_another_type_is_415(api: Api) -> None:
    path = f"{EVENTS}/{add_event(api.wired.store)}/replay"
    refusal(api.admin.post(path, data={"reason": "x"}), 415, "unsupported_media_type")


def test_a_body_over_the_limit_is_413(api: Api) -> None:
    path = f"{EVENTS}/{add_event(api.wired.store)}/replay"
    body = b'{"reason": "' + b"x" * MAX_BODY_BYTES + b'"}'
    refusal(api.admin.post(path, data=body, content_type="application/json"), 413, "too_large")


def test_addresses_that_do_not_exist_are_404_and_never_redirect(api: Api) -> None:
    for path in ("/nowhere", f"{CHATS}/", f"/{CHATS}", f"{BASE}//chats", "/static/x", "/docs/../pyproject.toml"):
        refusal(api.admin.get(path), 404, "not_found")


def test_methods_that_do_not_exist_are_405_and_say_which_do(api: Api) -> None:
    for method in ("DELETE", "OPTIONS", "TRACE", "PROPFIND"):
        response = api.app.test_client().open(CHATS, method=method, headers=api.admin.headers)
        refusal(response, 405, "method_not_allowed")
        assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD"}


def test_a_crash_is_500_and_tells_nothing(
    api: Api, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whatever a test before it in this process has made of logging.
    logger = logging.getLogger("api.errors")
    monkeypatch.setattr(logger, "disabled", False)
    monkeypatch.setattr(logger, "handlers", [*logger.handlers, caplog.handler])
    caplog.set_level(logging.ERROR, logger=logger.name)
    # An ObjectId has no spelling in JSON: a row that nobody but a bug can write.
    chat_id = add_chat(api.wired.store)
    message_id = add_message(api.wired.store, chat_id)
    api.wired.store.messages.update_one({"id": message_id}, {"$set": {"metadata.bug": ObjectId()}})
    response = api.admin.get(f"{BASE}/messages/{message_id}")
    error = refusal(response, 500, "internal")
    assert "ObjectId" not in response.text
    assert "Traceback" not in response.text
    logged = next(record.getMessage() for record in caplog.records if "request_crashed" in record.getMessage())
    assert error["requestId"] in logged
    assert "TypeError" in logged


def test_a_request_keeps_the_id_it_came_with(api: Api) -> None:
    response = api.stranger().client.get(CHATS, headers={"X-Request-Id": "from-the_Proxy-1"})
    assert refusal(response, 401, "unauthenticated")["requestId"] == "from-the_Proxy-1"


@pytest.mark.parametrize("offered", ["", "a b", "x" * 65, '{"a":1}', "ünsafe", "<script>"])
def test_a_request_id_that_could_do_harm_is_replaced(api: Api, offered: str) -> None:
    response = api.stranger().client.get("/healthz", headers={"X-Request-Id": offered})
    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["X-Request-Id"])


def test_every_answer_carries_the_headers_of_a_careful_house(api: Api) -> None:
    for path in ("/healthz", CHATS, "/nowhere", "/openapi.json"):
        headers = api.admin.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert not [name for name, _ in headers if name.startswith("Access-Control")]


def test_requests_are_counted_by_route_not_by_address(api: Api) -> None:
    def count(route: str, status: int) -> float:
        labels = {"route": route, "method": "GET", "status": str(status)}
        return REGISTRY.get_sample_value("hookline_api_requests_total", labels) or 0

    route = f"{CHATS}/<chat_id>"
    before = count(route, 404), count("unmatched", 404)
    api.admin.get(f"{CHATS}/chat_one")
    api.admin.get(f"{CHATS}/chat_two")
    api.admin.get("/nowhere/+447700900123")
    assert (count(route, 404), count("unmatched", 404)) == (before[0] + 2, before[1] + 1)
    assert "447700900123" not in api.stranger().get("/metrics").text
