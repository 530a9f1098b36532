"""Blocked numbers over the API: by number or user id, with a permission, shown as they stand."""

from typing import Any

import pytest
from werkzeug.test import TestResponse

from models.agent import Permissions, Role
from tests.api.conftest import AGENT_ID, BASE, Api
from tests.api.rows import add_block, after
from tests.api.test_errors import refusal
from tests.support import meta_webhooks as meta

PATH = f"{BASE}/blocked-numbers"
PHONE = f"+{meta.PHONE}"


def shown(response: TestResponse, status: int = 200) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.json is not None
    return dict(response.json)


def test_a_block_comes_back_as_it_was_made_and_flags_the_chat(api: Api) -> None:
    api.wired.deliver(meta.envelope(meta.text("hello")))
    made = shown(api.supervisor.post(PATH, json={"phoneNumber": meta.PHONE, "reason": "spam", "notes": "thrice"}), 201)
    now = made["blockedAt"]
    assert made == {
        "id": made["id"],
        "phoneNumber": PHONE,
        "reason": "spam",
        "notes": "thrice",
        "blockedBy": made["blockedBy"],
        "blockedByName": "a supervisor",
        "blockedAt": now,
        "vendorBlocks": [{"configId": api.wired.account.id, "state": "pending", "attempts": 0, "nextAttemptAt": now}],
        "isActive": True,
        "createdAt": now,
        "updatedAt": now,
    }
    assert shown(api.admin.get(f"{PATH}/{made['id']}")) == made
    assert api.admin.ids(f"{BASE}/chats", blocked="true") != []


def test_ended_it_leaves_the_list_and_stays_on_record(api: Api) -> None:
    api.wired.deliver(meta.envelope(meta.text("hello")))
    admin = api.admin
    one = shown(admin.post(PATH, json={"phoneNumber": PHONE}), 201)["id"]
    ended = shown(admin.delete(f"{PATH}/{one}"))
    assert ended["isActive"] is False
    assert {"unblockedAt", "unblockedBy"} <= set(ended)
    assert shown(admin.delete(f"{PATH}/{one}")) == ended
    assert admin.ids(PATH) == []
    assert admin.ids(PATH, isActive="false") == [one]
    assert admin.ids(f"{BASE}/chats", blocked="true") == []
    assert shown(admin.post(PATH, json={"phoneNumber": PHONE}), 201)["id"] != one


def test_who_is_blocked_already_is_a_conflict_in_any_spelling(api: Api) -> None:
    shown(api.admin.post(PATH, json={"phoneNumber": "+5511987654321"}), 201)
    for spelling in ("+5511987654321", "551187654321"):
        refusal(api.admin.post(PATH, json={"phoneNumber": spelling}), 409, "already_blocked")
        assert len(api.admin.ids(PATH, phoneNumber=spelling)) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "phoneNumber"),
        ({"phoneNumber": None}, "phoneNumber"),
        ({"phoneNumber": "nobody"}, "phoneNumber"),
        ({"phoneNumber": {"$ne": None}}, "phoneNumber"),
        ({"userId": ["GB.1"]}, "userId"),
        ({"userId": ""}, "userId"),
        ({"userId": "GB.1", "reason": "x" * 501}, "reason"),
        ({"userId": "GB.1", "isActive": False}, "isActive"),
        ({"userId": "GB.1", "blockedBy": "agt_1"}, "blockedBy"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(api: Api, body: dict[str, Any], field: str) -> None:
    assert list(refusal(api.admin.post(PATH, json=body), 422, "validation_failed")["fields"]) == [field]


def test_it_needs_the_permission_whatever_the_role(api: Api) -> None:
    trusted = api.caller(Role.AGENT, agent_id=AGENT_ID, permissions=Permissions(can_block_numbers=True))
    one = shown(trusted.post(PATH, json={"userId": "GB.1"}), 201)
    assert one["blockedBy"] == AGENT_ID
    for who in (api.agent, api.caller(Role.SUPERVISOR, permissions=Permissions())):
        for response in (who.get(PATH), who.post(PATH, json={"userId": "GB.2"}), who.delete(f"{PATH}/{one['id']}")):
            refusal(response, 403, "forbidden")


def test_lists_show_the_latest_first_in_pages(api: Api) -> None:
    made = [add_block(api.wired.store, at=after(n)) for n in range(5)]
    add_block(api.wired.store, is_active=False)
    first = shown(api.admin.get(PATH, limit=3))
    rest = api.admin.ids(PATH, limit=3, cursor=first["nextCursor"])
    assert [row["id"] for row in first["data"]] + rest == list(reversed(made))
    assert api.admin.ids(PATH, sort="blockedAt", limit=1) == made[:1]
    wanted = add_block(api.wired.store, at=after(60), user_id="GB.77", blocked_by="agt_1")
    for query in ({"userId": "GB.77"}, {"blockedBy": "agt_1"}, {"from": "2026-11-20T12:01:00Z"}):
        assert api.admin.ids(PATH, **query) == [wanted]


def test_nobody_known_is_404(api: Api) -> None:
    for response in (api.admin.get(f"{PATH}/blk_never"), api.admin.delete(f"{PATH}/blk_never")):
        refusal(response, 404, "not_found")
