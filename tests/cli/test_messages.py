"""`hookline messages`: any is followed from its id; what failed is listed without its words, and tried again once."""

import json
from typing import Any

import pytest

from models.values import MessageStatus
from services.sending.orders import text_order
from tests.cli.conftest import Hookline
from tests.support import meta_webhooks as meta
from tests.support import vendor as vendors
from tests.support.vendor import Vendor
from tests.support.wired import Wired


@pytest.fixture
def failed(wired: Wired) -> str:
    """A message that the vendor refused."""
    vendor = Vendor()
    wired.configs.change(wired.account.id, {"api_base_url": vendor.url}, wired.clock)
    wired.directory.refresh(older_than=0)
    at = int(wired.clock.now().timestamp())
    (event,) = wired.deliver(meta.envelope(meta.text(at=at)))
    message = wired.queueing.queue(event.items[0].chat_id or "", text_order("a secret"))
    vendor.answers(vendors.error(131026))
    wired.delivering.deliver()
    vendor.close()
    return message.id


def test_what_failed_is_listed_without_what_it_says(hookline: Hookline, failed: str) -> None:
    outcome = hookline("messages", "list", "--json")

    (row,) = json.loads(outcome.out)
    assert (row["id"], row["status"]) == (failed, "failed")
    assert row["error"]
    assert "a secret" not in outcome.out


def test_a_failed_message_is_tried_again_and_a_queued_one_is_not(hookline: Hookline, wired: Wired, failed: str) -> None:
    # The command goes by the wall clock, and the customer wrote long ago.
    wired.store.chats.update_many({}, {"$unset": {"windowExpiresAt": 1}})
    refused = hookline("messages", "retry", failed)
    assert refused.code == 1
    assert "window" in refused.err

    wired.store.chats.update_many({}, [{"$set": {"windowExpiresAt": {"$add": ["$$NOW", 3_600_000]}}}])
    assert hookline("messages", "retry", failed).code == 0
    assert wired.sends.get(failed).status is MessageStatus.QUEUED

    again = hookline("messages", "retry", failed, "msg_nobody")
    assert again.code == 1
    assert failed in again.err
    assert "msg_nobody" in again.err


def history(hookline: Hookline, named: str) -> dict[str, Any]:
    outcome = hookline("messages", "show", named)
    assert outcome.code == 0, outcome.err
    found: dict[str, Any] = json.loads(outcome.out)
    return found


def test_the_history_of_an_inbound_message_is_found_by_either_id(hookline: Hookline, wired: Wired) -> None:
    mine = meta.text("a secret", message_id="wamid.i")
    neighbour = meta.text("another secret", message_id="wamid.ii", sender="15550100777")
    first, again = wired.deliver(meta.envelope(mine, neighbour), meta.envelope(mine))
    message_id = first.items[0].message_id or ""

    found = history(hookline, message_id)

    assert (found["message"]["providerMessageId"], found["message"]["direction"]) == ("wamid.i", "inbound")
    told = [(row["id"], [(item["kind"], item["outcome"]) for item in row["items"]]) for row in found["webhooks"]]
    assert told == [(first.id, [("message", "applied")]), (again.id, [("message", "duplicate")])]
    assert history(hookline, "wamid.i") == found
    assert "secret" not in json.dumps(found)


def test_the_history_of_an_outbound_message_tells_attempts_statuses_and_acts(
    hookline: Hookline, wired: Wired, failed: str
) -> None:
    wired.steering.retry(failed, by=None, reason="she called")
    vendor = Vendor()
    wired.configs.change(wired.account.id, {"api_base_url": vendor.url}, wired.clock)
    wired.directory.refresh(older_than=0)
    wired.delivering.deliver()
    vendor.close()
    vendor_id = wired.sends.get(failed).provider_message_id or ""
    (status,) = wired.deliver(meta.envelope(meta.status(vendor_id, "delivered")))

    found = history(hookline, failed)

    assert [attempt["outcome"] for attempt in found["message"]["attempts"]] == ["failed", "accepted"]
    assert found["message"]["attempts"][0]["error"]["code"] == "131026"
    assert found["message"]["status"] == "delivered"
    assert [(row["id"], row["status"]) for row in found["webhooks"]] == [(status.id, "processed")]
    assert [(act["verb"], act["reason"]) for act in found["audit"]] == [("retry", "she called")]
    assert history(hookline, vendor_id) == found


def test_what_is_known_of_a_message_that_never_came_is_told_by_the_vendors_id(hookline: Hookline, wired: Wired) -> None:
    (event,) = wired.deliver(meta.envelope(meta.status("wamid.early", "read")))

    found = history(hookline, "wamid.early")

    assert found["message"] is None
    assert [row["id"] for row in found["webhooks"]] == [event.id]
    assert [(one["kind"], one["eventId"]) for one in found["waiting"]] == [("status", event.id)]


@pytest.mark.parametrize("named", ["msg_nobody", "wamid.", ".*", "wamid.(("])
def test_of_a_message_nobody_spoke_of_there_is_no_history(named: str, hookline: Hookline, wired: Wired) -> None:
    wired.deliver(meta.envelope(meta.text(message_id="wamid.i")))

    outcome = hookline("messages", "show", named)

    assert (outcome.code, outcome.out) == (1, "")
    assert f"There is no message {named}" in outcome.complaint
