"""Customers at the desk: who may see them, and the life of one who hides the number."""

from typing import Any

import pytest

from tests.api.conftest import BASE, Api
from tests.services.conversing.test_identity import NEW, NOON, OLD, OLD_ID, said
from tests.support.wired import Wired

CUSTOMERS = f"{BASE}/customers"


def only_customer(wired: Wired, **query: Any) -> str:
    (row,) = wired.store.customers.find({"isDeleted": False, **query})
    return str(row["id"])


@pytest.fixture
def two(api: Api) -> tuple[str, str]:
    """Two customers, each with a chat."""
    api.wired.deliver(said("home", at=NOON, phone=OLD), said("work", at=NOON, phone=NEW))
    return only_customer(api.wired, phoneNumber=f"+{OLD}"), only_customer(api.wired, phoneNumber=f"+{NEW}")


def test_customers_are_listed_and_found(api: Api, two: tuple[str, str]) -> None:
    assert sorted(api.supervisor.ids(CUSTOMERS)) == sorted(two)
    assert api.supervisor.ids(CUSTOMERS, phoneNumber=OLD) == [two[0]]
    assert api.supervisor.ids(CUSTOMERS, name="nobody") == []
    assert api.supervisor.ids(CUSTOMERS, to="2001-01-01") == []
    assert sorted(api.supervisor.ids(CUSTOMERS, **{"from": "2001-01-01"})) == sorted(two)
    assert api.agent.get(CUSTOMERS).status_code == 403


def test_an_agent_sees_the_customers_of_the_chats_that_he_sees(api: Api, two: tuple[str, str]) -> None:
    api.wired.store.chats.update_one(
        {"customerId": two[0]}, {"$set": {"status": "assigned", "assignedTo": "agt_another"}}
    )
    assert api.agent.get(f"{CUSTOMERS}/{two[0]}").status_code == 404
    assert api.agent.get(f"{CUSTOMERS}/{two[1]}").status_code == 200
    assert api.supervisor.get(f"{CUSTOMERS}/{two[0]}").status_code == 200
    assert api.supervisor.get(f"{CUSTOMERS}/cus_nobody").status_code == 404


def test_a_merge_and_its_undoing(api: Api, two: tuple[str, str]) -> None:
    home, work = two
    answer = api.supervisor.post(f"{CUSTOMERS}/{work}/merge", json={"into": home, "reason": "she said so"})
    assert (answer.status_code, answer.json["id"], answer.json["totalChats"]) == (200, home, 2)  # type: ignore[index]
    assert api.supervisor.get(f"{CUSTOMERS}/{work}").status_code == 404
    # The other way round it is the same merge.
    assert api.supervisor.post(f"{CUSTOMERS}/{home}/merge", json={"from": work}).status_code == 200

    undone = api.supervisor.post(f"{CUSTOMERS}/{work}/unmerge", json={"reason": "it was her sister"})
    assert (undone.status_code, undone.json["totalChats"]) == (200, 1)  # type: ignore[index]
    entries = list(api.wired.store.auditentries.find({"entity": "customer"}).sort("id", 1))
    assert [(one["verb"], one["reason"], one["actorType"]) for one in entries] == [
        ("merge", "she said so", "token"),
        ("unmerge", "it was her sister", "token"),
    ]


@pytest.mark.parametrize(
    ("order", "status"),
    [({}, 422), ({"into": "cus_a", "from": "cus_b"}, 422), ({"into": "cus_nobody"}, 404), ({"whom": "cus_a"}, 422)],
)
def test_a_merge_must_name_one_other(api: Api, two: tuple[str, str], order: dict[str, str], status: int) -> None:
    assert api.supervisor.post(f"{CUSTOMERS}/{two[0]}/merge", json=order).status_code == status
    assert api.supervisor.post(f"{CUSTOMERS}/{two[0]}/merge", json={"into": two[0]}).status_code == 422
    assert api.agent.post(f"{CUSTOMERS}/{two[0]}/merge", json={"into": two[1]}).status_code == 403
    assert api.agent.post(f"{CUSTOMERS}/{two[0]}/unmerge").status_code == 403


def test_the_story_of_one_who_hides_the_number(api: Api) -> None:
    """Received and shown by user id alone, linked to a number later, merged: never with a second chat (complaint 8)."""
    desk, wired = api.supervisor, api.wired

    def chats(customer_id: str) -> list[dict[str, Any]]:
        shown = desk.get(f"{BASE}/chats").json
        assert shown is not None
        return [chat for chat in shown["data"] if chat["customerId"] == customer_id]

    wired.deliver(said("hello from nobody", at=NOON, user_id=OLD_ID))
    hidden = only_customer(wired)
    (chat,) = chats(hidden)
    assert (chat["userId"], chat.get("phoneNumber"), chat["unreadCount"]) == (OLD_ID, None, 1)
    assert (chat["customerName"], chat["lastMessage"]["text"]) == ("Priya Raman", "hello from nobody")
    messages = desk.get(f"{BASE}/chats/{chat['id']}/messages").json
    assert [(one["from"], one["userId"]) for one in messages["data"]] == [(OLD_ID, OLD_ID)]  # type: ignore[index]

    # She writes from a number that nobody has seen her with, then the vendor shows both together.
    wired.deliver(said("my number", at=NOON + 10, phone=OLD))
    assert len(desk.ids(CUSTOMERS)) == 2
    wired.deliver(said("both", at=NOON + 20, phone=OLD, user_id=OLD_ID))
    (customer,) = desk.ids(CUSTOMERS)
    (chat,) = chats(customer)
    assert (chat["userId"], chat["phoneNumber"], chat["unreadCount"]) == (OLD_ID, f"+{OLD}", 3)

    # Her office is another customer until somebody says that it is hers: two addresses, two chats, one person.
    wired.deliver(said("the office", at=NOON + 30, phone=NEW))
    office = only_customer(wired, phoneNumber=f"+{NEW}")
    assert desk.post(f"{CUSTOMERS}/{office}/merge", json={"into": customer}).status_code == 200
    assert desk.ids(CUSTOMERS) == [customer]
    assert len(chats(customer)) == 2

    for number, words in enumerate(({"user_id": OLD_ID}, {"phone": OLD}, {"phone": NEW})):
        wired.deliver(said(f"again {number}", at=NOON + 40 + number, **words))
    assert {one.get("userId"): one["unreadCount"] for one in chats(customer)} == {
        OLD_ID: 5,
        None: 2,
    }
    shown = desk.get(f"{CUSTOMERS}/{customer}").json
    assert shown is not None
    assert (shown["totalChats"], shown["totalMessages"]) == (2, 7)
