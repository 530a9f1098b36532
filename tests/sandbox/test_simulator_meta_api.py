"""The simulated Graph API: what Meta checks before it takes a message, its words, media, templates, block list."""

import hashlib
import json
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import requests
from pywa.client import WhatsApp
from pywa.types.message import Message
from pywa.types.message_status import MessageStatus

from tests.sandbox.business import META, META_ACCOUNT, META_NUMBER, Desk, meta, open_desk, values
from tests.sandbox.played import SECRET
from tests.support.meta_webhooks import signature
from tests.support.waiting import until

FIXTURES = Path(__file__).parents[1] / "fixtures" / "meta"
KNOWN, KNOWN_ID = "447700900381", "GB.48213907715562204913"
#: Who is never in a day: everybody has just written unless a test says otherwise.
DAY = 25 * 3600
_serial = count(1)


@pytest.fixture(scope="module")
def opened() -> Iterator[Desk]:
    with open_desk(META) as desk:
        yield desk


@pytest.fixture
def desk(opened: Desk) -> Desk:
    opened.accountant.recover()
    return opened


@pytest.fixture
def to() -> str:
    return f"4477008{next(_serial):05d}"


def post(desk: Desk, message: dict[str, Any], **more: Any) -> requests.Response:
    return meta(desk, "POST", f"{META_NUMBER}/messages", json={"messaging_product": "whatsapp", **message}, **more)


def code(answer: requests.Response) -> int:
    found: int = answer.json()["error"]["code"]
    return found


# --- messages ----------------------------------------------------------------------------------------------------

#: Requests of the documentation that name what does not exist here, and what Meta says of those.
ELSEWHERE = {
    "req_send_audio": 131009,
    "req_send_audio_voice": 131009,
    "req_send_sticker": 131009,
    "req_send_interactive_product": 131009,
    "req_send_interactive_product_list": 131009,
    "req_send_template_auth": 132001,
    "req_send_template_media_buttons": 132000,
    "req_send_template_named": 132001,
    "req_send_template_positional": 132001,
}


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("req_send_*.json")), ids=lambda path: path.stem)
def test_every_documented_request_is_understood(desk: Desk, path: Path) -> None:
    message = json.loads(path.read_text())
    answer = post(desk, message)
    if path.stem in ELSEWHERE:
        assert code(answer) == ELSEWHERE[path.stem], answer.text
        return
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["messages"][0]["id"].startswith("wamid.")
    assert body["contacts"][0]["input"] == message.get("to", message.get("recipient"))


def test_the_answer_has_the_documented_shape(desk: Desk) -> None:
    for name, target in (("phone", {"to": f"+{KNOWN}"}), ("bsuid", {"recipient": KNOWN_ID})):
        body = post(desk, {**target, "type": "text", "text": {"body": "hello"}}).json()
        documented = json.loads((FIXTURES / f"resp_send_{name}.json").read_text())
        assert body["contacts"] == documented["contacts"]
        assert body.keys() == documented.keys()
        assert body["messages"][0].keys() == documented["messages"][0].keys()


def text(body: str = "hello") -> dict[str, Any]:
    return {"type": "text", "text": {"body": body}}


def buttons(*titles: str) -> dict[str, Any]:
    replies = [{"type": "reply", "reply": {"id": f"b{i}", "title": title}} for i, title in enumerate(titles)]
    content = {"type": "button", "body": {"text": "Which?"}, "action": {"buttons": replies}}
    return {"type": "interactive", "interactive": content}


def rows(number: int) -> dict[str, Any]:
    section = {"title": "All", "rows": [{"id": f"r{i}", "title": f"Row {i}"} for i in range(number)]}
    action = {"button": "Choose", "sections": [section]}
    return {"type": "interactive", "interactive": {"type": "list", "body": {"text": "Which?"}, "action": action}}


def template(name: str, language: str = "en_GB", *components: dict[str, Any]) -> dict[str, Any]:
    used = {"name": name, "language": {"code": language}, "components": list(components)}
    return {"type": "template", "template": used}


def words(kind: str, *values: str, **named: str) -> dict[str, Any]:
    parameters = [{"type": "text", "text": value} for value in values]
    parameters += [{"type": "text", "parameter_name": name, "text": value} for name, value in named.items()]
    return {"type": kind, "parameters": parameters}


