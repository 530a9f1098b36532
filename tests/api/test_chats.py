"""Chats: filters, orders, pages, and what is shown of one."""

from datetime import timedelta
from itertools import chain
from typing import Any

import pytest

from models.chat import LastMessage
from models.values import ChatStatus, Direction, MessageStatus, MessageType, SenderType
from tests.api.conftest import BASE, Api, Caller
from tests.api.rows import NOON, add_chat, after
from tests.support import meta_webhooks as meta

CHATS = f"{BASE}/chats"


def test_a_received_message_shows_in_the_list(api: Api) -> None:
    api.wired.deliver(meta.envelope(meta.text("Is it still available?")))
    chat = api.admin.get(CHATS).json["data"][0]  # type: ignore[index]
    assert chat["customerName"] == "Priya Raman"
    assert chat["phoneNumber"] == f"+{meta.PHONE}"
    assert chat["status"] == "unassigned"
    assert chat["unreadCount"] == 1
    assert chat["lastMessage"]["text"] == "Is it still available?"
    assert api.admin.get(f"{CHATS}/{chat['id']}").json == chat


def test_the_latest_message_comes_first_unless_asked_otherwise(api: Api) -> None:
    store = api.wired.store
    old = add_chat(store, at=after(1), last_message_time=after(30))
    new = add_chat(store, at=after(2), last_message_time=after(20))
    admin = api.admin
    assert admin.ids(CHATS) == [old, new]
    assert admin.ids(CHATS, sort="lastMessageTime") == [new, old]
    assert admin.ids(CHATS, sort="-createdAt") == [new, old]
    assert admin.ids(CHATS, sort="createdAt") == [old, new]


FILTERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "status": ({"status": ChatStatus.RESOLVED}, {"status": "resolved"}),
    "several statuses": ({"status": ChatStatus.CLOSED}, {"status": ["closed", "resolved"]}),
    "assignee": ({"assigned_to": "agt_1"}, {"assignedTo": "agt_1"}),
    "label": ({"labels": ["lbl_1", "lbl_2"]}, {"label": "lbl_2"}),
    "provider": ({"provider": "twilio"}, {"provider": "twilio"}),
    "account": ({"config_id": "cfg_2"}, {"configId": "cfg_2"}),
    "phone": ({"phone_number": "+447700900123"}, {"phoneNumber": "+447700900123"}),
    "phone without the plus": ({"phone_number": "+447700900123"}, {"phoneNumber": "447700900123"}),
    "blocked": ({"blocked": True}, {"blocked": "true"}),
    "unread": ({"unread_count": 3}, {"unread": "true"}),
    "from": ({"last_message_time": after(3600)}, {"from": "2026-11-20T13:00:00Z"}),
    "to": ({"last_message_time": after(-1)}, {"to": "2026-11-20T12:00:00Z"}),
    "from another zone": ({"last_message_time": after(3600)}, {"from": "2026-11-20T15:00:00+02:00"}),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filters_find_what_they_name_and_nothing_else(api: Api, name: str) -> None:
    values, query = FILTERS[name]
    add_chat(api.wired.store)
    wanted = add_chat(api.wired.store, **values)
    assert api.admin.ids(CHATS, **query) == [wanted]


def test_flags_find_their_opposite_too(api: Api) -> None:
    quiet = add_chat(api.wired.store)
    add_chat(api.wired.store, blocked=True, unread_count=1)
    assert api.admin.ids(CHATS, unread="false") == [quiet]
    assert api.admin.ids(CHATS, blocked="false") == [quiet]


def test_filters_narrow_each_other(api: Api) -> None:
    store = api.wired.store
    add_chat(store, provider="twilio")
    add_chat(store, labels=["lbl_1"])
    both = add_chat(store, provider="twilio", labels=["lbl_1"])
    assert api.admin.ids(CHATS, provider="twilio", label="lbl_1") == [both]


def test_an_unescaped_plus_in_the_query_is_understood(api: Api) -> None:
    chat_id = add_chat(api.wired.store, phone_number="+447700900123")
    admin = api.admin
    query = "phoneNumber=+447700900123&from=2026-11-20T14:00:00+02:00"
    response = admin.client.get(f"{CHATS}?{query}", headers=admin.headers)
    assert [chat["id"] for chat in response.json["data"]] == [chat_id]  # type: ignore[index]


