"""Fetching what customers sent, from a vendor that is slow, wrong or hostile: each end is a state with a reason."""

import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest

from models.media_file import FileState, files_of
from models.message import Content, Media
from models.store.batch import Batch
from models.store.webhook_events import Closing
from models.values import Direction, MediaState
from providers.events import MessageEdited, Party
from runtime.errors import Conflict, LeaseLost, NotFound
from services.conversing.applying import apply, wanted
from services.conversing.facts import Fact
from services.media.storage import MAX_BYTES
from services.media.troubles import TROUBLES
from tests.services.media.conftest import NUMBER_ID, TOKEN, Inbox
from tests.services.media.vendor import picture, refusing
from tests.support import meta_webhooks as meta
from tests.support.rawserver import Peer, answering, serving

DAYS_KEPT = timedelta(days=7)


def test_a_message_is_there_before_its_file(inbox: Inbox) -> None:
    media = inbox.media(inbox.receive(caption="look"))
    assert (media.state, media.url, media.caption) == (MediaState.PENDING, None, "look")


def test_a_file_is_fetched_checked_and_kept(inbox: Inbox) -> None:
    message_id = inbox.receive(caption="look")
    media = inbox.fetch(message_id)
    assert media.state is MediaState.READY
    assert media.url is not None
    assert media.url.startswith("/api/whatsapp/media/med_")
    assert media.thumbnail_url == f"{media.url}/thumbnail"
    assert (media.file_size, media.mime_type) == (len(inbox.vendor.content), "image/jpeg")
    assert media.sha256 == hashlib.sha256(inbox.vendor.content).hexdigest()
    assert (media.caption, media.error, media.source_url) == ("look", None, None)
    assert inbox.bytes_of(media) == inbox.vendor.content
    assert inbox.message(message_id).fetch is None


def test_the_vendors_own_host_gets_the_token(inbox: Inbox) -> None:
    inbox.fetch(inbox.receive())
    sent = {request.header("authorization") for request in inbox.vendor.requests}
    assert sent == {f"Bearer {TOKEN}".encode()}


def test_arrival_rings_for_the_file(inbox: Inbox) -> None:
    rung: list[str] = []
    inbox.wired.receiving._on_media = rung.extend
    message_id = inbox.receive()
    assert rung == [message_id]


