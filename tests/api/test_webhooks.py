"""Stored webhooks: finding one, reading its body, and replaying it."""

from typing import Any

import pytest
from dramatiq import Message
from redis import Redis

from models.agent import Role
from services.replaying import Replaying
from tests.api.conftest import BASE, Api
from tests.api.rows import NOON, add_event, after
from tests.support import meta_webhooks as meta

EVENTS = f"{BASE}/webhooks/events"

FILTERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "status": ({"status": "failed"}, {"status": "failed"}),
    "several statuses": ({"status": "ignored"}, {"status": ["ignored", "failed"]}),
    "vendor": ({"provider": "twilio"}, {"provider": "twilio"}),
    "event type": ({"eventType": "status"}, {"eventType": "status"}),
    "account": ({"configId": "cfg_2"}, {"configId": "cfg_2"}),
    "chat": ({"chatId": "chat_1"}, {"chatId": "chat_1"}),
    "from": ({"at": after(60)}, {"from": "2026-11-20T12:01:00Z"}),
    "to": ({"at": after(-1)}, {"to": "2026-11-20T12:00:00Z"}),
    "from before computers": ({"chatId": "chat_1"}, {"from": "1815-12-10", "chatId": "chat_1"}),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filters_find_what_they_name_and_nothing_else(api: Api, name: str) -> None:
    fields, query = FILTERS[name]
    add_event(api.wired.store)
    wanted = add_event(api.wired.store, **fields)
    assert api.supervisor.ids(EVENTS, **query) == [wanted]


def test_the_latest_receipt_comes_first_unless_asked_otherwise(api: Api) -> None:
    made = [add_event(api.wired.store, at=after(n)) for n in (5, 1, 9)]
    latest = [made[2], made[0], made[1]]
    assert api.supervisor.ids(EVENTS) == latest
    assert api.supervisor.ids(EVENTS, sort="receivedAt") == latest[::-1]


def test_a_list_is_short_and_a_single_event_whole(api: Api) -> None:
    [event] = api.wired.deliver(meta.envelope(meta.text("hello")))
    [summary] = api.supervisor.get(EVENTS).json["data"]  # type: ignore[index]
    assert {"items", "headers", "rawData"}.isdisjoint(summary)
    whole = api.supervisor.get(f"{EVENTS}/{event.id}").json
    assert whole is not None
    assert summary.items() <= whole.items()
    assert whole["status"] == "processed"
    assert whole["eventType"] == "message"
    assert [item["outcome"] for item in whole["items"]] == ["applied"]
    assert whole["rawData"]["entry"][0]["changes"][0]["value"]["messages"][0]["text"]["body"] == "hello"


def test_internal_fields_stay_inside(api: Api) -> None:
    event_id = add_event(api.wired.store, claim="worker-7", leaseUntil=NOON)
    for shown in (api.supervisor.get(f"{EVENTS}/{event_id}"), api.supervisor.get(EVENTS)):
        for internal in ("rawBody", "deliveryKey", "generation", "claim", "worker-7", "leaseUntil", "_id"):
            assert internal not in shown.text