WRONG: list[tuple[int, int, dict[str, Any]]] = [
    (400, 131008, {"type": "text"}),
    (400, 131008, {"type": "text", "text": {}}),
    (400, 100, {"type": "song", "song": {}}),
    (400, 100, text("x" * 4097)),
    (400, 131009, {"to": "12", **text()}),
    (400, 131008, {"to": None, **text()}),
    (400, 131009, {"to": None, "recipient": "nobody", **text()}),
    (400, 131021, {"to": "+14155550100", **text()}),
    (400, 131008, {"type": "image", "image": {"caption": "no file"}}),
    (400, 131009, {"type": "image", "image": {"id": "123"}}),
    (400, 131009, {"type": "image", "image": {"link": "ftp://files.example/a.jpg"}}),
    (400, 100, {"type": "image", "image": {"link": "https://files.example/a.jpg", "caption": "x" * 1025}}),
    (400, 100, {"type": "audio", "audio": {"link": "https://files.example/a.ogg", "caption": "none here"}}),
    (400, 131008, {"type": "location", "location": {"latitude": 1}}),
    (400, 131008, {"type": "contacts", "contacts": [{"phones": []}]}),
    (400, 131008, {"type": "reaction", "reaction": {"emoji": "👍"}}),
    (400, 131009, buttons()),
    (400, 131009, buttons("a", "b", "c", "d")),
    (400, 131009, buttons("x" * 21)),
    (400, 131009, buttons("same", "same")),
    (400, 131009, rows(11)),
    (404, 132001, template("no_such_template")),
    (404, 132001, template("bike_ready", "de")),
    (400, 132000, template("bike_ready", "en_GB", words("body", "Priya"))),
    (400, 132000, template("still_open", "en_GB", words("body", "too much"))),
    (400, 100, template("repair_day", "en_GB", words("body", first_name="Priya", date="Friday"))),
    (400, 132012, template("quote_ready", "en_GB", words("body", "Priya"))),
    (400, 132015, template("winter_offer", "en_GB", words("body", "30"))),
    (400, 131008, template("bike_ready", "en_GB", words("body", "Priya", ""))),
    (400, 100, {**text(), "biz_opaque_callback_data": "x" * 513}),
]


@pytest.mark.parametrize(("status", "expected", "message"), WRONG)
def test_what_is_wrong_is_refused_in_metas_words(
    desk: Desk, status: int, expected: int, message: dict[str, Any]
) -> None:
    before = desk.refused(str(expected))
    answer = post(desk, {"to": "+447700800999", **message})
    assert (answer.status_code, code(answer)) == (status, expected), answer.text
    assert desk.refused(str(expected)) == before + 1
    assert desk.taken("447700800999") == 0


@pytest.mark.parametrize(
    "message",
    [
        text("x" * 4096),
        buttons("a", "b", "c"),
        rows(10),
        template("still_open"),
        template("bike_ready", "en_GB", words("body", "Priya", "18:00")),
        template("bike_ready", "fr", words("body", "Priya")),
        template("repair_day", "en_GB", words("body", day="Friday", first_name="Priya")),
    ],
    ids=lambda message: message["type"],
)
def test_what_is_just_right_is_taken(desk: Desk, to: str, message: dict[str, Any]) -> None:
    answer = post(desk, {"to": f"+{to}", **message})
    assert answer.status_code == 200, answer.text
    assert desk.taken(to) == 1
    if message["type"] == "template":
        assert answer.json()["messages"][0]["message_status"] == "accepted"


def test_without_the_product_nothing_goes(desk: Desk) -> None:
    answer = meta(desk, "POST", f"{META_NUMBER}/messages", json={"to": "+447700900381", **text()})
    assert (answer.status_code, code(answer)) == (400, 100)


def test_a_wrong_token_is_190_everywhere(desk: Desk) -> None:
    for method, path in (
        ("POST", f"{META_NUMBER}/messages"),
        ("POST", f"{META_NUMBER}/media"),
        ("GET", "1480226193371558"),
        ("GET", f"{META_ACCOUNT}/message_templates"),
    ):
        answer = meta(desk, method, path, token="EAAwrong")
        assert (answer.status_code, code(answer)) == (401, 190), path


