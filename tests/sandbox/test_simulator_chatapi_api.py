"""The simulated API of ChatAPI: refusals that are HTTP 200, its own echo of what was sent, acks by queue number."""

import re
from collections.abc import Iterator
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.sandbox.business import CHATAPI, Desk, bodies, chatapi, open_desk
from tests.sandbox.played import TOKEN
from tests.support.waiting import until

_serial = count(1)


@pytest.fixture(scope="module")
def opened() -> Iterator[Desk]:
    with open_desk(CHATAPI) as desk:
        yield desk


@pytest.fixture
def desk(opened: Desk) -> Desk:
    opened.accountant.recover()
    return opened


@pytest.fixture
def to() -> str:
    return f"4477006{next(_serial):05d}"


METHODS: list[tuple[str, dict[str, Any], tuple[str, str]]] = [
    ("sendMessage", {"body": "We are open until six."}, ("chat", "We are open until six.")),
    (
        "sendFile",
        {"body": "https://files.example/m/invoice.pdf", "filename": "invoice.pdf", "caption": "Your invoice"},
        ("document", "https://files.example/m/invoice.pdf"),
    ),
    (
        "sendFile",
        {"body": "https://files.example/p.jpg", "filename": "p.jpg"},
        ("image", "https://files.example/p.jpg"),
    ),
    ("sendPTT", {"audio": "https://files.example/n.ogg"}, ("ptt", "https://files.example/n.ogg")),
    ("sendLocation", {"lat": 54.48, "lng": -0.62, "address": "Harbour Row\nWhitby"}, ("location", "54.48;-0.62")),
    ("sendVCard", {"vcard": "BEGIN:VCARD\nEND:VCARD"}, ("vcard", "BEGIN:VCARD\nEND:VCARD")),
    ("sendContact", {"contactId": "447700900129@c.us"}, ("vcard", "447700900129@c.us")),
]


@pytest.mark.parametrize(("method", "fields", "told"), METHODS)
def test_every_way_to_send_is_taken_echoed_and_acked(
    desk: Desk, to: str, method: str, fields: dict[str, Any], told: tuple[str, str]
) -> None:
    answer = chatapi(desk, method, {"chatId": f"{to}@c.us", **fields}).json()
    assert (answer["sent"], answer["message"]) == (True, f"Sent to {to}@c.us")
    assert re.fullmatch(rf"true_{to}@c\.us_[0-9A-F]{{20}}", answer["id"])
    until(lambda: len(desk.told(answer["id"])) == 3, seconds=15, what="the acks")
    [echo] = [m for body in bodies(desk.endpoint) for m in body.get("messages", []) if m["id"] == answer["id"]]
    assert (echo["fromMe"], echo["self"], echo["type"], echo["body"]) == (True, 1, *told)
    acks = [one for body in bodies(desk.endpoint) for one in body.get("ack", []) if one["id"] == answer["id"]]
    assert {one["queueNumber"] for one in acks} == {answer["queueNumber"]}
    assert {one["chatId"] for one in acks} == {f"{to}@c.us"}


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("Please set either", {"chatId": None}),
    ("Please set either", {"phone": "447700900129"}),
    ("Wrong chatId format", {"chatId": "447700900129"}),
    ("Wrong chatId format", {"chatId": None, "phone": "+44 7700"}),
    ("body is required", {"body": ""}),
    ("body is too long", {"body": "x" * 65_537}),
]


@pytest.mark.parametrize(("words", "fields"), WRONG)
def test_what_is_wrong_is_a_200_that_says_not_sent(desk: Desk, to: str, words: str, fields: dict[str, Any]) -> None:
    answer = desk.send(to, **fields)
    body = answer.json()
    assert (answer.status_code, body["sent"]) == (200, False)
    assert words in body["message"]
    assert desk.taken(to) == 0
    assert desk.refused(body["message"]) >= 1


def test_a_file_needs_a_name_and_a_link(desk: Desk, to: str) -> None:
    assert chatapi(desk, "sendFile", {"phone": to, "body": "https://a.example/x"}).json()["sent"] is False
    assert chatapi(desk, "sendFile", {"phone": to, "body": "x", "filename": "x.pdf"}).json()["sent"] is False


def test_a_form_is_as_good_as_json_and_so_is_a_phone(desk: Desk, to: str) -> None:
    url = f"{desk.url}/instance318842/sendMessage"
    answer = requests.post(url, params={"token": TOKEN}, data={"phone": to, "body": "a form"}, timeout=5)
    assert answer.json()["sent"] is True
    assert desk.taken(to) == 1


def test_a_group_is_written_to_by_its_id(desk: Desk) -> None:
    answer = chatapi(desk, "sendMessage", {"chatId": "447700900318-1793001600@g.us", "body": "Riders!"}).json()
    assert answer["id"].startswith("true_447700900318-1793001600@g.us_")
    assert desk.taken("447700900318-1793001600") == 1


def test_a_wrong_token_is_quoted_in_a_401(desk: Desk, to: str) -> None:
    answer = chatapi(desk, "sendMessage", {"phone": to, "body": "x"}, token="guess")
    words = 'Wrong token "guess" for instance "318842". Please provide token as a GET parameter.'
    assert (answer.status_code, answer.json()) == (401, {"error": words})
    assert desk.taken(to) == 0


def test_reading_and_the_state_of_the_instance(desk: Desk, to: str) -> None:
    read = chatapi(desk, "readChat", {"chatId": f"{to}@c.us"}).json()
    assert read == {"read": True, "message": None, "chatId": f"{to}@c.us"}
    state = requests.get(f"{desk.url}/instance318842/status", params={"token": TOKEN}, timeout=5)
    assert state.json() == {"accountStatus": "authenticated"}


@pytest.mark.timeout(120)
def test_files_of_the_demos_customers_lie_on_the_simulator() -> None:
    with open_desk(CHATAPI, silent=False) as desk:

        def urls() -> list[str]:
            said = [m for body in bodies(desk.endpoint) for m in body.get("messages", [])]
            return [m["body"] for m in said if m["type"] in {"image", "ptt", "document", "video"} and not m["fromMe"]]

        until(urls, seconds=60, what="a file")
        url = urls()[0]
        assert url.startswith(f"{desk.url}/incoming/")
        ending = urlsplit(url).path.rpartition(".")[2]
        media_type = {"jpeg": "image/jpeg", "oga": "audio/ogg", "pdf": "application/pdf", "mp4": "video/mp4"}[ending]
        fetched = requests.get(url, timeout=5)
        assert (fetched.status_code, fetched.headers["Content-Type"]) == (200, media_type)
        assert len(fetched.content) > 50
