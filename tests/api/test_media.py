"""Files over the API: who may see them, in which pieces, and what a browser may do with them."""

import io
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from werkzeug.test import TestResponse

from models.caller import Caller as Who
from models.media_file import MediaFile
from models.message import Media
from models.values import MediaState, MessageType
from services.media.fetching import here
from services.media.storage import MAX_BYTES
from tests.api.conftest import AGENT_ID, Api, Caller
from tests.api.rows import add_chat, add_message
from tests.services.media.vendor import picture

PICTURE = picture()


def stored(
    api: Api, content: bytes = PICTURE, *, name: str | None = "Zoë's.jpg", declared: str = "image/jpeg"
) -> MediaFile:
    """Store a file that nobody in particular uploaded."""
    nobody = Who(token_id="tok_nobody", name="nobody", role="agent", permissions=None)  # type: ignore[arg-type]
    return api.wired.uploading.take(io.BytesIO(content), file_name=name, declared=declared, by=nobody)


def shown(api: Api, file: MediaFile, **chat: Any) -> str:
    """Show a file in a chat; return the message's id."""
    message_id = add_message(
        api.wired.store, add_chat(api.wired.store, **chat), type=MessageType.IMAGE, media=here(Media(), file)
    )
    api.wired.media_files.show_in(file.id, message_id)
    return message_id


@pytest.fixture
def file(api: Api) -> MediaFile:
    """A picture that stands in an unassigned chat."""
    found = stored(api)
    shown(api, found)
    return found


def get(caller: Caller, path: str, **headers: str) -> TestResponse:
    return caller.client.get(path, headers={**caller.headers, **headers})


def path_of(file: MediaFile) -> str:
    return f"/api/whatsapp/media/{file.id}"


def upload(caller: Caller, content: bytes, name: str = "a.txt", mime_type: str = "text/plain") -> TestResponse:
    return caller.post("/api/whatsapp/media", data={"file": (io.BytesIO(content), name, mime_type)})


def test_a_file_comes_whole(api: Api, file: MediaFile) -> None:
    response = get(api.agent, path_of(file))
    assert (response.status_code, response.data) == (200, PICTURE)
    assert response.headers["Content-Type"] == "image/jpeg"
    assert response.headers["Content-Length"] == str(len(PICTURE))
    assert response.headers["Accept-Ranges"] == "bytes"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "private, no-cache"
    assert "sandbox" in response.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=100-", 100, None),
        ("bytes=-7", -7, None),
        ("bytes=5-999999999", 5, None),
        ("bytes=-999999999", 0, None),
    ],
)
def test_a_range_comes_alone(api: Api, file: MediaFile, asked: str, start: int, stop: int | None) -> None:
    response = get(api.agent, path_of(file), Range=asked)
    part = PICTURE[start:stop]
    assert response.data == part
    if len(part) == len(PICTURE):
        assert response.status_code == 200
        return
    assert response.status_code == 206
    first = PICTURE.index(part) if start >= 0 else len(PICTURE) + start
    first = start if start >= 0 else first
    assert response.headers["Content-Range"] == f"bytes {first}-{first + len(part) - 1}/{len(PICTURE)}"
    assert response.headers["Content-Length"] == str(len(part))


def test_a_range_beyond_the_end_is_refused(api: Api, file: MediaFile) -> None:
    response = get(api.agent, path_of(file), Range=f"bytes={len(PICTURE)}-")
    assert response.status_code == 416
    assert response.headers["Content-Range"] == f"bytes */{len(PICTURE)}"
    assert response.json is not None
    assert response.json["error"]["code"] == "range_not_satisfiable"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "lines=0-1", "bytes=x-y", "bytes", "bytes=9-5"])
def test_what_is_no_single_range_brings_the_whole(api: Api, file: MediaFile, asked: str) -> None:
    response = get(api.agent, path_of(file), Range=asked)
    assert (response.status_code, response.data) == (200, PICTURE)


def test_who_has_it_already_is_told_so(api: Api, file: MediaFile) -> None:
    tag = get(api.agent, path_of(file)).headers["ETag"]
    response = get(api.agent, path_of(file), **{"If-None-Match": tag})
    assert (response.status_code, response.data) == (304, b"")
    assert get(api.agent, path_of(file), **{"If-None-Match": '"other"'}).status_code == 200


def test_a_range_of_another_version_brings_the_whole(api: Api, file: MediaFile) -> None:
    tag = get(api.agent, path_of(file)).headers["ETag"]
    assert get(api.agent, path_of(file), Range="bytes=0-1", **{"If-Range": tag}).status_code == 206
    assert get(api.agent, path_of(file), Range="bytes=0-1", **{"If-Range": '"other"'}).status_code == 200


def test_head_says_how_large_it_is(api: Api, file: MediaFile) -> None:
    agent = api.agent
    response = agent.client.head(path_of(file), headers=agent.headers)
    assert (response.status_code, response.data) == (200, b"")
    assert response.headers["Content-Length"] == str(len(PICTURE))


