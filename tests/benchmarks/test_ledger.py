from collections.abc import Callable
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from benchmarks.baselines import ordinary_worker
from benchmarks.ledger import problems
from benchmarks.traffic import PHONE_NUMBER_ID, Expected, Traffic

EVENTS = 60


@pytest.fixture
def database(mongo_client: "MongoClient[dict[str, Any]]", database_name: str) -> "Database[dict[str, Any]]":
    """A database to which the ordinary worker applied a short day, every event of it twice."""
    database = mongo_client[database_name]
    ordinary_worker.prepare(database)
    database["whatsappconfigs"].insert_one({"phoneNumberId": PHONE_NUMBER_ID, "isActive": True})
    return database


def lived(database: "Database[dict[str, Any]]") -> Expected:
    day = Traffic(events=EVENTS, customers=6)
    worker = ordinary_worker.OrdinaryWorker(database)
    bodies = [*day.before(), *day.mixed()]
    for body in bodies:
        event = {"status": "pending", "rawBody": body}
        event_id = database["webhookevents"].insert_one(event).inserted_id
        worker.process(event_id)
        database["webhookevents"].update_one({"_id": event_id}, {"$set": {"status": "pending"}})
        worker.process(event_id)
    return day.expected


def events(database: "Database[dict[str, Any]]") -> int:
    return database["webhookevents"].count_documents({})


def test_nothing_is_wrong_where_everything_was_applied_once(database: "Database[dict[str, Any]]") -> None:
    expected = lived(database)
    assert problems(database, expected, events=events(database)) == []


def test_every_harm_is_noticed(database: "Database[dict[str, Any]]") -> None:
    expected = lived(database)
    messages, chats, stored = database["messages"], database["chats"], database["webhookevents"]
    inbound = min(expected.messages - expected.statuses.keys())
    messages.drop_indexes()
    harms: dict[str, Callable[[], object]] = {
        "messages": lambda: messages.insert_one({"providerMessageId": inbound, "direction": "inbound"}),
        "unread counts": lambda: chats.update_one({}, {"$inc": {"unreadCount": 1}}),
        "statuses": lambda: messages.update_one({"direction": "outbound"}, {"$set": {"status": "failed"}}),
        "reactions": lambda: messages.update_one({"reactions.0": {"$exists": True}}, {"$unset": {"reactions": 1}}),
        "processed events": lambda: stored.update_one({}, {"$set": {"status": "pending"}}),
        "chats": lambda: chats.insert_one({"phoneNumber": "+447700900999"}),
    }
    for kind, harm in harms.items():
        assert kind not in named(problems(database, expected, events=events(database)))
        harm()
        assert kind in named(problems(database, expected, events=events(database)))


def named(found: list[str]) -> set[str]:
    return {problem.partition(" ")[2].partition(" differ")[0] for problem in found}
