"""Requests to ChatAPI and to 1msg: every type of each, against the documented bodies."""

from typing import Any

import pytest

from models.message import Choice, Contact, Location, Media, Message
from models.values import Direction
from providers.chatapi import PROVIDER
from providers.chatapi.outbound import ChatApiMedia
from providers.chatapi.outbound.cards import vcard_of
from providers.chatapi.outbound.methods import spelled_variant
from providers.chatapi.vcards import contacts_of
from providers.outbound import Destination, SendableMedia, Sender
from runtime.errors import Invalid
from tests.providers.chatapi_sends import (
    BASE,
    CARD,
    CHANNEL,
    CHAT,
    FIXTURES,
    FLOW,
    GROUP,
    LINK,
    NAMESPACE,
    ONE_MSG,
    ONE_MSG_ID,
    PHONE,
    PIXEL,
    QUOTED,
    QUOTING,
    REACTING,
    SLOTS,
    TO_CHAT,
    TO_PHONE,
    TOKEN,
    WEB,
    account,
    asks,
    called,
    fixture,
    message,
    quoting,
    sending,
    uses,
    words,
)

#: Fixture -> the message of which it is the body, and what else the request needs.
WEB_CASES: dict[str, tuple[Message, dict[str, Any]]] = {
    "request_sendMessage": (message(), {}),
    "request_sendMessage_mention": (message(text="Thanks @447700900202"), {"to": Destination(chat_id=GROUP)}),
    "request_sendMessage_phone_quoted": (message(text="That one", context=QUOTING), {"to": TO_PHONE}),
    "request_sendFile_url": (
        message("document", media=Media(file_name="invoice.pdf", caption="Your invoice")),
        {},
    ),
    "request_sendFile_data_uri": (
        message("image", media=Media(file_name="dot.png")),
        {"media": SendableMedia(link=PIXEL)},
    ),
    "request_sendPTT": (
        message("audio", media=Media(voice=True)),
        {"media": SendableMedia(link="https://files.example.org/m/8c1f/note.ogg")},
    ),
    "request_sendLocation": (
        message(
            "location",
            location=Location(latitude=52.520645, longitude=13.409779, name="Example Square 1", address="10178 Berlin"),
        ),
        {},
    ),
    "request_sendContact": (message("contact", contact=Contact(user_id="447700900202@c.us")), {}),
    "request_sendVCard": (message("contact", contact=Contact(name="Piet Boer", vcard=CARD)), {}),
}
#: Bodies of calls that send no message of ours, or that we never make.
NOT_SENDS = {
    "request_readChat",  # below
    "request_forwardMessage",  # a message is sent anew instead
    "request_sendLink",  # links are texts
    "request_group",
    "request_settings",
}
ONE_MSG_CASES: dict[str, tuple[Message, dict[str, Any]]] = {
    "request_onemsg_sendList": (
        asks("list", label="Slots", header="Appointments", footer="Reply any time", sections=[SLOTS]),
        {},
    ),
    "request_onemsg_sendReaction": (message("reaction", emoji="👍", context=REACTING), {}),
    "request_onemsg_sendTemplate": (
        uses(
            [
                {"type": "body", "parameters": words("Ana", "12 May, 10:00")},
                {
                    "type": "button",
                    "sub_type": "quick_reply",
                    "index": 0,
                    "parameters": [{"type": "payload", "payload": "appointment_confirm"}],
                },
            ]
        ),
        {},
    ),
}


@pytest.mark.parametrize("name", sorted(WEB_CASES))
def test_each_documented_body_is_built(name: str) -> None:
    sent, more = WEB_CASES[name]
    assert WEB.problems(sent, more.get("to", TO_CHAT)) == {}
    method, body = called(WEB.request(sending(sent, **more)))
    assert (method, body) == (name.split("_")[1], fixture(name))


@pytest.mark.parametrize("name", sorted(ONE_MSG_CASES))
def test_each_documented_body_of_1msg_is_built(name: str) -> None:
    sent, more = ONE_MSG_CASES[name]
    assert ONE_MSG.problems(sent, TO_CHAT) == {}
    method, body = called(ONE_MSG.request(sending(sent, account=CHANNEL, **more)))
    assert (method, body) == (name.split("_")[2], fixture(name))


def test_no_request_among_the_fixtures_is_left_out() -> None:
    assert {path.stem for path in (FIXTURES / "chatapi").glob("request_*")} == WEB_CASES.keys() | NOT_SENDS
    found = {path.stem for path in (FIXTURES / "onemsg").glob("request_*")}
    assert found == ONE_MSG_CASES.keys() | {"request_onemsg_readMessage"}


