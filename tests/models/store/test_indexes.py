import json
import multiprocessing
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from pymongo import MongoClient, monitoring
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from models.store import indexes
from models.store.collections import Store
from models.store.indexes import INDEXES, Index
from runtime.errors import Conflict

ROOT = Path(__file__).parents[3]
SEED: dict[str, list[dict[str, Any]]] = json.loads((ROOT / "tests/models/seed_indexes.json").read_text())
NAMES = {f"{collection}.{index.name}" for collection, table in INDEXES.items() for index in table}
Documents = Database[dict[str, Any]]


def reported(database: Documents) -> dict[str, set[str]]:
    """All indexes the database has, but those of `_id`, in a form that can be compared."""
    return {
        collection: {
            json.dumps([list(spec["key"].items()), options_of(spec)], sort_keys=True)
            for spec in database[collection].list_indexes()
            if spec["name"] != "_id_"
        }
        for collection in INDEXES
    }


def options_of(spec: Any) -> dict[str, Any]:
    return {name: value for name, value in spec.items() if name not in {"v", "key", "name"}}


def documented() -> dict[str, set[str]]:
    return {
        collection: {json.dumps([list(one.key.items()), one.options], sort_keys=True) for one in table}
        for collection, table in INDEXES.items()
    }


def apply_elsewhere(uri: str, name: str, barrier: Any, results: Any) -> None:
    """Apply the table in a process of its own, at the same moment as the others."""
    with MongoClient[dict[str, Any]](uri) as client:
        barrier.wait(30)
        indexes.apply(client[name])
        results.put(indexes.missing(client[name]))


class TestTable:
    def test_names_are_unique_in_a_collection(self) -> None:
        assert len(NAMES) == sum(len(table) for table in INDEXES.values())

    @pytest.mark.parametrize("collection", SEED)
    def test_every_index_of_the_seed_is_there_or_begins_another(self, collection: str) -> None:
        for seeded in SEED[collection]:
            keys = [(field, direction) for field, direction in seeded["keys"]]
            found = [index for index in INDEXES[collection] if list(index.key.items())[: len(keys)] == keys]
            assert found, f"{collection} {seeded['keys']}"
            assert not seeded["unique"] or any(index.unique and len(index.key) == len(keys) for index in found)

    @pytest.mark.parametrize("collection", INDEXES)
    def test_ids_are_unique(self, collection: str) -> None:
        assert Index("id", unique=True) in INDEXES[collection]


