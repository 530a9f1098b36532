"""The service window of ChatAPI's two variants: a channel of 1msg's has WABA's, a linked phone has none."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.whatsapp_config import WhatsAppConfig
from providers.chatapi import PROVIDER
from runtime.errors import Conflict
from tests.providers.chatapi_bodies import AT, INSTANCE, body, item
from tests.support.sending import Desk

#: The moment the usual message names.
WRITTEN = datetime.fromtimestamp(AT, UTC)
ONE_MSG: dict[str, str] = {"variant": "1msg"}
ONE_MSG_URL: dict[str, str] = {"apiBaseUrl": "https://api.1msg.io"}


def account(desk: Desk, **more: str) -> WhatsAppConfig:
    values = {"instanceId": INSTANCE, "webhookSecret": "s" * 22, "apiKey": "k" * 22, **more}
    config = desk.wired.connecting.add(PROVIDER, values)
    desk.wired.clock_hand.move(WRITTEN - desk.wired.clock.now() + timedelta(seconds=1))
    return config


def chat(desk: Desk, config: WhatsAppConfig, **said: Any) -> str:
    (event,) = desk.wired.deliver(body(messages=[item(**said)]), config=config)
    chat_id = event.items[0].chat_id
    assert chat_id is not None
    return chat_id


@pytest.mark.parametrize("variant", [ONE_MSG, ONE_MSG_URL])
def test_a_channel_of_1msgs_may_answer_freely_for_a_day(desk: Desk, variant: dict[str, str]) -> None:
    chat_id = chat(desk, account(desk, **variant))

    assert desk.chat_row(chat_id)["windowExpiresAt"] == WRITTEN + timedelta(hours=24)
    desk.write(chat_id)
    desk.wired.clock_hand.move(timedelta(hours=24))
    with pytest.raises(Conflict) as caught:
        desk.write(chat_id)
    assert caught.value.code == "window_closed"


def test_a_linked_phone_may_always_answer(desk: Desk) -> None:
    chat_id = chat(desk, account(desk))
    desk.wired.clock_hand.move(timedelta(days=30))

    assert desk.write(chat_id).text == "an answer"
    assert "windowExpiresAt" not in desk.chat_row(chat_id)
