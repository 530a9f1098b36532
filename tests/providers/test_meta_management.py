"""Templates and accounts: what Meta says about them, in our words."""

from datetime import UTC, datetime
from typing import Any

import pytest

from providers.events import AccountChanged, AccountKey, Ignored, Malformed, TemplateChanged
from tests.providers.envelopes import BUSINESS, NUMBER_ID, WABA, only, parse_value

TIME = 1793103600
NAMES = {
    "message_template_id": 1730559284410265,
    "message_template_name": "visit_reminder",
    "message_template_language": "en-GB",
}


def template(field: str = "message_template_status_update", **value: Any) -> TemplateChanged:
    return only(parse_value(field, NAMES | value, time=TIME), TemplateChanged)


def test_a_template_goes_by_business_account_name_and_language() -> None:
    event = template(event="APPROVED")
    assert event.account == AccountKey("business_account_id", WABA)
    assert (event.template_id, event.name, event.language) == ("1730559284410265", "visit_reminder", "en_GB")
    assert event.at == datetime.fromtimestamp(TIME, UTC)


@pytest.mark.parametrize(
    ("event", "changes"),
    [
        ("PENDING", {"status": "pending", "rejectionReason": None}),
        ("APPROVED", {"status": "approved", "rejectionReason": None}),
        ("REINSTATED", {"status": "approved", "vendorEvent": "REINSTATED", "rejectionReason": None}),
        ("REJECTED", {"status": "rejected", "rejectionReason": "SCAM"}),
        ("PAUSED", {"status": "paused", "rejectionReason": "SCAM"}),
        ("DISABLED", {"status": "disabled", "rejectionReason": "SCAM"}),
        ("DELETED", {"status": "disabled", "vendorEvent": "DELETED", "rejectionReason": "SCAM"}),
        ("PENDING_DELETION", {"status": "disabled", "vendorEvent": "PENDING_DELETION", "rejectionReason": "SCAM"}),
        ("ARCHIVED", {"status": "disabled", "vendorEvent": "ARCHIVED", "rejectionReason": "SCAM"}),
        ("UNARCHIVED", {"status": "approved", "vendorEvent": "UNARCHIVED", "rejectionReason": None}),
        ("IN_APPEAL", {"status": "rejected", "vendorEvent": "IN_APPEAL", "rejectionReason": "SCAM"}),
        ("LIMIT_EXCEEDED", {"status": "rejected", "vendorEvent": "LIMIT_EXCEEDED", "rejectionReason": "SCAM"}),
        ("FLAGGED", {"vendorEvent": "FLAGGED", "rejectionReason": "SCAM"}),
        ("NOVEL", {"vendorEvent": "NOVEL", "rejectionReason": "SCAM"}),
    ],
)
def test_a_step_of_the_review_becomes_our_status(event: str, changes: dict[str, Any]) -> None:
    assert template(event=event, reason="SCAM").changes == changes


@pytest.mark.parametrize("reason", [None, "NONE"])
def test_no_reason_is_no_reason(reason: str | None) -> None:
    assert template(event="REJECTED", reason=reason).changes == {"status": "rejected"}


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"title": "FIRST_PAUSE", "description": "Paused for 3 hours."}, "Paused for 3 hours."),
        ({"title": "FIRST_PAUSE"}, "FIRST_PAUSE"),
        ("FIRST_PAUSE", None),
    ],
)
def test_why_a_template_is_paused_is_told_beside_its_reason(told: object, why: str | None) -> None:
    assert template(event="PAUSED", reason="NONE", other_info=told).changes.get("rejectionReason") == why


def test_a_template_that_can_be_sent_has_no_reason_against_it() -> None:
    changes = template(event="REINSTATED", reason="NONE", other_info={"title": "UNPAUSE"}).changes
    assert changes == {"status": "approved", "vendorEvent": "REINSTATED", "rejectionReason": None}
    assert "rejectionReason" not in template(event="FLAGGED", reason="NONE", other_info={"title": "X"}).changes


def test_quality_under_the_wrong_field_name_is_still_quality() -> None:
    event = template("message_template_status_update", previous_quality_score="GREEN", new_quality_score="RED")
    assert event.changes == {"quality": "RED"}


