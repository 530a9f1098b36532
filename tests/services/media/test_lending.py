"""Files on their way to vendors: handed over once, by id or by link, and never in doubt about what was sent."""

import hashlib
import io
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest

from models.caller import Caller
from models.message import Attempt, Media, Message
from models.store.media_files import SHOWN_IN
from models.values import Direction, MediaState, MessageStatus, SenderType
from providers import registry
from providers.base import Account
from providers.outbound import ErrorKind, SendableMedia, SendError
from runtime.errors import Invalid
from tests.services.media.conftest import TOKEN, Inbox
from tests.services.media.vendor import picture, refusing
from tests.support.rawserver import Peer

PICTURE = picture()
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOBODY = Caller(token_id="tok_1", name="n", role="agent", permissions=None)  # type: ignore[arg-type]


def stored(inbox: Inbox, content: bytes = PICTURE, name: str = "Zoë.jpg") -> str:
    return inbox.wired.uploading.take(io.BytesIO(content), file_name=name, declared=None, by=NOBODY).id


def message(media: Media | None, message_id: str = "msg_out") -> Message:
    return Message(
        id=message_id,
        chat_id="chat_1",
        config_id="cfg_1",
        direction=Direction.OUTBOUND,
        status=MessageStatus.QUEUED,
        sender_type=SenderType.AGENT,
        provider="meta-whatsapp",
        media=media,
        timestamp=NOON,
        received_at=NOON,
    )


def account(inbox: Inbox) -> Account:
    found = inbox.wired.directory.by_id(inbox.account.id)
    assert found is not None
    return found


def lend(inbox: Inbox, media: Media | None, message_id: str = "msg_out") -> SendableMedia | SendError | None:
    return inbox.wired.lending.for_sending(message(media, message_id), account(inbox))


def test_a_file_is_uploaded_whole_with_its_name_and_kind(inbox: Inbox) -> None:
    assert lend(inbox, Media(media_id=stored(inbox))) == SendableMedia(vendor_id="4490709327384001")
    [sent] = inbox.vendor.uploaded()
    assert sent.header("authorization") == f"Bearer {TOKEN}".encode()
    assert PICTURE in sent.body
    assert 'filename="Zoë.jpg"'.encode() in sent.body
    assert b"Content-Type: image/jpeg" in sent.body


def test_the_vendors_id_is_used_again_until_it_expires(inbox: Inbox) -> None:
    media = Media(media_id=stored(inbox))
    first = lend(inbox, media, "msg_1")
    assert lend(inbox, media, "msg_2") == first
    inbox.wired.clock_hand.move(timedelta(days=29, hours=13))
    again = lend(inbox, media, "msg_3")
    assert again == SendableMedia(vendor_id="4490709327384002")
    assert lend(inbox, media, "msg_4") == again
    assert len(inbox.vendor.uploaded()) == 2


@pytest.mark.parametrize(
    ("outcome", "ids"), [("failed", 2), ("accepted", 2), ("unknown", 2), ("retry", 1), ("throttled", 1), (None, 1)]
)
def test_who_asks_for_another_attempt_gets_another_upload(inbox: Inbox, outcome: str | None, ids: int) -> None:
    """The vendor may have lost the file, or refused it under that id; once more, and not at each of its own tries."""
    media = Media(media_id=stored(inbox))
    lend(inbox, media)
    inbox.wired.clock_hand.move(timedelta(minutes=1))
    again = message(media)
    again.queued_at = inbox.wired.clock.now()
    again.attempts = [Attempt(n=1, at=NOON, outcome=outcome)]
    for _ in range(2):
        lent = inbox.wired.lending.for_sending(again, account(inbox))
        assert lent == SendableMedia(vendor_id=f"449070932738400{ids}")
    assert len(inbox.vendor.uploaded()) == ids


def test_of_a_file_that_is_lost_in_part_nothing_is_sent(inbox: Inbox) -> None:
    media = Media(media_id=stored(inbox))
    inbox.wired.store.database["media.chunks"].delete_many({"files_id": media.media_id})
    error = lend(inbox, media)
    assert isinstance(error, SendError)
    assert (error.kind, error.error.code) == (ErrorKind.FINAL, "media_gone")


def test_an_id_is_good_for_its_own_account_only(inbox: Inbox) -> None:
    media_id = stored(inbox)
    lend(inbox, Media(media_id=media_id))
    inbox.wired.store.mediafiles.update_one({"id": media_id}, {"$set": {"uploads.0.configId": "cfg_other"}})
    assert lend(inbox, Media(media_id=media_id)) == SendableMedia(vendor_id="4490709327384002")
    rows = inbox.wired.media_files.get(media_id).uploads
    assert {one.config_id for one in rows} == {"cfg_other", inbox.account.id}


def test_those_who_see_the_message_see_its_file(inbox: Inbox) -> None:
    media_id = stored(inbox)
    for _ in range(2):
        lend(inbox, Media(media_id=media_id), "msg_7")
    assert inbox.wired.media_files.get(media_id).message_ids == ["msg_7"]


