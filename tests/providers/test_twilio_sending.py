"""Requests to Twilio: messages of every type it knows, what it cannot express, read receipts, files and templates."""

import base64
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from models.message import Choice, Contact, Context, Interactive, Location, Media, Message, TemplateUse
from models.values import Direction, MessageType
from providers.outbound import Destination, ErrorKind, SendableMedia, SendError, TemplatePage
from providers.twilio import PROVIDER
from providers.twilio.outbound import TwilioMedia, TwilioTemplates
from providers.twilio.outbound.access import host_of
from providers.twilio.outbound.sender import with_reference
from providers.twilio.statuses import client_ref
from runtime.errors import Invalid
from tests.fixtures.twilio.conformance import ACCOUNT_SID, NUMBER, SERVICE_SID
from tests.fixtures.twilio.webhooks import parse
from tests.providers.twilio_sends import (
    BASE,
    BSUID,
    BY_SERVICE,
    CALLBACK,
    LINK,
    OWN_ID,
    PHONE,
    SENDER,
    TO_PHONE,
    TOKEN,
    account,
    answer,
    fixture,
    message,
    said,
    sending,
    spelled,
)

CONTENT_SID = "HXa9f7e97965d6cf799a529102a973b8b9"
QUOTING = Context(message_id="SM0cc175b9c0f1b6a831c399e269772661")
MEDIA_URL = fixture("media_meta")["uri"].removesuffix(".json")


def photo(**values: Any) -> Message:
    return message("image", media=Media(mime_type="image/jpeg", **values))


def test_the_provider_has_the_ways_out() -> None:
    assert PROVIDER.sender is not None
    assert PROVIDER.media is not None
    assert PROVIDER.templates is not None
    assert PROVIDER.sender.for_account(account()) is PROVIDER.sender


def test_a_text_is_a_form_post_to_the_account() -> None:
    request = SENDER.request(sending())
    assert (request.method, request.url) == ("POST", f"{BASE}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json")
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert spelled() == {
        "To": f"whatsapp:{PHONE}",
        "From": f"whatsapp:{NUMBER}",
        "Body": "Your repair is ready for collection.",
        "StatusCallback": f"{CALLBACK}?mid={OWN_ID}",
    }


def test_the_credentials_stand_in_the_header_alone() -> None:
    request = SENDER.request(sending())
    assert request.authorization is not None
    scheme, _, coded = request.authorization.reveal().partition(" ")
    assert (scheme, base64.b64decode(coded).decode()) == ("Basic", f"{ACCOUNT_SID}:{TOKEN}")
    assert TOKEN not in repr(request)
    assert coded not in repr(request)
    assert SENDER.request(sending(account=account(token=None))).authorization is None


def test_another_host_serves_the_same_path() -> None:
    request = SENDER.request(sending(base_url="http://127.0.0.1:8044/twilio"))
    assert request.url == f"http://127.0.0.1:8044/twilio/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        (Destination(phone=PHONE), f"whatsapp:{PHONE}"),
        (Destination(user_id=BSUID), f"whatsapp:{BSUID}"),
        (Destination(phone=PHONE, user_id=BSUID), f"whatsapp:{PHONE}"),
    ],
)
def test_a_recipient_is_a_number_or_a_user_id(who: Destination, expected: str) -> None:
    assert spelled(to=who)["To"] == expected
    assert SENDER.problems(message(), who) == {}


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (account(), {"From": f"whatsapp:{NUMBER}"}),
        (account(number=f"whatsapp:{NUMBER}"), {"From": f"whatsapp:{NUMBER}"}),
        (BY_SERVICE, {"MessagingServiceSid": SERVICE_SID}),
        (account(service=SERVICE_SID), {"From": f"whatsapp:{NUMBER}", "MessagingServiceSid": SERVICE_SID}),
    ],
)
def test_a_sender_is_a_number_a_service_or_both(by: Any, expected: dict[str, str]) -> None:
    names = {"From", "MessagingServiceSid"}
    assert {name: value for name, value in spelled(account=by).items() if name in names} == expected


def test_an_account_without_number_and_service_says_so_before_anything_leaves() -> None:
    """Twilio would answer 21603, which pauses the account."""
    silent = account(number=None)
    chosen = SENDER.for_account(silent)
    (field, problems) = chosen.problems(message(), TO_PHONE).popitem()
    assert field == "account"
    assert "--from" in problems[0]
    with pytest.raises(Invalid):
        SENDER.request(sending(account=silent))
    assert SENDER.for_account(BY_SERVICE) is SENDER


