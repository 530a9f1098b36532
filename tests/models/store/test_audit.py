"""The audit trail: a change and its entry stand or fall together."""

from datetime import UTC, datetime

import pytest
from bson.errors import InvalidDocument
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from models.audit_entry import ActorType, AuditEntry
from models.store.audit import AuditTrail, Session
from models.store.collections import Store
from runtime.errors import Conflict

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
def store(mongo_client: "MongoClient[dict[str, object]]", database_name: str) -> Store:
    store = Store(mongo_client[database_name])
    # Collections made beforehand: making one within a transaction would be another matter.
    store.labels.insert_one({"id": "before"})
    store.auditentries.insert_one({"id": "before"})
    return store


def entry(**values: object) -> AuditEntry:
    defaults = {"id": "aud_1", "actor_type": ActorType.SYSTEM, "verb": "make", "entity": "label", "at": NOON}
    return AuditEntry(**{**defaults, **values})  # type: ignore[arg-type]


def test_both_stand_and_the_result_is_returned(store: Store) -> None:
    def change(session: Session) -> str:
        store.labels.insert_one({"id": "made"}, session=session)
        return "made"

    assert AuditTrail(store).together(change, entry(reason="because")) == "made"
    assert store.labels.count_documents({"id": "made"}) == 1
    written = store.auditentries.find_one({"id": "aud_1"})
    assert written is not None
    assert (written["verb"], written["reason"], written["createdAt"]) == ("make", "because", NOON)


def test_a_change_that_fails_leaves_no_entry(store: Store) -> None:
    def change(session: Session) -> None:
        store.labels.insert_one({"id": "made"}, session=session)
        raise Conflict("no")

    with pytest.raises(Conflict):
        AuditTrail(store).together(change, entry())
    assert store.labels.count_documents({"id": "made"}) == 0
    assert store.auditentries.count_documents({"id": "aud_1"}) == 0


def test_a_commit_that_fails_leaves_neither(store: Store) -> None:
    admin = store.client.admin
    refuse = {"failCommands": ["commitTransaction"], "errorCode": 8}
    admin.command({"configureFailPoint": "failCommand", "mode": {"times": 1}, "data": refuse})
    with pytest.raises(OperationFailure):
        AuditTrail(store).together(lambda session: store.labels.insert_one({"id": "made"}, session=session), entry())
    # The fail point kept the server from ending the transaction, which would hold its locks for a minute.
    admin.command({"killAllSessions": []})
    assert store.labels.count_documents({"id": "made"}) == 0
    assert store.auditentries.count_documents({"id": "aud_1"}) == 0


def test_an_entry_that_fails_undoes_the_change(store: Store) -> None:
    with pytest.raises(InvalidDocument):
        AuditTrail(store).together(
            lambda session: store.labels.insert_one({"id": "made"}, session=session), entry(after={"x": object()})
        )
    assert store.labels.count_documents({"id": "made"}) == 0
