"""ChatAPI deliveries as a whole: arrays, acks, chats, the instance, and what is somebody else's."""

import json
from pathlib import Path
from typing import Any

import pytest

from models.message import MessageError
from models.values import MessageStatus
from providers.events import (
    AccountChanged,
    AccountKey,
    ContactSynced,
    Ignored,
    Malformed,
    MessageArrived,
    Party,
    StatusChanged,
)
from tests.fixtures.chatapi.conformance import KIT
from tests.fixtures.meta.conformance import KIT as META
from tests.providers.chatapi_bodies import CHAT, GROUP, INSTANCE, OWN_ID, ack, body, item, only, parse

HERE = AccountKey("instance_id", INSTANCE)


def status(**more: Any) -> StatusChanged:
    return only(parse(body(ack=[ack(**more)])), StatusChanged)


@pytest.mark.parametrize(
    "named", [{"instanceId": INSTANCE}, {"instanceId": 318842}, {"channelId": 318842}, {"instanceId": "instance318842"}]
)
def test_a_delivery_is_for_the_instance_or_channel_it_names(named: dict[str, Any]) -> None:
    payloads: list[dict[str, Any]] = [
        {"messages": [item()]},
        {"ack": [ack()]},
        {"chatUpdate": [{}]},
        {"accountStatus": "loading"},
    ]
    for payload in payloads:
        assert [event.account for event in parse({**named, **payload})] == [HERE]


def test_an_old_delivery_that_names_no_instance_is_for_whoever_verified_it() -> None:
    assert only(parse({"messages": [item()]}), MessageArrived).account is None


def test_all_arrays_of_a_body_are_read_messages_before_their_acks() -> None:
    events = parse(body(ack=[ack(), ack("viewed")], chatUpdate=[{"new": {"id": CHAT, "name": "J"}}], messages=[item()]))
    assert [event.path for event in events] == ["messages.0", "ack.0", "ack.1", "chatUpdate.0"]


@pytest.mark.parametrize(
    ("word", "state"),
    [("sent", "sent"), ("delivered", "delivered"), ("viewed", "read"), ("read", "read"), ("failed", "failed")],
)
def test_a_word_of_an_ack_is_a_status(word: str, state: str) -> None:
    for spelled in (word, word.upper()):
        event = status(status=spelled)
        assert (event.status, event.provider_status, event.key) == (state, spelled, f"s:{OWN_ID}:{state}")
    assert event.party == Party(phone="+447700900201", chat_id=CHAT)
    assert event.at is None


def test_viewed_and_read_are_one_fact() -> None:
    assert status(status="viewed").key == status(status="read").key


def test_the_ack_of_a_group_moves_the_message_itself() -> None:
    event = status(chatId=GROUP)
    assert (event.party, event.participant) == (Party(chat_id=GROUP), None)


def test_the_place_in_the_queue_is_kept_for_sends_without_an_id() -> None:
    assert [status(queueNumber=number).queue_number for number in (101, "101", None)] == [101, 101, None]
    odd = status(queueNumber="9" * 19)
    assert (odd.queue_number, odd.metadata) == (None, {"queueNumber": "9" * 19})


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ({}, None),
        ({"error": "phone offline"}, MessageError(message="phone offline")),
        ({"error": {"code": 470, "message": "late"}}, MessageError(code="470", message="late")),
        (
            {"errors": [{"code": 131047, "title": "Re-engagement", "error_data": {"details": "24 h"}}]},
            MessageError(code="131047", title="Re-engagement", message="Re-engagement", details="24 h"),
        ),
    ],
)
def test_why_a_message_failed_is_read_and_kept_raw(told: dict[str, Any], read: MessageError | None) -> None:
    event = status(status="failed", **told)
    assert event.status is MessageStatus.FAILED
    assert event.error == read
    assert (event.metadata or {}) == told


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (ack(id=None), "status_without_id"),
        (ack(id=""), "status_without_id"),
        ({"id": "x"}, "status_without_status"),
        (5, "item_not_an_object"),
    ],
)
def test_a_broken_ack_fails_alone(broken: object, reason: str) -> None:
    good, bad = parse(body(ack=[ack(), broken]))
    assert isinstance(good, StatusChanged)
    assert isinstance(bad, Malformed)
    assert (bad.path, bad.reason) == ("ack.1", reason)