@pytest.mark.parametrize(
    "url",
    [
        CALLBACK,
        f"{CALLBACK}?tenant=7",
        f"{CALLBACK}#rc=3&rp=all",
        f"{CALLBACK}?tenant=7#rc=3",
    ],
)
def test_our_id_comes_back_in_the_callbacks_query(url: str) -> None:
    made = urlsplit(with_reference(url, OWN_ID))
    assert client_ref(made.query) == OWN_ID
    assert made.fragment == urlsplit(url).fragment
    assert {"mid": [OWN_ID]} | parse_qs(urlsplit(url).query) == parse_qs(made.query)


def test_a_status_that_comes_to_our_callback_is_known_by_our_id() -> None:
    query = urlsplit(spelled()["StatusCallback"]).query
    (event,) = parse({"MessageSid": QUOTING.message_id, "MessageStatus": "sent"}, query=query)
    assert event.client_ref == OWN_ID  # type: ignore[attr-defined]  # it is a status


def test_without_a_callback_none_is_asked_for() -> None:
    assert "StatusCallback" not in spelled(callback_url=None)


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("inbox.example", True),
        ("inbox.example:8443", True),
        ("8.8.8.8", True),
        ("localhost:8000", False),
        ("hooks.localhost", False),
        ("127.0.0.1:8000", False),
        ("10.1.2.3", False),
        ("[::1]:8000", False),
        ("ingest", False),
        ("my_inbox.example", False),
    ],
)
def test_a_callback_that_twilio_cannot_make_is_not_asked_for(host: str, asked: bool) -> None:
    """It would answer 21609, which says nothing sure about the message's fate."""
    assert ("StatusCallback" in spelled(callback_url=f"http://{host}/api")) is asked
    stand_in = spelled(callback_url=f"http://{host}/api", base_url="http://127.0.0.1:8044")
    assert ("StatusCallback" in stand_in) is ("_" not in host)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (photo(caption="The roof"), {"Body": "The roof", "MediaUrl": LINK}),
        (photo(), {"MediaUrl": LINK}),
        (message("image", media=Media(), text="The roof"), {"Body": "The roof", "MediaUrl": LINK}),
        (message("video", media=Media(caption="Look")), {"Body": "Look", "MediaUrl": LINK}),
        (message("audio", media=Media(voice=True)), {"MediaUrl": LINK}),
        (message("document", media=Media(file_name="a.pdf")), {"MediaUrl": LINK}),
        (message("sticker", media=Media(mime_type="image/webp")), {"MediaUrl": LINK}),
        (
            message(
                "location", location=Location(latitude=51.507351, longitude=-0.127758, name="Yard", address="2 Rd")
            ),
            {"Body": "Yard", "PersistentAction": "geo:51.507351,-0.127758|2 Rd"},
        ),
        (
            message("location", location=Location(latitude=51.5, longitude=-0.00001, name="A|B")),
            {"Body": "A|B", "PersistentAction": "geo:51.5,-0.00001|A/B"},
        ),
        (
            message("location", location=Location(latitude=0.0, longitude=10.0)),
            {"Body": "0,10", "PersistentAction": "geo:0,10"},
        ),
        (
            message("template", template=TemplateUse(name="a", provider_template_id=CONTENT_SID)),
            {"ContentSid": CONTENT_SID},
        ),
    ],
)
def test_each_type_has_its_parameters(sent: Message, expected: dict[str, str]) -> None:
    assert SENDER.problems(sent, TO_PHONE) == {}
    assert said(sent) == expected


def test_a_template_takes_its_variables_as_json_of_strings() -> None:
    variables = {"1": "Ana", "2": "12 May, 10:00 – „früh“"}
    use = TemplateUse(name="visit", provider_template_id=CONTENT_SID, variables=variables)
    found = said(message("template", template=use, text="Hi Ana"))
    assert found.keys() == {"ContentSid", "ContentVariables"}
    assert json.loads(found["ContentVariables"]) == variables


