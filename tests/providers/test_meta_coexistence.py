"""Echoes of the phone app, synced history and the phone's address book."""

from typing import Any

import pytest

from models.values import Direction, MessageStatus, MessageType, SenderType
from providers.events import (
    AccountChanged,
    ContactSynced,
    Event,
    Ignored,
    Malformed,
    MessageArrived,
    MessageEdited,
    MessageRevoked,
    Party,
    ReactionChanged,
)
from tests.providers.envelopes import AT, BSUID, BUSINESS, CONTACT, CUSTOMER, only, parse_change

CUSTOMER_PARTY = Party(phone=f"+{CUSTOMER}", user_id=BSUID, name="Priya Raman")


def echo(kind: str = "text", /, **more: Any) -> dict[str, Any]:
    base = {"from": BUSINESS, "to": CUSTOMER, "id": "wamid.E", "timestamp": AT, "type": kind}
    return base | ({"text": {"body": "from the phone"}} if kind == "text" else {}) | more


def echoed(*items: dict[str, Any], field: str = "smb_message_echoes") -> list[Event]:
    return parse_change(field, contacts=[CONTACT], message_echoes=list(items))


@pytest.mark.parametrize("field", ["smb_message_echoes", "message_echoes"])
def test_an_echo_is_outbound_from_the_phone_app_and_sent(field: str) -> None:
    event = only(echoed(echo(), field=field), MessageArrived)
    assert event.party == CUSTOMER_PARTY
    assert (event.direction, event.sender_type) == (Direction.OUTBOUND, SenderType.BUSINESS_APP)
    assert (event.status, event.history, event.key) == (MessageStatus.SENT, False, "m:wamid.E")


def test_an_echo_to_a_user_without_a_number_goes_to_the_bsuid() -> None:
    event = only(parse_change("smb_message_echoes", message_echoes=[echo(to=None, to_user_id=BSUID)]), MessageArrived)
    assert event.party == Party(user_id=BSUID)


def test_an_echo_to_nobody_is_malformed() -> None:
    events = parse_change("smb_message_echoes", message_echoes=[echo(to=None)])
    assert only(events, Malformed).reason == "message_without_recipient"


def test_edits_revokes_and_reactions_of_the_business_are_outbound() -> None:
    edit = {"original_message_id": "wamid.T", "message": {"type": "text", "text": {"body": "new"}}}
    events = echoed(
        echo("edit", edit=edit),
        echo("revoke", revoke={"original_message_id": "wamid.T"}),
        echo("reaction", reaction={"message_id": "wamid.T", "emoji": "👍"}),
    )
    assert [type(event) for event in events] == [MessageEdited, MessageRevoked, ReactionChanged]
    for event in events:
        assert isinstance(event, (MessageEdited, MessageRevoked, ReactionChanged))
        assert (event.direction, event.target_id) == (Direction.OUTBOUND, "wamid.T")


def past(state: str | None = "READ", /, **more: Any) -> dict[str, Any]:
    context = {"history_context": {"status": state}} if state else {}
    return {"id": "wamid.H", "timestamp": AT, "type": "text", "text": {"body": "x"}} | context | more


def thread(*items: dict[str, Any], **more: Any) -> list[Event]:
    threads = [{"id": CUSTOMER, "context": {"wa_id": CUSTOMER, "user_id": BSUID}, "messages": list(items)} | more]
    chunk = {"metadata": {"phase": 0, "chunk_order": 1, "progress": 42}, "threads": threads}
    return parse_change("history", history=[chunk])


def synced(*items: dict[str, Any], **more: Any) -> list[MessageArrived]:
    return [event for event in thread(*items, **more) if isinstance(event, MessageArrived)]


def test_history_is_marked_and_its_direction_follows_the_sender() -> None:
    ours, theirs = synced(past(**{"from": BUSINESS, "to": CUSTOMER}), past(**{"from": CUSTOMER}))
    assert (ours.history, theirs.history) == (True, True)
    assert (ours.direction, ours.sender_type) == (Direction.OUTBOUND, SenderType.BUSINESS_APP)
    assert (theirs.direction, theirs.sender_type) == (Direction.INBOUND, SenderType.CUSTOMER)
    assert ours.party == theirs.party == Party(phone=f"+{CUSTOMER}", user_id=BSUID)


def test_what_the_business_number_sent_is_outbound_also_without_a_recipient() -> None:
    (ours,) = synced(past(**{"from": BUSINESS}))
    assert (ours.direction, ours.party) == (Direction.OUTBOUND, Party(phone=f"+{CUSTOMER}", user_id=BSUID))


@pytest.mark.parametrize("ours", ["+52 1 55 5550 0144", None])
def test_who_a_thread_is_with_has_written_what_is_from_its_number(ours: str | None) -> None:
    """The business's own number may be spelled in another way in the frame than in the thread, or be missing."""
    to_us = past(**{"from": CUSTOMER, "to": "525555500144"})
    chunk = {"threads": [{"id": CUSTOMER, "messages": [to_us]}]}
    metadata = {"display_phone_number": ours, "phone_number_id": "1"}
    found = [
        one for one in parse_change("history", metadata=metadata, history=[chunk]) if isinstance(one, MessageArrived)
    ]
    assert [(one.direction, one.party) for one in found] == [(Direction.INBOUND, Party(phone=f"+{CUSTOMER}"))]


