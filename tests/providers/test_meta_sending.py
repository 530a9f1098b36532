"""Requests to Meta's messages API: every type, each recipient, against the documented bodies."""

from typing import Any

import pytest

from models.message import Choice, ChoiceGroup, Contact, Context, Interactive, Location, Media, Message, TemplateUse
from models.values import Direction, MessageType
from providers.meta import PROVIDER
from providers.meta.outbound.graph import API_VERSION
from providers.outbound import Destination, SendableMedia, Sending
from runtime.errors import Invalid
from sandbox.simulators.meta import checks
from tests.providers.meta_sends import (
    BASE,
    BSUID,
    FIXTURES,
    NUMBER_ID,
    PHONE,
    QUOTING,
    SENDER,
    TO_GROUP,
    TO_PHONE,
    TO_USER,
    TOKEN,
    WAMID,
    account,
    body,
    fixture,
    loaded,
    message,
    sending,
)

Case = tuple[Message, Destination, dict[str, Any]]


def asks(kind: str, text: str, **more: Any) -> Message:
    media = more.pop("media", None)
    return message("interactive", text=text, media=media, interactive=Interactive(kind=kind, **more))


def template(name: str, components: list[dict[str, Any]], language: str = "en_GB", **more: Any) -> Message:
    use = TemplateUse(name=name, language=language, components=components)
    return message("template", template=use, **more)


def words(*texts: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text} for text in texts]


