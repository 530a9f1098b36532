"""Meta's envelope: whatever comes, every part of it is accounted for."""

import json
from typing import Any

import pytest

from providers.base import Delivery
from providers.events import AccountChanged, Event, Ignored, Malformed, MessageArrived
from providers.meta import PROVIDER
from tests.providers.envelopes import METADATA, change, envelope, message, only, parse, parse_change, status


def outcome(body: bytes) -> list[tuple[str, str, str]]:
    return [
        (type(event).__name__, event.path, getattr(event, "reason", "")) for event in PROVIDER.parse(Delivery(body))
    ]


BROKEN = b'{"object":"whatsapp_business_account","entry":['


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"{",
        BROKEN,
        b"\xff\xfe\x00",
        b'{"entry": "\xe9"}',
        json.dumps(envelope(change(messages=[message()]))).encode("utf-16"),
        b"[" * 100_000,
        b'["\\ud800",' + b"[" * 300 + b"]" * 301,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b'["' + b'\\"' * 100_000,
    ],
    ids=["empty", "words", "open", "cut", "bytes", "latin1", "utf16", "brackets", "deep", "deeper", "quotes"],
)
def test_what_is_no_json_is_recorded_as_such(body: bytes) -> None:
    assert outcome(body) == [("Malformed", "", "not_json")]


@pytest.mark.parametrize("body", [b"null", b"[]", b"17", b'"x"', b"[{}]", b"9" * 5_000, b"NaN", b"1e400", b"true"])
def test_json_that_is_no_object_is_recorded_as_such(body: bytes) -> None:
    assert outcome(body) == [("Malformed", "", "not_an_object")]


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"messages": [{"messageId": "1", "channelId": "2", "chatType": "whatsapp", "isEcho": False}]},
        {"messages": [{"id": "1", "from_me": False, "chat_id": "4477@c.us"}], "channel_id": "X", "event": {}},
        {"ack": [{"id": "1"}], "instanceId": "7"},
        {"messaging_product": "messenger"},
    ],
)
def test_other_vendors_webhooks_are_refused_not_misread(payload: dict[str, Any]) -> None:
    assert only(parse(payload), Malformed).reason == "not_a_meta_webhook"


@pytest.mark.parametrize("name", ["page", "instagram", "", None, {"a": 1}])
def test_another_product_of_the_same_app_is_passed_over(name: object) -> None:
    event = only(parse({"object": name, "entry": []}), Ignored)
    assert (event.reason, event.metadata) == ("other_object", {"object": name})


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        ({"entry": []}, ("Ignored", "entry", "empty")),
        ({"entry": None}, ("Malformed", "entry", "entry_not_a_list")),
        ({"entry": {}}, ("Malformed", "entry", "entry_not_a_list")),
        ({"entry": [7]}, ("Malformed", "entry.0", "entry_not_an_object")),
        ({"entry": [{}]}, ("Malformed", "entry.0.changes", "changes_not_a_list")),
        ({"entry": [{"changes": []}]}, ("Ignored", "entry.0.changes", "empty")),
        ({"entry": [{"changes": [[]]}]}, ("Malformed", "entry.0.changes.0", "changes_not_an_object")),
        ({"entry": [{"changes": [{}]}]}, ("Malformed", "entry.0.changes.0.value", "value_not_an_object")),
        ({"entry": [{"changes": [{"value": {}}]}]}, ("Ignored", "entry.0.changes.0.value", "unknown_field")),
        (envelope(change()), ("Ignored", "entry.0.changes.0.value", "empty")),
        (envelope(change(messages={})), ("Malformed", "entry.0.changes.0.value.messages", "messages_not_a_list")),
        (envelope(change(messages=None)), ("Ignored", "entry.0.changes.0.value", "empty")),
        (envelope(change(contacts=[{}])), ("Ignored", "entry.0.changes.0.value", "empty")),
    ],
)
def test_an_odd_envelope_is_accounted_for_where_it_is_odd(payload: dict[str, Any], found: tuple[str, str, str]) -> None:
    assert outcome(json.dumps({"object": "whatsapp_business_account", **payload}).encode()) == [found]


def test_odd_parts_do_not_harm_their_neighbours() -> None:
    good = envelope(change(messages=[message()]))["entry"][0]
    events = parse(
        {"object": "whatsapp_business_account", "entry": [None, good, {"changes": [None, *good["changes"]]}]}
    )
    assert [type(event) for event in events] == [Malformed, MessageArrived, Malformed, MessageArrived]


def test_events_come_in_the_order_of_the_delivery() -> None:
    first = change(statuses=[status(id="1")], messages=[message(id="2"), message(id="3")])
    events = parse(envelope(first, change(messages=[message(id="4")])))
    assert [event.key.split(":")[1] for event in events] == ["1", "2", "3", "4"]


def test_an_unknown_field_is_kept_whole() -> None:
    event = only(parse_change("novelty", messages=[message()]), Ignored)
    assert event.reason == "unknown_field"
    assert event.metadata is not None
    assert event.metadata["field"] == "novelty"
    assert event.metadata["value"]["messages"] == [message()]


def test_an_unknown_array_of_a_known_field_is_accounted_for_item_by_item() -> None:
    events = parse_change(messages=[message()], stickers=[{"id": "1"}, 2])
    assert [(event.path, event.metadata) for event in events if isinstance(event, Ignored)] == [
        ("entry.0.changes.0.value.stickers.0", {"stickers": {"id": "1"}}),
        ("entry.0.changes.0.value.stickers.1", {"stickers": 2}),
    ]
    assert isinstance(events[0], MessageArrived)