@pytest.mark.parametrize(
    ("content", "declared", "mime_type", "way"),
    [
        (PICTURE, "image/jpeg", "image/jpeg", "inline"),
        (picture("PNG"), "text/html", "image/png", "inline"),
        (b"OggS\0\2" + b"\0" * 20 + b"\1\x13OpusHead" + b"\0" * 50, "audio/ogg; codecs=opus", "audio/ogg", "inline"),
        (b"<html><script>alert(1)</script>", "text/html", "text/html", "attachment"),
        (b"<html><script>alert(1)</script>", "image/png", "application/octet-stream", "attachment"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", "application/octet-stream", "attachment"),
        (b"%PDF-1.7\nx", "application/pdf", "application/pdf", "attachment"),
        (b"MZ" + b"\0" * 100, "image/jpeg", "application/x-msdownload", "attachment"),
        (b"?", "text/html\r\nX-Evil: 1", "application/octet-stream", "attachment"),
    ],
)
def test_only_what_cannot_act_is_shown(api: Api, content: bytes, declared: str, mime_type: str, way: str) -> None:
    file = stored(api, content, declared=declared)
    shown(api, file)
    response = get(api.agent, path_of(file))
    assert response.mimetype == mime_type
    assert response.headers["Content-Disposition"].startswith(f"{way}; ")


@pytest.mark.parametrize(
    ("name", "plain", "full"),
    [
        ("report.pdf", "report.pdf", "report.pdf"),
        ("Zoë's.jpg", "Zo_'s.jpg", "Zo%C3%AB%27s.jpg"),
        ('a"\r\nX-Evil: 1.txt', "a___X-Evil_ 1.txt", "a___X-Evil_%201.txt"),
        ("../../etc/passwd", "_.._etc_passwd", "_.._etc_passwd"),
        ("\u202egpj.exe", "_gpj.exe", "_gpj.exe"),
        ("x" * 300 + ".txt", "x" * 116 + ".txt", "x" * 116 + ".txt"),
    ],
)
def test_names_are_safe_to_save_under(api: Api, name: str, plain: str, full: str) -> None:
    file = stored(api, b"hello", name=name, declared="text/plain")
    shown(api, file)
    disposition = get(api.agent, path_of(file)).headers["Content-Disposition"]
    assert disposition == f"attachment; filename=\"{plain}\"; filename*=UTF-8''{full}"


def test_a_file_without_a_name_is_called_by_its_id(api: Api) -> None:
    file = stored(api, b"hello", name=None, declared="text/plain")
    shown(api, file)
    assert f'filename="{file.id}"' in get(api.agent, path_of(file)).headers["Content-Disposition"]


def test_a_picture_has_a_small_one(api: Api, file: MediaFile) -> None:
    response = get(api.agent, f"{path_of(file)}/thumbnail")
    assert (response.status_code, response.mimetype) == (200, "image/jpeg")
    assert response.data.startswith(b"\xff\xd8")
    assert 0 < len(response.data) < 50_000


def test_what_is_no_picture_has_none(api: Api) -> None:
    file = stored(api, b"hello", declared="text/plain")
    shown(api, file)
    assert get(api.agent, f"{path_of(file)}/thumbnail").status_code == 404


def test_only_those_who_may_see_the_chat_see_its_files(api: Api) -> None:
    mine, others = stored(api), stored(api)
    shown(api, mine, assigned_to=AGENT_ID)
    shown(api, others, assigned_to="agt_other")
    for path in (path_of(others), f"{path_of(others)}/thumbnail"):
        assert get(api.agent, path).status_code == 404
        assert get(api.supervisor, path).status_code == 200
        assert get(api.stranger(), path).status_code == 401
    assert get(api.agent, path_of(mine)).status_code == 200
    refused, absent = get(api.agent, path_of(others)).json, get(api.agent, path_of(others) + "x").json
    assert refused is not None
    assert absent is not None
    assert refused["error"]["code"] == absent["error"]["code"] == "not_found"


def test_a_file_follows_its_message_into_another_chat(api: Api) -> None:
    file = stored(api)
    message_id = shown(api, file, assigned_to="agt_other")
    assert get(api.agent, path_of(file)).status_code == 404
    chat_id = add_chat(api.wired.store, assigned_to=AGENT_ID)
    api.wired.store.messages.update_one({"id": message_id}, {"$set": {"chatId": chat_id}})
    assert get(api.agent, path_of(file)).status_code == 200


def test_a_file_that_is_not_stored_yet_is_not_there(api: Api, file: MediaFile) -> None:
    api.wired.store.mediafiles.update_one({"id": file.id}, {"$set": {"state": "storing"}})
    assert get(api.admin, path_of(file)).status_code == 404


def test_a_file_the_storage_lost_is_not_there(api: Api, file: MediaFile) -> None:
    api.wired.media_storage._files.remove(file.key)
    assert get(api.agent, path_of(file)).status_code == 404


def test_a_file_is_uploaded_to_be_sent(api: Api) -> None:
    agent = api.agent
    response = upload(agent, PICTURE, "holiday.jpg", "application/x-anything")
    assert response.status_code == 201
    made = response.json
    assert made is not None
    assert set(made) == {
        "id", "uploadedBy", "sha256", "size", "mimeType", "fileName", "thumbnailSize", "createdAt", "updatedAt"
    }  # fmt: skip
    assert made["id"].startswith("med_")
    assert (made["mimeType"], made["size"], made["fileName"]) == ("image/jpeg", len(PICTURE), "holiday.jpg")
    assert get(agent, f"/api/whatsapp/media/{made['id']}").data == PICTURE
    other = api.caller(api.wired.tokens.authenticate(agent.token or "").role, agent_id="agt_other")
    assert get(other, f"/api/whatsapp/media/{made['id']}").status_code == 404


def test_an_upload_may_be_larger_than_other_bodies(api: Api) -> None:
    response = upload(api.agent, b"x" * 5_000_000)
    assert response.status_code == 201
    assert response.json is not None
    assert response.json["size"] == 5_000_000


def test_an_upload_over_the_limit_is_refused(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.media.receiving.MAX_BYTES", 1000)
    response = upload(api.agent, b"x" * 1001)
    assert (response.status_code, response.json and response.json["error"]["code"]) == (413, "too_large")
    assert api.wired.store.mediafiles.count_documents({}) == 0


def test_a_body_over_the_limit_is_not_even_read(api: Api) -> None:
    agent = api.agent
    headers = {**agent.headers, "Content-Type": "multipart/form-data; boundary=x"}
    response = agent.client.post(
        "/api/whatsapp/media", headers=headers, environ_overrides={"CONTENT_LENGTH": str(MAX_BYTES * 2)}, data=b"--x"
    )
    assert response.status_code == 413


@pytest.mark.parametrize("data", [{}, {"file": "just text"}, {"other": (io.BytesIO(b"x"), "a.txt")}])
def test_an_upload_without_its_file_is_refused(api: Api, data: dict[str, Any]) -> None:
    response = api.agent.post("/api/whatsapp/media", data=data, content_type="multipart/form-data")
    assert response.status_code == 422
    assert response.json is not None
    assert "file" in response.json["error"]["fields"]


def test_an_empty_file_is_refused(api: Api) -> None:
    response = upload(api.agent, b"")
    assert response.status_code == 422


def test_a_stranger_uploads_nothing(api: Api) -> None:
    assert upload(api.stranger(), b"x").status_code == 401
    assert api.wired.store.mediafiles.count_documents({}) == 0


def test_a_public_link_needs_no_token(api: Api, file: MediaFile) -> None:
    link = urlsplit(api.wired.media_links.make(file.id))
    response = get(api.stranger(), f"{link.path}?{link.query}")
    assert (response.status_code, response.data) == (200, PICTURE)
    assert response.headers["Cache-Control"] == "no-store"
    stranger = api.stranger()
    assert stranger.client.head(f"{link.path}?{link.query}").status_code == 200


def test_a_public_link_is_good_for_a_day_and_for_one_file(api: Api, file: MediaFile) -> None:
    link = urlsplit(api.wired.media_links.make(file.id))
    other = stored(api)
    query = dict(part.split("=") for part in link.query.split("&"))
    later = query | {"expires": str(int(query["expires"]) + 1)}
    for path, values in (
        (link.path, {}),
        (link.path, query | {"signature": "0" * 64}),
        (link.path, query | {"signature": ""}),
        (link.path, query | {"signature": "ü"}),
        (link.path, query | {"expires": "soon"}),
        # No year has so many digits.
        (link.path, query | {"expires": "253402300800"}),
        (link.path, query | {"expires": "9" * 12}),
        (link.path, query | {"expires": "9" * 10}),
        (link.path, later),
        (f"{path_of(other)}/public", query),
    ):
        assert api.stranger().get(path, **values).status_code == 404
    assert api.stranger().get(link.path, **query).status_code == 200
    api.wired.clock_hand.move(timedelta(hours=24))
    assert api.stranger().get(link.path, **query).status_code == 404


def test_a_failed_file_is_fetched_again_on_demand(api: Api) -> None:
    chat_id = add_chat(api.wired.store, assigned_to="agt_other")
    failed = Media(media_id="1", state=MediaState.FAILED, error="gone: …")
    message_id = add_message(api.wired.store, chat_id, type=MessageType.IMAGE, media=failed)
    path = f"/api/whatsapp/media/{message_id}/refetch"
    assert api.agent.post(path).status_code == 404
    assert api.stranger().post(path).status_code == 401
    response = api.supervisor.post(path)
    assert response.status_code == 202
    assert response.json is not None
    assert response.json["media"] == {"mediaId": "1", "state": "pending"}
    assert "fetch" not in response.json
    assert api.wired.media_files.due(now=api.wired.clock.now(), limit=5) == [message_id]


def test_what_is_here_is_not_fetched_again(api: Api, file: MediaFile) -> None:
    message_id = shown(api, file)
    response = api.admin.post(f"/api/whatsapp/media/{message_id}/refetch")
    assert response.status_code == 409
    assert response.json is not None
    assert response.json["error"]["code"] == "nothing_to_fetch"
