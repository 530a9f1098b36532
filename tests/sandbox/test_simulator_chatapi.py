"""The simulated ChatAPI: documented shapes behind a secret in the address, and twenty attempts."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.simulators.chatapi.carrier import ATTEMPTS, ChatApiCarrier
from sandbox.simulators.delivery import Cause, Failure
from tests.sandbox.endpoint import Endpoint, serving
from tests.sandbox.played import CHATAPI, decoded, delivering
from tests.support.waiting import until

#: The vendor's own description of an id: sender's side, chat, hex, and in groups the member who wrote.
ID = re.compile(r"(true|false)_(.+?@(?:c|g)\.us)_([0-9A-Z]{16,32})(?:_(.+@c\.us))?")


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serving() as server:
        yield server


def items(name: str, turns: int) -> list[dict[str, Any]]:
    return [item for post in CHATAPI.talk(turns) for item in decoded(post.body).get(name, [])]


def test_within_thirty_seconds_of_opening_everything_chatapi_tells_has_been_told() -> None:
    said = items("messages", 45)
    assert {one["type"] for one in said} >= {"chat", "image", "ptt", "location", "document", "vcard"}
    assert {one["chatId"].rpartition("@")[2] for one in said} == {"c.us", "g.us"}
    assert {(one["fromMe"], one["self"]) for one in said} == {(False, 0), (True, 0), (True, 1)}
    assert {one["status"] for one in items("ack", 45)} == {"sent", "delivered", "viewed"}
    assert [one for one in said if one["quotedMsgId"]]


def test_a_chat_is_told_before_its_first_words() -> None:
    told: set[str] = set()
    for post in CHATAPI.talk(200):
        body = decoded(post.body)
        told |= {one["new"]["id"] for one in body.get("chatUpdate", [])}
        assert {one["chatId"] for one in body.get("messages", [])} <= told


def test_ids_repeat_what_the_message_says_of_itself() -> None:
    for one in items("messages", 200):
        found = ID.fullmatch(one["id"])
        assert found
        assert (found[1] == "true", found[2]) == (one["fromMe"], one["chatId"])
        assert found[4] == (one["author"] if one["chatId"].endswith("@g.us") and not one["fromMe"] else None)


def test_every_body_names_its_instance_and_numbers_ascend() -> None:
    assert {decoded(post.body)["instanceId"] for post in CHATAPI.talk(100)} == {"318842"}
    numbers = list({one["id"]: one["messageNumber"] for one in items("messages", 200)}.values())
    assert len(numbers) == len(set(numbers))


def test_several_come_in_one_delivery() -> None:
    assert max(len(decoded(post.body).get("messages", [])) for post in CHATAPI.talk(100)) > 1
    assert max(len(decoded(post.body).get("ack", [])) for post in CHATAPI.talk(100)) > 1


def test_what_went_through_the_api_has_its_place_in_the_queue_and_nothing_else_has() -> None:
    through_api = {one["id"] for one in items("messages", 300) if one["self"]}
    acks = items("ack", 300)
    assert through_api & {one["id"] for one in acks}
    assert {one["id"] for one in acks if "queueNumber" in one} <= through_api
    assert [one for one in acks if one["id"] in through_api and "queueNumber" not in one] == []


def test_the_secret_is_in_the_address_and_nowhere_else(endpoint: Endpoint) -> None:
    secret = "a b/c+d&e"
    with delivering(ChatApiCarrier(endpoint.url, secret=secret), CHATAPI.talk(1)[0]):
        until(lambda: endpoint.received, seconds=10, what="the delivery")
    [received] = endpoint.received
    assert received.target == "/hook?token=a%20b%2Fc%2Bd%26e"
    assert received.headers["content-type"] == "application/json"
    assert secret.encode() not in received.body


def test_it_gives_up_after_twenty_attempts() -> None:
    carrier = ChatApiCarrier("http://hooks.example/", secret="s")
    pauses = [carrier.pause(Failure(Cause.ANSWERED, 503, number, 0.0)) for number in range(1, ATTEMPTS + 1)]
    assert ATTEMPTS == 20
    assert pauses[-1] is None
    assert None not in pauses[:-1]
    assert max(pause for pause in pauses if pause is not None) == 30.0