def test_an_unknown_status_changes_nothing() -> None:
    ignored = only(parse(body(ack=[ack("pending")])), Ignored)
    assert (ignored.reason, ignored.key) == ("unknown_status", f"s:{OWN_ID}:pending")


def test_of_a_thousand_acks_a_broken_one_costs_itself_alone() -> None:
    acks: list[object] = [ack(id=f"true_{CHAT}_3EB0{index}") for index in range(1_000)]
    acks[500] = None
    events = parse(body(ack=acks))
    assert [type(event) for event in events].count(StatusChanged) == 999
    assert [event.path for event in events if isinstance(event, Malformed)] == ["ack.500"]


def test_a_persons_new_name_is_an_entry_of_the_address_book() -> None:
    old, new = {"id": CHAT, "name": "J"}, {"id": CHAT, "name": "Jana", "image": "https://pps.example/1.jpg"}
    synced = only(parse(body(chatUpdate=[{"old": old, "new": new}])), ContactSynced)
    assert synced.party == Party(phone="+447700900201", chat_id=CHAT, name="Jana")
    assert not synced.removed
    assert synced.metadata == {"image": "https://pps.example/1.jpg", "old": old}


@pytest.mark.parametrize(
    ("update", "reason"),
    [
        ({"old": None, "new": {"id": CHAT, "name": "+44 7700 900201"}}, "chat_without_name"),
        ({"old": {"id": CHAT, "name": "Jana"}, "new": None}, "chat_removed"),
        ({"new": {"id": GROUP, "name": "Club"}}, "group_event"),
        ({"new": {"id": "odd", "name": "Club", "metadata": {"isGroup": True}}}, "group_event"),
        ({"new": {"id": "status@broadcast", "name": "x"}}, "broadcast"),
    ],
)
def test_a_change_of_a_chat_that_names_nobody_is_kept_and_nothing_follows(update: dict[str, Any], reason: str) -> None:
    ignored = only(parse(body(chatUpdate=[update])), Ignored)
    assert ignored.reason == reason
    assert ignored.key.startswith("c:")


def test_a_change_of_no_chat_is_malformed() -> None:
    assert only(parse(body(chatUpdate=[{"new": {"name": "x"}}])), Malformed).reason == "chat_update_without_chat"


@pytest.mark.parametrize(
    ("told", "word", "health"),
    [
        ({"instanceStatus": "got qr code"}, "got qr code", "auth_error"),
        ({"accountStatus": "authenticated"}, "authenticated", "ok"),
        ({"status": "connected"}, "connected", "ok"),
        ({"accountStatus": "Authenticated"}, "Authenticated", "ok"),
        ({"accountStatus": "not_paid"}, "not_paid", "paused"),
        ({"status": "unregistered"}, "unregistered", "auth_error"),
        ({"accountStatus": "loading"}, "loading", None),
        ({"status": "novel"}, "novel", None),
    ],
)
def test_a_word_on_the_instance_sets_its_health_where_it_settles_it(
    told: dict[str, Any], word: str, health: str | None
) -> None:
    changed = only(parse(body(**told)), AccountChanged)
    assert (changed.event_name, changed.health, changed.field_name) == (word, health, "instance_status")


def test_why_the_instance_waits_is_told_but_the_qr_code_is_not_passed_on() -> None:
    told = {"accountStatus": "loading", "statusData": {"reason": "conflict"}, "qrCode": "data:image/png;base64,AAAA"}
    changed = only(parse(body(**told)), AccountChanged)
    assert changed.reason == "conflict"
    assert "AAAA" not in repr(changed)


def test_a_status_beside_an_array_is_not_the_instances() -> None:
    assert [type(event) for event in parse(body(messages=[item()], status="ok"))] == [MessageArrived]


@pytest.mark.parametrize(
    "sent", [b"", b" \n", b"{}", b'{"instanceId": "1"}', b'{"messages": [], "ack": null}', b'{"channelId": 1, "x": {}}']
)
def test_a_body_without_an_item_is_empty(sent: bytes) -> None:
    assert only(parse(sent), Ignored).reason == "empty"


