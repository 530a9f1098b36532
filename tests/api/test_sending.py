"""Sending by the API: what may be asked, by whom, what is said back, and that a repetition is the same message."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.api.conftest import BASE, Api, Caller
from tests.api.rows import add_message
from tests.support import meta_webhooks as meta
from tests.support import vendor as vendors
from tests.support.vendor import Vendor


@pytest.fixture
def vendor(api: Api) -> Iterator[Vendor]:
    """Yield the vendor that the account sends to."""
    started = Vendor()
    api.wired.configs.change(api.wired.account.id, {"api_base_url": started.url}, api.wired.clock)
    api.wired.directory.refresh(older_than=0)
    yield started
    started.close()


@pytest.fixture
def chat_id(api: Api, vendor: Vendor) -> str:
    """A chat with an open window."""
    at = int(api.wired.clock.now().timestamp())
    (event,) = api.wired.deliver(meta.envelope(meta.text("a question", at=at)))
    found = event.items[0].chat_id
    assert found is not None
    return found


def post(caller: Caller, chat_id: str, body: Any, key: str | None = None) -> TestResponse:
    headers = {**caller.headers, **({"Idempotency-Key": key} if key else {})}
    return caller.client.post(f"{BASE}/chats/{chat_id}/messages", json=body, headers=headers)


def error(response: TestResponse) -> dict[str, Any]:
    assert response.json is not None
    found: dict[str, Any] = response.json["error"]
    return found


TEXT = {"type": "text", "text": "an answer"}


def test_a_text_is_queued_and_its_fate_can_be_followed(api: Api, vendor: Vendor, chat_id: str) -> None:
    agent = api.agent
    response = post(agent, chat_id, TEXT)

    assert response.status_code == 202, response.text
    message = response.json
    assert message is not None
    assert (message["status"], message["text"], message["senderType"]) == ("queued", "an answer", "agent")
    assert "clientRef" not in message
    api.wired.delivering.deliver()
    sent = agent.get(f"{BASE}/messages/{message['id']}").json
    assert sent is not None
    assert sent["status"] == "accepted"
    assert [one["outcome"] for one in sent["attempts"]] == ["accepted"]
    assert vendor.accepted(message["id"]) == 1


def test_the_same_key_and_body_give_the_same_answer_and_one_message(api: Api, vendor: Vendor, chat_id: str) -> None:
    admin = api.admin
    with ThreadPoolExecutor(10) as pool:
        responses = list(
            pool.map(lambda _: post(Caller(api.app.test_client(), admin.token), chat_id, TEXT, "k1"), range(20))
        )

    assert {one.status_code for one in responses} == {202}
    assert len({one.json["id"] for one in responses}) == 1  # type: ignore[index]
    assert api.wired.store.messages.count_documents({"text": "an answer"}) == 1
    conflict = post(admin, chat_id, {"type": "text", "text": "another"}, "k1")
    assert (conflict.status_code, error(conflict)["code"]) == (409, "idempotency_conflict")


@pytest.mark.parametrize("key", ["", "x" * 300])
def test_a_key_that_is_none_is_refused(api: Api, chat_id: str, key: str) -> None:
    admin = api.admin
    response = admin.client.post(
        f"{BASE}/chats/{chat_id}/messages", json=TEXT, headers={**admin.headers, "Idempotency-Key": key}
    )
    assert response.status_code == 422
    assert "Idempotency-Key" in error(response)["fields"]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "type"),
        ({"type": "telegram"}, "type"),
        ({"type": "text"}, "text"),
        ({"type": "text", "text": ""}, "text"),
        ({"type": "text", "text": {"$ne": None}}, "text"),
        ({"type": "text", "text": "x" * 5000}, "text"),
        ({"type": "text", "text": "x", "media": {"url": "https://example.com/a.png"}}, "media"),
        ({"type": "text", "text": "x", "status": "sent"}, "status"),
        ({"type": "image"}, "media"),
        ({"type": "image", "media": {}}, "media.mediaId"),
        ({"type": "image", "media": {"url": "file:///etc/passwd"}}, "media.url"),
        ({"type": "image", "media": {"mediaId": "med_nobody"}}, "media.mediaId"),
        ({"type": "location", "location": {"latitude": 91, "longitude": 0}}, "location.latitude"),
        ({"type": "contact"}, "contact"),
        ({"type": "interactive", "interactive": {"kind": "dance"}, "text": "x"}, "interactive.kind"),
        ({"type": "reaction", "emoji": "👍"}, "targetId"),
        ({"type": "reaction", "targetId": "msg_nobody", "emoji": "👍"}, "targetId"),
        ({"type": "text", "text": "x", "replyTo": "msg_nobody"}, "replyTo"),
        ({"type": "template", "template": {}}, "template.name"),
        ({"type": "contact", "contact": {"name": "A", "details": {"a\0": 1}}}, "contact.details"),
        ({"type": "contact", "contact": {"name": "A", "details": {"a": 2**64 - 1}}}, "contact.details"),
        ({"type": "interactive", "interactive": {"kind": "flow", "flow": {"a": [{"\0": 1}]}}}, "interactive.flow"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_wrong_is_said_by_its_path(api: Api, chat_id: str, body: dict[str, Any], path: str) -> None:
    response = post(api.admin, chat_id, body)

    assert response.status_code == 422, response.text
    assert path in error(response)["fields"]
    assert api.wired.store.outboxes.count_documents({}) == 0


@pytest.mark.parametrize(
    "body",
    [
        {"type": "image", "media": {"url": "https://example.com/a.png", "caption": "look"}},
        {"type": "document", "media": {"url": "https://example.com/a.pdf", "fileName": "a.pdf"}},
        {"type": "location", "location": {"latitude": 51.5, "longitude": -0.1, "name": "Here"}},
        {"type": "contact", "contact": {"name": "Ben", "phoneNumber": "+447700900123"}},
        {
            "type": "interactive",
            "text": "When?",
            "interactive": {"kind": "buttons", "buttons": [{"id": "a", "title": "Now"}, {"id": "b", "title": "Later"}]},
        },
    ],
    ids=lambda body: str(body["type"]),
)
def test_every_type_is_taken_and_sent(api: Api, vendor: Vendor, chat_id: str, body: dict[str, Any]) -> None:
    response = post(api.admin, chat_id, body)

    assert response.status_code == 202, response.text
    api.wired.delivering.deliver()
    assert response.json is not None
    assert vendor.accepted(response.json["id"]) == 1
    assert vendor.books[0].body["type"] in {body["type"], "contacts"}


def test_a_closed_window_names_the_templates_that_may_be_sent(api: Api, chat_id: str) -> None:
    row = {"id": "tpl_1", "configId": api.wired.account.id, "name": "welcome", "language": "en", "status": "approved"}
    api.wired.store.templates.insert_one(row | {"isActive": True, "isDeleted": False, "components": []})
    api.wired.clock_hand.move(timedelta(days=1))

    response = post(api.admin, chat_id, TEXT)

    assert (response.status_code, error(response)["code"]) == (409, "window_closed")
    assert error(response)["details"]["templates"] == [{"name": "welcome", "language": "en"}]


def test_a_chat_that_an_agent_may_not_see_is_not_there(api: Api, chat_id: str) -> None:
    api.wired.store.chats.update_one({"id": chat_id}, {"$set": {"status": "assigned", "assignedTo": "agt_other"}})
    admin, agent = api.admin, api.agent
    message_id = post(admin, chat_id, TEXT).json["id"]  # type: ignore[index]

    assert post(agent, chat_id, TEXT).status_code == 404
    for verb in ("retry", "cancel"):
        assert agent.post(f"{BASE}/messages/{message_id}/{verb}", json={}).status_code == 404
    assert post(api.stranger(), chat_id, TEXT).status_code == 401
    assert post(admin, "chat_nobody", TEXT).status_code == 404


def test_a_message_is_called_off_while_it_is_queued(api: Api, vendor: Vendor, chat_id: str) -> None:
    admin = api.admin
    message_id = post(admin, chat_id, TEXT).json["id"]  # type: ignore[index]

    canceled = admin.post(f"{BASE}/messages/{message_id}/cancel")
    again = admin.post(f"{BASE}/messages/{message_id}/cancel")
    api.wired.delivering.deliver()

    assert canceled.json["status"] == "canceled"  # type: ignore[index]
    assert (again.status_code, error(again)["code"]) == (409, "state_conflict")
    assert vendor.asked == []


def test_a_failed_message_is_tried_again_with_a_reason_for_the_record(api: Api, vendor: Vendor, chat_id: str) -> None:
    admin = api.admin
    message_id = post(admin, chat_id, TEXT).json["id"]  # type: ignore[index]
    early = admin.post(f"{BASE}/messages/{message_id}/retry", json={})
    vendor.answers(vendors.error(131026))
    api.wired.delivering.deliver()
    failed = admin.get(f"{BASE}/messages/{message_id}").json
    assert failed is not None
    assert failed["error"]["code"] == "131026"

    response = admin.post(f"{BASE}/messages/{message_id}/retry", json={"reason": "number corrected"})

    assert early.status_code == 409
    assert (response.status_code, response.json["status"]) == (202, "queued")  # type: ignore[index]
    entry = api.wired.store.auditentries.find_one({"entityId": message_id})
    assert entry is not None
    assert (entry["verb"], entry["reason"]) == ("retry", "number corrected")
    api.wired.delivering.deliver()
    assert vendor.accepted(message_id) == 1


def test_reactions_are_no_bubbles(api: Api, chat_id: str) -> None:
    admin = api.admin
    (bubble,) = admin.ids(f"{BASE}/chats/{chat_id}/messages")
    reaction = post(admin, chat_id, {"type": "reaction", "targetId": bubble, "emoji": "👍"}).json
    assert reaction is not None

    assert admin.ids(f"{BASE}/chats/{chat_id}/messages") == [bubble]
    assert admin.get(f"{BASE}/messages/{reaction['id']}").status_code == 200


def test_what_cannot_be_answered_yet_is_said(api: Api, chat_id: str) -> None:
    ours = add_message(api.wired.store, chat_id, provider_message_id=None)
    response = post(api.admin, chat_id, {**TEXT, "replyTo": ours})
    assert "replyTo" in error(response)["fields"]
