from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import bson
import pytest
from bson.codec_options import CodecOptions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.chat import Chat, LastMessage
from models.message import Context, Message
from models.store.codec import camel, encode, field_names, from_document, to_changes, to_document
from models.values import ChatStatus, Direction, MessageStatus, MessageType, SenderType
from tests.models.entities import ENTITIES, entity

LAX = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
NOW = datetime(2026, 11, 22, 10, 0, 0, 123000, tzinfo=UTC)
A_BIT_LATER = NOW + timedelta(microseconds=999)
AS_STORED: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True, tzinfo=UTC)


def stored(document: dict[str, Any]) -> dict[str, Any]:
    """A document as it comes back from MongoDB."""
    return bson.decode(bson.encode(document), codec_options=AS_STORED)


def message(**changes: Any) -> Message:
    required: dict[str, Any] = {
        "id": "msg_1",
        "chat_id": "chat_1",
        "config_id": "cfg_1",
        "direction": Direction.INBOUND,
        "status": MessageStatus.RECEIVED,
        "sender_type": SenderType.CUSTOMER,
        "provider": "meta-whatsapp",
        "timestamp": NOW,
        "received_at": NOW,
    }
    return Message(**(required | changes))


@pytest.mark.parametrize("cls", ENTITIES, ids=lambda cls: cls.__name__)
@LAX
@given(data=st.data())
def test_what_is_written_is_read_again(cls: type, data: st.DataObject) -> None:
    original = data.draw(entity(cls))
    assert from_document(cls, stored(to_document(original))) == original


@pytest.mark.parametrize("cls", ENTITIES, ids=lambda cls: cls.__name__)
def test_documents_never_name_the_internal_id(cls: type) -> None:
    assert "_id" not in field_names(cls).values()
    assert "id" in field_names(cls)


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("phone_number", "phoneNumber"),
        ("from_", "from"),
        ("token_sha256", "tokenSha256"),
        ("whatsapp_business_account_id", "whatsappBusinessAccountId"),
        ("id", "id"),
    ],
)
def test_names_are_spelled_as_the_seed_does(name: str, spelled: str) -> None:
    assert camel(name) == spelled


@pytest.mark.parametrize("cls", ENTITIES, ids=lambda cls: cls.__name__)
def test_no_two_fields_share_a_document_name(cls: type) -> None:
    assert len(set(field_names(cls).values())) == len(fields(cls))


def test_absent_values_are_not_written_and_false_ones_are() -> None:
    document = to_document(message(text=None))
    assert "text" not in document
    assert document["isDeleted"] is False


def test_words_are_written_as_plain_strings() -> None:
    assert type(to_document(message())["status"]) is str


def test_parts_are_written_as_documents() -> None:
    document = to_document(message(context=Context(message_id="wamid.1", from_="+447700900123")))
    assert document["context"] == {"messageId": "wamid.1", "from": "+447700900123"}


def test_moments_are_cut_to_milliseconds() -> None:
    document = to_document(message(timestamp=NOW + timedelta(microseconds=999)))
    assert document["timestamp"] == NOW


def test_moments_of_other_zones_are_the_same_moment_in_utc() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5, minutes=45)))
    assert to_document(message(timestamp=elsewhere))["timestamp"].tzinfo is UTC
    assert from_document(Message, stored(to_document(message(timestamp=elsewhere)))).timestamp == NOW


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        to_document(message(timestamp=NOW.replace(tzinfo=None)))


def test_moments_are_read_as_utc_however_the_driver_spells_it() -> None:
    raw = bson.encode(to_document(message()))
    aware: dict[str, Any] = bson.decode(raw, codec_options=CodecOptions(tz_aware=True))
    assert from_document(Message, aware).timestamp.tzinfo is UTC
    naive: dict[str, Any] = bson.decode(raw)
    assert from_document(Message, naive).timestamp == NOW


def test_fields_of_a_newer_version_are_ignored() -> None:
    document = to_document(message()) | {"_id": bson.ObjectId(), "inventedLater": {"a": 1}}
    assert from_document(Message, document) == message()


def test_a_word_of_a_newer_version_stays_a_string() -> None:
    read = from_document(Message, to_document(message()) | {"type": "poll"})
    assert str(read.type) == "poll"
    assert to_document(read)["type"] == "poll"


def test_null_counts_as_absent() -> None:
    chat = Chat(id="chat_1", config_id="cfg_1", address_id="adr_1", provider="twilio")
    document = to_document(chat) | {"labels": None, "unreadCount": None, "assignedTo": None}
    assert from_document(Chat, document) == chat


def test_a_document_without_a_required_field_is_refused() -> None:
    document = to_document(message())
    del document["chatId"]
    with pytest.raises(TypeError, match="chat_id"):
        from_document(Message, document)


def test_changes_are_told_apart_from_removals() -> None:
    last = LastMessage(
        id="msg_1",
        type=MessageType.TEXT,
        direction=Direction.INBOUND,
        timestamp=NOW,
        received_at=NOW,
        status=MessageStatus.RECEIVED,
        sender_type=SenderType.CUSTOMER,
    )
    changes, removals = to_changes(
        {"status": ChatStatus.ASSIGNED, "assigned_to": None, "last_message": last, "unread_count": 0}
    )
    assert changes == {"status": "assigned", "lastMessage": to_document(last), "unreadCount": 0}
    assert list(removals) == ["assignedTo"]


@LAX
@given(original=entity(Message))
def test_changes_are_written_as_whole_documents_are(original: Message) -> None:
    values = {field.name: getattr(original, field.name) for field in fields(original)}
    changes, removals = to_changes(values)
    assert changes == to_document(original)
    assert set(removals) == set(field_names(Message).values()) - set(changes)


def test_containers_are_encoded_through_and_through() -> None:
    assert encode({"at": [NOW + timedelta(microseconds=1)], "to": {"x": ChatStatus.CLOSED}}) == {
        "at": [NOW],
        "to": {"x": "closed"},
    }


@dataclass(slots=True, kw_only=True)
class Ledger:
    moments: dict[str, datetime]
    words: dict[str, ChatStatus]


def test_the_values_of_a_mapping_are_translated_like_any() -> None:
    ledger = Ledger(moments={"GB.1": A_BIT_LATER}, words={"x": ChatStatus.CLOSED})
    document = to_document(ledger)
    assert document == {"moments": {"GB.1": NOW}, "words": {"x": "closed"}}
    assert type(document["words"]["x"]) is str
    assert from_document(Ledger, document).words["x"] is ChatStatus.CLOSED


@dataclass(slots=True, kw_only=True)
class Single:
    only: str


def test_an_entity_of_one_field_is_no_exception() -> None:
    assert from_document(Single, to_document(Single(only="x"))) == Single(only="x")