def test_texts_arrive_as_they_were_written() -> None:
    text = " a+b %20 = c&d\r\nZoë 👋🏽 "
    assert said(message(text=text))["Body"] == text


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        (message(text="x" * 1601), "text"),
        (message(text=" \n"), "text"),
        (message(context=QUOTING), "context.messageId"),
        (message("reaction", context=QUOTING, emoji="👍"), "type"),
        (message("sticker", media=Media(mime_type="image/webp", caption="hi")), "media.caption"),
        (message("sticker"), "media"),
        (message("contact", contact=Contact(name="Piet", phone_number=PHONE)), "type"),
        (
            message(
                "interactive", text="?", interactive=Interactive(kind="buttons", buttons=[Choice(id="a", title="A")])
            ),
            "type",
        ),
        (message("order"), "type"),
        (photo(caption="x" * 1601), "media.caption"),
        (message("image"), "media"),
        (message("image", media=Media(), more_media=[Media()]), "moreMedia"),
        (message("document", media=Media(caption="Your invoice")), "media.caption"),
        (message("audio", media=Media(), text="listen"), "media.caption"),
        (message("location"), "location"),
        (message("location", location=Location(latitude=1.0)), "location"),
        (message("template"), "template"),
        (message("template", template=TemplateUse(name="a")), "template"),
        (message("template", template=TemplateUse(name="a", provider_template_id="1730559284410265")), "template"),
    ],
)
def test_what_twilio_would_refuse_is_said_by_field(sent: Message, field: str) -> None:
    found = SENDER.problems(sent, TO_PHONE)
    assert list(found) == [field]
    assert all(found[field])


def test_the_longest_text_is_taken() -> None:
    assert SENDER.problems(message(text="👋" * 1600), TO_PHONE) == {}


@pytest.mark.parametrize("who", [Destination(), Destination(chat_id="1@c.us"), Destination(group_id="g", phone=PHONE)])
def test_who_cannot_be_reached_is_said(who: Destination) -> None:
    assert list(SENDER.problems(message(), who)) == ["to"]


@pytest.mark.parametrize("kind", sorted(set(MessageType) - {MessageType.LOCATION, MessageType.TEMPLATE}))
def test_what_cannot_be_sent_makes_no_request(kind: MessageType) -> None:
    sent = message(kind, context=QUOTING)
    if kind is MessageType.TEXT:
        assert SENDER.request(sending(sent)).body
        return
    with pytest.raises(Invalid) as refused:
        SENDER.request(sending(sent))
    assert refused.value.fields


def test_a_file_goes_by_link_alone() -> None:
    with pytest.raises(Invalid):
        SENDER.request(sending(photo(), media=SendableMedia(vendor_id="ME1")))


# Read receipts


def inbound(**values: Any) -> Message:
    return message(direction=Direction.INBOUND, **values)


@pytest.mark.parametrize("typing", [True, False])
def test_reading_is_told_by_the_typing_indicator(typing: bool) -> None:
    wanted = fixture("typing_indicator_request")
    sent = inbound(provider_message_id=wanted["messageId"])
    request = SENDER.mark_read(account(), base_url=BASE, message=sent, typing=typing)
    assert request is not None
    assert request.url == "https://messaging.twilio.com/v3/Indicators/Typing.json"
    assert json.loads(request.body) == wanted
    assert request.headers["Content-Type"] == "application/json"
    assert request.authorization == SENDER.request(sending()).authorization
    assert SENDER.taken(answer(200, "typing_indicator_response")) is None
    assert SENDER.taken(answer(404, "error_404")) is not None


@pytest.mark.parametrize("sent", [message(provider_message_id="SM1"), inbound(), inbound(provider_message_id="XX1")])
def test_only_what_came_through_twilio_can_be_read(sent: Message) -> None:
    assert SENDER.mark_read(account(), base_url=BASE, message=sent, typing=True) is None


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("https://api.twilio.com", "https://content.twilio.com"),
        ("https://api.dublin.ie1.twilio.com", "https://content.dublin.ie1.twilio.com"),
        ("http://127.0.0.1:8044", "http://127.0.0.1:8044"),
        ("https://api.twilio.com.evil.example", "https://api.twilio.com.evil.example"),
    ],
)
def test_the_products_have_hosts_of_their_own(base_url: str, expected: str) -> None:
    assert host_of("content", base_url) == expected


# Files

FILES = TwilioMedia()
FILE = f"{BASE}{MEDIA_URL}"


def test_a_file_of_ours_is_fetched_with_credentials() -> None:
    request = FILES.download(account(), url=FILE, trusted=True)
    assert (request.method, request.url) == ("GET", FILE)
    assert request.authorization == SENDER.request(sending()).authorization


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        (FILE, False),
        (FILE.replace(ACCOUNT_SID, "AC" + "0" * 32), True),
        (f"{BASE}/2010-04-01/Accounts/{ACCOUNT_SID}.json", True),
        (f"{FILE}/..", True),
        ("https://mms.twiliocdn.com/x?Signature=y", True),
    ],
)
def test_nothing_else_ever_sees_them(url: str, trusted: bool) -> None:
    assert FILES.download(account(), url=url, trusted=trusted).authorization is None