def test_the_sweep_rings_for_what_nobody_rang_for(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[str] = []
    monkeypatch.setattr(inbox.wired.media_fetching, "_ring", rung.extend)
    message_id = inbox.receive()
    rung.clear()
    assert inbox.wired.media_fetching.sweep() == 1
    assert rung == [message_id]
    inbox.fetch(message_id)
    rung.clear()
    assert inbox.wired.media_fetching.sweep() == 0
    assert rung == []


def test_two_workers_fetch_a_file_once(inbox: Inbox) -> None:
    message_id = inbox.receive()
    assert [inbox.wired.media_fetching.fetch([message_id]) for _ in range(2)] == [1, 0]
    assert len(inbox.vendor.fetched()) == 1


def test_a_claim_keeps_others_away_until_its_lease_ends(inbox: Inbox) -> None:
    message_id = inbox.receive()
    rows, clock = inbox.wired.media_files, inbox.wired.clock
    assert rows.claim(message_id, now=clock.now(), lease=timedelta(minutes=6)) is not None
    assert inbox.wired.media_fetching.fetch([message_id]) == 0
    inbox.wired.clock_hand.move(timedelta(minutes=6))
    assert inbox.wired.media_fetching.fetch([message_id]) == 1
    assert inbox.media(message_id).state is MediaState.READY


def test_a_worker_that_was_overtaken_leaves_nothing_behind(inbox: Inbox) -> None:
    message_id = inbox.receive()

    def overtaken(peer: Peer) -> None:
        inbox.wired.store.messages.update_one({"id": message_id}, {"$set": {"fetch.claim": "another's"}})
        peer.answer(inbox.vendor.content)

    inbox.vendor.downloads.append(overtaken)
    assert inbox.fetch(message_id).state is MediaState.PENDING
    assert inbox.wired.store.mediafiles.count_documents({}) == 0
    assert inbox.wired.store.database["media.files"].count_documents({}) == 0


def test_an_expired_address_is_asked_for_anew(inbox: Inbox) -> None:
    inbox.vendor.downloads.append(refusing("404 Not Found"))
    message_id = inbox.receive()
    first = inbox.fetch(message_id)
    assert first.state is MediaState.PENDING
    assert first.error == f"not_found: {TROUBLES['not_found'][0]}"
    assert inbox.fetch(message_id).state is MediaState.READY
    assert [request.target for request in inbox.vendor.fetched()] == ["/files/1", "/files/2"]


@pytest.mark.parametrize(
    ("status", "word"),
    [("401 No", "refused"), ("403 No", "refused"), ("404 No", "not_found"), ("410 Gone", "not_found")],
)
def test_a_refusal_that_lasts_ends_as_failed(inbox: Inbox, status: str, word: str) -> None:
    inbox.vendor.downloads = [refusing(status)] * 20
    message_id = inbox.receive()
    tries = TROUBLES[word][1] or 0
    states = [inbox.fetch(message_id).state for _ in range(tries)]
    assert states == [MediaState.PENDING] * (tries - 1) + [MediaState.FAILED]
    assert inbox.media(message_id).error == f"{word}: {TROUBLES[word][0]}"
    assert inbox.message(message_id).fetch is None


def test_a_vendor_in_trouble_is_tried_for_as_long_as_it_keeps_the_file(inbox: Inbox) -> None:
    inbox.vendor.downloads = [refusing("503 Away")] * 1000
    message_id = inbox.receive()
    received = inbox.message(message_id).received_at
    tries = 0
    while inbox.fetch(message_id).state is MediaState.PENDING:
        tries += 1
    assert tries > 100
    assert DAYS_KEPT - timedelta(hours=2) < inbox.wired.clock.now() - received < DAYS_KEPT
    assert inbox.media(message_id).error == f"vendor_failed: {TROUBLES['vendor_failed'][0]}"


def test_a_file_the_vendor_no_longer_has_is_given_up_at_once(inbox: Inbox) -> None:
    error = {"error": {"message": "Unsupported get request.", "type": "GraphMethodException", "code": 100}}
    inbox.vendor.look_ups.append(refusing("400 Bad Request", json.dumps(error).encode()))
    media = inbox.fetch(inbox.receive())
    assert (media.state, media.error) == (MediaState.FAILED, f"gone: {TROUBLES['gone'][0]}")


def test_a_wrong_checksum_ends_as_failed(inbox: Inbox) -> None:
    inbox.vendor.said = {"sha256": "0" * 64}
    message_id = inbox.receive()
    states = [inbox.fetch(message_id).state for _ in range(3)]
    assert states == [MediaState.PENDING, MediaState.PENDING, MediaState.FAILED]
    assert inbox.media(message_id).error == f"wrong_sha256: {TROUBLES['wrong_sha256'][0]}"
    assert inbox.wired.store.mediafiles.count_documents({}) == 0


def test_a_wrong_size_ends_as_failed(inbox: Inbox) -> None:
    inbox.vendor.said = {"sha256": None, "file_size": 7}
    message_id = inbox.receive()
    assert [inbox.fetch(message_id).state for _ in range(3)][-1] is MediaState.FAILED
    assert (inbox.media(message_id).error or "").startswith("wrong_size: ")


def test_an_address_of_ours_is_not_fetched(inbox: Inbox) -> None:
    with serving(answering(b"inner secret")) as inner:
        inbox.vendor.said = {"url": f"{inner.url}/latest/meta-data"}
        media = inbox.fetch(inbox.receive())
        assert (media.state, media.error) == (MediaState.FAILED, f"not_https: {TROUBLES['not_https'][0]}")
        assert inner.connections == 0


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("https://127.0.0.1/a", "private_address"),
        ("https://127.0.0.2/a", "host_not_allowed"),
        ("https://evil.example/a", "host_not_allowed"),
        ("http://lookaside.fbsbx.com/a", "not_https"),
        ("https://me:pw@lookaside.fbsbx.com/a", "userinfo"),
        ("file:///etc/passwd", "bad_address"),
    ],
)
def test_an_address_that_is_not_the_vendors_is_not_fetched(inbox: Inbox, url: str, word: str) -> None:
    inbox.vendor.said = {"url": url}
    media = inbox.fetch(inbox.receive())
    assert (media.state, media.error) == (MediaState.FAILED, f"{word}: {TROUBLES[word][0]}")