def test_deleted_chats_are_nowhere(api: Api) -> None:
    chat_id = add_chat(api.wired.store, is_deleted=True)
    admin = api.admin
    assert admin.ids(CHATS) == []
    assert admin.get(f"{CHATS}/{chat_id}").status_code == 404
    assert admin.get(f"{CHATS}/{chat_id}/messages").status_code == 404


def pages(who: Caller, path: str, **query: Any) -> list[list[str]]:
    """Read a list to its end."""
    read: list[list[str]] = []
    cursor: str | None = None
    while True:
        answer = who.get(path, **query, **({"cursor": cursor} if cursor else {})).json
        assert answer is not None
        read.append([row["id"] for row in answer["data"]])
        cursor = answer["nextCursor"]
        if cursor is None:
            return read


def test_pages_join_without_gap_or_repetition(api: Api) -> None:
    store = api.wired.store
    # Many chats share their time: the id decides.
    made = [add_chat(store, at=after(n // 4)) for n in range(23)]
    expected = sorted(made, key=lambda one: (made.index(one) // 4, one), reverse=True)
    read = pages(api.admin, CHATS, limit=5)
    assert [len(page) for page in read] == [5, 5, 5, 5, 3]
    assert list(chain.from_iterable(read)) == expected


@pytest.mark.parametrize("role", ["admin", "agent"])
def test_pages_stay_true_while_chats_come_in(api: Api, role: str) -> None:
    store, who = api.wired.store, getattr(api, role)
    made = [add_chat(store, at=after(n)) for n in range(20)]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for n in range(7):
        answer = who.get(CHATS, limit=3, **cursor).json
        seen += [chat["id"] for chat in answer["data"]]
        cursor = {"cursor": answer["nextCursor"]}
        add_chat(store, at=after(100 + n))
    assert seen == list(reversed(made))


def test_the_last_page_ends_the_list(api: Api) -> None:
    for n in range(4):
        add_chat(api.wired.store, at=after(n))
    assert api.admin.get(CHATS, limit=4).json["nextCursor"] is None  # type: ignore[index]
    assert api.admin.get(CHATS, limit=3).json["nextCursor"] is not None  # type: ignore[index]


def test_a_page_has_fifty_rows_unless_told_and_never_more_than_two_hundred(api: Api) -> None:
    for n in range(205):
        add_chat(api.wired.store, at=after(n))
    admin = api.admin
    for query, length in (({}, 50), ({"limit": 200}, 200), ({"limit": 201}, 200), ({"limit": 10**9}, 200)):
        assert len(admin.ids(CHATS, **query)) == length


def test_an_empty_list_is_a_list(api: Api) -> None:
    assert api.admin.get(CHATS).json == {"data": [], "nextCursor": None}


def test_a_chat_is_shown_as_it_is_stored(api: Api) -> None:
    last = LastMessage(
        id="msg_1",
        text="hello",
        type=MessageType.TEXT,
        direction=Direction.INBOUND,
        timestamp=NOON,
        received_at=NOON + timedelta(milliseconds=7),
        status=MessageStatus.RECEIVED,
        sender_type=SenderType.CUSTOMER,
    )
    chat_id = add_chat(api.wired.store, customer_name="Priya", last_message=last, unread_count=2)
    assert api.admin.get(f"{CHATS}/{chat_id}").json == {
        "id": chat_id,
        "configId": "cfg_1",
        "addressId": f"adr_{chat_id}",
        "customerName": "Priya",
        "status": "unassigned",
        "labels": [],
        "lastMessage": {
            "id": "msg_1",
            "text": "hello",
            "type": "text",
            "direction": "inbound",
            "timestamp": "2026-11-20T12:00:00.000Z",
            "receivedAt": "2026-11-20T12:00:00.007Z",
            "status": "received",
            "senderType": "customer",
        },
        "lastMessageTime": "2026-11-20T12:00:00.000Z",
        "unreadCount": 2,
        "provider": "meta-whatsapp",
        "blocked": False,
        "readBy": [],
        "transferHistory": [],
        "totalMessages": 0,
        "customerMessages": 0,
        "agentMessages": 0,
        "createdAt": "2026-11-20T12:00:00.000Z",
        "updatedAt": "2026-11-20T12:00:00.000Z",
    }