def test_where_files_may_come_from() -> None:
    assert FILES.trusted_hosts == {"api.twilio.com"}
    assert FILES.redirects == 1
    assert FILES.uploads_kept is None
    assert FILES.upload(account(), base_url=BASE, file_name="a", mime_type="image/png") is None
    assert FILES.look_up(account(), base_url=BASE, media=Media(source_url=FILE)) is None


# Templates

BOOK = TwilioTemplates()


def test_templates_are_listed_page_by_page() -> None:
    first = BOOK.page(account(), base_url=BASE, cursor=None)
    assert first.url == "https://content.twilio.com/v1/ContentAndApprovals?PageSize=500"
    assert first.authorization is not None
    listed = fixture("content_and_approvals_list")
    listed["meta"]["next_page_url"] = "https://evil.example/v1/ContentAndApprovals?PageSize=50&Page=1&PageToken=x%3D"
    page = BOOK.read(answer(200, listed))
    assert isinstance(page, TemplatePage)
    second = BOOK.page(account(), base_url=BASE, cursor=page.next)
    assert second.url == "https://content.twilio.com/v1/ContentAndApprovals?PageSize=50&Page=1&PageToken=x%3D"


def test_a_content_is_told_in_our_words() -> None:
    page = BOOK.read(answer(200, "content_and_approvals_list"))
    assert isinstance(page, TemplatePage)
    assert page.next is None
    (found,) = page.templates
    text = "Hi {{1}}, a reminder of your appointment on {{2}}."
    buttons = [
        {"title": "Confirm", "id": "appointment_confirm"},
        {"title": "Change", "id": "appointment_change"},
    ]
    assert found == {
        "whatsapp_template_id": CONTENT_SID,
        "name": "appointment_reminder",
        "language": "en",
        "status": "approved",
        "category": "UTILITY",
        "rejection_reason": None,
        "content": text,
        "components": [
            {"type": "twilio/quick-reply", "body": text, "actions": buttons},
            {"type": "twilio/text", "body": text},
        ],
    }


@pytest.mark.parametrize("turned", [False, True])
def test_of_contents_with_one_name_the_approved_one_comes_first(turned: bool) -> None:
    draft = {"sid": "HX" + "1" * 32, "friendly_name": "visit", "language": "en"}
    approved = {**draft, "sid": "HX" + "2" * 32, "approval_requests": {"name": "visit", "status": "approved"}}
    contents = [approved, draft] if turned else [draft, approved]
    page = BOOK.read(answer(200, {"contents": contents}))
    assert isinstance(page, TemplatePage)
    assert [one["whatsapp_template_id"] for one in page.templates] == [approved["sid"], draft["sid"]]


@pytest.mark.parametrize(
    ("approval", "status", "name"),
    [
        ({}, "pending", "friendly"),
        (None, "pending", "friendly"),
        ({"status": "unsubmitted"}, "pending", "friendly"),
        ({"status": "received", "name": "formal"}, "pending", "formal"),
        ({"status": "rejected", "rejection_reason": "INVALID_FORMAT"}, "rejected", "friendly"),
        ({"status": "paused"}, "paused", "friendly"),
        ({"status": "disabled"}, "disabled", "friendly"),
        ({"status": "pondered"}, "pending", "friendly"),
        ("nonsense", "pending", "friendly"),
    ],
)
def test_every_word_of_an_approval_is_one_of_ours(approval: object, status: str, name: str) -> None:
    content = {"sid": CONTENT_SID, "friendly_name": "friendly", "language": "en", "approval_requests": approval}
    page = BOOK.read(answer(200, {"contents": [content, {"friendly_name": "no sid"}, "nonsense"]}))
    assert isinstance(page, TemplatePage)
    (found,) = page.templates
    assert (found["status"], found["name"]) == (status, name)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, "error_401", ErrorKind.OURS),
        (429, "error_429", ErrorKind.THROTTLED),
        (200, b"<html>", ErrorKind.RETRYABLE),
        (200, {"contents": None}, ErrorKind.RETRYABLE),
    ],
)
def test_a_list_that_cannot_be_had_is_an_error(status: int, body: object, kind: ErrorKind) -> None:
    found = BOOK.read(answer(status, body))
    assert isinstance(found, SendError)
    assert found.kind is kind