def test_a_redirect_is_judged_like_the_first_address(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(answering(b"inner secret")) as inner:
        inbox.vendor.downloads = [lambda peer: peer.answer(b"", status="302 F", headers=f"Location: {inner.url}/\r\n")]
        monkeypatch.setattr("providers.meta.outbound.media.MetaMedia.redirects", 3)
        media = inbox.fetch(inbox.receive())
        assert (media.state, media.error) == (MediaState.FAILED, f"not_https: {TROUBLES['not_https'][0]}")
        assert inner.connections == 0


def test_a_name_that_leads_to_us_is_not_followed(inbox: Inbox) -> None:
    inbox.wired.file_client._resolve = lambda host, port: ["10.0.0.7"]
    inbox.vendor.said = {"url": "https://lookaside.fbsbx.com/a"}
    media = inbox.fetch(inbox.receive())
    assert (media.state, media.error) == (MediaState.FAILED, f"private_address: {TROUBLES['private_address'][0]}")


def test_a_drip_of_a_hundred_megabytes_ends_as_failed(inbox: Inbox) -> None:
    def drip(peer: Peer) -> None:
        peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n")
        peer.drip(b"x" * 1000, every=0.02)

    inbox.wired.media_fetching._ways.deadline = timedelta(seconds=0.5)
    inbox.vendor.said = {"sha256": None, "file_size": None}
    inbox.vendor.downloads = [drip] * 20
    message_id = inbox.receive()
    tries = TROUBLES["timeout"][1] or 0
    states = [inbox.fetch(message_id).state for _ in range(tries)]
    assert states[-2:] == [MediaState.PENDING, MediaState.FAILED]
    assert inbox.media(message_id).error == f"timeout: {TROUBLES['timeout'][0]}"


def test_a_file_too_large_ends_as_failed(inbox: Inbox) -> None:
    huge = f"HTTP/1.1 200 OK\r\nContent-Length: {MAX_BYTES + 1}\r\n\r\n".encode()
    inbox.vendor.downloads.append(lambda peer: peer.say(huge))
    media = inbox.fetch(inbox.receive())
    assert (media.state, media.error) == (MediaState.FAILED, f"too_large: {TROUBLES['too_large'][0]}")


def test_what_a_file_is_follows_from_its_content(inbox: Inbox) -> None:
    inbox.vendor.content = b"<!DOCTYPE html><script>alert(1)</script>"
    inbox.vendor.mime_type = "image/png"
    media = inbox.fetch(inbox.receive())
    assert (media.state, media.mime_type, media.thumbnail_url) == (MediaState.READY, "application/octet-stream", None)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "JPEG"])
def test_pictures_have_thumbnails(inbox: Inbox, kind: str) -> None:
    inbox.vendor.content = picture(kind)
    media = inbox.fetch(inbox.receive())
    assert (media.mime_type, media.thumbnail_url) == (f"image/{kind.lower()}", f"{media.url}/thumbnail")


def test_a_failed_file_can_be_taken_up_again(inbox: Inbox) -> None:
    inbox.vendor.said = {"url": "https://evil.example/a"}
    message_id = inbox.receive()
    assert inbox.fetch(message_id).state is MediaState.FAILED
    inbox.vendor.said = {}
    inbox.wired.media_fetching.take_up_again(message_id)
    assert inbox.media(message_id).state is MediaState.PENDING
    assert inbox.media(message_id).error is None
    assert inbox.fetch(message_id).state is MediaState.READY
    with pytest.raises(Conflict):
        inbox.wired.media_fetching.take_up_again(message_id)
    with pytest.raises(NotFound):
        inbox.wired.media_fetching.take_up_again("msg_none")


def test_an_account_that_is_not_active_is_waited_for(inbox: Inbox) -> None:
    message_id = inbox.receive()
    inbox.wired.configs.change(inbox.account.id, {"is_active": False}, inbox.wired.clock)
    inbox.wired.directory.refresh(older_than=0)
    media = inbox.fetch(message_id)
    assert (media.state, (media.error or "").partition(":")[0]) == (MediaState.PENDING, "unknown_account")
    inbox.wired.configs.change(inbox.account.id, {"is_active": True}, inbox.wired.clock)
    inbox.wired.directory.refresh(older_than=0)
    assert inbox.fetch(message_id).state is MediaState.READY


def test_nothing_of_a_secret_is_kept(inbox: Inbox) -> None:
    inbox.vendor.downloads = [refusing("403 No")] * 20
    message_id = inbox.receive()
    inbox.fetch(message_id)
    assert TOKEN not in str(inbox.wired.store.messages.find_one({"id": message_id}))


def test_what_a_crash_left_behind_is_removed(inbox: Inbox) -> None:
    media = inbox.fetch(inbox.receive())
    media_id = (media.url or "").rpartition("/")[2]
    rows, bytes_ = inbox.wired.store.mediafiles, inbox.wired.store.database["media.files"]
    rows.update_one({"id": media_id}, {"$set": {"state": FileState.STORING.value}})
    assert inbox.wired.media_storage.clear() == 0
    inbox.wired.clock_hand.move(timedelta(days=2))
    assert inbox.wired.media_storage.clear() == 1
    assert (rows.count_documents({}), bytes_.count_documents({})) == (0, 0)


def with_three_files(inbox: Inbox) -> str:
    """A message of three files, as Twilio has them."""
    message_id = inbox.receive()
    media = [{"mediaId": str(n), "state": "pending", "mimeType": "image/jpeg"} for n in (1, 2, 3)]
    inbox.wired.store.messages.update_one({"id": message_id}, {"$set": {"media": media[0], "moreMedia": media[1:]}})
    return message_id