def test_history_without_numbers_follows_the_recipient_and_the_sender_id() -> None:
    ours, theirs = synced(past(to_user_id=BSUID), past(from_user_id=BSUID), id=None, context={"user_id": BSUID})
    assert (ours.direction, theirs.direction) == (Direction.OUTBOUND, Direction.INBOUND)
    assert ours.party == theirs.party == Party(user_id=BSUID)


@pytest.mark.parametrize(
    ("word", "outbound", "inbound"),
    [
        ("PENDING", MessageStatus.ACCEPTED, MessageStatus.RECEIVED),
        ("SENT", MessageStatus.SENT, MessageStatus.RECEIVED),
        ("DELIVERED", MessageStatus.DELIVERED, MessageStatus.RECEIVED),
        ("READ", MessageStatus.READ, MessageStatus.READ),
        ("PLAYED", MessageStatus.PLAYED, MessageStatus.READ),
        ("ERROR", MessageStatus.FAILED, MessageStatus.RECEIVED),
        ("NOVEL", MessageStatus.SENT, MessageStatus.RECEIVED),
        (None, MessageStatus.SENT, MessageStatus.RECEIVED),
    ],
)
def test_the_state_of_history_is_in_our_words(
    word: str | None, outbound: MessageStatus, inbound: MessageStatus
) -> None:
    ours, theirs = synced(past(word, **{"from": BUSINESS, "to": CUSTOMER}), past(word, **{"from": CUSTOMER}))
    assert (ours.status, theirs.status) == (outbound, inbound)


def test_a_media_placeholder_waits_for_its_file() -> None:
    (event,) = synced(past(type="media_placeholder", text=None))
    assert (event.content.type, event.content.raw_type) == (MessageType.UNSUPPORTED, "media_placeholder")


@pytest.mark.parametrize("array", ["messages", "message_echoes"])
def test_the_file_of_history_comes_under_the_same_id_as_another_fact(array: str) -> None:
    item = past(None, type="image", image={"id": "7"}, **{"from": CUSTOMER})
    event = only(parse_change("history", **{array: [item]}), MessageArrived)
    assert (event.provider_message_id, event.key, event.history) == ("wamid.H", "media:wamid.H", True)
    assert event.content.media is not None
    assert event.content.media.media_id == "7"


def test_the_progress_of_the_sync_is_kept() -> None:
    first = thread(past(**{"from": CUSTOMER}))[0]
    assert isinstance(first, AccountChanged)
    assert (first.field_name, first.event_name, first.details["progress"]) == ("history", "chunk", 42)


def test_an_odd_message_or_thread_costs_only_itself() -> None:
    threads = [None, {"id": CUSTOMER, "messages": [past(**{"from": CUSTOMER}), None]}, {"id": CUSTOMER}]
    events = parse_change("history", history=[{"threads": threads}, None])
    assert [type(event) for event in events[1:]] == [Malformed, MessageArrived, Malformed, Ignored, Malformed]


def test_refused_history_says_so() -> None:
    event = only(parse_change("history", history=[{"errors": [{"code": 2593109}]}]), AccountChanged)
    assert (event.field_name, event.event_name, event.reason) == ("history", "declined", "2593109")


def test_history_without_its_envelope_is_read_as_metas_page_shows_it() -> None:
    from tests.providers.envelopes import METADATA, parse

    value = {"messaging_product": "whatsapp", "metadata": METADATA, "history": [{"errors": [{"code": 2593109}]}]}
    event = only(parse(value), AccountChanged)
    assert (event.event_name, event.path) == ("declined", "value.history.0.errors.0")


def entry(action: str = "add", **contact: Any) -> dict[str, Any]:
    return {"type": "contact", "contact": contact, "action": action, "metadata": {"timestamp": AT}}


def test_address_book_entries_are_added_and_removed() -> None:
    items = [
        entry(full_name="Priya Raman", first_name="Priya", phone_number=CUSTOMER),
        entry(first_name="Priya", user_id=BSUID),
        entry("remove", phone_number=CUSTOMER),
    ]
    events = parse_change("smb_app_state_sync", state_sync=items)
    found = [(event.party, event.removed) for event in events if isinstance(event, ContactSynced)]
    assert found == [
        (Party(phone=f"+{CUSTOMER}", name="Priya Raman"), False),
        (Party(user_id=BSUID, name="Priya"), False),
        (Party(phone=f"+{CUSTOMER}"), True),
    ]


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (entry(full_name="Nobody"), "contact_without_number"),
        (entry("merge", phone_number=CUSTOMER), "unknown_action"),
        ({**entry(phone_number=CUSTOMER), "type": "label"}, "unknown_type"),
    ],
)
def test_other_entries_say_why_they_are_left(item: dict[str, Any], why: str) -> None:
    (event,) = parse_change("smb_app_state_sync", state_sync=[item])
    assert isinstance(event, (Malformed, Ignored))
    assert event.reason == why
