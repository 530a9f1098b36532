"""Filling templates in: exactly Meta's shape where the values fit, every complaint under its path where they do not."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.template import Template, TemplateStatus
from runtime.errors import Invalid
from services.curating.filling import Filled, HeaderFile, fill

META = Path(__file__).parents[2] / "fixtures" / "meta"
BODY = {"type": "BODY", "text": "Hello {{1}}, your engineer arrives at {{2}} tomorrow."}
NAMED = {"type": "BODY", "text": "Hello {{first_name}}, your engineer arrives at {{slot}} tomorrow."}
TWO_BUTTONS = {
    "type": "BUTTONS",
    "buttons": [
        {"type": "QUICK_REPLY", "text": "Accept"},
        {"type": "URL", "text": "View", "url": "https://quayside.example/q/{{1}}"},
        {"type": "PHONE_NUMBER", "text": "Call", "phone_number": "+15550192744"},
    ],
}
ONE = {"parameters": ["Priya", "09:40"]}


def sent(name: str) -> list[dict[str, Any]]:
    """The components of a request as Meta documents it."""
    request = json.loads((META / f"req_send_template_{name}.json").read_text())
    components: list[dict[str, Any]] = request["template"]["components"]
    return components


def template(*components: dict[str, Any], category: str = "UTILITY", **values: Any) -> Template:
    defaults = {"name": "t", "language": "en_GB", "status": TemplateStatus.APPROVED}
    return Template(**{"id": "tpl_1", **defaults, "category": category, "components": list(components), **values})


def problems(values: Any, *components: dict[str, Any], category: str = "UTILITY") -> dict[str, list[str]]:
    with pytest.raises(Invalid) as refused:
        fill(template(*components, category=category), values)
    return refused.value.fields


def paths(values: Any, *components: dict[str, Any], category: str = "UTILITY") -> set[str]:
    return set(problems(values, *components, category=category))


def test_numbered_values_are_sent_in_order() -> None:
    filled = fill(template(BODY), ONE)

    assert filled.use.components == sent("positional")
    assert filled.use.parameters == ["Priya", "09:40"]
    assert filled.text == "Hello Priya, your engineer arrives at 09:40 tomorrow."


def test_named_values_are_sent_with_their_names() -> None:
    header = {"type": "HEADER", "format": "TEXT", "text": "Job {{job}}"}
    values = {"header": {"text": "8817"}, "parameters": {"slot": "09:40", "first_name": "Priya"}}

    filled = fill(template(header, NAMED), values)

    assert filled.use.components == sent("named")
    assert filled.text == "Hello Priya, your engineer arrives at 09:40 tomorrow."


def test_a_code_is_sent_in_the_text_and_the_button() -> None:
    url = "https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code=otp{{1}}"
    buttons = {"type": "BUTTONS", "buttons": [{"type": "URL", "text": "Copy code", "url": url}]}
    body = {"type": "BODY", "text": "*{{1}}* is your verification code."}

    filled = fill(template(body, buttons, category="AUTHENTICATION"), {"parameters": ["490712"]})

    assert filled.use.components == sent("auth")
    assert filled.use.category == "AUTHENTICATION"


def test_money_moments_files_and_buttons_are_sent_as_meta_wants_them() -> None:
    money = {"currency": {"fallbackValue": "85.00 GBP", "code": "GBP", "amount1000": 85000}}
    values = {
        "header": {"document": {"id": "med_1", "fileName": "quote-8817.pdf"}},
        "parameters": ["Priya", money, {"dateTime": {"fallbackValue": "3 November 2026"}}],
        "buttons": {"0": "ACCEPT|8817", "1": "8817"},
    }
    header, body = {"type": "HEADER", "format": "DOCUMENT"}, {"type": "BODY", "text": "{{1}}: {{2}} by {{3}}"}

    filled = fill(template(header, body, TWO_BUTTONS), values)

    wanted = sent("media_buttons")
    # The vendor's id of the file is known when it is lent, just before sending.
    del wanted[0]["parameters"][0]["document"]["id"]
    assert filled.use.components == wanted
    assert filled.header_file == HeaderFile(kind="document", file_id="med_1", file_name="quote-8817.pdf")
    assert filled.use.parameters == ["Priya", "85.00 GBP", "3 November 2026"]


def test_a_link_in_the_header_needs_no_lending() -> None:
    link = "https://quayside.example/van.jpg"
    filled = fill(template({"type": "HEADER", "format": "IMAGE"}), {"header": {"image": {"link": link}}})

    assert filled.use.components == [{"type": "header", "parameters": [{"type": "image", "image": {"link": link}}]}]
    assert filled.header_file is None


def test_a_pin_in_the_header() -> None:
    pin = {"latitude": 54.4891, "longitude": "-0.6134", "name": "Quayside Repairs", "address": "14 Harbour Row"}
    filled = fill(template({"type": "HEADER", "format": "LOCATION"}), {"header": {"location": pin}})

    (header,) = filled.use.components or []
    assert header["parameters"] == [{"type": "location", "location": {**pin, "latitude": "54.4891"}}]


def test_static_parts_are_left_out() -> None:
    assert fill(template({"type": "BODY", "text": "Hello."}, TWO_BUTTONS), {"buttons": {"1": "x"}}).use.components == [
        {"type": "button", "sub_type": "url", "index": "1", "parameters": [{"type": "text", "text": "x"}]}
    ]
    assert fill(template({"type": "BODY", "text": "Hello."}), {}).use.components is None


def test_a_flow_is_named_even_without_values_for_meta_refuses_it_otherwise() -> None:
    flow = {"type": "BUTTONS", "buttons": [{"type": "FLOW", "text": "Book"}]}

    assert fill(template(flow), {}).use.components == [{"type": "button", "sub_type": "flow", "index": "0"}]
    (named,) = fill(template(flow), {"buttons": {"0": {"flow_token": "t"}}}).use.components or []
    assert named["parameters"] == [{"type": "action", "action": {"flow_token": "t"}}]


@pytest.mark.parametrize("action", [{"a\0": 1}, {"data": {"n": 2**64 - 1}}, {"data": [{"": {"b\0": 1}}]}])
def test_what_no_document_can_hold_is_refused(action: dict[str, Any]) -> None:
    flow = {"type": "BUTTONS", "buttons": [{"type": "FLOW", "text": "Book"}]}
    assert paths({"buttons": {"0": action}}, flow) == {"template.buttons.0"}
    money = {"currency": {"fallbackValue": "85 GBP", "code": "GBP", "amount1000": 2**63}}
    assert paths({"parameters": [money, "09:40"]}, BODY) == {"template.parameters.0.currency.amount1000"}


def test_coupons_and_offers() -> None:
    parts = (
        {"type": "LIMITED_TIME_OFFER", "limited_time_offer": {"has_expiration": True}},
        {"type": "BUTTONS", "buttons": [{"type": "COPY_CODE", "text": "Copy"}]},
    )
    filled = fill(template(*parts), {"expiresAt": "2026-12-01T00:00:00Z", "buttons": {"0": "SAVE10"}})

    assert {one["type"]: one["parameters"] for one in filled.use.components or ()} == {
        "button": [{"type": "coupon_code", "coupon_code": "SAVE10"}],
        "limited_time_offer": [
            {"type": "limited_time_offer", "limited_time_offer": {"expiration_time_ms": 1_796_083_200_000}}
        ],
    }


def test_cards_of_a_carousel() -> None:
    card = {"components": [{"type": "HEADER", "format": "IMAGE"}, {"type": "BODY", "text": "{{1}} off"}]}
    parts = ({"type": "BODY", "text": "Hello {{1}}"}, {"type": "CAROUSEL", "cards": [card, card]})

    def given(link: str, price: str) -> dict[str, Any]:
        return {"header": {"image": {"link": link}}, "parameters": [price]}

    cards = [given("https://a.example/1", "5"), given("https://a.example/2", "9")]
    filled = fill(template(*parts), {"parameters": ["Priya"], "cards": cards})

    carousel = (filled.use.components or [])[-1]
    assert carousel["type"] == "carousel"
    assert [one["card_index"] for one in carousel["cards"]] == [0, 1]
    assert carousel["cards"][1]["components"][1]["parameters"] == [{"type": "text", "text": "9"}]
    assert paths({"parameters": ["Priya"], "cards": cards[:1]}, *parts) == {"template.cards"}
    assert paths({"parameters": ["P"], "cards": [cards[0], given("x", "")]}, *parts) == {
        "template.cards.1.header.image.link",
        "template.cards.1.parameters.0",
    }
    ours = {"header": {"image": {"id": "med_1"}}, "parameters": ["5"]}
    assert paths({"parameters": ["P"], "cards": [cards[0], ours]}, *parts) == {"template.cards.1.header"}


def test_twilios_variables_are_filled_by_number_or_name() -> None:
    content = {"type": "twilio/call-to-action", "body": "Hi {{1}}, {{2}}.", "actions": [{"url": "x/{{3}}"}]}
    filled = fill(
        template(content, whatsapp_template_id="HX1"),
        {"parameters": ["Ana", "10:00", "8817"]},
    )
    assert (filled.use.variables, filled.use.components) == ({"1": "Ana", "2": "10:00", "3": "8817"}, None)
    assert (filled.use.provider_template_id, filled.text) == ("HX1", "Hi Ana, 10:00.")

    named = {"type": "twilio/text", "body": "Hi {{who}}."}
    assert fill(template(named), {"parameters": {"who": "Ana"}}).use.variables == {"who": "Ana"}


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({}, {"template.parameters.0", "template.parameters.1"}),
        ({"parameters": ["Priya"]}, {"template.parameters.1"}),
        ({"parameters": ["Priya", "09:40", "more"]}, {"template.parameters.2"}),
        ({"parameters": {"first_name": "Priya", "slot": "x"}}, {"template.parameters"}),
        ({"parameters": "Priya"}, {"template.parameters"}),
        ({"parameters": ["", "   "]}, {"template.parameters.0", "template.parameters.1"}),
        ({"parameters": ["a\nb", "a\tb"]}, {"template.parameters.0", "template.parameters.1"}),
        ({"parameters": ["a     b", "a\u2028b"]}, {"template.parameters.0", "template.parameters.1"}),
        ({"parameters": ["Priya", 5]}, {"template.parameters.1"}),
        ({"parameters": ["Priya", "x" * 1025]}, {"template.parameters.1"}),
        ({"parameters": ["x" * 600, "x" * 600]}, {"template.parameters"}),
        ({**ONE, "header": {"text": "x"}}, {"template.header"}),
        ({**ONE, "buttons": {"0": "x"}}, {"template.buttons.0"}),
        ({**ONE, "cards": [{}]}, {"template.cards"}),
        ({**ONE, "expiresAt": "2026-12-01T00:00:00Z"}, {"template.expiresAt"}),
        ({**ONE, "footer": "x"}, {"template.footer"}),
        ({"parameters": ["Priya", {"currency": {}}]}, {f"template.parameters.1.currency.{one}" for one in (
            "fallbackValue", "code", "amount1000")}),
        ({"parameters": ["P", {"currency": {"fallbackValue": "5", "code": "gbp", "amount1000": 5}}]},
         {"template.parameters.1.currency.code"}),
        ({"parameters": ["P", {"currency": {"fallbackValue": "5", "code": "GBP", "amount1000": 5.5}}]},
         {"template.parameters.1.currency.amount1000"}),
        ({"parameters": ["P", {"dateTime": {"fallbackValue": ""}}]},
         {"template.parameters.1.dateTime.fallbackValue"}),
        ({"parameters": ["P", {"other": 1}]}, {"template.parameters.1"}),
        (["Priya"], {"template", "template.parameters.0", "template.parameters.1"}),
    ],
)  # fmt: skip
def test_values_that_do_not_fit_a_numbered_template(values: Any, wrong: set[str]) -> None:
    assert paths(values, BODY) == wrong


def test_four_spaces_are_fine_and_a_thousand_characters_too() -> None:
    assert fill(template(BODY), {"parameters": ["a    b", "x" * 950]}).use.parameters[0] == "a    b"


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"parameters": ["Priya", "09:40"]}, {"template.parameters"}),
        ({"parameters": {"first_name": "Priya"}}, {"template.parameters.slot"}),
        ({"parameters": {"first_name": "Priya", "slot": "x", "Slot": "x"}}, {"template.parameters.Slot"}),
    ],
)
def test_values_that_do_not_fit_a_named_template(values: Any, wrong: set[str]) -> None:
    assert paths(values, NAMED) == wrong


@pytest.mark.parametrize(
    ("header", "wrong"),
    [
        (None, "template.header.document"),
        ({"image": {"link": "https://a.example/x"}}, "template.header.document"),
        ({"document": {}}, "template.header.document"),
        ({"document": {"id": "med_1", "link": "https://a.example/x"}}, "template.header.document"),
        ({"document": {"link": "ftp://a.example/x"}}, "template.header.document.link"),
        ({"document": {"link": "https://a.example/a b"}}, "template.header.document.link"),
        ({"document": {"id": "med_1", "fileName": "a\nb"}}, "template.header.document.fileName"),
        ({"document": "med_1"}, "template.header.document"),
    ],
)
def test_files_that_do_not_fit_the_header(header: Any, wrong: str) -> None:
    assert wrong in paths({"header": header}, {"type": "HEADER", "format": "DOCUMENT"})


@pytest.mark.parametrize("place", [{"latitude": 91}, {"longitude": "east"}, {"latitude": True}, {"name": ""}])
def test_pins_that_are_nowhere(place: dict[str, Any]) -> None:
    pin = {"latitude": 1, "longitude": 1, "name": "n", "address": "a", **place}

    assert paths({"header": {"location": pin}}, {"type": "HEADER", "format": "LOCATION"}) == {
        f"template.header.location.{next(iter(place))}"
    }


def test_only_documents_have_file_names() -> None:
    values = {"header": {"image": {"id": "med_1", "fileName": "x.jpg"}}}

    assert paths(values, {"type": "HEADER", "format": "IMAGE"}) == {"template.header.image.fileName"}


@pytest.mark.parametrize(
    ("buttons", "wrong"),
    [
        (None, {"template.buttons.1"}),
        ({"1": "a b"}, {"template.buttons.1"}),
        ({"1": "x", "2": "x"}, {"template.buttons.2"}),
        ({"1": "x", "0": "p" * 257}, {"template.buttons.0"}),
        (["x"], {"template.buttons", "template.buttons.1"}),
    ],
)
def test_values_that_do_not_fit_the_buttons(buttons: Any, wrong: set[str]) -> None:
    assert paths({"buttons": buttons}, TWO_BUTTONS) == wrong


@pytest.mark.parametrize("code", ["1" * 16, "12 34", ""])
def test_codes_that_are_none(code: str) -> None:
    assert paths({"parameters": [code]}, {"type": "BODY"}, category="AUTHENTICATION") == {"template.parameters.0"}


def test_a_code_button_says_nothing_else() -> None:
    buttons = {"type": "BUTTONS", "buttons": [{"type": "OTP", "otp_type": "COPY_CODE"}]}
    values = {"parameters": ["490712"], "buttons": {"0": "490713"}}

    assert paths(values, {"type": "BODY"}, buttons, category="AUTHENTICATION") == {"template.buttons.0"}


def test_the_header_filled_in_has_its_own_limit() -> None:
    header = {"type": "HEADER", "format": "TEXT", "text": "Job {{1}}"}

    assert paths({"header": {"text": "x" * 57}}, header) == {"template.header.text"}
    assert isinstance(fill(template(header), {"header": {"text": "x" * 56}}), Filled)


def test_all_complaints_come_at_once() -> None:
    values = {"parameters": ["", "a\nb"], "buttons": {"1": "a b"}, "header": {"text": "x"}}

    assert paths(values, BODY, TWO_BUTTONS) == {
        "template.parameters.0",
        "template.parameters.1",
        "template.buttons.1",
        "template.header",
    }


_KEYS = (
    "parameters",
    "header",
    "buttons",
    "cards",
    "expiresAt",
    "text",
    "document",
    "link",
    "id",
    "0",
    "1",
    "currency",
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(_KEYS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4),
    max_leaves=20,
)
_CARD = {"components": [{"type": "HEADER", "format": "IMAGE"}, BODY, TWO_BUTTONS]}
_OFFER = {"type": "LIMITED_TIME_OFFER", "limited_time_offer": {"has_expiration": True}}


@given(
    st.dictionaries(st.sampled_from(_KEYS), _JSON, max_size=5) | _JSON,
    st.sampled_from([BODY, NAMED, {"type": "CAROUSEL", "cards": [_CARD]}]),
    st.sampled_from(["UTILITY", "AUTHENTICATION"]),
)
def test_whatever_is_given_fits_or_is_complained_of_by_path(values: Any, part: dict[str, Any], category: str) -> None:
    whole = template({"type": "HEADER", "format": "DOCUMENT"}, part, TWO_BUTTONS, _OFFER, category=category)

    with pytest.raises(Invalid) as refused:
        fill(whole, values)

    assert all(path.startswith("template") for path in refused.value.fields)