FRONT_DESK = Contact(
    name="Quayside Front Desk",
    phone_number="+15550192744",
    details={
        "name": {"formatted_name": "Quayside Front Desk", "first_name": "Front Desk"},
        "phones": [{"phone": "+15550192744", "type": "WORK", "wa_id": "15550192744", "user_id": "US.1"}],
        "emails": [{"email": "desk@quayside.example", "type": "WORK"}],
        "org": {"company": "Quayside Repairs"},
        "urls": [{"url": "https://quayside.example", "type": "WORK"}],
        "vcard": "BEGIN:VCARD",
    },
)
SERVICES = [
    ChoiceGroup(
        title="Heating",
        rows=[
            Choice(id="svc_boiler", title="Boiler service", description="60 minutes, from 85 GBP"),
            Choice(id="svc_rad", title="Radiator repair"),
        ],
    ),
    ChoiceGroup(title="Other", rows=[Choice(id="svc_human", title="Talk to a person")]),
]
SLOTS = [
    Choice(id="slot-0940", title="09:40"),
    Choice(id="slot-1140", title="11:40"),
    Choice(id="slot-none", title="None of these"),
]
FLOW = {
    "flow_token": "ft_20261027_91",
    "flow_id": "812066437719055",
    "flow_action": "navigate",
    "flow_action_payload": {"screen": "FAULT", "data": {"customer": "Priya"}},
}
QUOTE_PARTS = [
    {"type": "header", "parameters": [{"type": "document", "document": {}}]},
    {
        "type": "body",
        "parameters": [
            *words("Priya"),
            {"type": "currency", "currency": {"fallback_value": "85.00 GBP", "code": "GBP", "amount_1000": 85000}},
            {"type": "date_time", "date_time": {"fallback_value": "3 November 2026"}},
        ],
    },
    {
        "type": "button", "sub_type": "quick_reply", "index": "0",
        "parameters": [{"type": "payload", "payload": "ACCEPT|8817"}],
    },
    {"type": "button", "sub_type": "url", "index": "1", "parameters": words("8817")},
]  # fmt: skip
NAMED_PARTS = [
    {"type": "header", "parameters": [{"type": "text", "parameter_name": "job", "text": "8817"}]},
    {
        "type": "body",
        "parameters": [
            {"type": "text", "parameter_name": "first_name", "text": "Priya"},
            {"type": "text", "parameter_name": "slot", "text": "09:40"},
        ],
    },
]
CODE_PARTS = [
    {"type": "body", "parameters": words("490712")},
    {"type": "button", "sub_type": "url", "index": "0", "parameters": words("490712")},
]
#: The file of a documented request -> our message that makes it. Everything in a body is compared, but for our own id.
SENDS: dict[str, Case] = {
    "audio": (message("audio", media=Media()), TO_PHONE, {"media": {"vendor_id": "842117360559204"}}),
    "audio_voice": (
        message("audio", media=Media(voice=True)), TO_PHONE, {"media": {"vendor_id": "842117360559204"}},
    ),
    "contacts": (message("contact", contact=FRONT_DESK), TO_PHONE, {}),
    "document_link": (
        message("document", media=Media(file_name="quote-8817.pdf", caption="Your quote")), TO_PHONE,
        {"media": {"link": "https://cdn.quayside.example/d/quote-8817.pdf"}},
    ),
    "image_id": (
        message("image", media=Media(caption="Before")), TO_PHONE, {"media": {"vendor_id": "1480226193371558"}},
    ),
    "interactive_button": (
        asks("buttons", "Which slot suits you?", footer="All times local", buttons=SLOTS,
             media=Media(mime_type="image/jpeg")),
        TO_PHONE, {"media": {"vendor_id": "1480226193371558"}},
    ),
    "interactive_cta_url": (
        asks("cta_url", "See and sign your quote.", header="Quote 8817", footer="Valid 14 days", label="Open quote",
             url="https://quayside.example/q/8817"),
        TO_PHONE, {},
    ),
    "interactive_flow": (asks("flow", "Tell us about the fault", label="Start", flow=FLOW), TO_PHONE, {}),
    "interactive_list": (
        asks("list", "What do you need?", header="Services", footer="Quayside Repairs", label="Choose",
             sections=SERVICES),
        TO_PHONE, {},
    ),
    "interactive_location_request": (
        asks("location_request", "Please share where the engineer should come."), TO_PHONE, {},
    ),
    "interactive_request_contact_info": (
        asks("contact_request", "May we have your number for the courier?"), TO_USER, {},
    ),
    "location": (
        message("location", location=Location(latitude=54.4891, longitude=-0.6134, name="Quayside Repairs",
                                              address="14 Harbour Row, Whitby YO22")),
        TO_PHONE, {},
    ),
    "reaction": (message("reaction", emoji="👍", context=QUOTING), TO_PHONE, {}),
    "reaction_remove": (message("reaction", emoji=None, context=QUOTING), TO_PHONE, {}),
    "sticker": (message("sticker", media=Media()), TO_PHONE, {"media": {"vendor_id": "611840277350918"}}),
    "template_auth": (template("login_code", CODE_PARTS, language="en_US"), TO_PHONE, {}),
    "template_media_buttons": (
        template("quote_ready", QUOTE_PARTS, media=Media(file_name="quote-8817.pdf")), TO_PHONE,
        {"header_media": {"vendor_id": "3055920174481620"}},
    ),
    "template_named": (template("visit_reminder_named", NAMED_PARTS), TO_PHONE, {}),
    "template_positional": (
        message("template", template=TemplateUse(name="visit_reminder", language="en_GB",
                                                 parameters=["Priya", "09:40"])),
        TO_PHONE, {},
    ),
    "text": (message(text="Your engineer is on the way."), TO_PHONE, {}),
    "text_bsuid": (message(text="Sent to a business-scoped user ID."), TO_USER, {}),
    "text_group": (message(text="Tuesday 09:00 it is."), TO_GROUP, {}),
    "text_reply_opaque": (
        message(text="Details: https://quayside.example/j/8817", context=QUOTING), TO_PHONE, {},
    ),
    "video_link": (
        message("video", media=Media(caption="How to bleed a radiator")), TO_PHONE,
        {"media": {"link": "https://cdn.quayside.example/v/intro.mp4"}},
    ),
}  # fmt: skip
#: Documented requests that we never make, and why.
NEVER_SENT = {
    "interactive_product": "no product messages: there is no catalogue in the data model",
    "interactive_product_list": "as above",
}
#: What we say where an example is silent; it means what Meta takes silence for.
SAID_ALWAYS: dict[str, dict[str, Any]] = {"text_bsuid": {"text": {"preview_url": False}}}


def expected(name: str) -> dict[str, Any]:
    documented = fixture(f"req_send_{name}")
    for key, more in SAID_ALWAYS.get(name, {}).items():
        documented[key] |= more
    return documented | {"biz_opaque_callback_data": "msg_01J9ZX"}


@pytest.mark.parametrize("name", SENDS)
def test_a_request_is_the_documented_one(name: str) -> None:
    what, to, files = SENDS[name]
    assert body(what, to, **files) == expected(name)


