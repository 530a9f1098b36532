"""`hookline messages`: what failed is listed without what it says, and tried again once."""

import json

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
