"""Messages: the vendor's order, filters, and what of one is nobody's business."""

from datetime import timedelta

from models.message import Edit, Media, Reaction
from models.values import Direction, MediaState, MessageType
from tests.api.conftest import BASE, Api
from tests.api.rows import NOON, add_chat, add_message, after
from tests.support import meta_webhooks as meta


def test_a_delivered_conversation_reads_newest_first(api: Api) -> None:
    first, second = meta.text("one", at=meta.NOON), meta.text("two", at=meta.NOON + 60)
    api.wired.deliver(meta.envelope(second), meta.envelope(first))
    admin = api.admin
    chat_id = admin.ids(f"{BASE}/chats")[0]
    path = f"{BASE}/chats/{chat_id}/messages"
    texts = [message["text"] for message in admin.get(path).json["data"]]  # type: ignore[index]
    assert texts == ["two", "one"]
    texts = [message["text"] for message in admin.get(path, sort="timestamp").json["data"]]  # type: ignore[index]
    assert texts == ["one", "two"]


def test_only_messages_of_the_chat_are_listed(api: Api) -> None:
    store = api.wired.store
    chat_id, other = add_chat(store), add_chat(store)
    message_id = add_message(store, chat_id)
    add_message(store, other)
    add_message(store, chat_id, is_deleted=True)
    assert api.admin.ids(f"{BASE}/chats/{chat_id}/messages") == [message_id]


def test_filters(api: Api) -> None:
    store = api.wired.store
    chat_id = add_chat(store)
    path = f"{BASE}/chats/{chat_id}/messages"
    early = add_message(store, chat_id, at=after(0))
    photo = add_message(store, chat_id, at=after(60), type=MessageType.IMAGE)
    reply = add_message(store, chat_id, at=after(120), direction=Direction.OUTBOUND)
    admin = api.admin
    assert admin.ids(path, type="image") == [photo]
    assert admin.ids(path, type=["image", "text"]) == [reply, photo, early]
    assert admin.ids(path, direction="outbound") == [reply]
    assert admin.ids(path, **{"from": "2026-11-20T12:01:00Z"}) == [reply, photo]
    assert admin.ids(path, to="2026-11-20T12:01:00Z") == [early]


def test_the_vendors_time_orders_then_the_receipt_then_the_id(api: Api) -> None:
    store = api.wired.store
    chat_id = add_chat(store)
    late = add_message(store, chat_id, at=after(9), timestamp=NOON, received_at=after(9))
    soon = add_message(store, chat_id, at=after(1), timestamp=NOON, received_at=after(1))
    twins = [add_message(store, chat_id, at=after(5), timestamp=NOON, received_at=after(5)) for _ in range(2)]
    path = f"{BASE}/chats/{chat_id}/messages"
    assert api.admin.ids(path, sort="timestamp") == [soon, *twins, late]
    assert api.admin.ids(path) == [late, *reversed(twins), soon]


def test_pages_stay_true_while_messages_come_in_new_and_late(api: Api) -> None:
    store = api.wired.store
    chat_id = add_chat(store)
    path = f"{BASE}/chats/{chat_id}/messages"
    made = [add_message(store, chat_id, at=after(10 * n)) for n in range(30)]
    seen: list[str] = []
    query: dict[str, str] = {}
    admin = api.admin
    for n in range(5):
        answer = admin.get(path, limit=6, **query).json
        seen += [message["id"] for message in answer["data"]]  # type: ignore[index]
        query = {"cursor": answer["nextCursor"]}  # type: ignore[index]
        # One newer than all, and one that was held up and belongs among those already read.
        add_message(store, chat_id, at=after(1000 + n))
        add_message(store, chat_id, at=after(295 + n), received_at=after(1000 + n))
    assert seen == list(reversed(made))


def test_a_message_that_was_held_up_appears_on_the_page_it_belongs_to(api: Api) -> None:
    store = api.wired.store
    chat_id = add_chat(store)
    path = f"{BASE}/chats/{chat_id}/messages"
    made = [add_message(store, chat_id, at=after(10 * n)) for n in range(4)]
    admin = api.admin
    cursor = admin.get(path, limit=2).json["nextCursor"]  # type: ignore[index]
    late = add_message(store, chat_id, at=after(5), received_at=after(1000))
    assert admin.ids(path, limit=5, cursor=cursor) == [made[1], late, made[0]]


def test_internal_fields_stay_inside(api: Api) -> None:
    chat_id = add_chat(api.wired.store)
    media = Media(media_id="1", source_url="https://cdn.example/secret-hash", state=MediaState.PENDING)
    message_id = add_message(
        api.wired.store,
        chat_id,
        media=media,
        edits=[Edit(key="wamid.edit", text="before", media=media, at=NOON)],
        edit_key="wamid.edit2",
        reactions=[Reaction(from_="+447700900123", emoji="👍", at=NOON)],
        reaction_times={"+447700900123": NOON},
        generation=7,
        lease_until=NOON + timedelta(seconds=20),
        idempotency_key="abc",
        client_ref="ref",
    )
    admin = api.admin
    for shown in (
        admin.get(f"{BASE}/messages/{message_id}"),
        admin.get(f"{BASE}/chats/{chat_id}/messages"),
    ):
        for secret in ("secret-hash", "sourceUrl", "reactionTimes", "editKey", "wamid.edit", "generation",
                       "leaseUntil", "idempotencyKey", "clientRef", "_id", "isDeleted"):  # fmt: skip
            assert secret not in shown.text
    message = admin.get(f"{BASE}/messages/{message_id}").json
    assert message is not None
    assert message["media"] == {"mediaId": "1", "state": "pending"}
    assert message["edits"] == [
        {"text": "before", "media": {"mediaId": "1", "state": "pending"}, "at": "2026-11-20T12:00:00.000Z"}
    ]
    assert message["reactions"] == [{"from": "+447700900123", "emoji": "👍", "at": "2026-11-20T12:00:00.000Z"}]


def test_what_a_vendor_sent_beside_is_shown_as_it_came(api: Api) -> None:
    chat_id = add_chat(api.wired.store)
    metadata = {"depth": {"list": [1, 2.5, None, True, "x"]}, "big": 2**62}
    message_id = add_message(api.wired.store, chat_id, metadata=metadata)
    assert api.admin.get(f"{BASE}/messages/{message_id}").json["metadata"] == metadata  # type: ignore[index]