def test_an_announced_category_does_not_change_the_present_one() -> None:
    event = template(
        "template_category_update", new_category="UTILITY", correct_category="MARKETING", category_update_timestamp=TIME
    )
    assert event.changes == {
        "category": "UTILITY",
        "pendingCategory": "MARKETING",
        "categoryChangesAt": datetime.fromtimestamp(TIME, UTC),
    }


def test_edited_components_are_those_the_event_names() -> None:
    event = template("message_template_components_update", message_template_element="Hello {{1}}")
    assert event.changes == {"components": [{"type": "BODY", "text": "Hello {{1}}"}]}


def test_a_template_event_that_says_nothing_known_is_kept() -> None:
    (event,) = parse_value("template_correct_category_detection", NAMES | {"novel": 1}, time=TIME)
    assert isinstance(event, Ignored)
    assert (event.reason, event.metadata) == ("unknown_template_event", NAMES | {"novel": 1})


def test_a_template_event_without_a_template_is_malformed() -> None:
    event = only(parse_value("message_template_status_update", {"event": "APPROVED"}), Malformed)
    assert event.reason == "template_without_name"


def account(field: str, **value: Any) -> AccountChanged:
    return only(parse_value(field, value, time=TIME), AccountChanged)


@pytest.mark.parametrize(
    ("value", "health", "reason"),
    [
        ({"event": "ACCOUNT_VIOLATION", "violation_info": {"violation_type": "SCAM"}}, "restricted", "SCAM"),
        ({"event": "ACCOUNT_RESTRICTION", "restriction_info": [{"restriction_type": "R"}]}, "restricted", "R"),
        ({"event": "ACCOUNT_DELETED"}, "restricted", None),
        ({"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "DISABLE"}}, "restricted", "DISABLE"),
        ({"event": "DISABLED_UPDATE", "ban_info": [{"waba_ban_state": "DISABLE"}]}, "restricted", "DISABLE"),
        ({"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "REINSTATE"}}, "ok", "REINSTATE"),
        ({"event": "ACCOUNT_OFFBOARDED"}, "restricted", None),
        ({"event": "ACCOUNT_RECONNECTED"}, "ok", None),
        ({"event": "MM_LITE_TERMS_SIGNED"}, None, None),
        ({"event": "NOVEL"}, None, None),
        ({}, None, None),
    ],
)
def test_health_is_set_only_where_the_text_settles_it(
    value: dict[str, Any], health: str | None, reason: str | None
) -> None:
    event = account("account_update", **value)
    assert (event.health, event.reason, event.details) == (health, reason, value)


def test_a_partners_event_is_for_the_business_account_it_names() -> None:
    assert account("account_update", event="PARTNER_ADDED", waba_info={"waba_id": "77"}).account == AccountKey(
        "business_account_id", "77"
    )


@pytest.mark.parametrize(
    "field", ["phone_number_quality_update", "phone_number_name_update", "security", "business_username_updates"]
)
def test_fields_with_only_the_display_number_are_for_that_number(field: str) -> None:
    event = account(field, display_phone_number="+1 555-019-2744", event="E", decision="D", status="S")
    assert event.account == AccountKey("display_phone_number", f"{WABA}/{BUSINESS}")
    assert event.event_name in {"E", "D", "S"}


def test_an_alert_may_name_one_number_and_may_be_flat() -> None:
    event = account("account_alerts", entity_type="PHONE_NUMBER", entity_id=NUMBER_ID, alert_type="OBA_APPROVED")
    assert event.account == AccountKey("phone_number_id", NUMBER_ID)
    assert event.event_name == "OBA_APPROVED"


@pytest.mark.parametrize("limit", [2000, "TIER_10K", -1])
def test_limits_are_kept_as_they_come(limit: object) -> None:
    event = account("business_capability_update", max_daily_conversations_per_business=limit)
    assert event.details == {"max_daily_conversations_per_business": limit}


def test_the_same_word_at_another_time_is_another_fact() -> None:
    keys = [
        parse_value("account_update", {"event": "ACCOUNT_DELETED"}, time=time)[0].key for time in (TIME, TIME, TIME + 1)
    ]
    assert keys[0] == keys[1] != keys[2]
    assert keys[0] != parse_value("account_update", {"event": "ACCOUNT_RECONNECTED"}, time=TIME)[0].key