class TestApply:
    def test_an_empty_database_gets_all(self, database: Documents) -> None:
        assert set(indexes.missing(database)) == NAMES
        assert set(indexes.apply(database)) == NAMES
        assert reported(database) == documented()

    def test_a_second_time_changes_nothing(self, store: Store) -> None:
        assert indexes.apply(store.database) == []
        assert indexes.missing(store.database) == []

    def test_a_dropped_index_is_missed_and_made_again(self, database: Documents) -> None:
        indexes.apply(database)
        database.messages.drop_index("configId_1_providerMessageId_1")
        assert indexes.missing(database) == ["messages.configId_1_providerMessageId_1"]
        assert indexes.apply(database) == ["messages.configId_1_providerMessageId_1"]

    def test_an_index_with_other_options_is_replaced(self, database: Documents) -> None:
        database.labels.create_index("name")
        database.pendingupdates.create_index("expiresAt", expireAfterSeconds=60)
        assert {"labels.name_1", "pendingupdates.expiresAt_1"} <= set(indexes.apply(database))
        assert reported(database) == documented()

    def test_indexes_of_operators_stay(self, database: Documents) -> None:
        database.chats.create_index("customerInfo.email", name="ours")
        indexes.apply(database)
        assert "ours" in database.chats.index_information()

    def test_the_same_index_under_another_name_is_recognised(self, database: Documents) -> None:
        database.chats.create_index([("createdAt", -1)], name="by_age")
        assert "chats.createdAt_-1" not in indexes.apply(database)
        assert indexes.missing(database) == []

    def test_rows_that_repeat_a_unique_value_are_named_but_not_quoted(self, database: Documents) -> None:
        row = {"isDeleted": False, "phoneNumber": "+447700900123"}
        database.customers.insert_many([{"id": "cus_1", **row}, {"id": "cus_2", **row}])
        with pytest.raises(Conflict, match=r"customers.*phoneNumber") as refusal:
            indexes.apply(database)
        assert "900123" not in str(refusal.value)
        assert refusal.value.__suppress_context__

    def test_ten_threads_at_once_all_succeed(self, database: Documents) -> None:
        database.labels.create_index("name")
        barrier = Barrier(10)

        def apply() -> list[str]:
            barrier.wait(30)
            indexes.apply(database)
            return indexes.missing(database)

        with ThreadPoolExecutor(10) as pool:
            results = [pool.submit(apply) for _ in range(10)]
        assert [result.result() for result in results] == [[]] * 10
        assert reported(database) == documented()

    def test_processes_starting_together_all_succeed(self, mongo_uri: str, database: Documents) -> None:
        database.labels.create_index("name")
        context = multiprocessing.get_context("spawn")
        barrier, results = context.Barrier(4), context.Queue()
        arguments = (mongo_uri, database.name, barrier, results)
        processes = [context.Process(target=apply_elsewhere, args=arguments) for _ in range(4)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(60)
        assert [process.exitcode for process in processes] == [0] * 4
        assert [results.get(timeout=5) for _ in processes] == [[]] * 4
        assert reported(database) == documented()


class Rival(monitoring.CommandListener):
    """Another process: it found the old index too, and drops it by name when we have just replaced it."""

    def __init__(self, database: Documents) -> None:
        self._database = database
        self.dropped = False

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        if event.command_name == "createIndexes" and not self.dropped:
            indexed = self._database.labels.index_information()
            if "partialFilterExpression" in indexed.get("name_1", {}):
                self._database.labels.drop_index("name_1")
                self.dropped = True


def test_what_a_rival_drops_meanwhile_is_made_again(mongo_uri: str, database: Documents) -> None:
    database.labels.create_index("name")
    rival = Rival(database)
    with MongoClient[dict[str, Any]](mongo_uri, event_listeners=[rival]) as client:
        indexes.apply(client[database.name])
    assert rival.dropped
    assert reported(database) == documented()


#: A unique index, the rows it is about (but for their id), and a change that takes a row out of its scope.
REUSABLE = [
    ("labels", {"name": "vip"}, {"isDeleted": True}),
    ("agents", {"userId": "u1"}, {"isDeleted": True}),
    ("customers", {"phoneNumber": "+447700900123"}, {"isDeleted": True}),
    ("blockednumbers", {"phoneNumber": "+447700900123", "isActive": True}, {"isDeleted": True}),
    ("blockednumbers", {"phoneNumber": "+447700900123", "isActive": True}, {"isActive": False}),
    ("blockednumbers", {"userId": "GB.1", "isActive": True}, {"isActive": False}),
    ("templates", {"configId": "cfg_1", "name": "hello", "language": "en"}, {"isDeleted": True}),
    ("chats", {"configId": "cfg_1", "addressId": "adr_1"}, {"isDeleted": True}),
    ("chatassignments", {"chatId": "chat_1", "status": "active"}, {"status": "completed"}),
]
#: Rows that nothing lets twice in.
ONCE = [
    ("messages", {"configId": "cfg_1", "providerMessageId": "wamid.1"}),
    ("addresses", {"configId": "cfg_1", "kind": "phone", "value": "+447700900123", "canonical": "a"}),
    ("webhookevents", {"deliveryKey": b"k"}),
    ("agentperformance", {"agentId": "agt_1", "date": datetime(2026, 11, 22, tzinfo=UTC)}),
    ("apitokens", {"tokenSha256": "0" * 64}),
    ("pendingupdates", {"configId": "cfg_1", "key": "k"}),
    ("followups", {"origin": "window:chat_1:1793100000000"}),
]
#: Rows that lack what would have to be unique.
ANONYMOUS = [
    ("customers", {}),
    ("agents", {}),
    ("blockednumbers", {"isActive": True}),
    ("messages", {"configId": "cfg_1"}),
]


class TestUniqueness:
    @pytest.mark.parametrize(("collection", "row", "removal"), REUSABLE)
    def test_what_was_deleted_can_be_made_again(
        self, store: Store, collection: str, row: dict[str, Any], removal: dict[str, Any]
    ) -> None:
        rows = store.database[collection]
        rows.insert_one({"id": "1", "isDeleted": False, **row})
        with pytest.raises(DuplicateKeyError):
            rows.insert_one({"id": "2", "isDeleted": False, **row})
        rows.update_one({"id": "1"}, {"$set": removal})
        rows.insert_one({"id": "2", "isDeleted": False, **row})
        with pytest.raises(DuplicateKeyError):
            rows.insert_one({"id": "3", "isDeleted": False, **row})

    @pytest.mark.parametrize(("collection", "row"), ONCE)
    def test_what_identifies_a_fact_is_there_once(self, store: Store, collection: str, row: dict[str, Any]) -> None:
        rows = store.database[collection]
        rows.insert_one({"id": "1", **row})
        with pytest.raises(DuplicateKeyError):
            rows.insert_one({"id": "2", **row})

    @pytest.mark.parametrize(("collection", "row"), ANONYMOUS)
    def test_many_may_lack_what_is_unique(self, store: Store, collection: str, row: dict[str, Any]) -> None:
        rows = store.database[collection]
        rows.insert_many([{"id": str(n), "isDeleted": False, **row} for n in range(3)])
        assert rows.count_documents({}) == 3

    def test_two_spellings_of_a_number_are_one_address(self, store: Store) -> None:
        address = {"configId": "cfg_1", "kind": "phone", "canonical": "+5511900000000"}
        store.addresses.insert_one({"id": "1", "value": "+5511900000000", **address})
        with pytest.raises(DuplicateKeyError):
            store.addresses.insert_one({"id": "2", "value": "+551100000000", **address})
        store.addresses.insert_one({"id": "3", "value": "x", **address, "configId": "cfg_2"})

    def test_one_number_may_write_to_two_accounts(self, store: Store) -> None:
        rows = [{"id": str(n), "configId": f"cfg_{n}", "providerMessageId": "wamid.1"} for n in range(2)]
        store.messages.insert_many(rows)
        assert store.messages.count_documents({"providerMessageId": "wamid.1"}) == 2


NOW = datetime(2026, 11, 22, tzinfo=UTC)
PROVIDER_IDS = {"configId": "c", "providerMessageId": {"$in": ["a", "b"]}}
#: Query -> the index that must be fit for it. Which of several fit ones is best, MongoDB learns from rows.
LOOKUPS: list[tuple[str, dict[str, Any], str]] = [
    ("messages", PROVIDER_IDS, "configId_1_providerMessageId_1"),
    ("messages", {"providerMessageId": "a"}, "providerMessageId_1"),
    ("chats", {"configId": "c", "addressId": "a", "isDeleted": False}, "configId_1_addressId_1"),
    ("addresses", {"configId": "c", "kind": "phone", "canonical": "a"}, "configId_1_canonical_1_kind_1"),
    ("webhookevents", {"status": "pending", "nextAttemptAt": {"$lte": NOW}}, "status_1_nextAttemptAt_1"),
    ("webhookevents", {"status": "pending", "leaseUntil": {"$lte": NOW}}, "status_1_nextAttemptAt_1"),
    ("webhookevents", {"status": "failed"}, "status_1"),
    ("webhookevents", {"eventType": "message"}, "eventType_1"),
    ("pendingupdates", PROVIDER_IDS, "configId_1_providerMessageId_1"),
    ("pendingupdates", {"clientRef": {"$in": ["a", "b"]}}, "clientRef_1"),
    ("customers", {"phoneNumber": "+447700900123", "isDeleted": False}, "phoneNumber_1"),
    ("apitokens", {"tokenSha256": "0"}, "tokenSha256_1"),
]
LISTS: list[tuple[str, dict[str, Any], dict[str, int]]] = [
    ("chats", {"isDeleted": False}, {"lastMessageTime": -1, "id": -1}),
    ("chats", {"isDeleted": False, "status": "unassigned"}, {"lastMessageTime": -1, "id": -1}),
    ("chats", {"isDeleted": False, "assignedTo": "agt_1"}, {"lastMessageTime": -1, "id": -1}),
    ("messages", {"chatId": "c", "isDeleted": False}, {"timestamp": -1, "receivedAt": -1, "id": -1}),
    ("messages", {"chatId": "c", "isDeleted": False}, {"timestamp": 1, "receivedAt": 1, "id": 1}),
    ("webhookevents", {}, {"id": -1}),
]


class TestUse:
    @pytest.mark.parametrize(("collection", "query", "index"), LOOKUPS)
    def test_look_ups_find_their_index(self, store: Store, collection: str, query: dict[str, Any], index: str) -> None:
        considered = store.database[collection].find(query).explain()["queryPlanner"]
        assert f"'indexName': '{index}'" in str(considered)

    @pytest.mark.parametrize(("collection", "query", "sort"), LISTS)
    def test_lists_are_read_in_order_without_sorting(
        self, store: Store, collection: str, query: dict[str, Any], sort: dict[str, int]
    ) -> None:
        planned = store.database[collection].find(query).sort(list(sort.items())).explain()
        stages = re.findall(r"'stage': '(\w+)'", str(planned["queryPlanner"]["winningPlan"]))
        assert "IXSCAN" in stages
        assert "SORT" not in stages

    def test_only_ended_webhooks_expire(self, store: Store) -> None:
        past = datetime.now(UTC) - timedelta(days=1)
        ended = {"id": "1", "deliveryKey": b"1", "status": "processed", "expiresAt": past}
        waiting = {"id": "2", "deliveryKey": b"2", "status": "pending"}
        store.webhookevents.insert_many([ended, waiting])
        found = store.webhookevents.find({"expiresAt": {"$exists": True}}).hint("expiresAt_1")
        assert [row["id"] for row in found] == ["1"]