@pytest.mark.parametrize("name", SENDS)
def test_nothing_is_said_against_what_is_documented(name: str) -> None:
    what, to, _ = SENDS[name]
    assert SENDER.problems(what, to) == {}


def test_every_documented_send_is_made_or_left_out_for_a_reason() -> None:
    documented = {path.stem.removeprefix("req_send_") for path in FIXTURES.glob("req_send_*.json")}
    assert documented == SENDS.keys() | NEVER_SENT.keys()


@pytest.mark.parametrize("name", SENDS)
def test_the_simulator_takes_every_send(name: str) -> None:
    """Its checks were written from the documents by somebody else."""
    what, to, files = SENDS[name]
    checks.check(body(what, to, **files))


def test_the_request_goes_to_the_number_with_the_newest_token() -> None:
    request = SENDER.request(sending(message(text="Hello")))
    assert (request.method, request.url) == ("POST", f"{BASE}/{API_VERSION}/{NUMBER_ID}/messages")
    assert request.authorization is not None
    assert request.authorization.reveal() == f"Bearer {TOKEN}"
    assert request.headers["content-type"] == "application/json"
    assert TOKEN not in repr(request)


@pytest.mark.parametrize(
    ("said", "used"),
    [("v25.0", "v25.0"), ("25.0", "v25.0"), ("v24", "v24.0"), ("latest", API_VERSION), ("../v1.0", API_VERSION)],
)
def test_an_accounts_own_version_counts_where_it_is_one(said: str, used: str) -> None:
    one = Sending(
        message=message(text="Hello"), to=TO_PHONE, account=account(apiVersion=said), base_url="http://127.0.0.1:9/meta"
    )
    assert SENDER.request(one).url == f"http://127.0.0.1:9/meta/{used}/{NUMBER_ID}/messages"


@pytest.mark.parametrize(("said", "kept"), [("v26.0", "v26.0"), (" 25 ", "v25.0"), ("latest", None), ("", None)])
def test_an_account_is_stored_with_a_version_or_refused(said: str, kept: str | None) -> None:
    clean = next(field.clean for field in PROVIDER.form if field.name == "apiVersion")
    assert clean is not None
    assert clean(said) == kept


def test_an_account_without_a_number_is_named_by_the_field() -> None:
    one = Sending(message=message(text="Hello"), to=TO_PHONE, account=account(phoneNumberId=""), base_url=BASE)
    with pytest.raises(Invalid) as caught:
        SENDER.request(one)
    assert "phoneNumberId" in caught.value.fields


def test_without_a_token_the_request_says_nobody() -> None:
    one = Sending(message=message(text="Hello"), to=TO_PHONE, account=account(None), base_url=BASE)
    assert SENDER.request(one).authorization is None


def test_a_number_goes_before_a_user_id() -> None:
    found = body(message(text="Hello"), Destination(phone=PHONE, user_id=BSUID))
    assert found["to"] == PHONE
    assert "recipient" not in found


def test_a_chat_that_is_a_group_is_written_to_as_one() -> None:
    found = body(message(text="Hello"), Destination(chat_id="Y2FwaQ"))
    assert (found["recipient_type"], found["to"], "recipient" in found) == ("group", "Y2FwaQ", False)


def test_a_reaction_quotes_nothing() -> None:
    assert "context" not in body(message("reaction", emoji="👍", context=QUOTING))


def test_a_forwarded_text_without_a_quoted_message_has_no_context() -> None:
    assert "context" not in body(message(text="Hello", context=Context(forwarded=True)))


def test_a_text_beside_a_file_is_its_caption() -> None:
    found = body(message("image", text="Before", media=Media()), media={"vendor_id": "1"})
    assert found["image"] == {"id": "1", "caption": "Before"}


def test_a_file_that_is_not_at_hand_makes_no_request() -> None:
    with pytest.raises(Invalid) as caught:
        body(message("image", media=Media()))
    assert "media" in caught.value.fields


@pytest.mark.parametrize("kind", ["button", "order", "system", "unsupported"])
def test_what_only_customers_send_makes_no_request(kind: str) -> None:
    with pytest.raises(Invalid):
        body(message(kind))
    assert SENDER.problems(message(kind), TO_PHONE).keys() == {"type"}


def test_an_interactive_message_of_an_unknown_kind_makes_no_request() -> None:
    with pytest.raises(Invalid):
        body(asks("carousel", "Look"))


