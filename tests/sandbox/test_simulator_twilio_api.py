"""The simulated REST API of Twilio: its checks and words, signed callbacks, media behind a redirect, contents."""

import json
from collections.abc import Iterator
from itertools import count
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests
from twilio.request_validator import RequestValidator

from tests.sandbox.business import TWILIO, Desk, bodies, open_desk, query_of, twilio
from tests.sandbox.endpoint import Received
from tests.sandbox.played import ACCOUNT_SID, SECRET
from tests.support.waiting import until

DAY = 25 * 3600
#: The fields of a message as the API shows it, by Twilio's documentation.
RESOURCE = {
    *("account_sid", "api_version", "body", "date_created", "date_sent", "date_updated", "direction", "error_code"),
    *("error_message", "from", "messaging_service_sid", "num_media", "num_segments", "price", "price_unit", "sid"),
    *("status", "subresource_uris", "to", "uri"),
}
_serial = count(1)


@pytest.fixture(scope="module")
def opened() -> Iterator[Desk]:
    with open_desk(TWILIO) as desk:
        yield desk


@pytest.fixture
def desk(opened: Desk) -> Desk:
    opened.accountant.recover()
    return opened


@pytest.fixture
def to() -> str:
    return f"4477007{next(_serial):05d}"


def contents(desk: Desk) -> dict[str, dict[str, Any]]:
    found = twilio(desk, "GET", "v1/ContentAndApprovals").json()["contents"]
    return {one["friendly_name"]: one for one in found}


def test_a_message_is_created_as_documented(desk: Desk, to: str) -> None:
    answer = desk.send(to, "Your repair is ready.")
    body = answer.json()
    assert answer.status_code == 201
    assert body.keys() == RESOURCE
    assert (body["status"], body["num_media"], body["to"]) == ("queued", "0", f"whatsapp:+{to}")
    assert body["sid"].startswith("SM")


WRONG: list[tuple[int, int, dict[str, Any]]] = [
    (400, 21604, {"To": None}),
    (400, 21211, {"To": "+447700900215"}),
    (400, 21211, {"To": "whatsapp:+49155XXXX"}),
    (400, 21603, {"From": None}),
    (400, 21212, {"From": "+14155550101"}),
    (400, 63007, {"From": "whatsapp:+14155550199"}),
    (400, 21602, {"Body": None}),
    (400, 21617, {"Body": "x" * 1601}),
    (400, 21623, {"MediaUrl": ["https://a.example/1.jpg", "https://a.example/2.jpg"]}),
    (400, 21620, {"MediaUrl": "file:///etc/passwd"}),
    (400, 21655, {"Body": None, "ContentSid": "HX" + "0" * 32}),
]


@pytest.mark.parametrize(("status", "code", "form"), WRONG)
def test_what_is_wrong_is_refused_in_twilios_words(
    desk: Desk, to: str, status: int, code: int, form: dict[str, Any]
) -> None:
    answer = desk.send(to, **form)
    body = answer.json()
    assert (answer.status_code, body["code"], body["status"]) == (status, code, status), body
    assert body.keys() == {"code", "message", "more_info", "status"}
    assert desk.taken(to) == 0
    assert desk.refused(str(code)) >= 1


@pytest.mark.parametrize(
    "form",
    [
        {"Body": "x" * 1600},
        {"Body": None, "MediaUrl": "https://files.example/a.jpg"},
        {"PersistentAction": "geo:54.48,-0.62|Harbour"},
        {"To": "whatsapp:GB.72918340556601284317"},
    ],
)
def test_what_is_just_right_is_taken(desk: Desk, to: str, form: dict[str, Any]) -> None:
    before = desk.accountant.sends["accepted"]
    assert desk.send(to, **form).status_code == 201
    assert desk.accountant.sends["accepted"] == before + 1


def test_a_wrong_password_is_20003(desk: Desk, to: str) -> None:
    path = f"2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
    answer = twilio(desk, "POST", path, password="wrong", data={"To": f"whatsapp:+{to}", "Body": "x"})
    assert (answer.status_code, answer.json()["code"], answer.json()["message"]) == (401, 20003, "Authenticate")
    assert twilio(desk, "POST", f"2010-04-01/Accounts/AC{'0' * 32}/Messages.json").json()["code"] == 20404


def test_contents_are_checked_and_go_outside_the_window(desk: Desk, to: str) -> None:
    desk.accountant.ask("POST", "/customers", {"number": to, "silent_for": DAY})
    ready = contents(desk)["bike_ready"]["sid"]
    wrong = desk.send(to, Body=None, ContentSid=ready, ContentVariables="{not json")
    assert wrong.json()["code"] == 21656
    assert desk.send(to, Body=None, ContentSid=ready, ContentVariables='{"9": "x"}').json()["code"] == 21656
    fine = desk.sent(to, Body=None, ContentSid=ready, ContentVariables=json.dumps({"1": "Ana", "2": "noon"}))
    closed = desk.sent(to, "free words", "msg_CLOSED")
    until(lambda: len(desk.told(fine)) == 4 and desk.told(closed), seconds=15, what="the callbacks")
    assert desk.told(closed) == ["failed"]
    [told] = [form for form in bodies(desk.endpoint) if form.get("MessageSid") == closed]
    assert (told["ErrorCode"], told["EventType"]) == ("63016", "UNDELIVERED")