# Addresses


@pytest.mark.parametrize(
    ("own", "base_url", "expected"),
    [
        (account(), BASE, f"{BASE}/instance318842/sendMessage"),
        (account(instance="instance318842"), BASE, f"{BASE}/instance318842/sendMessage"),
        (account(), f"{BASE}/instance318842", f"{BASE}/instance318842/sendMessage"),
        (account(), "http://127.0.0.1:8045", "http://127.0.0.1:8045/instance318842/sendMessage"),
        (CHANNEL, BASE, "https://api.1msg.io/463107/sendMessage"),
        (CHANNEL, "http://127.0.0.1:8045", "http://127.0.0.1:8045/463107/sendMessage"),
        (account(instance="463107", url="https://api.1msg.io"), "https://api.1msg.io", None),
        (account(instance="463107", url="https://api.1msg.io/463107"), "https://api.1msg.io/463107", None),
    ],
)
def test_the_address_names_the_instance(own: Any, base_url: str, expected: str | None) -> None:
    """Whichever sender is asked, the account decides."""
    request = WEB.request(sending(account=own, base_url=base_url))
    assert (request.method, request.url) == ("POST", expected or "https://api.1msg.io/463107/sendMessage")
    assert request.headers["Content-Type"] == "application/json"


def test_the_token_stands_apart() -> None:
    request = WEB.request(sending())
    assert request.secret_query["token"].reveal() == TOKEN
    assert TOKEN not in repr(request)
    assert WEB.request(sending(account=account(token=None))).secret_query == {}


@pytest.mark.parametrize(
    ("own", "sender"),
    [
        (account(), WEB),
        (account(variant="chat-api"), WEB),
        (account(url="https://eu12.chat-api.com"), WEB),
        (account(url="https://1msg.io.example"), WEB),
        (account(variant="chat-api", url="https://api.1msg.io"), WEB),
        (CHANNEL, ONE_MSG),
        (account(url="https://api.1msg.io"), ONE_MSG),
    ],
)
def test_an_account_has_the_sender_of_its_variant(own: Any, sender: Sender) -> None:
    assert PROVIDER.sender is not None
    assert type(PROVIDER.sender.for_account(own)) is type(sender)
    books = PROVIDER.templates.for_account(own) if PROVIDER.templates else None
    assert (books is not None) is (sender is ONE_MSG)


@pytest.mark.parametrize(
    ("said", "meant"), [("1msg", "1msg"), (" 1MSG.io", "1msg"), ("chatapi", "chat-api"), ("chat-api", "chat-api")]
)
def test_a_variant_is_understood_as_people_write_it(said: str, meant: str) -> None:
    assert spelled_variant(said) == meant
    assert spelled_variant(f"{said}x") is None


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        (TO_CHAT, {"chatId": CHAT}),
        (TO_PHONE, {"phone": "447700900201"}),
        (Destination(chat_id="98765432101234@lid"), {"chatId": "98765432101234@lid"}),
        (Destination(chat_id=GROUP), {"chatId": GROUP}),
        (Destination(group_id=GROUP, phone=PHONE), {"chatId": GROUP}),
    ],
)
def test_a_recipient_is_named_once_and_as_the_vendor_did(to: Destination, expected: dict[str, str]) -> None:
    _, body = called(WEB.request(sending(to=to)))
    assert {name: body[name] for name in ("chatId", "phone") if name in body} == expected


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        (TO_CHAT, {"phone": "447700900201"}),
        (Destination(chat_id=CHAT), {"phone": "447700900201"}),
        (Destination(chat_id="98765432101234@lid"), {"chatId": "98765432101234@lid"}),
        (Destination(group_id=GROUP, phone=PHONE), {"chatId": GROUP}),
    ],
)
def test_some_methods_of_1msg_are_called_by_number(to: Destination, expected: dict[str, str]) -> None:
    for sent in (message("reaction", context=REACTING), uses(), asks("buttons"), asks("location_request")):
        _, body = called(ONE_MSG.request(sending(sent, account=CHANNEL, to=to)))
        assert {name: body[name] for name in ("chatId", "phone") if name in body} == expected


# Contents


def test_only_groups_have_mentions() -> None:
    _, body = called(WEB.request(sending(message(text="Call @447700900202"))))
    assert "mentionedPhones" not in body


