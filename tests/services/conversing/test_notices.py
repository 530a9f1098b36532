"""What vendors say about templates, accounts, address books and wishes, on a real database."""

from typing import Any

import pytest

from tests.support import meta_webhooks as meta
from tests.support.wired import Wired


def template(event: str, *, at: int, reason: str | None = None) -> bytes:
    value = {
        "event": event,
        "message_template_id": 1730559284410265,
        "message_template_name": "visit_reminder",
        "message_template_language": "en_GB",
        "reason": reason,
    }
    return meta.management("message_template_status_update", value, at=at)


def only(wired: Wired, collection: str, **query: Any) -> dict[str, Any]:
    (row,) = wired.store.database[collection].find(query)
    return row


@pytest.mark.parametrize("late", [False, True])
def test_the_later_word_on_a_template_counts_in_whatever_order(wired: Wired, *, late: bool) -> None:
    words = [template("APPROVED", at=meta.NOON), template("PAUSED", at=meta.NOON + 60)]

    wired.deliver(*(reversed(words) if late else words))

    found = only(wired, "templates")
    assert (found["name"], found["language"], found["status"]) == ("visit_reminder", "en_GB", "paused")


def test_a_rejection_keeps_its_reason(wired: Wired) -> None:
    wired.deliver(template("REJECTED", at=meta.NOON, reason="INVALID_FORMAT"))

    assert only(wired, "templates")["rejectionReason"] == "INVALID_FORMAT"


@pytest.mark.parametrize("event", ["PENDING_DELETION", "ARCHIVED"])
def test_a_template_on_its_way_out_cannot_be_used(wired: Wired, event: str) -> None:
    wired.deliver(template("APPROVED", at=meta.NOON), template(event, at=meta.NOON + 5))

    assert only(wired, "templates")["status"] == "disabled"


def test_a_word_that_changes_nothing_of_a_template_is_no_repetition(wired: Wired) -> None:
    flagged = template("FLAGGED", at=meta.NOON + 5)
    _, event = wired.deliver(template("APPROVED", at=meta.NOON), flagged)

    assert [(item.outcome, item.reason) for item in event.items] == [("ignored", "kept_with_webhook")]
    assert only(wired, "templates")["status"] == "approved"


def test_a_word_on_a_number_that_is_known_by_its_id_alone_finds_the_account(wired: Wired) -> None:
    value = {"display_phone_number": "15550192744", "event": "ONBOARDING"}
    (event,) = wired.deliver(meta.management("phone_number_quality_update", value))

    assert [item.reason for item in event.items] == ["kept_with_webhook"]


def test_a_restriction_shows_in_the_accounts_health_until_it_ends(wired: Wired) -> None:
    restricted = {
        "event": "ACCOUNT_RESTRICTION",
        "restriction_info": [{"restriction_type": "RESTRICTED_UTILITY_TEMPLATES"}],
    }
    banned = {
        "event": "DISABLED_UPDATE",
        "ban_info": {"waba_ban_state": "REINSTATE", "waba_ban_date": "October 27, 2026"},
    }
    wired.deliver(meta.management("account_update", restricted, at=meta.NOON))
    assert only(wired, "whatsappconfigs")["health"]["state"] == "restricted"

    wired.deliver(meta.management("account_update", banned, at=meta.NOON + 60))
    assert only(wired, "whatsappconfigs")["health"]["state"] == "ok"


def test_the_address_books_name_stands_against_the_profiles(wired: Wired) -> None:
    contact = {
        "type": "contact",
        "contact": {"full_name": "Priya (flat 4)", "phone_number": meta.PHONE},
        "action": "add",
    }
    entry = {**contact, "metadata": {"timestamp": str(meta.NOON)}}
    wired.deliver(meta.envelope({"state_sync": [entry]}, field="smb_app_state_sync"))

    wired.deliver(meta.envelope(meta.text(name="Priya 🌸")))

    customer = only(wired, "customers")
    assert (customer["name"], customer["whatsappName"]) == ("Priya (flat 4)", "Priya 🌸")
    assert wired.store.chats.count_documents({}) == 1


def test_a_wish_is_kept_with_its_customer(wired: Wired) -> None:
    wish = {"wa_id": meta.PHONE, "category": "marketing_messages", "timestamp": meta.NOON, "detail": "x"}
    wired.deliver(
        meta.envelope({"user_preferences": [{**wish, "value": "stop"}]}, field="user_preferences"),
        meta.envelope(
            {"user_preferences": [{**wish, "value": "resume", "timestamp": meta.NOON - 5}]}, field="user_preferences"
        ),
    )

    assert only(wired, "customers")["messagePreferences"]["marketing"]["value"] == "stop"