def test_errors_have_the_documented_shape(desk: Desk, to: str) -> None:
    for ordered, name in (("130429", "error_rate_limit_130429"), ("131056", "error_pair_rate_131056")):
        desk.accountant.recover()
        desk.accountant.fault("throttle", match={"recipient": to}, code=ordered)
        answer = desk.send(to)
        documented = json.loads((FIXTURES / f"{name}.json").read_text())["error"]
        assert answer.status_code == 400
        assert answer.json()["error"]["message"] == documented["message"]
        assert answer.json()["error"].keys() == documented.keys()


def test_pairs_have_a_throttle_of_their_own(desk: Desk, to: str) -> None:
    desk.accountant.limit(0.1, per="pair", burst=1)
    assert desk.send(to).ok
    assert code(desk.send(to)) == 131056


def test_reading_and_typing_are_taken_and_are_no_sends(desk: Desk) -> None:
    before = desk.accountant.sends["accepted"]
    for name in ("req_mark_read", "req_mark_read_typing"):
        answer = post(desk, json.loads((FIXTURES / f"{name}.json").read_text()))
        assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert code(post(desk, {"status": "read", "message_id": "nothing"})) == 131009
    assert desk.accountant.sends["accepted"] == before


# --- statuses ----------------------------------------------------------------------------------------------------


def statuses(desk: Desk, wamid: str) -> list[dict[str, Any]]:
    return [row for value in values(desk.endpoint) for row in value.get("statuses", []) if row["id"] == wamid]


def test_statuses_are_signed_and_echo_our_reference(desk: Desk, to: str) -> None:
    wamid = desk.sent(to, "hello", "msg_01HECHO")
    until(lambda: len(statuses(desk, wamid)) == 3, seconds=15, what="the statuses")
    assert {row["biz_opaque_callback_data"] for row in statuses(desk, wamid)} == {"msg_01HECHO"}
    assert {row["recipient_id"] for row in statuses(desk, wamid)} == {to}
    for one in desk.endpoint.received:
        assert one.headers["x-hub-signature-256"] == signature(one.body, SECRET)


def test_outside_a_day_free_words_fail_afterwards_and_templates_do_not(desk: Desk, to: str) -> None:
    desk.accountant.ask("POST", "/customers", {"number": to, "silent_for": DAY})
    wamid = desk.sent(to, "hello", "msg_CLOSED")
    used = post(desk, {"to": f"+{to}", **template("still_open")}).json()["messages"][0]["id"]
    until(lambda: statuses(desk, wamid) and len(statuses(desk, used)) == 3, seconds=15, what="the statuses")
    [failed] = statuses(desk, wamid)
    documented = json.loads((FIXTURES / "status_failed_131047.json").read_text())
    expected = documented["entry"][0]["changes"][0]["value"]["statuses"][0]["errors"]
    assert (failed["status"], failed["errors"]) == ("failed", expected)
    assert failed["biz_opaque_callback_data"] == "msg_CLOSED"

    desk.accountant.ask("POST", "/customers", {"number": to, "says": "I am back"})
    again = desk.sent(to)
    until(lambda: len(statuses(desk, again)) == 3, seconds=15, what="the statuses")
    assert [row["status"] for row in statuses(desk, again)] == ["sent", "delivered", "read"]


def test_a_send_may_be_ordered_to_fail_afterwards(desk: Desk, to: str) -> None:
    desk.accountant.fault("fail", match={"recipient": to}, code="131049")
    wamid = desk.sent(to)
    until(lambda: statuses(desk, wamid), seconds=15, what="the status")
    assert [(row["status"], row["errors"][0]["code"]) for row in statuses(desk, wamid)] == [("failed", 131049)]
    assert desk.taken(to) == 1


def test_reactions_are_only_sent(desk: Desk, to: str) -> None:
    content = {"type": "reaction", "reaction": {"message_id": "wamid.X", "emoji": "👍"}}
    wamid = post(desk, {"to": f"+{to}", **content}).json()["messages"][0]["id"]
    after = desk.sent(to)
    until(lambda: len(statuses(desk, after)) == 3, seconds=15, what="a later message's statuses")
    assert [row["status"] for row in statuses(desk, wamid)] == ["sent"]


# --- media -------------------------------------------------------------------------------------------------------


