"""What a template asks for, read from its definition: Meta's parts, Twilio's content types, and anything at all."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.template import ParameterFormat
from services.curating.schema import body_of, describe, key_of

META = Path(__file__).parents[2] / "fixtures" / "meta"


def listed() -> list[dict[str, Any]]:
    templates: list[dict[str, Any]] = json.loads((META / "resp_templates_list.json").read_text())["data"]
    return templates


def test_a_numbered_template_as_meta_lists_it() -> None:
    found = describe(listed()[0]["components"], category="UTILITY", parameter_format="POSITIONAL")

    assert found.parameter_format is ParameterFormat.POSITIONAL
    assert found.parameters == [
        {"component": "body", "position": 1, "kind": "text", "required": True, "example": "Priya"},
        {"component": "body", "position": 2, "kind": "text", "required": True, "example": "09:40"},
        {"component": "button", "index": 0, "kind": "payload", "required": False},
    ]


def test_a_named_template_with_a_file_and_buttons_as_meta_lists_it() -> None:
    found = describe(listed()[1]["components"])

    assert found.parameter_format is ParameterFormat.NAMED
    assert found.parameters == [
        {"component": "header", "kind": "document", "required": True},
        {"component": "body", "name": "first_name", "kind": "text", "required": True, "example": "Priya"},
        {"component": "body", "name": "job", "kind": "text", "required": True, "example": "8817"},
        {"component": "button", "index": 0, "kind": "payload", "required": False},
        {
            "component": "button",
            "index": 1,
            "kind": "url_suffix",
            "required": True,
            "example": "https://quayside.example/q/8817",
        },
    ]


@pytest.mark.parametrize(
    ("button", "kind", "required"),
    [
        ({"type": "COPY_CODE", "text": "Copy"}, "coupon_code", True),
        ({"type": "FLOW", "text": "Book"}, "flow", False),
        ({"type": "CATALOG", "text": "See"}, "catalog", False),
        ({"type": "MPM", "text": "See"}, "mpm", True),
        ({"type": "OTP", "otp_type": "COPY_CODE"}, "code", False),
    ],
)
def test_buttons_that_take_a_value(button: dict[str, Any], kind: str, required: bool) -> None:
    buttons = {"type": "BUTTONS", "buttons": [{"type": "PHONE_NUMBER", "text": "Call"}, button]}

    assert describe([buttons]).parameters == [{"component": "button", "index": 1, "kind": kind, "required": required}]


def test_static_parts_ask_for_nothing() -> None:
    parts = [
        {"type": "HEADER", "format": "TEXT", "text": "News"},
        {"type": "BODY", "text": "Hello."},
        {"type": "FOOTER", "text": "{{1}} is no placeholder here"},
        {"type": "BUTTONS", "buttons": [{"type": "URL", "text": "Go", "url": "https://quayside.example/"}]},
    ]

    assert describe(parts).parameters == []
    assert describe(parts).parameter_format is None


def test_an_authentication_template_asks_for_one_code_even_where_its_text_is_the_vendors() -> None:
    parts = [
        {"type": "BODY", "add_security_recommendation": True},
        {"type": "BUTTONS", "buttons": [{"type": "URL", "text": "Copy", "url": "https://x.example/?code=otp{{1}}"}]},
    ]

    assert [(one["component"], one["kind"]) for one in describe(parts, category="authentication").parameters] == [
        ("body", "code"),
        ("button", "code"),
    ]


def test_cards_of_a_carousel_ask_for_values_of_their_own() -> None:
    card = {"components": [{"type": "HEADER", "format": "IMAGE"}, {"type": "BODY", "text": "{{1}} off"}]}
    parts = [{"type": "BODY", "text": "Hello {{1}}"}, {"type": "CAROUSEL", "cards": [card, card]}]

    assert [(one.get("card"), one["component"]) for one in describe(parts).parameters] == [
        (None, "body"),
        (0, "header"),
        (0, "body"),
        (1, "header"),
        (1, "body"),
    ]


def test_an_offer_that_ends_asks_when() -> None:
    parts = [{"type": "LIMITED_TIME_OFFER", "limited_time_offer": {"text": "Soon over", "has_expiration": True}}]

    assert describe(parts).parameters[0]["kind"] == "expiration"


def test_twilios_placeholders_are_counted_through_all_parts() -> None:
    parts = [
        {
            "type": "twilio/call-to-action",
            "body": "Hi {{1}}, see {{2}}.",
            "actions": [{"type": "URL", "title": "See", "url": "https://quayside.example/{{3}}"}],
        },
        {"type": "twilio/text", "body": "Hi {{1}}."},
    ]

    found = describe(parts).parameters

    assert [(one["component"], one["position"]) for one in found] == [("body", 1), ("body", 2), ("body", 3)]
    assert body_of(parts) == "Hi {{1}}, see {{2}}."


def test_the_stated_format_counts_more_than_the_look() -> None:
    assert (
        describe([{"type": "BODY", "text": "Hi"}], parameter_format="NAMED").parameter_format is ParameterFormat.NAMED
    )


def test_each_placeholder_counts_once_and_numbers_are_in_order() -> None:
    found = describe([{"type": "BODY", "text": "{{2}} {{1}} {{ 2 }} {{10}}"}]).parameters

    assert [key_of(one) for one in found] == ["1", "2", "10"]


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.sampled_from(["BODY", "{{1}}", "{{a}}", "URL"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["type", "text", "format", "buttons", "cards", "components", "example", "url", "definition"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=30,
)


@given(st.lists(_JSON, max_size=5))
def test_any_definition_can_be_read(parts: list[Any]) -> None:
    found = describe(parts, category="AUTHENTICATION" if len(parts) % 2 else None)

    assert all({"component", "kind", "required"} <= set(one) for one in found.parameters)
    assert isinstance(body_of(parts), str | None)


def test_a_definition_nested_beyond_reason_can_be_read() -> None:
    deep: Any = "{{1}}"
    for _ in range(900):
        deep = [deep]

    assert describe([{"type": "twilio/text", "definition": deep}]).parameters == []