@pytest.mark.parametrize(
    ("mime", "kind"), [("image/png", "image"), ("video/mp4", "video"), ("application/pdf", "document")]
)
def test_a_headers_file_is_shown_as_what_it_is(mime: str, kind: str) -> None:
    media = Media(mime_type=mime, file_name="terms.pdf")
    found = body(asks("buttons", "Agreed?", buttons=SLOTS[:1], media=media), media={"link": "https://a.example/f"})
    named = {"filename": "terms.pdf"} if kind == "document" else {}
    assert found["interactive"]["header"] == {"type": kind, kind: {"link": "https://a.example/f", **named}}


def test_a_flow_without_a_token_carries_our_id() -> None:
    found = body(asks("flow", "Tell us", label="Start", flow={"flow_name": "fault", "mode": "draft"}))
    parameters = found["interactive"]["action"]["parameters"]
    assert parameters == {
        "flow_message_version": "3", "flow_token": "msg_01J9ZX", "flow_name": "fault", "flow_cta": "Start",
        "mode": "draft",
    }  # fmt: skip


def test_a_template_gets_a_header_for_its_file_where_it_names_none() -> None:
    parts = [{"type": "body", "parameters": words("Priya")}]
    what = template("quote_ready", parts, media=Media(mime_type="image/jpeg"))
    found = body(what, header_media={"vendor_id": "77"})["template"]["components"]
    assert found == [{"type": "header", "parameters": [{"type": "image", "image": {"id": "77"}}]}, *parts]
    assert parts == [{"type": "body", "parameters": words("Priya")}]


def test_a_template_without_variables_has_no_components() -> None:
    assert body(template("opening_hours", []))["template"] == {"name": "opening_hours", "language": {"code": "en_GB"}}


def test_a_card_of_name_and_number_is_whole() -> None:
    cards = [Contact(name="Priya", phone_number=PHONE), Contact(details={"name": {"first_name": "Sam"}})]
    assert body(message("contact", contact=cards[0], contacts=cards))["contacts"] == [
        {"name": {"formatted_name": "Priya", "first_name": "Priya"}, "phones": [{"phone": PHONE}]},
        {"name": {"formatted_name": "Sam", "first_name": "Sam"}},
    ]


@pytest.mark.parametrize(("degrees", "written"), [(0.0, "0"), (-0.0, "0"), (1e-7, "0.0000001"), (-33.5, "-33.5")])
def test_coordinates_are_plain_decimals(degrees: float, written: str) -> None:
    found = body(message("location", location=Location(latitude=degrees, longitude=12.25)))
    assert found["location"] == {"latitude": written, "longitude": "12.25"}


def test_an_upload_is_preferred_to_a_link() -> None:
    one = Sending(
        message=message("sticker", media=Media()), to=TO_PHONE, account=account(), base_url=BASE,
        media=SendableMedia(vendor_id="1", link="https://a.example/s"),
    )  # fmt: skip
    assert loaded(SENDER.request(one))["sticker"] == {"id": "1"}


def inbound(**more: Any) -> Message:
    found = message(text="Hi", provider_message_id=WAMID, **more)
    found.direction = Direction.INBOUND
    return found


@pytest.mark.parametrize(("typing", "name"), [(False, "req_mark_read"), (True, "req_mark_read_typing")])
def test_reading_is_told_as_documented(typing: bool, name: str) -> None:
    request = SENDER.mark_read(account(), base_url=BASE, message=inbound(), typing=typing)
    assert loaded(request) == fixture(name)
    assert request is not None
    assert request.url.endswith(f"/{NUMBER_ID}/messages")


def test_groups_have_no_marks_of_reading() -> None:
    assert SENDER.mark_read(account(), base_url=BASE, message=inbound(group_id="G"), typing=False) is None
    assert SENDER.mark_read(account(), base_url=BASE, message=message(text="Hi"), typing=False) is None


def test_the_rates_are_metas() -> None:
    assert (SENDER.rates.number_per_second, SENDER.rates.pair_seconds, SENDER.rates.pair_burst) == (80, 6, 45)
    assert SENDER.text_limit == 4096


def test_every_type_of_file_has_its_limit() -> None:
    assert SENDER.media_limits.keys() == {
        MessageType.IMAGE, MessageType.VIDEO, MessageType.AUDIO, MessageType.DOCUMENT, MessageType.STICKER,
    }  # fmt: skip
