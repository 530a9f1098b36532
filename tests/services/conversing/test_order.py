"""Whatever the order, the repetitions, the batches and the number of workers: the same database.

Deliveries are shuffled, doubled, cut into batches and applied by one worker or four at once; what is compared is
everything but our own ids and the moments of our own doing.
"""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.store.collections import COLLECTIONS
from tests.support import meta_webhooks as meta
from tests.support.wired import Wired, add_meta_account

ANNA, BEN, CLEO = "447700900101", "447700900102", "5521988880103"
OUT, ANSWER = "wamid.OUT", "wamid.ANSWER"
#: Moments and ids of our own doing, which no vendor knows.
OURS = {
    "_id",
    "aliases",
    "createdAt",
    "dueAt",
    "eventId",
    "expiresAt",
    "fetch",
    "lastUsedAt",
    "receivedAt",
    "reopenedAt",
    "updatedAt",
    "whatsappBusinessAccountId",
}


def a_day() -> list[bytes]:
    """Mixed traffic with everything that refers to something else."""
    noon = meta.NOON
    photo = meta.image(message_id="wamid.A2", sender=ANNA, at=noon + 20)
    edited = {
        "type": "edit",
        "edit": {"original_message_id": "wamid.A1", "message": {"type": "text", "text": {"body": "new"}}},
    }
    again = {
        "type": "edit",
        "edit": {"original_message_id": "wamid.A1", "message": {"type": "text", "text": {"body": "newer"}}},
    }
    revoked = {"type": "revoke", "revoke": {"original_message_id": "wamid.B1"}}
    values = [
        meta.text("first", message_id="wamid.A1", sender=ANNA, at=noon + 10, name="Anna"),
        photo,
        meta.text("later", message_id="wamid.A3", sender=ANNA, at=noon + 300, name="Anna Maria"),
        meta.text("hi", message_id="wamid.B1", sender=BEN, at=noon + 15, name="Ben"),
        meta.text("oi", message_id="wamid.C1", sender="552188880103", at=noon + 30, name="Cleo"),
        meta.text("oi de novo", message_id="wamid.C2", sender=CLEO, at=noon + 60, name="Cleo"),
        meta.reaction("wamid.A1", "👍", sender=ANNA, at=noon + 40),
        meta.reaction("wamid.A1", "🎉", sender=ANNA, at=noon + 50),
        meta.reaction("wamid.B1", "👍", sender=BEN, at=noon + 40),
        meta.reaction("wamid.B1", None, sender=BEN, at=noon + 45),
        meta.message(edited, message_id="wamid.E1", sender=ANNA, at=noon + 70),
        meta.message(again, message_id="wamid.E2", sender=ANNA, at=noon + 90),
        meta.message(revoked, message_id="wamid.R1", sender=BEN, at=noon + 80),
        meta.status(OUT, "sent", at=noon + 201, recipient=ANNA),
        meta.status(OUT, "delivered", at=noon + 202, recipient=ANNA),
        meta.status(OUT, "read", at=noon + 203, recipient=ANNA),
        meta.status(ANSWER, "sent", at=noon + 101, recipient=BEN),
        meta.status(
            ANSWER, "failed", at=noon + 102, recipient=BEN, errors=[{"code": 131026, "title": "Undeliverable"}]
        ),
    ]
    echoes = [
        meta.echo("an answer", message_id=OUT, to=ANNA, at=noon + 200),
        meta.echo("another", message_id=ANSWER, to=BEN, at=noon + 100),
    ]
    return [meta.envelope(value) for value in values] + [
        meta.envelope(value, field="smb_message_echoes") for value in echoes
    ]


def snapshot(wired: Wired) -> dict[str, list[Any]]:
    """Everything webhooks changed, our ids replaced by what the vendor calls the same thing."""
    names: dict[str, str] = {}
    for row in wired.store.addresses.find():
        names[row["id"]] = f"address {row['canonical']}"
        names[row.get("chatId", "")] = f"chat {row['canonical']}"
        names[row.get("customerId", "")] = f"customer {row['canonical']}"
    for row in wired.store.messages.find():
        names[row["id"]] = f"message {row['providerMessageId']}"
    collections = ("chats", "messages", "customers", "addresses", "pendingupdates")
    return {
        name: sorted((_plain(row, names) for row in wired.store.database[name].find()), key=str) for name in collections
    }