@pytest.mark.parametrize(
    ("kind", "media", "name"),
    [
        ("image", Media(), "image.jpg"),
        ("image", Media(mime_type="image/png"), "image.png"),
        ("video", Media(mime_type="video/3gpp"), "video.3gp"),
        ("audio", Media(mime_type="audio/ogg"), "audio.ogg"),
        ("document", Media(mime_type="application/pdf"), "document.pdf"),
        ("document", Media(mime_type="application/x-nobody-knows"), "document.bin"),
        ("document", Media(file_name="report", mime_type="application/pdf"), "report.pdf"),
        ("document", Media(file_name="v1.2 report.odt"), "v1.2 report.odt"),
        ("document", Media(file_name=".profile", mime_type="text/plain"), ".profile.txt"),
    ],
)
def test_a_file_always_has_a_name_with_an_ending(kind: str, media: Media, name: str) -> None:
    for sender, own in ((WEB, account()), (ONE_MSG, CHANNEL)):
        method, body = called(sender.request(sending(message(kind, media=media), account=own)))
        assert (method, body["filename"], body["body"]) == ("sendFile", name, LINK)


def test_a_file_goes_by_link_alone() -> None:
    for media in (None, SendableMedia(vendor_id="1")):
        with pytest.raises(Invalid):
            WEB.request(sending(message("image", media=Media()), media=media))


@pytest.mark.parametrize(
    ("place", "lines"),
    [
        (Location(name="Yard", address="2 Dock Rd\nKent"), "Yard\n2 Dock Rd Kent"),
        (Location(address="2 Dock Rd\nKent"), "2 Dock Rd\nKent"),
        (Location(name="Yard"), "Yard"),
        (Location(), None),
    ],
)
def test_a_place_has_two_lines_at_most(place: Location, lines: str | None) -> None:
    place.latitude, place.longitude = 51.5, -0.12
    method, body = called(WEB.request(sending(message("location", location=place))))
    assert (method, body["lat"], body["lng"], body.get("address")) == ("sendLocation", 51.5, -0.12, lines)


def test_a_card_that_we_write_can_be_read() -> None:
    written = vcard_of(Contact(name="Boer; Piet, Jr\\", phone_number="+44 7700 900234"))
    assert "waid=447700900234" in written
    (read,) = contacts_of(written)
    assert (read.name, read.phone_number) == ("Boer; Piet, Jr\\", "+447700900234")


def test_several_known_contacts_go_together() -> None:
    ids = ["447700900202@c.us", "447700900203@c.us"]
    sent = message("contact", contacts=[Contact(user_id=one) for one in ids])
    assert called(WEB.request(sending(sent))) == ("sendContact", {"chatId": CHAT, "contactId": ids})


FRONT_DESK = Contact(
    name="Front Desk",
    phone_number="+15550192744",
    vcard=CARD,
    details={"name": {"formatted_name": "Front Desk"}, "org": {"company": "Quayside"}, "vcard": "x", "emails": []},
)