def test_an_unknown_object_of_a_known_field_is_accounted_for() -> None:
    events = parse_change(messages=[message()], novelty={"id": "1"}, count=3)
    assert [(event.path, event.reason, event.metadata) for event in events if isinstance(event, Ignored)] == [
        ("entry.0.changes.0.value.novelty", "unknown_object", {"novelty": {"id": "1"}}),
    ]
    assert isinstance(events[0], MessageArrived)


def test_a_field_without_its_name_is_told_by_its_keys() -> None:
    unnamed = {"value": {"metadata": METADATA, "messages": [message()]}}
    assert isinstance(only(parse(envelope(unnamed)), MessageArrived), MessageArrived)


def test_field_and_object_in_the_wrong_place_do_no_harm() -> None:
    entry = {"id": "1", "changes": [{"value": {"event": "PARTNER_APP_INSTALLED"}}], "field": "account_update"}
    event = only(parse({"entry": [{**entry, "object": "whatsapp_business_account"}]}), AccountChanged)
    assert event.event_name == "PARTNER_APP_INSTALLED"


def test_what_is_said_while_another_agent_holds_the_thread_is_kept_not_answered() -> None:
    events = parse_change("standby", standby={"messages": [message()], "statuses": [status()], "contacts": [{}]})
    assert [(type(event), getattr(event, "reason", "")) for event in events] == [(Ignored, "standby")] * 2


@pytest.mark.parametrize(
    ("field", "array", "why"),
    [
        ("group_lifecycle_update", "groups", "group_event"),
        ("automatic_events", "automatic_events", "automatic_event"),
        ("tracking_events", "events", "tracking_event"),
        ("messages", "user_actions", "user_action"),
    ],
)
def test_items_from_which_nothing_follows_say_why(field: str, array: str, why: str) -> None:
    event = only(parse_change(field, **{array: [{"id": "1"}]}), Ignored)
    assert (event.reason, event.metadata) == (why, {"id": "1"})


def test_a_handover_is_kept() -> None:
    assert only(parse_change("messaging_handovers", type="control_passed"), Ignored).reason == "handover"


# --- poison: read, and storable ----------------------------------------------------------------------------------


def poisoned(body_text: bytes) -> MessageArrived:
    body = json.dumps(envelope(change(messages=[message(text={"body": "HERE"})]))).encode()
    return only(PROVIDER.parse(Delivery(body.replace(b'"HERE"', body_text))), MessageArrived)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b'"\\ud800x"', "\ufffdx"),
        (b'"\\ud83d\\ude00"', "😀"),
        (b'"\xed\xa0\x80"', "\ufffd"),
        (b'"a\\u0000b"', "a\x00b"),
    ],
)
def test_half_a_surrogate_pair_is_replaced_and_the_message_kept(sent: bytes, kept: str) -> None:
    assert poisoned(sent).content.text == kept


def test_a_byte_order_mark_is_no_trouble() -> None:
    body = b"\xef\xbb\xbf" + json.dumps(envelope(change(messages=[message()]))).encode()
    assert only(PROVIDER.parse(Delivery(body)), MessageArrived).content.text == "hello"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"1180591620717411303424", "1180591620717411303424"),
        (b"18446744073709551615", "18446744073709551615"),
        (b"-9223372036854775808", -(2**63)),
        (b"NaN", "NaN"),
        (b"1e400", "inf"),
        (b'{"$where":1,"a\\u0000b":2,"":3}', {"＄where": 1, "a\ufffdb": 2, "": 3}),
    ],
)
def test_what_no_document_can_hold_is_kept_as_near_as_it_gets(sent: bytes, kept: object) -> None:
    body = json.dumps(envelope(change(messages=[message(novel="HERE")]))).encode().replace(b'"HERE"', sent)
    # A number that is too long is only read exactly where the faster reader refuses the body for another reason.
    event = only(PROVIDER.parse(Delivery(b"\xef\xbb\xbf" + body)), MessageArrived)
    assert event.metadata == {"novel": kept}


def test_of_a_doubled_key_the_last_counts() -> None:
    body = json.dumps(envelope(change(messages=[message()]))).encode()
    doubled = body.replace(b'"type": "text"', b'"type": "hologram", "type": "text"')
    assert only(PROVIDER.parse(Delivery(doubled)), MessageArrived).content.text == "hello"


def test_deep_nesting_is_kept_as_text() -> None:
    deep: Any = "bottom"
    for _ in range(200):
        deep = {"d": deep}
    metadata = only(parse_change(messages=[message(novel=deep)]), MessageArrived).metadata
    levels = 0
    found: Any = metadata
    while isinstance(found, dict):
        found, levels = next(iter(found.values())), levels + 1
    assert levels == 64
    assert "bottom" in found


def test_a_fault_of_a_reader_costs_its_item_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(*_: object) -> list[Event]:
        raise KeyError("447700900381")

    monkeypatch.setitem(__import__("providers.meta.envelope", fromlist=["ARRAYS"]).ARRAYS, "statuses", faulty)
    first, second = parse_change(statuses=[status()], messages=[message()])
    assert isinstance(first, Malformed)
    assert first.reason == "reader_fault_KeyError", "the reason names the fault and holds no value"
    assert isinstance(second, MessageArrived)
