"""Reading over the API: chats and messages, by those who see them, with a receipt and a typing indicator."""

from redis import Redis

from runtime.crypto import Secret
from tests.api.conftest import AGENT_ID, BASE, Api
from tests.api.rows import add_chat, add_message
from tests.support import meta_webhooks as meta

CHATS, MESSAGES = f"{BASE}/chats", f"{BASE}/messages"


def delivered(api: Api, *texts: str) -> str:
    api.wired.deliver(*(meta.envelope(meta.text(text, at=meta.NOON + n)) for n, text in enumerate(texts)))
    return api.admin.ids(CHATS)[0]


def test_a_chat_is_read(api: Api, redis_client: Redis) -> None:
    chat_id = delivered(api, "one", "two")
    chat = api.agent.put(f"{CHATS}/{chat_id}/read").json
    assert chat is not None
    assert chat["unreadCount"] == 0
    assert [mark["agentId"] for mark in chat["readBy"]] == [AGENT_ID]
    assert chat["lastMessage"]["status"] == "read"
    messages = api.agent.get(f"{CHATS}/{chat_id}/messages").json["data"]  # type: ignore[index]
    assert {(one["status"], one["readStatus"], "readAt" in one) for one in messages} == {("read", "read", True)}
    assert redis_client.llen("hookline:outbound") == 1
    assert "receipt" not in str(chat)

    again = api.agent.put(f"{CHATS}/{chat_id}/read").json
    assert again is not None
    assert again["unreadCount"] == 0
    assert redis_client.llen("hookline:outbound") == 1


def test_one_message_is_read(api: Api) -> None:
    chat_id = delivered(api, "one", "two")
    newest, oldest = api.admin.ids(f"{CHATS}/{chat_id}/messages")
    for _ in range(2):
        message = api.agent.put(f"{MESSAGES}/{oldest}/read").json
        assert message is not None
        assert message["status"] == "read"
        assert api.admin.get(f"{CHATS}/{chat_id}").json["unreadCount"] == 1  # type: ignore[index]
    assert api.admin.get(f"{MESSAGES}/{newest}").json["status"] == "received"  # type: ignore[index]


def test_only_those_who_see_a_chat_read_it(api: Api) -> None:
    chat_id = add_chat(api.wired.store, assigned_to="agt_somebody_else", unread_count=1)
    message_id = add_message(api.wired.store, chat_id)
    for path in (f"{CHATS}/{chat_id}/read", f"{MESSAGES}/{message_id}/read", f"{CHATS}/chat_never/read"):
        assert api.agent.put(path).status_code == 404
    assert api.agent.post(f"{CHATS}/{chat_id}/typing").status_code == 404
    assert api.admin.get(f"{CHATS}/{chat_id}").json["unreadCount"] == 1  # type: ignore[index]


def test_typing_is_passed_on_once_in_a_while(api: Api, redis_client: Redis) -> None:
    chat_id = delivered(api, "one")
    answers = [api.agent.post(f"{CHATS}/{chat_id}/typing") for _ in range(3)]
    assert [(one.status_code, one.json) for one in answers] == [
        (202, {"passedOn": True}),
        (202, {"passedOn": False}),
        (202, {"passedOn": False}),
    ]
    assert redis_client.llen("hookline:outbound") == 1


def test_with_the_queue_away_reading_works_and_typing_is_no_error(api: Api) -> None:
    chat_id = delivered(api, "one")
    object.__setattr__(api.wired.settings, "broker_url", Secret("redis://127.0.0.1:1/0"))
    assert api.agent.put(f"{CHATS}/{chat_id}/read").json["unreadCount"] == 0  # type: ignore[index]
    assert api.agent.post(f"{CHATS}/{chat_id}/typing").json == {"passedOn": False}
    assert api.wired.store.receipts.count_documents({"id": chat_id}) == 1