@pytest.mark.parametrize(
    ("sent", "method", "body"),
    [
        (message(context=QUOTING), "sendMessage", {"body": "We are open until six.", "quotedMsgId": QUOTED}),
        (
            message("audio", media=Media(voice=True, mime_type="audio/ogg")),
            "sendFile",
            {"body": LINK, "filename": "audio.ogg", "voice": True},
        ),
        (message("sticker", media=Media()), "sendSticker", {"link": LINK}),
        (
            message("location", location=Location(latitude=51.5, longitude=-0.12, name="Yard", address="2 Dock Rd")),
            "sendLocation",
            {"lat": "51.5", "lng": "-0.12", "name": "Yard", "address": "2 Dock Rd"},
        ),
        (
            message("contact", contact=FRONT_DESK),
            "sendContact",
            {
                "contacts": [
                    {
                        "name": {"formatted_name": "Front Desk", "first_name": "Front Desk"},
                        "org": {"company": "Quayside"},
                        "phones": [{"phone": "+15550192744"}],
                    }
                ]
            },
        ),
        (
            asks("buttons", "Shall we?", footer="f", buttons=[Choice(id="y", title="Yes"), Choice(id="n", title="No")]),
            "sendButton",
            {
                "body": "Shall we?",
                "footer": "f",
                "sections": [
                    {"type": "reply", "reply": {"id": "y", "title": "Yes"}},
                    {"type": "reply", "reply": {"id": "n", "title": "No"}},
                ],
            },
        ),
        (asks("location_request", "Where?"), "sendLocationRequest", {"body": "Where?"}),
        (
            quoting(asks("location_request", "Where?")),
            "sendLocationRequest",
            {"body": "Where?", "quotedMsgId": QUOTED},
        ),
        (
            quoting(asks("buttons", "Shall we?", buttons=[Choice(id="y", title="Yes")])),
            "sendButton",
            {
                "body": "Shall we?",
                "sections": [{"type": "reply", "reply": {"id": "y", "title": "Yes"}}],
                "quotedMsgId": QUOTED,
            },
        ),
        (
            asks("cta_url", "Our shop", header="Hello", footer="f", label="Open", url="https://shop.example/a?b=c"),
            "sendCtaUrl",
            {
                "body": "Our shop",
                "header": {"type": "text", "text": "Hello"},
                "footer": "f",
                "displayText": "Open",
                "url": "https://shop.example/a?b=c",
            },
        ),
        (
            quoting(asks("flow", "Book a slot", label="Book", flow=FLOW)),
            "sendFlow",
            {
                "body": "Book a slot",
                "flowId": "771",
                "flowToken": "msg_1",
                "flowCta": "Book",
                "mode": "published",
                "flowAction": "navigate",
                "flowActionPayload": {"screen": "DAY"},
                "quotedMsgId": QUOTED,
            },
        ),
        (
            asks("flow", "Book a slot", label="Book", flow={"flow_id": "771", "flow_token": "t"}),
            "sendFlow",
            {"body": "Book a slot", "flowId": "771", "flowToken": "t", "flowCta": "Book"},
        ),
        (message("reaction", context=REACTING), "sendReaction", {"body": "", "quotedMsgId": ONE_MSG_ID}),
        (
            uses(parameters=["Ana"]),
            "sendTemplate",
            {
                "template": "appointment_reminder",
                "namespace": NAMESPACE,
                "language": {"policy": "deterministic", "code": "en"},
                "params": [{"type": "body", "parameters": words("Ana")}],
            },
        ),
    ],
)
def test_each_type_of_1msg(sent: Message, method: str, body: dict[str, Any]) -> None:
    assert ONE_MSG.problems(sent, TO_CHAT) == {}
    made, found = called(ONE_MSG.request(sending(sent, account=CHANNEL)))
    assert made == method
    assert {name: value for name, value in found.items() if name not in {"chatId", "phone"}} == body


def test_a_templates_header_takes_the_link() -> None:
    header = {"type": "header", "parameters": [{"type": "document", "document": {"id": "9", "filename": "a.pdf"}}]}
    body = {"type": "body", "parameters": words("Ana")}
    sent = sending(uses([header, body]), account=CHANNEL, header_media=SendableMedia(link=LINK))
    _, found = called(ONE_MSG.request(sent))
    document = {"type": "document", "document": {"link": LINK, "filename": "a.pdf"}}
    assert found["params"] == [{"type": "header", "parameters": [document]}, body]


# Read receipts


def came(**values: Any) -> Message:
    return message(direction=Direction.INBOUND, from_=PHONE, **values)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (came(provider_message_id=QUOTED), fixture("request_readChat")),
        (came(provider_message_id="opaque", group_id=GROUP), {"chatId": GROUP}),
        (came(provider_message_id="opaque"), {"phone": "447700900201"}),
        (came(provider_message_id="98765432101234@lid"), {"phone": "447700900201"}),
    ],
)
def test_reading_a_chat(sent: Message, expected: dict[str, str]) -> None:
    request = WEB.mark_read(account(), base_url=BASE, message=sent, typing=True)
    assert request is not None
    assert called(request) == ("readChat", expected)
    assert request.secret_query["token"].reveal() == TOKEN


def test_reading_a_message_at_1msg() -> None:
    sent = came(provider_message_id=ONE_MSG_ID)
    for typing, more in ((False, {}), (True, {"typing_indicator": True})):
        request = WEB.mark_read(CHANNEL, base_url=BASE, message=sent, typing=typing)
        assert request is not None
        assert called(request) == ("readMessage", fixture("request_onemsg_readMessage") | more)


def test_only_what_came_in_is_read() -> None:
    for sent in (message(provider_message_id=ONE_MSG_ID), message(direction=Direction.INBOUND)):
        assert WEB.mark_read(account(), base_url=BASE, message=sent, typing=False) is None
        assert ONE_MSG.mark_read(CHANNEL, base_url=BASE, message=sent, typing=False) is None


# Files and templates


def test_a_file_is_fetched_as_anybody_would() -> None:
    request = ChatApiMedia().download(account(), url=LINK, trusted=True)
    assert (request.method, request.url, request.secret_query) == ("GET", LINK, {})
    assert request.authorization is None
    assert ChatApiMedia().uploads_kept is None
