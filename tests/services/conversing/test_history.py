"""Synced history beside what comes live: the same message once, whichever is first, and told of if it is news."""

import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from tests.services.conversing.test_order import clean, differences, snapshot
from tests.support import meta_webhooks as meta
from tests.support.wired import Wired

ONE = "wamid.ONE"
BUSINESS = "15550192744"


def synced(state: str, **message: Any) -> bytes:
    """A chunk with one message of the usual customer's thread."""
    item = {"id": ONE, "timestamp": str(meta.NOON), "history_context": {"status": state}, **message}
    thread = {"id": meta.PHONE, "messages": [item]}
    chunk = {"metadata": {"phase": 0, "chunk_order": 1, "progress": 10}, "threads": [thread]}
    return meta.envelope({"history": [chunk]}, field="history")


def theirs(text: str = "hello") -> bytes:
    return synced("READ", type="text", text={"body": text}, **{"from": meta.PHONE})


PLACEHOLDER = synced("READ", type="media_placeholder", **{"from": meta.PHONE})
FILE = meta.envelope(
    {
        "messages": [
            {
                "from": meta.PHONE,
                "id": ONE,
                "timestamp": str(meta.NOON),
                "type": "image",
                "image": {"id": "1003383421387256", "mime_type": "image/jpeg", "caption": "meter"},
            }
        ]
    },
    field="history",
)
LIVE = meta.envelope(meta.text(message_id=ONE))
LIVE_PHOTO = meta.envelope(meta.image(message_id=ONE))
ECHO = meta.envelope(meta.echo("on my way", message_id=ONE), field="smb_message_echoes")
SYNCED_ECHO = synced("READ", type="text", text={"body": "on my way"}, **{"from": BUSINESS, "to": meta.PHONE})


def only(wired: Wired, collection: str) -> dict[str, Any]:
    (row,) = wired.store.database[collection].find({"isDeleted": False})
    return row


def left_by(wired: Wired, bodies: Sequence[bytes]) -> dict[str, list[Any]]:
    clean(wired)
    for body in bodies:
        wired.deliver(body)
    return snapshot(wired)


@pytest.mark.parametrize(
    "bodies",
    [
        (PLACEHOLDER, FILE),
        (LIVE, theirs()),
        (LIVE_PHOTO, PLACEHOLDER),
        (ECHO, SYNCED_ECHO),
        (meta.envelope(meta.text("later", at=meta.NOON + 60)), LIVE, theirs()),
    ],
    ids=["a file", "a text", "a photo", "an echo", "an older text"],
)
def test_whichever_comes_first_the_same_is_left(wired: Wired, bodies: tuple[bytes, ...]) -> None:
    expected = left_by(wired, bodies)

    for order in itertools.permutations(bodies):
        assert differences(expected, left_by(wired, order)) == []


def test_the_file_of_a_placeholder_is_what_the_list_of_chats_shows(wired: Wired) -> None:
    wired.deliver(PLACEHOLDER)
    wired.deliver(FILE)

    shown = only(wired, "chats")["lastMessage"]
    assert (shown["type"], shown["text"]) == ("image", "meter")
    assert "rawType" not in only(wired, "messages")


def test_a_message_that_was_synced_before_it_came_is_unread_and_opens_the_window(wired: Wired) -> None:
    wired.deliver(theirs())
    wired.deliver(LIVE)

    chat, message = only(wired, "chats"), only(wired, "messages")
    assert (chat["unreadCount"], chat["totalMessages"], "history" in message) == (1, 1, False)
    assert chat["windowExpiresAt"] > chat["lastInboundAt"] == message["timestamp"] == chat["waitingSince"]


def test_a_message_comes_live_but_once(wired: Wired) -> None:
    wired.deliver(theirs())
    wired.deliver(LIVE)
    (again,) = wired.deliver(LIVE + b" ")

    assert [item.outcome.value for item in again.items] == ["duplicate"]
    assert only(wired, "chats")["unreadCount"] == 1


def test_what_was_edited_since_the_sync_is_not_taken_back(wired: Wired) -> None:
    change = {"type": "text", "text": {"body": "hello again"}}
    edit = {"type": "edit", "edit": {"original_message_id": ONE, "message": change}}
    for body in (theirs(), meta.envelope(meta.message(edit, at=meta.NOON + 5)), LIVE):
        wired.deliver(body)

    assert only(wired, "messages")["text"] == "hello again"
