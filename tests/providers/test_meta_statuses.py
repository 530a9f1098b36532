"""Meta's statuses, preferences and calls, rule by rule."""

from datetime import UTC, datetime
from typing import Any

import pytest

from models.message import Conversation, MessageError, Pricing
from models.values import MessageStatus
from providers.events import AccountChanged, Ignored, Malformed, Party, PreferenceChanged, StatusChanged
from tests.providers.envelopes import AT, BSUID, CONTACT, CUSTOMER, only, status
from tests.providers.envelopes import parse_change as parse


def changed(word: str = "delivered", /, **more: Any) -> StatusChanged:
    return only(parse(statuses=[status(word, **more)]), StatusChanged)


@pytest.mark.parametrize("word", ["sent", "delivered", "read", "played", "failed"])
def test_every_word_of_metas_is_one_of_ours(word: str) -> None:
    event = changed(word)
    assert (event.status, event.provider_status, event.key) == (MessageStatus(word), word, f"s:wamid.OUT:{word}")


def test_only_id_and_status_are_needed() -> None:
    event = only(parse(statuses=[{"id": "wamid.OUT", "status": "read"}]), StatusChanged)
    assert (event.party, event.at, event.error, event.metadata) == (None, None, None, None)


def test_contacts_without_a_profile_are_no_trouble() -> None:
    event = only(parse(contacts=[{"wa_id": CUSTOMER}], statuses=[status()]), StatusChanged)
    assert event.party == Party(phone=f"+{CUSTOMER}")


def test_a_status_tells_whom_it_is_about_by_whatever_is_disclosed() -> None:
    item = {"id": "wamid.OUT", "status": "delivered", "recipient_user_id": BSUID}
    event = only(parse(contacts=[CONTACT], statuses=[item]), StatusChanged)
    assert event.party == Party(phone=f"+{CUSTOMER}", user_id=BSUID, name="Priya Raman")


def test_our_own_id_comes_back() -> None:
    assert changed(biz_opaque_callback_data="msg_01").client_ref == "msg_01"


def test_a_failure_keeps_everything_that_explains_it() -> None:
    error = {"code": 131047, "title": "T", "message": "M", "error_data": {"details": "D"}, "href": "https://h.example"}
    assert changed("failed", errors=[error]).error == MessageError(
        code="131047", title="T", message="M", details="D", href="https://h.example"
    )


@pytest.mark.parametrize("errors", [None, [], {}, "x", [None], [[]], [{}]])
def test_a_failure_without_a_reason_is_still_a_failure(errors: object) -> None:
    event = changed("failed", errors=errors)
    assert (event.status, event.error) == (MessageStatus.FAILED, None)


def test_an_error_in_the_old_shape_is_read() -> None:
    error = {"code": 470, "title": "T", "details": "D"}
    assert changed("failed", errors=[error]).error == MessageError(code="470", title="T", message="T", details="D")


def test_price_and_conversation_are_kept_with_what_we_do_not_name() -> None:
    event = changed(
        "sent",
        pricing={"billable": False, "pricing_model": "PMP", "type": "regular", "category": "utility", "tier": 3},
        conversation={"id": "c", "expiration_timestamp": AT, "origin": {"type": "utility"}},
    )
    assert event.pricing == Pricing(billable=False, model="PMP", type="regular", category="utility")
    assert event.conversation == Conversation(
        id="c", origin_type="utility", expires_at=datetime.fromtimestamp(int(AT), UTC)
    )
    assert event.metadata == {"pricing": {"tier": 3}}


@pytest.mark.parametrize("spelled", ["recipient_participant_id", "participant_recipient_id"])
def test_a_groups_status_speaks_of_one_participant(spelled: str) -> None:
    event = changed(recipient_id="Y2FwaQ", recipient_type="group", **{spelled: CUSTOMER})
    assert (event.party, event.participant) == (None, Party(phone=f"+{CUSTOMER}"))
    assert event.key == f"s:wamid.OUT:delivered:+{CUSTOMER}"
    assert event.metadata == {"recipient_id": "Y2FwaQ", "recipient_type": "group"}


