"""What becomes of a message after it was written, as the people see it who look at it later."""

from typing import Any

import pytest

from tests.support import meta_webhooks as meta
from tests.support.wired import Wired

ONE = "wamid.ONE"
#: A Brazilian mobile in its two spellings.
NEW_SPELLING, OLD_SPELLING = "5511987654321", "551187654321"


def row(wired: Wired, collection: str = "messages") -> dict[str, Any]:
    (found,) = wired.store.database[collection].find({"isDeleted": False})
    return found


def failed(code: int, **more: Any) -> bytes:
    return meta.envelope(meta.status(ONE, "failed", errors=[{"code": code, "title": "Undeliverable", **more}]))


@pytest.fixture
def sent(wired: Wired) -> Wired:
    """Services with one message that the business wrote."""
    wired.deliver(meta.envelope(meta.echo(message_id=ONE), field="smb_message_echoes"))
    return wired


@pytest.mark.parametrize(
    ("code", "kind", "retryable"), [(131026, "final", False), (131053, "retryable", True), (130429, "throttled", True)]
)
def test_a_failure_told_by_a_status_is_explained_as_one_of_an_answer_is(
    sent: Wired, code: int, kind: str, *, retryable: bool
) -> None:
    sent.deliver(failed(code))

    error = row(sent)["error"]
    assert (error["code"], error["title"]) == (str(code), "Undeliverable")
    assert (error["kind"], error["retryable"]) == (kind, retryable)
    assert error["details"].endswith(".")


def test_a_failures_own_details_stand(sent: Wired) -> None:
    sent.deliver(failed(131026, error_data={"details": "Message undeliverable"}))

    assert row(sent)["error"]["details"] == "Message undeliverable"


def test_a_failure_we_have_no_word_for_is_shown_as_it_is(sent: Wired) -> None:
    sent.deliver(failed(999999))

    error = row(sent)["error"]
    assert (error["code"], error["title"], "kind" in error) == ("999999", "Undeliverable", False)


def test_a_reaction_is_taken_back_also_under_the_other_spelling_of_a_number(wired: Wired) -> None:
    wired.deliver(
        meta.envelope(meta.text(message_id=ONE, sender=NEW_SPELLING)),
        meta.envelope(meta.reaction(ONE, "👍", sender=NEW_SPELLING, at=meta.NOON + 1)),
        meta.envelope(meta.reaction(ONE, None, sender=OLD_SPELLING, at=meta.NOON + 2)),
    )

    assert row(wired)["reactions"] == []


def test_an_edited_caption_leaves_the_file(wired: Wired) -> None:
    caption = {"type": "image", "image": {"caption": "the crack is top left"}}
    edit = {"type": "edit", "edit": {"original_message_id": ONE, "message": caption}}
    wired.deliver(meta.envelope(meta.image(message_id=ONE)), meta.envelope(meta.message(edit, at=meta.NOON + 5)))

    message = row(wired)
    assert (message["media"]["caption"], message["media"]["state"]) == ("the crack is top left", "pending")
    assert message["media"]["mediaId"] == message["edits"][0]["media"]["mediaId"] == "1003383421387256"
    assert row(wired, "chats")["lastMessage"]["text"] == "the crack is top left"


def test_an_echo_says_how_far_it_got_in_both_of_its_words(sent: Wired) -> None:
    assert (row(sent)["status"], row(sent)["readStatus"]) == ("sent", "sent")