def upload(desk: Desk, content: bytes, media_type: str, **more: str) -> requests.Response:
    fields = {"messaging_product": "whatsapp", "type": media_type, **more}
    return meta(desk, "POST", f"{META_NUMBER}/media", data=fields, files={"file": ("a.bin", content, media_type)})


def test_what_is_uploaded_can_be_sent_looked_up_and_fetched(desk: Desk, to: str) -> None:
    content = bytes(range(256)) * 40 + b"\r\n--"
    media_id = upload(desk, content, "image/png").json()["id"]
    assert post(desk, {"to": f"+{to}", "type": "image", "image": {"id": media_id}}).ok
    found = meta(desk, "GET", media_id).json()
    documented = json.loads((FIXTURES / "resp_media_get.json").read_text())
    assert found.keys() == documented.keys()
    assert found["sha256"] == hashlib.sha256(content).hexdigest()
    assert (found["mime_type"], found["file_size"]) == ("image/png", str(len(content)))
    assert requests.get(found["url"], timeout=5).status_code == 401
    fetched = requests.get(found["url"], headers={"Authorization": "Bearer EAAplayed"}, timeout=5)
    assert (fetched.content, fetched.headers["Content-Type"]) == (content, "image/png")
    assert meta(desk, "DELETE", media_id).json() == {"success": True}
    assert code(meta(desk, "GET", media_id)) == 100


def test_uploads_are_checked(desk: Desk) -> None:
    assert code(upload(desk, b"x", "image/png", messaging_product="sms")) == 100
    assert code(upload(desk, b"x", "image/bmp")) == 100
    assert code(upload(desk, b"x" * 5_000_001, "image/png")) == 131053
    assert upload(desk, b"x" * 5_000_001, "application/pdf").ok


def test_an_unknown_id_or_a_stale_address_leads_nowhere(desk: Desk) -> None:
    answer = meta(desk, "GET", "123456")
    assert (answer.status_code, answer.json()["error"]["error_subcode"]) == (400, 33)
    stale = meta(desk, "GET", "../whatsapp_business/attachments/?mid=1&hash=guess")
    assert stale.status_code == 404


# --- templates and block list ------------------------------------------------------------------------------------


def pages(desk: Desk, limit: int) -> list[list[dict[str, Any]]]:
    found, url = [], f"{desk.url}/v24.0/{META_ACCOUNT}/message_templates?limit={limit}"
    while url:
        body = requests.get(url, headers={"Authorization": "Bearer EAAplayed"}, timeout=5).json()
        found.append(body["data"])
        assert body["paging"]["cursors"]["after"]
        url = body["paging"].get("next")
    return found


def test_templates_come_in_pages_until_there_is_no_next(desk: Desk) -> None:
    [whole] = pages(desk, 100)
    split = pages(desk, 2)
    assert len(split) > 2
    assert [row for page in split for row in page] == whole
    assert {"name", "language", "status", "category", "components", "id", "parameter_format"} <= whole[0].keys()
    assert len({row["id"] for row in whole}) == len(whole)


def test_a_new_template_waits_and_is_approved_by_webhook(desk: Desk, to: str) -> None:
    wish = {
        "name": "opening_hours",
        "language": "en_GB",
        "category": "UTILITY",
        "components": [{"type": "BODY", "text": "We open at {{1}}."}],
    }
    path = f"{META_ACCOUNT}/message_templates"
    made = meta(desk, "POST", path, json=wish).json()
    assert made["status"] == "PENDING"
    use = {"to": f"+{to}", **template("opening_hours", "en_GB", words("body", "nine"))}
    assert code(post(desk, use)) == 132001
    assert code(meta(desk, "POST", path, json=wish)) == 100

    def approvals() -> list[dict[str, Any]]:
        told = [one for one in values(desk.endpoint) if one.get("message_template_name") == "opening_hours"]
        return [one for one in told if one["event"] == "APPROVED"]

    until(approvals, seconds=15, what="the approval")
    assert approvals()[0]["message_template_id"] == int(made["id"])
    assert post(desk, use).ok
    assert meta(desk, "DELETE", f"{path}?name=opening_hours").json() == {"success": True}
    assert code(post(desk, use)) == 132001


