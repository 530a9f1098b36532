"""Reading a stored webhook: what it may cost, whatever was signed."""

import json
import time
from typing import Any

import pytest

from models.values import EventStatus
from providers import chatapi, twilio
from providers.wire import holds_more
from services.reading import MAX_VALUES
from tests.fixtures.twilio.conformance import ACCOUNT_SID, NUMBER
from tests.providers.chatapi_bodies import INSTANCE
from tests.support import meta_webhooks as meta
from tests.support.wired import Wired

#: Four megabytes of nothing.
NOTHINGS = b",".join([b"{}"] * 1_300_000)
#: Processor time (s) that such a body may take; an event of each of its items takes five to ten.
CHEAP = 2.0
BODIES = {
    "meta-whatsapp": meta.envelope({"messages": ["HERE"]}).replace(b'"HERE"', NOTHINGS),
    "chatapi": json.dumps({"instanceId": INSTANCE, "messages": ["HERE"]}).encode().replace(b'"HERE"', NOTHINGS),
    "twilio": b"[" + NOTHINGS + b"]",
}


@pytest.mark.parametrize("vendor", BODIES)
def test_a_million_empty_items_are_set_aside_before_they_cost_anything(wired: Wired, vendor: str) -> None:
    configs: dict[str, Any] = {"meta-whatsapp": wired.account}
    if vendor == "chatapi":
        values = {"instanceId": INSTANCE, "webhookSecret": "s" * 22, "apiKey": "k"}
        configs[vendor] = wired.connecting.add(chatapi.PROVIDER, values)
    if vendor == "twilio":
        values = {"accountSid": ACCOUNT_SID, "authToken": "t" * 32, "phoneNumber": NUMBER}
        configs[vendor] = wired.connecting.add(twilio.PROVIDER, values)
    event_id = wired.store_webhook(BODIES[vendor], config=configs[vendor])
    began = time.process_time()

    wired.receiving.receive([event_id])

    event = wired.events.get(event_id)
    assert time.process_time() - began < CHEAP
    assert (event.status, event.error, len(event.items)) == (EventStatus.FAILED, "too_many_parts", 1)


@pytest.mark.parametrize(
    ("document", "count"),
    [
        ([], 0),
        ([1, 2], 2),
        ({"a": {}}, 1),
        ({"a": [{"b": [1]}], "c": "x"}, 4),
        ("a, b, c, d", 0),
        (7, 0),
        ("[[[{{{", 0),
    ],
)
def test_objects_lists_and_elements_are_counted(document: Any, count: int) -> None:
    body = json.dumps(document).encode()
    assert holds_more(body, count) is False
    assert count == 0 or holds_more(body, count - 1)


def test_what_is_no_json_is_left_to_the_vendors_reader() -> None:
    assert holds_more(b"From=whatsapp&Body=" + b",{[" * MAX_VALUES, MAX_VALUES) is False


def test_the_largest_that_vendors_send_is_read() -> None:
    """Three megabytes of synced history."""
    message = {
        "from": meta.PHONE,
        "id": "wamid." + "H" * 60,
        "timestamp": str(meta.NOON),
        "type": "text",
        "text": {"body": "x" * 20},
        "history_context": {"status": "READ"},
    }
    body = json.dumps({"threads": [{"id": meta.PHONE, "messages": [message] * 14_000}]}).encode()
    assert len(body) > 3_000_000
    assert holds_more(body, MAX_VALUES) is False