JSON, FORM = "application/json", "application/x-www-form-urlencoded"
BODIES: dict[str, tuple[bytes, str, dict[str, Any]]] = {
    "json": (b'{"a": [1, null]}', JSON, {"rawData": {"a": [1, None]}}),
    "json with parameters": (b"[]", f"{JSON}; charset=utf-8", {"rawData": []}),
    "json with a number beyond 64 bits": (b'{"n": 36893488147419103232}', JSON, {"rawData": {"n": 2**65}}),
    "junk": (b"{oops", JSON, {"rawText": "{oops"}),
    "not a number": (b'{"n": NaN}', JSON, {"rawText": '{"n": NaN}'}),
    "too deep": (b"[" * 2000 + b"]" * 2000, JSON, {"rawText": "[" * 2000 + "]" * 2000}),
    "json in no encoding": (b'{"a": "\xff"}', JSON, {"rawBase64": "eyJhIjogIv8ifQ=="}),
    "form": (b"Body=hi+there&From=whatsapp%3A%2B447700900123&Empty=", FORM,
             {"rawData": {"Body": "hi there", "From": "whatsapp:+447700900123", "Empty": ""}}),
    "form with repetitions": (b"a=1&a=2", FORM, {"rawData": {"a": ["1", "2"]}}),
    "form in name only": (b"hello", FORM, {"rawText": "hello"}),
    "form in no encoding": (b"a=\xff", FORM, {"rawBase64": "YT3/"}),
    "text": ("grüß".encode(), "text/plain", {"rawText": "grüß"}),
    "nothing": (b"", JSON, {"rawText": ""}),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_a_body_is_shown_in_the_form_that_fits(api: Api, name: str) -> None:
    body, content_type, expected = BODIES[name]
    event_id = add_event(api.wired.store, body=body, contentType=content_type)
    shown = api.supervisor.get(f"{EVENTS}/{event_id}").json
    assert shown is not None
    assert {key: value for key, value in shown.items() if key.startswith("raw")} == expected


def rung(redis: Redis) -> list[tuple[str, list[str]]]:
    """What was rung: actor and ids, as a worker would fetch them."""
    found = [Message.decode(raw) for raw in redis.hvals("hookline:inbound.msgs") if isinstance(raw, bytes)]
    return [(message.actor_name, message.args[0]) for message in found]


def test_a_replay_reopens_rings_and_is_audited(api: Api, redis_client: Redis) -> None:
    [event] = api.wired.deliver(meta.envelope(meta.text("hello")))
    admin = api.admin
    headers = admin.headers | {"X-Request-Id": "why-is-it-empty"}
    answer = admin.client.post(f"{EVENTS}/{event.id}/replay", headers=headers, json={"reason": "a mended parser"})
    assert answer.status_code == 202
    assert answer.json is not None
    assert (answer.json["id"], answer.json["status"]) == (event.id, "pending")
    assert answer.json["replayedAt"] == "2026-11-20T12:00:00.001Z"
    assert rung(redis_client) == [("receive", [event.id])]

    entry = api.wired.store.auditentries.find_one({"entity": "webhookEvent"})
    token = api.wired.tokens.authenticate(admin.token or "")
    assert entry is not None
    assert (entry["verb"], entry["entityId"], entry["actorId"]) == ("replay", event.id, token.token_id)
    assert (entry["reason"], entry["requestId"]) == ("a mended parser", "why-is-it-empty")

    api.wired.receiving.receive([event.id])
    assert admin.get(f"{EVENTS}/{event.id}").json["status"] == "processed"  # type: ignore[index]
    assert api.wired.store.messages.count_documents({}) == 1


def test_a_replay_needs_no_reason(api: Api) -> None:
    assert api.admin.post(f"{EVENTS}/{add_event(api.wired.store)}/replay").status_code == 202


def test_a_person_is_audited_as_such(api: Api) -> None:
    who = api.caller(Role.ADMIN, agent_id="agt_root")
    who.post(f"{EVENTS}/{add_event(api.wired.store)}/replay")
    entry = api.wired.store.auditentries.find_one({"verb": "replay"})
    assert entry is not None
    assert (entry["actorType"], entry["actorId"]) == ("agent", "agt_root")


@pytest.mark.parametrize("status", ["pending", "processing"])
def test_what_is_not_at_an_end_is_not_replayed(api: Api, redis_client: Redis, status: str) -> None:
    event_id = add_event(api.wired.store, status=status)
    answer = api.admin.post(f"{EVENTS}/{event_id}/replay")
    assert answer.status_code == 409
    assert answer.json["error"]["code"] == "state_conflict"  # type: ignore[index]
    assert api.wired.store.auditentries.count_documents({"verb": "replay"}) == 0
    assert rung(redis_client) == []


def test_what_is_not_there_is_not_replayed(api: Api) -> None:
    assert api.admin.post(f"{EVENTS}/evt_never/replay").status_code == 404
    assert api.wired.store.auditentries.count_documents({"verb": "replay"}) == 0


def test_without_a_queue_the_row_waits_for_the_sweep(api: Api) -> None:
    def unreachable(_ids: object) -> None:
        raise ConnectionError

    wired = api.wired
    wired.replaying = Replaying(wired.events, wired.auditing, wired.clock, ring=unreachable)
    event_id = add_event(api.wired.store)
    assert api.admin.post(f"{EVENTS}/{event_id}/replay").status_code == 202
    assert api.wired.events.waiting(now=api.wired.clock.now(), limit=5) == [event_id]


def test_many_are_replayed_by_one_order_in_as_many_requests_as_it_takes(
    api: Api, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.sections.webhooks.REPLAYED_AT_ONCE", 2)
    ids = [add_event(api.wired.store, status="failed") for _ in range(3)]
    add_event(api.wired.store)

    tried = api.admin.post(f"{EVENTS}/replay", json={"status": "failed", "dryRun": True})
    assert (tried.status_code, tried.json) == (202, {"count": 3, "nextCursor": None})
    assert api.wired.store.auditentries.count_documents({"verb": "replay"}) == 0

    first = api.admin.post(f"{EVENTS}/replay", json={"status": "failed", "reason": "a mended parser"}).json
    assert first is not None
    assert first["count"] == 2
    second = api.admin.post(f"{EVENTS}/replay", json={"cursor": first["nextCursor"]}).json
    assert second == {"count": 1, "nextCursor": None}

    assert sorted(one for _, some in rung(redis_client) for one in some) == sorted(ids)
    entries = list(api.wired.store.auditentries.find({"entity": "webhookEvents"}))
    assert [(one["verb"], one["after"], one["reason"]) for one in entries] == [
        ("replay", {"status": "failed"}, "a mended parser")
    ]


@pytest.mark.parametrize(
    ("order", "field"),
    [
        ({}, "status"),
        ({"reason": "x"}, "status"),
        ({"status": "pending"}, "status"),
        ({"since": "x"}, "since"),
        ({"cursor": "aud_1.evt_1", "status": "failed"}, "cursor"),
    ],
)
def test_an_order_must_say_which(api: Api, order: dict[str, Any], field: str) -> None:
    answer = api.admin.post(f"{EVENTS}/replay", json=order)
    assert answer.status_code == 422
    assert list(answer.json["error"]["fields"]) == [field]  # type: ignore[index]


def test_an_order_that_was_never_given_is_not_carried_on(api: Api) -> None:
    assert api.admin.post(f"{EVENTS}/replay", json={"cursor": "aud_1.evt_1"}).status_code == 404
    assert api.supervisor.post(f"{EVENTS}/replay", json={"status": "failed"}).status_code == 403
