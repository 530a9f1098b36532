"""Follow-ups over the API: planned with a zone, seen and changed by those whose they are, ended once."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from models.agent import Permissions, Role
from models.follow_up import FollowUpStatus
from models.values import Priority
from tests.api.conftest import AGENT_ID, BASE, Api
from tests.api.rows import NOON, add_chat, add_follow_up, after
from tests.api.test_errors import refusal

PATH = f"{BASE}/followups"
S = FollowUpStatus
TOMORROW = "2026-11-21T12:00:00.000Z"


def shown(response: TestResponse, status: int = 200) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.json is not None
    return dict(response.json)


def plan(chat_id: str, **values: Any) -> dict[str, Any]:
    return {"chatId": chat_id, "scheduledAt": TOMORROW, **values}


class TestPlanning:
    def test_a_plan_comes_back_as_it_was_made(self, api: Api) -> None:
        chat_id = add_chat(api.wired.store)
        body = plan(
            chat_id,
            title="Call back",
            notes="about the quote",
            priority="high",
            cancelOnReply=True,
            template={
                "name": "still_there",
                "language": "en",
                "values": {"parameters": ["Priya", {"nested": [1, None]}]},
            },
        )
        who = api.agent
        made = shown(who.post(PATH, json=body), 201)
        assert made == {
            "id": made["id"],
            "chatId": chat_id,
            "agentId": AGENT_ID,
            "title": "Call back",
            "notes": "about the quote",
            "scheduledAt": TOMORROW,
            "status": "pending",
            "cancelOnReply": True,
            "priority": "high",
            "reminderSent": False,
            "template": {**body["template"], "state": "waiting"},
            "createdBy": AGENT_ID,
            "createdAt": "2026-11-20T12:00:00.000Z",
            "updatedAt": "2026-11-20T12:00:00.000Z",
        }
        assert shown(who.get(f"{PATH}/{made['id']}")) == made
        assert who.ids(f"{BASE}/chats/{chat_id}/followups") == who.ids(PATH) == [made["id"]]

    @pytest.mark.parametrize(
        ("said", "kept"),
        [
            ("2026-11-21T14:00:00+02:00", TOMORROW),
            ("2026-11-21T07:00:00-05:00", TOMORROW),
            ("2026-11-21T12:00Z", TOMORROW),
            # The hour that comes twice in London in 2027: the offset says which.
            ("2027-10-31T01:30:00+01:00", "2027-10-31T00:30:00.000Z"),
            ("2027-10-31T01:30:00+00:00", "2027-10-31T01:30:00.000Z"),
            ("2028-02-29T23:59:59.999Z", "2028-02-29T23:59:59.999Z"),
        ],
    )
    def test_an_offset_is_understood_and_utc_kept(self, api: Api, said: str, kept: str) -> None:
        body = plan(add_chat(api.wired.store), scheduledAt=said)
        assert shown(api.admin.post(PATH, json=body), 201)["scheduledAt"] == kept

    @pytest.mark.parametrize("said", ["2026-11-21T12:00:00", "2026-11-21", "20261121T1200"])
    def test_a_time_without_a_zone_is_refused_and_told_why(self, api: Api, said: str) -> None:
        body = plan(add_chat(api.wired.store), scheduledAt=said)
        fields = refusal(api.admin.post(PATH, json=body), 422, "validation_failed")["fields"]
        assert fields == {"scheduledAt": ["Say the zone too: 2026-01-31T09:30:00Z or 2026-01-31T09:30:00+01:00."]}

    WRONG: tuple[tuple[dict[str, Any], str], ...] = (
        ({"scheduledAt": "soon"}, "scheduledAt"),
        ({"scheduledAt": None}, "scheduledAt"),
        ({"scheduledAt": 1793100000}, "scheduledAt"),
        ({"scheduledAt": "2026-11-20T11:58:59Z"}, "scheduledAt"),
        ({"scheduledAt": "2046-11-20T12:00:00Z"}, "scheduledAt"),
        ({"priority": "urgent"}, "priority"),
        ({"title": "x" * 201}, "title"),
        ({"notes": {"$gt": ""}}, "notes"),
        ({"agentId": ["a"]}, "agentId"),
        ({"status": "completed"}, "status"),
        ({"reminderSent": True}, "reminderSent"),
        ({"template": {"language": "en"}}, "template.name"),
        ({"template": {"name": "x", "state": "queued"}}, "template.state"),
        ({"template": {"name": "x", "values": {str(n): n for n in range(101)}}}, "template.values"),
        ({"template": {"name": "x", "values": {"a\0": 1}}}, "template.values"),
        ({"template": {"name": "x", "values": {"header": [{"\0": 1}]}}}, "template.values"),
        ({"template": {"name": "x", "values": {"a": json.loads("[" * 150 + "]" * 150)}}}, "template.values"),
        ({"template": {"name": "x", "values": {"a": 2**64 - 1}}}, "template.values"),
        ({"scheduledAt": "0001-01-01T00:00:00+05:00"}, "scheduledAt"),
        ({"scheduledAt": "9999-12-31T23:59:59-05:00"}, "scheduledAt"),
        ({"origin": "window:x"}, "origin"),
    )

    @pytest.mark.parametrize(("values", "field"), WRONG)
    def test_what_is_wrong_is_named_by_its_path(self, api: Api, values: dict[str, Any], field: str) -> None:
        body = plan(add_chat(api.wired.store), **values)
        assert list(refusal(api.admin.post(PATH, json=body), 422, "validation_failed")["fields"]) == [field]
        assert api.wired.store.followups.count_documents({}) == 0

    def test_what_is_missing_is_named(self, api: Api) -> None:
        assert set(refusal(api.admin.post(PATH, json={}), 422, "validation_failed")["fields"]) == {
            "chatId",
            "scheduledAt",
        }

    def test_only_in_a_chat_that_one_sees(self, api: Api) -> None:
        foreign = add_chat(api.wired.store, assigned_to="agt_somebody_else")
        for chat_id in (foreign, "chat_never"):
            refusal(api.agent.post(PATH, json=plan(chat_id)), 404, "not_found")

    def test_only_overseers_name_somebody_else(self, api: Api) -> None:
        chat_id = add_chat(api.wired.store)
        body = plan(chat_id, agentId="agt_ben")
        refusal(api.agent.post(PATH, json=body), 403, "forbidden")
        assert shown(api.supervisor.post(PATH, json=body), 201)["agentId"] == "agt_ben"
        assert shown(api.agent.post(PATH, json=plan(chat_id, agentId=AGENT_ID)), 201)["agentId"] == AGENT_ID

    def test_a_programs_is_the_assignees(self, api: Api) -> None:
        chat_id = add_chat(api.wired.store, assigned_to="agt_ben")
        assert shown(api.admin.post(PATH, json=plan(chat_id)), 201)["agentId"] == "agt_ben"


class TestChanging:
    @pytest.mark.parametrize("word", ["completed", "cancelled"])
    def test_ending_is_final_and_said_twice_is_once(self, api: Api, word: str) -> None:
        one = add_follow_up(api.wired.store, add_chat(api.wired.store), agent_id=AGENT_ID)
        who = api.agent
        ended = shown(who.put(f"{PATH}/{one}", json={"status": word}))
        assert (ended["status"], ended[f"{word}By"]) == (word, AGENT_ID)
        assert shown(who.put(f"{PATH}/{one}", json={"status": word})) == ended
        for change in (
            {"title": "x"},
            {"scheduledAt": TOMORROW},
            {"status": "cancelled" if word == "completed" else "completed"},
        ):
            refusal(who.put(f"{PATH}/{one}", json=change), 409, "state_conflict")

    def test_put_off_it_fires_again(self, api: Api) -> None:
        one = add_follow_up(
            api.wired.store, add_chat(api.wired.store), status=S.OVERDUE, reminder_sent=True, reminder_sent_at=NOON
        )
        changed = shown(api.admin.put(f"{PATH}/{one}", json={"scheduledAt": TOMORROW}))
        assert (changed["status"], changed["reminderSent"]) == ("pending", False)
        assert "reminderSentAt" not in changed
        api.wired.clock_hand.move(timedelta(days=1))
        assert api.wired.firing.due() == 1

    def test_fields_change_and_what_is_null_goes(self, api: Api) -> None:
        one = add_follow_up(api.wired.store, add_chat(api.wired.store), title="x", notes="y")
        changed = shown(
            api.admin.put(f"{PATH}/{one}", json={"title": "z", "notes": None, "priority": "low", "agentId": "agt_ben"})
        )
        assert (changed["title"], changed["priority"], changed["agentId"]) == ("z", "low", "agt_ben")
        assert "notes" not in changed
        assert shown(api.admin.put(f"{PATH}/{one}", json={})) == changed

    @pytest.mark.parametrize("word", ["pending", "overdue", "done", ""])
    def test_no_state_is_set_by_hand_that_follows_from_time(self, api: Api, word: str) -> None:
        one = add_follow_up(api.wired.store, add_chat(api.wired.store))
        assert list(
            refusal(api.admin.put(f"{PATH}/{one}", json={"status": word}), 422, "validation_failed")["fields"]
        ) == ["status"]

    def test_it_is_not_ended_and_put_off_at_once(self, api: Api) -> None:
        one = add_follow_up(api.wired.store, add_chat(api.wired.store))
        body = {"status": "completed", "scheduledAt": TOMORROW}
        assert list(refusal(api.admin.put(f"{PATH}/{one}", json=body), 422, "validation_failed")["fields"]) == [
            "status"
        ]

    def test_deleted_it_is_gone(self, api: Api) -> None:
        chat_id = add_chat(api.wired.store)
        one = add_follow_up(api.wired.store, chat_id)
        assert shown(api.admin.delete(f"{PATH}/{one}")) == {"id": one}
        for again in (
            api.admin.get(f"{PATH}/{one}"),
            api.admin.delete(f"{PATH}/{one}"),
            api.admin.put(f"{PATH}/{one}", json={"title": "x"}),
        ):
            refusal(again, 404, "not_found")
        assert api.admin.ids(PATH) == api.admin.ids(f"{BASE}/chats/{chat_id}/followups") == []

    def test_every_change_is_in_the_trail_with_its_request(self, api: Api) -> None:
        who = api.agent
        one = shown(who.post(PATH, json=plan(add_chat(api.wired.store))), 201)["id"]
        answer = who.put(f"{PATH}/{one}", json={"status": "completed"})
        entries = list(api.wired.store.auditentries.find({"entityId": one}).sort("id", 1))
        assert [(entry["verb"], entry["actorId"]) for entry in entries] == [
            ("create", AGENT_ID),
            ("complete", AGENT_ID),
        ]
        assert entries[1]["requestId"] == answer.headers["X-Request-Id"]


class TestWhose:
    def test_agents_see_and_change_their_own_and_overseers_all(self, api: Api) -> None:
        chat_id = add_chat(api.wired.store)
        own = add_follow_up(api.wired.store, chat_id, agent_id=AGENT_ID)
        foreign = add_follow_up(api.wired.store, chat_id, agent_id="agt_ben", at=after(1))
        nobodys = add_follow_up(api.wired.store, chat_id, at=after(2))
        assert api.agent.ids(PATH) == [own]
        assert api.supervisor.ids(PATH) == [own, foreign, nobodys]
        assert api.agent.ids(PATH, agentId="agt_ben") == []
        for one, status in ((own, 200), (foreign, 404), (nobodys, 404)):
            assert api.agent.get(f"{PATH}/{one}").status_code == status
            assert api.agent.put(f"{PATH}/{one}", json={"title": "x"}).status_code == status
            assert api.supervisor.put(f"{PATH}/{one}", json={"title": "y"}).status_code == 200
        assert api.agent.delete(f"{PATH}/{foreign}").status_code == 404

    def test_in_a_chat_that_one_sees_one_sees_everybodys(self, api: Api) -> None:
        chat_id = add_chat(api.wired.store, assigned_to=AGENT_ID)
        foreign = add_follow_up(api.wired.store, chat_id, agent_id="agt_ben")
        add_follow_up(api.wired.store, add_chat(api.wired.store))
        assert api.agent.ids(f"{BASE}/chats/{chat_id}/followups") == [foreign]
        hidden = add_chat(api.wired.store, assigned_to="agt_ben")
        refusal(api.agent.get(f"{BASE}/chats/{hidden}/followups"), 404, "not_found")

    def test_who_may_see_all_chats_sees_all_and_changes_only_their_own(self, api: Api) -> None:
        foreign = add_follow_up(api.wired.store, add_chat(api.wired.store), agent_id="agt_ben")
        curious = api.caller(Role.AGENT, agent_id=AGENT_ID, permissions=Permissions(can_view_all_chats=True))
        assert curious.ids(PATH) == [foreign]
        assert curious.put(f"{PATH}/{foreign}", json={"title": "x"}).status_code == 404

    def test_a_program_with_an_agents_role_has_none_of_its_own(self, api: Api) -> None:
        add_follow_up(api.wired.store, add_chat(api.wired.store))
        assert api.caller(Role.AGENT).ids(PATH) == []


FILTERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "status": ({"status": S.OVERDUE}, {"status": "overdue"}),
    "several statuses": ({"status": S.COMPLETED}, {"status": ["completed", "cancelled"]}),
    "agent": ({"agent_id": "agt_ben"}, {"agentId": "agt_ben"}),
    "priority": ({"priority": Priority.HIGH}, {"priority": ["high"]}),
    "due from": ({"scheduled_at": after(3600)}, {"from": "2026-11-20T13:00:00Z"}),
    "due before": ({"scheduled_at": after(-1)}, {"to": "2026-11-20T12:00:00Z"}),
}


class TestListing:
    @pytest.mark.parametrize("name", FILTERS)
    def test_filters_find_what_they_name_and_nothing_else(self, api: Api, name: str) -> None:
        values, query = FILTERS[name]
        chat_id = add_chat(api.wired.store)
        add_follow_up(api.wired.store, chat_id)
        wanted = add_follow_up(api.wired.store, chat_id, **values)
        assert api.admin.ids(PATH, **query) == [wanted]
        assert api.admin.ids(f"{BASE}/chats/{chat_id}/followups", **query) == [wanted]

    def test_by_chat(self, api: Api) -> None:
        chats = [add_chat(api.wired.store) for _ in range(2)]
        rows = [add_follow_up(api.wired.store, chat_id) for chat_id in chats]
        assert api.admin.ids(PATH, chatId=chats[1]) == [rows[1]]
        assert api.admin.ids(f"{BASE}/chats/{chats[0]}/followups", chatId=chats[1]) == [rows[0]]

    def test_pages_stay_true_while_rows_come_in(self, api: Api) -> None:
        chat_id = add_chat(api.wired.store)
        made = [add_follow_up(api.wired.store, chat_id, at=after(n // 2)) for n in range(9)]
        seen: list[str] = []
        cursor: dict[str, str] = {}
        for _ in range(3):
            answer = shown(api.admin.get(PATH, limit=3, **cursor))
            seen += [row["id"] for row in answer["data"]]
            cursor = {"cursor": answer["nextCursor"] or ""}
            add_follow_up(api.wired.store, chat_id, at=after(-1))
        assert seen == made

    def test_orders(self, api: Api) -> None:
        chat_id = add_chat(api.wired.store)
        early = add_follow_up(api.wired.store, chat_id, at=after(2), scheduled_at=after(10))
        late = add_follow_up(api.wired.store, chat_id, at=after(1), scheduled_at=after(20))
        assert api.admin.ids(PATH) == api.admin.ids(PATH, sort="-createdAt") == [early, late]
        assert api.admin.ids(PATH, sort="-scheduledAt") == api.admin.ids(PATH, sort="createdAt") == [late, early]

    @pytest.mark.parametrize(
        "scope", [{"isDeleted": False}, {"isDeleted": False, "agentId": AGENT_ID}, {"isDeleted": False, "chatId": "c"}]
    )
    @pytest.mark.parametrize("direction", [1, -1])
    def test_every_order_is_read_from_an_index(self, api: Api, scope: dict[str, Any], direction: int) -> None:
        order = [("scheduledAt", direction), ("id", direction)]
        plan = api.wired.store.followups.find(scope).sort(order).explain()["queryPlanner"]["winningPlan"]
        assert "SORT" not in str(plan)
        assert "IXSCAN" in str(plan)


def test_a_plan_of_the_api_fires_at_its_instant_once(api: Api) -> None:
    """FAULTS D5, end to end: planned in a zone, across the change to winter time, fired at the instant meant."""
    api.wired.clock_hand._now = datetime(2027, 10, 30, 12, tzinfo=UTC)
    body = plan(add_chat(api.wired.store), scheduledAt="2027-10-31T01:30:00+01:00")
    one = shown(api.admin.post(PATH, json=body), 201)["id"]
    fired = []
    for _ in range(60):
        api.wired.clock_hand.move(timedelta(minutes=30))
        if api.wired.firing.due():
            fired.append(api.wired.clock.now())
    assert fired == [datetime(2027, 10, 31, 0, 30, tzinfo=UTC)]
    assert shown(api.admin.get(f"{PATH}/{one}"))["reminderSentAt"] == "2027-10-31T00:30:00.000Z"