def test_participants_of_one_message_are_facts_of_their_own() -> None:
    items = [status(recipient_type="group", recipient_participant_user_id=f"GB.{one}") for one in range(3)]
    events = parse(statuses=items)
    assert len({event.key for event in events}) == 3


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (status("deleted"), "legacy_status"),
        (status("warning"), "legacy_status"),
        (status("teleported"), "unknown_status"),
        (status("captured", type="payment"), "payment_status"),
        (status("RINGING", type="call"), "call"),
    ],
)
def test_what_is_no_state_of_a_message_is_ignored_with_its_reason_and_kept(item: dict[str, Any], why: str) -> None:
    event = only(parse(statuses=[item]), Ignored)
    assert (event.reason, event.metadata) == (why, item)
    assert event.at == datetime.fromtimestamp(int(AT), UTC)


def test_the_type_of_very_old_payloads_changes_nothing() -> None:
    assert changed(type="message").status is MessageStatus.DELIVERED


@pytest.mark.parametrize(
    ("item", "why"),
    [
        ({"status": "sent"}, "status_without_id"),
        ({"id": "w"}, "status_without_status"),
        ({"id": {}, "status": "sent"}, "status_without_id"),
        ({"id": "w", "status": ["sent"]}, "status_without_status"),
        (17, "item_not_an_object"),
    ],
)
def test_what_cannot_be_read_says_what_is_wrong(item: object, why: str) -> None:
    assert only(parse(statuses=[item]), Malformed).reason == why


def test_of_a_thousand_statuses_one_malformed_costs_one() -> None:
    items: list[Any] = [status(id=f"wamid.{one}") for one in range(1_000)]
    items[500] = {"status": "sent"}
    events = parse(statuses=items)
    assert len(events) == 1_000
    assert [event.path for event in events if isinstance(event, Malformed)] == ["entry.0.changes.0.value.statuses.500"]


def test_an_error_of_no_message_is_a_word_on_the_account() -> None:
    event = only(parse(errors=[{"code": 130429, "title": "Rate limit hit"}]), AccountChanged)
    assert (event.field_name, event.reason, event.details["title"]) == ("errors", "130429", "Rate limit hit")


def preference(**item: Any) -> list[Any]:
    base = {"wa_id": CUSTOMER, "category": "marketing_messages", "value": "stop", "timestamp": int(AT)}
    return parse("user_preferences", user_preferences=[base | item])


@pytest.mark.parametrize("value", ["stop", "resume", "signup", "perhaps"])
def test_a_preference_is_passed_on_in_our_words(value: str) -> None:
    event = only(preference(value=value, detail="…"), PreferenceChanged)
    assert (event.category, event.value, event.party.phone) == ("marketing", value, f"+{CUSTOMER}")
    assert event.metadata == {"detail": "…"}


def test_a_preference_of_nobody_is_malformed() -> None:
    assert only(preference(wa_id=None), Malformed).reason == "preference_without_customer"
    assert only(preference(value=None), Malformed).reason == "preference_without_value"


def test_the_same_preference_a_second_later_is_another_fact() -> None:
    keys = {only(preference(timestamp=int(AT) + late), PreferenceChanged).key for late in (0, 0, 1)}
    assert len(keys) == 2


def test_a_call_and_its_states_are_kept_not_shown() -> None:
    call = {"id": "wacid.X", "event": "connect", "timestamp": AT}
    state = {"id": "wacid.X", "status": "RINGING", "type": "call", "timestamp": AT}
    events = parse("calls", calls=[call], statuses=[state])
    assert [
        (event.key, event.metadata) for event in events if isinstance(event, Ignored) and event.reason == "call"
    ] == [
        ("call:wacid.X:connect", call),
        ("call:wacid.X:RINGING", state),
    ]