def test_who_wrote_today_may_be_blocked_and_is_then_not_reached(desk: Desk, to: str) -> None:
    other, path = f"{to}7", f"{META_NUMBER}/block_users"
    desk.accountant.ask("POST", "/customers", {"number": other, "silent_for": DAY})

    def wish(*numbers: str) -> dict[str, Any]:
        return {"messaging_product": "whatsapp", "block_users": [{"user": f"+{number}"} for number in numbers]}

    fine = meta(desk, "POST", path, json=wish(to))
    assert (fine.status_code, fine.json()["block_users"]["added_users"][0]["wa_id"]) == (200, to)
    assert code(desk.send(to)) == 130403
    mixed = meta(desk, "POST", path, json=wish(to, other))
    assert (mixed.status_code, code(mixed)) == (400, 139100)
    lists = mixed.json()["block_users"]
    assert [one["wa_id"] for one in lists["added_users"]] == [to]
    assert lists["failed_users"][0]["errors"][0]["code"] == 131047
    assert {"messaging_product": "whatsapp", "wa_id": to} in meta(desk, "GET", path).json()["data"]
    assert meta(desk, "DELETE", path, json=wish(to)).json()["block_users"]["removed_users"]
    assert desk.send(to).ok


# --- Meta's own shapes, read by somebody else --------------------------------------------------------------------


def test_pywa_reads_what_is_told(desk: Desk, to: str) -> None:
    client = WhatsApp(phone_id=META_NUMBER, token="EAAplayed")
    wamid = desk.sent(to, "hello", "msg_PYWA")
    desk.accountant.ask("POST", "/customers", {"number": to, "says": "for pywa"})
    until(lambda: len(statuses(desk, wamid)) == 3, seconds=15, what="the statuses")
    until(lambda: messages(desk, to), seconds=15, what="the message")
    for raw in (json.loads(one.body) for one in desk.endpoint.received):
        value = raw["entry"][0]["changes"][0]["value"]
        if wamid in [row["id"] for row in value.get("statuses", [])]:
            status = MessageStatus.from_update(client=client, update=raw)
            assert (status.id, status.tracker, status.from_user.wa_id) == (wamid, "msg_PYWA", to)
            assert status.status.value in {"sent", "delivered", "read"}
        if to in [row["from"] for row in value.get("messages", [])]:
            message = Message.from_update(client=client, update=raw)
            assert (message.text, message.from_user.wa_id) == ("for pywa", to)


def messages(desk: Desk, number: str) -> list[dict[str, Any]]:
    return [row for value in values(desk.endpoint) for row in value.get("messages", []) if row["from"] == number]


# --- the demo's customers ----------------------------------------------------------------------------------------


@pytest.mark.timeout(120)
def test_a_customer_of_the_demo_is_there_to_be_written_to_and_strangers_are_not() -> None:
    with open_desk(META, silent=False) as desk:
        until(lambda: desk.endpoint.received, seconds=15, what="traffic")
        known, stranger = desk.sent(KNOWN), desk.sent("447700900999")
        until(lambda: len(desk.told(known)) == 3 and desk.told(stranger), seconds=15, what="the statuses")
        assert desk.told(stranger) == ["failed"]
        ids = [desk.sent(KNOWN, f"{number}") for number in range(4)]
        until(lambda: all(len(desk.told(one)) == 3 for one in ids), seconds=15, what="the statuses")
        inbound = [m for v in values(desk.endpoint) for m in v.get("messages", []) if m["type"] in ("image", "audio")]
        until(lambda: inbound or has_media(desk), seconds=40, what="media of customers")
        media = has_media(desk)[0]
        found = meta(desk, "GET", media["id"]).json()
        fetched = requests.get(found["url"], headers={"Authorization": "Bearer EAAplayed"}, timeout=5)
        assert hashlib.sha256(fetched.content).hexdigest() == found["sha256"]
        assert found["mime_type"] == media["mime_type"].partition(";")[0]
        magic = {"image/jpeg": rb"\xff\xd8\xff\xfe", "audio/ogg": rb"OggS"}[found["mime_type"]]
        assert re.match(magic, fetched.content)


def has_media(desk: Desk) -> list[dict[str, Any]]:
    rows = [row for value in values(desk.endpoint) for row in value.get("messages", [])]
    return [row[row["type"]] for row in rows if row["type"] in {"image", "audio"}]
