"""ChatAPI through the real receiver, worker and database: what is stored, and what becomes of it."""

import json
from collections.abc import Sequence
from datetime import timedelta
from io import BytesIO
from typing import Any

import bson
import pytest

from ingest.committer import Committer
from ingest.door import StreetDoor
from ingest.webhooks import Receiver
from models.message import Message
from models.store.codec import from_document
from models.store.intake import Intake
from models.whatsapp_config import WhatsAppConfig
from providers import registry
from providers.accounts import open_accounts
from providers.base import Account
from providers.chatapi import PROVIDER
from providers.directory import AccountDirectory
from tests.providers.chatapi_bodies import CHAT, GROUP, INSTANCE, MEMBER, OWN_ID, ack, body, echo, item
from tests.support.wired import Wired

SECRET = "kQ3v9-n7Zr2_u0WfX5tLbA"
PATH = "/api/whatsapp/webhooks/chatapi"


@pytest.fixture
def account(wired: Wired) -> WhatsAppConfig:
    """Add a ChatAPI account beside the Meta one."""
    return wired.connecting.add(PROVIDER, {"instanceId": INSTANCE, "webhookSecret": SECRET, "apiKey": "k"})


@pytest.fixture
def door(wired: Wired, account: WhatsAppConfig) -> StreetDoor:
    """Open the street door on the test's database."""

    def load() -> Sequence[Account]:
        return open_accounts(wired.configs.live(), wired.settings.keyring(), at=wired.clock.now())

    directory = AccountDirectory(load, providers=registry.by_names(), ttl=timedelta(minutes=1))
    directory.refresh(older_than=0)
    intake = Intake(wired.store.webhookevents)
    committer = Committer(intake, limit=100, patience=5.0, committed=lambda _rows, _stored: None)
    receiver = Receiver(providers=registry.by_slugs(), directory=directory, committer=committer, now=wired.clock.now)
    return StreetDoor(lambda _e, _s: [], receiver, max_body=1_000_000, public_url="https://inbox.example")


def post(door: StreetDoor, target: str, sent: bytes, **headers: str) -> int:
    path, _, query = target.partition("?")
    answers: list[str] = []
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(sent)),
        "wsgi.input": BytesIO(sent),
        **headers,
    }
    b"".join(door(environ, lambda status, _headers: answers.append(status)))
    return int(answers[0][:3])


def rows(wired: Wired) -> list[dict[str, Any]]:
    return list(wired.store.webhookevents.find())


def messages(wired: Wired) -> list[Message]:
    return [from_document(Message, found) for found in wired.store.messages.find().sort("timestamp")]


def test_the_secret_opens_the_door_wherever_it_stands_and_is_stored_nowhere(
    wired: Wired, door: StreetDoor, account: WhatsAppConfig
) -> None:
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {SECRET}"}
    targets: list[tuple[str, dict[str, str]]] = [
        (f"/api/whatsapp/webhooks?token={SECRET}", {}),
        (f"{PATH}?token={SECRET}", {}),
        (f"{PATH}/{account.id}?secret={SECRET}", {}),
        (f"{PATH}/{account.id}/{SECRET}", {}),
        (PATH, bearer),
    ]
    for index, (target, headers) in enumerate(targets):
        assert post(door, target, body(ack=[ack(id=f"x{index}")]), **headers) == 200
    stored = rows(wired)
    assert len(stored) == len(targets)
    assert {row["configId"] for row in stored} == {account.id}
    assert SECRET.encode() not in b"".join(bson.encode(row) for row in stored)


def test_without_the_secret_or_for_another_instance_nothing_is_stored(
    wired: Wired, door: StreetDoor, account: WhatsAppConfig
) -> None:
    other = json.dumps({"instanceId": "999", "ack": [ack()]}).encode()
    assert post(door, PATH, body(ack=[ack()])) == 401
    assert post(door, f"{PATH}/{account.id}/guess", body(ack=[ack()])) == 401
    assert post(door, f"{PATH}/{account.id}/{SECRET}/more", body(ack=[ack()])) == 404
    assert post(door, f"{PATH}/{account.id}?token={SECRET}", other) == 401
    assert post(door, f"/api/whatsapp/webhooks/meta/{account.id}/{SECRET}", body(ack=[ack()])) == 404
    assert rows(wired) == []


def test_an_echo_of_what_we_know_changes_nothing_and_one_from_the_phone_is_an_answer(
    wired: Wired, account: WhatsAppConfig
) -> None:
    phone = f"true_{CHAT}_3EB02D387AB98437E5F5"
    deliveries = [
        body(messages=[item(time=1795359601)]),
        body(messages=[echo(self=1, time=1795359610)]),
        body(messages=[echo(self=1, time=1795359610)], instanceId=int(INSTANCE)),
        body(messages=[echo(id=phone, time=1795359620)]),
        body(ack=[ack("viewed")]),
    ]
    wired.clock_hand.move(timedelta(days=10))
    ended = wired.deliver(*deliveries, config=account)
    assert [one.items[0].outcome for one in ended] == ["applied", "applied", "duplicate", "applied", "applied"]
    told = messages(wired)
    assert [(one.direction, one.sender_type) for one in told] == [
        ("inbound", "customer"),
        ("outbound", "business_app"),
        ("outbound", "business_app"),
    ]
    assert [one.status for one in told if one.provider_message_id == OWN_ID] == ["read"]
    (chat,) = wired.store.chats.find()
    assert (chat["totalMessages"], chat["unreadCount"], chat["providerChatId"]) == (3, 1, CHAT)
    assert "windowExpiresAt" not in chat
    assert "waitingSince" not in chat


def test_a_group_is_one_chat_whose_messages_name_their_members(wired: Wired, account: WhatsAppConfig) -> None:
    wired.clock_hand.move(timedelta(days=10))
    shared = {"chatId": GROUP, "chatName": "Allotment club"}
    wired.deliver(
        body(messages=[item(**shared, id="g1", author=MEMBER, senderName="Piet")]),
        body(messages=[item(**shared, id="g2", author=CHAT, senderName="Jana", time=1795359602)]),
        body(messages=[item(id="p1", senderName="Jana", time=1795359603)]),
        config=account,
    )
    first, second, private = messages(wired)
    assert first.chat_id == second.chat_id != private.chat_id
    assert [(one.from_, one.sender_name, one.group_id) for one in (first, second, private)] == [
        ("+447700900202", "Piet", GROUP),
        ("+447700900201", "Jana", GROUP),
        ("+447700900201", "Jana", None),
    ]
    names = {found["providerChatId"]: found["customerName"] for found in wired.store.chats.find()}
    assert names == {GROUP: "Allotment club", CHAT: "Jana"}
    assert {found["name"] for found in wired.store.customers.find()} == {"Allotment club", "Jana"}
