"""What storing a group promises, row by row, and what it never does: promise what a majority has not confirmed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from models.store import intake
from models.store.collections import Store
from models.store.intake import Intake, IntakeRow, Stored, intake_row

Client = MongoClient[dict[str, Any]]


def row(body: bytes) -> IntakeRow:
    return intake_row(
        provider="meta-whatsapp",
        config_id="cfg_1",
        body=body,
        content_type="application/json",
        query="",
        headers={},
        received_at=datetime(2026, 11, 22, 12, tzinfo=UTC),
    )


@contextmanager
def failing(client: Client, *, times: int = 1, **how: Any) -> Iterator[None]:
    """Let inserts fail in the server so many times."""
    data = {"failCommands": ["insert"], **how}
    client.admin.command("configureFailPoint", "failCommand", mode={"times": times}, data=data)
    try:
        yield
    finally:
        client.admin.command("configureFailPoint", "failCommand", mode="off")


def test_each_row_of_a_group_has_its_own_result(store: Store) -> None:
    taken = Intake(store.webhookevents)
    assert taken.store([row(b"a"), row(b"b")]) == [Stored.NEW] * 2

    assert taken.store([row(b"a"), row(b"c"), row(b"c"), row(b"d")]) == [
        Stored.DUPLICATE,
        Stored.NEW,
        Stored.DUPLICATE,
        Stored.NEW,
    ]


@contextmanager
def storing_nothing(store: Store) -> Iterator[None]:
    """Let the server take the command and store none of its rows, each for a reason of its own (192)."""
    admin = store.client.admin
    told = {"collectionNS": store.webhookevents.full_name}
    admin.command("configureFailPoint", "failCollectionInserts", mode="alwaysOn", data=told)
    try:
        yield
    finally:
        admin.command("configureFailPoint", "failCollectionInserts", mode="off")


def test_a_row_is_refused_for_good_only_for_its_own_sake(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = Intake(store.webhookevents)
    with storing_nothing(store):
        assert taken.store([row(b"a")]) == [Stored.REFUSED]
        monkeypatch.setattr(intake, "PASSING", intake.PASSING | {192})
        assert taken.store([row(b"a"), row(b"b")]) == [Stored.MISSED] * 2

    assert taken.store([row(b"a")]) == [Stored.NEW]
    assert {10107, 11602, 14031} <= intake.PASSING


def test_a_group_whose_answer_was_lost_is_stored_once(store: Store, mongo_client: Client) -> None:
    with failing(mongo_client, closeConnection=True):
        assert Intake(store.webhookevents).store([row(b"a"), row(b"b")]) == [Stored.NEW] * 2

    assert store.webhookevents.count_documents({}) == 2


@pytest.mark.parametrize("code", [64, 100])
def test_nothing_is_promised_that_a_majority_did_not_confirm_not_even_of_repetitions(
    store: Store, mongo_client: Client, code: int
) -> None:
    taken = Intake(store.webhookevents)
    taken.store([row(b"a")])
    unconfirmed = {"code": code, "errmsg": "waiting for replication timed out", "errInfo": {"wtimeout": code == 64}}

    for group in ([row(b"b")], [row(b"a")], [row(b"a"), row(b"c")]):
        with failing(mongo_client, writeConcernError=unconfirmed), pytest.raises(PyMongoError):
            taken.store(group)


def test_a_server_that_hangs_holds_up_no_group_for_longer_than_vendors_wait(
    store: Store, mongo_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "STORE_LIMIT_S", 0.5)
    with failing(mongo_client, blockConnection=True, blockTimeMS=3_000):
        began = time.monotonic()
        with pytest.raises(PyMongoError):
            Intake(store.webhookevents).store([row(b"a")])
        took = time.monotonic() - began

    assert took < 2
    assert Intake(store.webhookevents).store([row(b"b")]) == [Stored.NEW]


def test_a_repetition_is_counted_and_its_first_copy_named_while_it_waits(store: Store) -> None:
    taken = Intake(store.webhookevents)
    first, done = row(b"a"), row(b"b")
    taken.store([first, done])
    store.webhookevents.update_one({"id": done.id}, {"$set": {"status": "processed"}})

    assert taken.note_redelivery([first.delivery_key, first.delivery_key, done.delivery_key]) == [first.id]
    counted = {event["id"]: event["redeliveries"] for event in store.webhookevents.find()}
    assert counted == {first.id: 2, done.id: 1}


@pytest.mark.parametrize(("seconds", "timeless", "same"), [(59, True, True), (60, True, False), (86_400, False, True)])
def test_a_state_without_a_time_is_the_same_delivery_for_a_minute_only(
    seconds: int, timeless: bool, same: bool
) -> None:
    first, second = (
        intake_row(
            provider="chatapi",
            config_id="cfg_1",
            body=b'{"accountStatus":"got qr code"}',
            content_type="application/json",
            query="",
            headers={},
            received_at=datetime(2026, 11, 22, 15, 4, tzinfo=UTC) + timedelta(seconds=later),
            timeless=timeless,
        )
        for later in (0, seconds)
    )
    assert (first.delivery_key == second.delivery_key) is same