def test_contents_come_in_pages(desk: Desk) -> None:
    first = twilio(desk, "GET", "v1/Content?PageSize=2").json()
    assert len(first["contents"]) == 2
    assert "approval_requests" not in first["contents"][0]
    rest = requests.get(first["meta"]["next_page_url"], auth=(ACCOUNT_SID, SECRET), timeout=5).json()
    assert rest["meta"]["next_page_url"] is None
    sids = [one["sid"] for page in (first, rest) for one in page["contents"]]
    assert sids == [one["sid"] for one in contents(desk).values()]
    assert twilio(desk, "GET", f"v1/Content/{sids[0]}").json()["sid"] == sids[0]


def callbacks(desk: Desk, sid: str) -> list[Received]:
    return [one for one in list(desk.endpoint.received) if f"MessageSid={sid}".encode() in one.body]


def test_callbacks_go_where_the_message_said_and_twilios_own_validator_accepts_them(desk: Desk, to: str) -> None:
    sid = desk.sent(to, "Grüße & mehr", "msg_01HCALL")
    until(lambda: len(desk.told(sid)) == 4, seconds=15, what="the callbacks")
    validator = RequestValidator(SECRET)
    for one in callbacks(desk, sid):
        assert one.target.startswith("/hook/cfg_twilio?")
        assert query_of(one.target)["mid"] == ["msg_01HCALL"]
        url, form = f"{desk.endpoint.origin}{one.target}", dict(parse_qsl(one.body.decode(), keep_blank_values=True))
        assert validator.validate(url, form, one.headers["x-twilio-signature"])
        assert not validator.validate(f"{url}x", form, one.headers["x-twilio-signature"])
        assert not validator.validate(url, {**form, "To": "x"}, one.headers["x-twilio-signature"])


def test_messages_of_customers_pass_twilios_own_validator(desk: Desk, to: str) -> None:
    desk.accountant.ask("POST", "/customers", {"number": to, "says": "Is it ready & paid = yes?"})

    def told() -> list[Received]:
        return [one for one in list(desk.endpoint.received) if b"SmsStatus=received" in one.body]

    until(lambda: any(to.encode() in one.body for one in told()), seconds=15, what="the message")
    for one in told():
        form = dict(parse_qsl(one.body.decode(), keep_blank_values=True))
        url = f"{desk.endpoint.origin}{one.target}"
        assert RequestValidator(SECRET).validate(url, form, one.headers["x-twilio-signature"])


def test_a_callback_address_that_cannot_be_called_sends_all_the_same(desk: Desk, to: str) -> None:
    assert desk.send(to, StatusCallback="not a url").status_code == 201
    assert desk.taken(to) == 1


def test_media_are_behind_a_redirect_that_must_not_be_told_who_we_are(desk: Desk) -> None:
    path = f"2010-04-01/Accounts/{ACCOUNT_SID}/Messages/MM{'0' * 32}/Media/ME{'0' * 31}"
    for digit, media_type in (("0", "image/jpeg"), ("1", "audio/ogg"), ("2", "application/pdf"), ("3", "text/vcard")):
        answer = twilio(desk, "GET", f"{path}{digit}", allow_redirects=False)
        assert answer.status_code == 307
        found = requests.get(answer.headers["Location"], timeout=5)
        assert (found.status_code, found.headers["Content-Type"]) == (200, media_type)
        assert requests.get(answer.headers["Location"], auth=(ACCOUNT_SID, SECRET), timeout=5).status_code == 400
    assert twilio(desk, "GET", f"{path}0", password="wrong").json()["code"] == 20003


def test_the_types_of_customers_files_are_those_told(desk: Desk) -> None:
    told = [post for post in TWILIO.vendor.talk(300) if b"MediaUrl0" in post.body]
    assert len(told) > 5
    for form in [dict(parse_qsl(post.body.decode())) for post in told]:
        place = form["MediaUrl0"].partition("4711/")[2]
        fetched = twilio(desk, "GET", place, allow_redirects=False)
        assert requests.get(fetched.headers["Location"], timeout=5).headers["Content-Type"] == form["MediaContentType0"]


def test_typing_is_taken(desk: Desk) -> None:
    wish = {"channel": "WHATSAPP", "messageId": "SM" + "0" * 32}
    assert twilio(desk, "POST", "v3/Indicators/Typing.json", json=wish).json() == {"success": True}
    assert twilio(desk, "POST", "v3/Indicators/Typing.json", json={"messageId": "x"}).status_code == 400


def test_the_addresses_are_those_of_twilios_rest_library(desk: Desk, to: str) -> None:
    """Its own client, sent here instead of to api.twilio.com."""
    from twilio.http.http_client import TwilioHttpClient
    from twilio.rest import Client

    class Here(TwilioHttpClient):  # type: ignore[misc]
        def request(self, method: str, url: str, *args: Any, **more: Any) -> Any:
            return super().request(method, url.replace("https://api.twilio.com", desk.url), *args, **more)

    client = Client(ACCOUNT_SID, SECRET, http_client=Here())
    made = client.messages.create(to=f"whatsapp:+{to}", from_="whatsapp:+14155550101", body="by the library")
    assert made.status == "queued"
    assert desk.accountant.sends["byRecipient"][to][0]["vendorId"] == made.sid