def test_a_file_of_a_whole_campaign_does_not_grow_with_it(inbox: Inbox) -> None:
    media_id = stored(inbox)
    for n in range(SHOWN_IN + 10):
        lend(inbox, Media(media_id=media_id), f"msg_{n}")
    assert inbox.wired.media_files.get(media_id).message_ids == [f"msg_{n}" for n in range(10, SHOWN_IN + 10)]


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", b"nonsense\r\n\r\n"])
def test_an_upload_of_unknown_fate_may_be_made_again(inbox: Inbox, said: bytes) -> None:
    def hang_up(peer: Peer) -> None:
        peer.say(said)
        peer.socket.shutdown(2)

    inbox.vendor.uploads.append(hang_up)
    media = Media(media_id=stored(inbox))
    error = lend(inbox, media)
    assert isinstance(error, SendError)
    assert (error.kind, error.error.retryable) == (ErrorKind.RETRYABLE, True)
    assert lend(inbox, media) == SendableMedia(vendor_id="4490709327384002")


@pytest.mark.parametrize(("status", "body"), [("500 Oops", b"{}"), ("200 OK", b"{}"), ("200 OK", b"<html>")])
def test_an_answer_that_says_nothing_may_be_asked_again(inbox: Inbox, status: str, body: bytes) -> None:
    inbox.vendor.uploads.append(refusing(status, body))
    error = lend(inbox, Media(media_id=stored(inbox)))
    assert isinstance(error, SendError)
    assert error.kind is ErrorKind.RETRYABLE


def test_a_bad_token_is_the_accounts_trouble(inbox: Inbox) -> None:
    refusal = {"error": {"message": "Invalid OAuth access token.", "type": "OAuthException", "code": 190}}
    inbox.vendor.uploads.append(refusing("401 No", json.dumps(refusal).encode()))
    error = lend(inbox, Media(media_id=stored(inbox)))
    assert isinstance(error, SendError)
    assert error.kind is ErrorKind.OURS


def test_a_vendor_that_is_away_is_tried_again(inbox: Inbox) -> None:
    inbox.server.close()
    error = lend(inbox, Media(media_id=stored(inbox)))
    assert isinstance(error, SendError)
    assert (error.kind, error.error.code) == (ErrorKind.RETRYABLE, "connect_refused")


def test_a_vendor_that_takes_links_gets_one_that_works(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = registry.by_name("meta-whatsapp")
    assert provider is not None
    monkeypatch.setattr(type(provider.media), "upload", lambda *_, **__: None)
    media_id = stored(inbox)
    lent = lend(inbox, Media(media_id=media_id))
    assert isinstance(lent, SendableMedia)
    assert (lent.vendor_id, inbox.vendor.uploaded()) == (None, [])
    link = urlsplit(lent.link or "")
    assert f"{link.scheme}://{link.netloc}" == inbox.wired.settings.public_url
    assert link.path == f"/api/whatsapp/media/{media_id}/public"
    query = dict(part.split("=") for part in link.query.split("&"))
    assert inbox.wired.media_links.is_good(media_id, expires=query["expires"], signature=query["signature"])


def test_a_link_of_the_agents_is_passed_on(inbox: Inbox) -> None:
    link = "https://files.example/a.jpg"
    assert lend(inbox, Media(url=link)) == SendableMedia(link=link)
    assert lend(inbox, Media(source_url=link)) == SendableMedia(link=link)
    assert lend(inbox, Media(media_id="1037543291543636")) == SendableMedia(vendor_id="1037543291543636")


def test_a_file_that_is_not_here_is_final(inbox: Inbox) -> None:
    for media in (Media(media_id="med_none"), Media(), Media(url="/api/whatsapp/media/med_none")):
        error = lend(inbox, media)
        assert isinstance(error, SendError)
        assert error.kind is ErrorKind.FINAL


def test_a_message_without_a_file_needs_none(inbox: Inbox) -> None:
    assert lend(inbox, None) is None


def test_a_file_of_ours_is_described_for_the_message(inbox: Inbox) -> None:
    media_id = stored(inbox)
    media = inbox.wired.lending.described(Media(media_id=media_id, caption="look"))
    assert (media.mime_type, media.file_size, media.file_name) == ("image/jpeg", len(PICTURE), "Zoë.jpg")
    assert (media.caption, media.state, media.media_id) == ("look", MediaState.READY, media_id)
    assert media.sha256 == hashlib.sha256(PICTURE).hexdigest()
    assert media.url == f"/api/whatsapp/media/{media_id}"
    link = Media(url="https://files.example/a.jpg")
    assert inbox.wired.lending.described(link) == Media(url=link.url, state=MediaState.READY)
    with pytest.raises(Invalid):
        inbox.wired.lending.described(Media(media_id="med_none"))
