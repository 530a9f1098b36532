"""ChatAPI and Twilio, each with its simulator as accountant: a text goes out once, and its fate comes back.

The same office as in `test_sending`, with two more accounts. Deliberately one journey each: what goes wrong on the way
is the send machine's, and Meta's journeys show it.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack

import pytest

from models.whatsapp_config import WhatsAppConfig
from providers import registry
from tests.journeys.conftest import Desk
from tests.support.accountant import Accountant, keeping_books
from tests.support.outbound import Office
from tests.support.waiting import until

SID, SENDER, AUTH_TOKEN = "AC00700900150001007009001500010099", "+15550192777", "t" * 32
INSTANCE, PHONE, API_KEY, HOOK_SECRET = "318899", "+447700900199", "k" * 20, "s" * 22

Vendor = tuple[Accountant, WhatsAppConfig]


def add(here: Office, slug: str, **values: str) -> WhatsAppConfig:
    provider = registry.by_slug(slug)
    assert provider is not None
    return here.system.services.connecting.add(provider, values)


def twilio(here: Office) -> AbstractContextManager[Accountant]:
    webhook = f"{here.receiver}/api/whatsapp/webhooks/twilio"
    arguments = {"--account-sid": SID, "--from": SENDER}
    return keeping_books("twilio", webhook=webhook, arguments=arguments, environment={"TWILIO_AUTH_TOKEN": AUTH_TOKEN})


def chatapi(here: Office) -> AbstractContextManager[Accountant]:
    return keeping_books(
        "chatapi",
        webhook=f"{here.receiver}/api/whatsapp/webhooks/chatapi",
        arguments={"--instance-id": INSTANCE, "--display-phone-number": PHONE},
        environment={"CHATAPI_TOKEN": API_KEY, "CHATAPI_WEBHOOK_SECRET": HOOK_SECRET},
    )


#: Vendor -> its simulator, and the account's values.
VENDORS: dict[str, tuple[Callable[[Office], AbstractContextManager[Accountant]], dict[str, str]]] = {
    "twilio": (twilio, {"accountSid": SID, "authToken": AUTH_TOKEN, "phoneNumber": SENDER}),
    "chatapi": (chatapi, {"instanceId": INSTANCE, "apiKey": API_KEY, "webhookSecret": HOOK_SECRET}),
}


@pytest.fixture(scope="module")
def vendors(opened: Desk) -> Iterator[dict[str, Vendor]]:
    here, _ = opened
    with ExitStack() as stack:
        found = {}
        for slug, (simulator, values) in VENDORS.items():
            accountant = stack.enter_context(simulator(here))
            found[slug] = accountant, add(here, slug, **values, apiBaseUrl=accountant.url)
        # Those who start now know them.
        here.replace_workers()
        yield found


def chat_with(here: Office, vendor: Vendor, person: str) -> str:
    """Let somebody write to an account; return their chat."""
    accountant, account = vendor
    accountant.ask("POST", "/customers", {"number": person, "says": "Are you there?"})
    chats = here.system.store.chats
    query = {"configId": account.id, "phoneNumber": f"+{person}"}
    until(lambda: chats.find_one(query), seconds=30, what="the chat")
    return str((chats.find_one(query) or {})["id"])


def bubbles(here: Office, chat: str) -> list[str]:
    """The ids of what the business said in a chat, as its people see it."""
    shown = {"chatId": chat, "direction": "outbound", "isDeleted": False}
    return [row["id"] for row in here.system.store.messages.find(shown)]


def test_twilio_takes_a_text_once_and_its_callbacks_tell_its_fate(desk: Desk, vendors: dict[str, Vendor]) -> None:
    here, _ = desk
    accountant, _ = vendor = vendors["twilio"]
    chat = chat_with(here, vendor, "447700904401")

    message = here.write(chat, "At your service.")

    here.wait_for(message, "read")
    assert accountant.accepts(message) == 1
    assert accountant.sequence("447700904401") == [message]
    row = here.row(message)
    assert [row["providerMessageId"]] == accountant.sends["byReference"][message]["vendorIds"]
    assert row["sentAt"] <= row["deliveredAt"] <= row["readAt"]
    assert bubbles(here, chat) == [message]


def test_chatapi_takes_a_text_once_and_its_echo_makes_no_second_bubble(desk: Desk, vendors: dict[str, Vendor]) -> None:
    here, _ = desk
    accountant, _ = vendor = vendors["chatapi"]
    chat = chat_with(here, vendor, "447700904402")

    message = here.write(chat, "At your service.")

    here.wait_for(message, "read")
    (taken,) = accountant.sends["byRecipient"]["447700904402"]
    assert here.row(message)["providerMessageId"] == taken["vendorId"]
    echoed = [item for item in accountant.ask("GET", "/ledger")["items"] if item["id"] == taken["vendorId"]]
    assert {"echo", "status"} <= {item["kind"] for item in echoed}
    assert all(item["acknowledged"] for item in echoed)
    unapplied = {"configId": vendor[1].id, "status": {"$ne": "processed"}}
    until(lambda: not here.system.store.webhookevents.count_documents(unapplied), seconds=20, what="all to be applied")
    assert bubbles(here, chat) == [message]