def test_each_of_several_files_comes_on_its_own(inbox: Inbox) -> None:
    message_id = with_three_files(inbox)
    seen: list[list[str]] = []

    def look(peer: Peer) -> None:
        seen.append([one.state.value for one in files_of(inbox.message(message_id))])
        peer.answer(inbox.vendor.content)

    inbox.vendor.downloads = [look, refusing("503 Away"), look]
    assert inbox.wired.media_fetching.fetch([message_id]) == 1
    assert seen == [["pending", "pending", "pending"], ["ready", "pending", "pending"]]
    assert [one.state.value for one in files_of(inbox.message(message_id))] == ["ready", "pending", "ready"]
    fetch = inbox.message(message_id).fetch
    assert fetch is not None
    assert fetch.claim is None
    inbox.wired.clock_hand.move(timedelta(seconds=10))
    assert inbox.wired.media_fetching.fetch([message_id]) == 1
    assert [one.state.value for one in files_of(inbox.message(message_id))] == ["ready", "ready", "ready"]
    assert inbox.message(message_id).fetch is None
    assert len(inbox.vendor.fetched()) == 4


def test_a_later_file_that_passes_does_not_end_the_tries_for_an_earlier_one(inbox: Inbox) -> None:
    message_id = with_three_files(inbox)
    inbox.vendor.downloads = [refusing("503 Away")]
    inbox.wired.media_fetching.fetch([message_id])
    assert [one.state.value for one in files_of(inbox.message(message_id))] == ["pending", "ready", "ready"]
    assert inbox.message(message_id).fetch is not None


def test_what_is_due_is_found_without_looking_at_other_messages(inbox: Inbox) -> None:
    inbox.receive()
    query = {"fetch.dueAt": {"$lte": inbox.wired.clock.now()}}
    plan = inbox.wired.store.messages.find(query).sort("fetch.dueAt", 1).explain()
    assert '"indexName": "fetch.dueAt_1"' in json.dumps(plan["queryPlanner"]["winningPlan"], default=str)


def test_a_message_without_files_has_no_work(inbox: Inbox) -> None:
    value = meta.text()
    [event] = inbox.wired.deliver(meta.envelope(value, number_id=NUMBER_ID), config=inbox.account)
    row = inbox.wired.store.messages.find_one({"id": event.items[0].message_id})
    assert row is not None
    assert "fetch" not in row


def test_new_content_brings_new_work_and_voids_the_old(inbox: Inbox) -> None:
    message_id = inbox.receive()
    message = inbox.message(message_id)
    old = inbox.wired.media_files.claim(message_id, now=inbox.wired.clock.now(), lease=timedelta(minutes=6))
    assert old is not None
    edited = MessageEdited(
        path="",
        account=None,
        key="edit:1",
        at=inbox.wired.clock.now(),
        target_id=message.provider_message_id or "",
        content=Content(text="new", media=Media(media_id="77")),
        party=Party(phone=meta.PHONE),
        direction=Direction.INBOUND,
    )
    account = inbox.wired.directory.by_id(inbox.account.id)
    assert account is not None
    fact = Fact(event=edited, account=account, event_id="evt_1", received_at=inbox.wired.clock.now())
    rung: list[str] = []

    def fold(batch: Batch) -> list[Closing]:
        apply(batch, [fact])
        rung[:] = batch.to_fetch
        return []

    inbox.wired.conversations.transact(wanted([fact]), fold, now=inbox.wired.clock.now())
    assert rung == [message_id]
    with pytest.raises(LeaseLost):
        inbox.wired.media_files.settle(old, {0: Media()}, again_at=None, now=inbox.wired.clock.now())
    media = inbox.fetch(message_id)
    assert (media.state, media.media_id) == (MediaState.READY, "77")


def test_a_file_that_cannot_be_stored_is_tried_again_says_so_and_holds_up_no_other(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bucket that is away, or a file that something here stumbles over: not for ever in silence, lease by lease."""
    files = inbox.wired.media_storage._files
    put = files.put
    first, second = inbox.receive(), inbox.receive()

    def away(*args: Any, **kwargs: Any) -> None:
        monkeypatch.setattr(files, "put", put)
        raise RuntimeError("SlowDown")

    monkeypatch.setattr(files, "put", away)
    assert inbox.wired.media_fetching.fetch([first, second]) == 2

    media = inbox.media(first)
    assert (media.state, media.error) == (MediaState.PENDING, f"not_kept: {TROUBLES['not_kept'][0]}")
    assert inbox.media(second).state is MediaState.READY
    due = inbox.message(first).fetch
    assert due is not None
    assert due.due_at - inbox.wired.clock.now() < timedelta(seconds=10)
    assert inbox.fetch(first).state is MediaState.READY