def test_one_object_in_the_place_of_an_array_is_its_only_item() -> None:
    assert only(parse(body(messages=item())), MessageArrived).path == "messages.0"
    assert only(parse(body(ack=ack())), StatusChanged).provider_message_id == OWN_ID


def test_a_type_beside_messages_does_not_hide_them() -> None:
    assert isinstance(parse(body(type="calls", messages=[item()]))[0], MessageArrived)


def test_calls_that_1msg_passes_on_are_no_messages() -> None:
    ignored = only(parse({"type": "calls", "instanceId": INSTANCE, "calls": [{"id": "x"}]}), Ignored)
    assert (ignored.reason, ignored.account) == ("call", HERE)
    assert ignored.metadata


def test_what_has_no_name_is_kept() -> None:
    known, unknown = parse(body(ack=[ack()], presence=[{"id": CHAT}]))
    assert isinstance(known, StatusChanged)
    assert isinstance(unknown, Ignored)
    assert (unknown.path, unknown.reason) == ("presence", "unknown_field")
    assert unknown.metadata == {"presence": [{"id": CHAT}]}
    assert only(parse({"hello": "world"}), Ignored).reason == "unknown_body"


@pytest.mark.parametrize(("sent", "reason"), [(b"{", "not_json"), (b"\xff\xfe", "not_json"), (b"[]", "not_an_object")])
def test_what_is_no_object_is_malformed(sent: bytes, reason: str) -> None:
    assert only(parse(sent), Malformed).reason == reason


@pytest.mark.parametrize("name", ["messages", "ack", "chatUpdate"])
def test_an_array_that_is_none_is_malformed(name: str) -> None:
    malformed = only(parse(body(**{name: {"0": item()}})), Malformed)
    assert (malformed.path, malformed.reason) == (name, f"{name}_not_a_list")


OTHERS = {
    "other_wazzup_message": "wazzup",
    "other_wazzup_status": "wazzup",
    "other_whapi": "whapi",
    "other_green_api": "green_api",
    "other_ultramsg": "ultramsg",
}


@pytest.mark.parametrize(("fixture", "vendor"), OTHERS.items())
def test_a_look_alike_is_refused_by_its_name(fixture: str, vendor: str) -> None:
    sent = (Path(KIT.folder) / f"{fixture}.json").read_bytes()
    assert only(parse(sent), Ignored).reason == f"other_vendor_{vendor}"


@pytest.mark.parametrize(
    ("sent", "vendor"),
    [
        ({"product_id": "x", "phone_id": 1, "type": "message", "message": {}}, "maytapi"),
        ({"event": "message", "session": "default", "payload": {}}, "waha"),
        ({"event": "messages.upsert", "instance": "x", "data": {}}, "evolution"),
        ({"instanceId": INSTANCE, "messageId": "3A", "phone": "447700900201", "status": "RECEIVED"}, "zapi"),
        ({"messaging_product": "whatsapp", "messages": [{"from": "4477", "id": "wamid.X"}]}, "meta"),
        ({"messages": [{"from": "4477", "id": "wamid.X", "timestamp": "1", "type": "text"}]}, "meta"),
        ({"messages": [{"messageId": "1", "channelId": "2", "chatId": "447700900201"}]}, "wazzup"),
    ],
)
def test_further_look_alikes_are_refused_by_name(sent: dict[str, Any], vendor: str) -> None:
    assert only(parse(sent), Ignored).reason == f"other_vendor_{vendor}"


def test_no_webhook_of_meta_is_read_as_one_of_ours() -> None:
    for fixture in META.fixtures():
        events = parse(META.body(fixture))
        assert {type(event) for event in events} <= {Ignored, Malformed}, fixture.name


def test_a_clone_may_add_keys_that_others_use() -> None:
    sent = json.dumps({"event": "messages", "channel_id": "x", "messages": [item(timestamp=1, **{"from": "x"})]})
    assert isinstance(parse(sent.encode())[0], MessageArrived)


def test_every_item_of_a_refused_body_is_accounted_for() -> None:
    items = [{"from_me": False, "id": "1"}, {"from_me": True, "id": "2"}]
    events = parse({"messages": items, "event": {}, "channel_id": "x"})
    assert [(event.path, type(event)) for event in events] == [("messages.0", Ignored), ("messages.1", Ignored)]