def _plain(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one, names) for key, one in sorted(value.items()) if key not in OURS}
    if isinstance(value, list):
        return sorted((_plain(one, names) for one in value), key=str)
    return names.get(value, value) if isinstance(value, str) else value


def differences(expected: dict[str, list[Any]], found: dict[str, list[Any]]) -> list[str]:
    """Name what differs, field by field."""
    lines = [
        f"{name}: {len(rows)} rows, not {len(expected[name])}"
        for name, rows in found.items()
        if len(rows) != len(expected[name])
    ]
    for name, rows in expected.items():
        for one, other in zip(rows, found[name], strict=False):
            fields = sorted({*one, *other})
            lines += [
                f"{name}.{key}: {other.get(key)!r}, not {one.get(key)!r}"
                for key in fields
                if one.get(key) != other.get(key)
            ]
    return lines


def clean(wired: Wired) -> None:
    for collection in COLLECTIONS.values():
        if collection != "whatsappconfigs":
            wired.store.database[collection].delete_many({})


def applied(wired: Wired, deliveries: list[bytes], *, batch: int, workers: int) -> dict[str, list[Any]]:
    """Apply deliveries to an empty database and return what it then holds."""
    clean(wired)
    # A repetition with the same bytes never gets past the receiver; with other white space it does.
    ids = [wired.store_webhook(body + b" " * number) for number, body in enumerate(deliveries)]
    batches = [ids[start : start + batch] for start in range(0, len(ids), batch)]
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(wired.receiving.receive, batches))
    assert wired.store.webhookevents.count_documents({"status": {"$ne": "processed"}}) == 0
    return snapshot(wired)


@pytest.fixture(scope="module")
def day(mongo_uri: str, redis_uri: str, indexed_database: str) -> Iterator[tuple[Wired, dict[str, list[Any]]]]:
    """Services, and what the day leaves when it comes in order, once, one by one."""
    from tests.support.wired import wire

    wired = wire(mongo_uri, redis_uri, indexed_database)
    for collection in COLLECTIONS.values():
        wired.store.database[collection].delete_many({})
    wired.account = add_meta_account(wired)
    yield wired, applied(wired, a_day(), batch=1, workers=1)
    wired.store.client.close()


def test_the_day_in_order_is_what_people_saw(day: tuple[Wired, dict[str, list[Any]]]) -> None:
    _, expected = day

    texts = {row["providerMessageId"]: row.get("text") for row in expected["messages"]}
    chats = {row["phoneNumber"]: row for row in expected["chats"]}
    assert texts["wamid.A1"] == "newer"
    assert len(chats) == 3
    assert chats[f"+{CLEO}"]["totalMessages"] == 2
    assert chats[f"+{ANNA}"]["customerName"] == "Anna Maria"
    assert chats[f"+{ANNA}"]["firstResponseTime"] == 190
    assert expected["pendingupdates"] == []


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10**6), batch=st.sampled_from([1, 3, 40]), workers=st.sampled_from([1, 4]))
def test_any_permutation_and_repetition_leaves_the_same(
    day: tuple[Wired, dict[str, list[Any]]], seed: int, batch: int, workers: int
) -> None:
    wired, expected = day
    chance = random.Random(seed)
    deliveries = a_day()
    deliveries += chance.choices(deliveries, k=chance.randrange(12))
    chance.shuffle(deliveries)

    assert differences(expected, applied(wired, deliveries, batch=batch, workers=workers)) == []


def test_a_full_replay_leaves_the_same(day: tuple[Wired, dict[str, list[Any]]]) -> None:
    wired, expected = day
    assert applied(wired, a_day(), batch=7, workers=2) == expected
    ids = wired.events.ended_ids()

    for event_id in ids:
        wired.events.reopen(event_id, now=wired.clock.now())
    wired.receiving.receive(ids)

    assert snapshot(wired) == expected
