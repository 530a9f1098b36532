"""The simulated Meta: a second opinion on signatures, traffic in documented shapes, a handshake first."""

import base64
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.engines.ports import free_port
from sandbox.simulators.delivery import doubling
from sandbox.simulators.meta import payloads, wire
from sandbox.simulators.meta.carrier import FIRST_PAUSE, LONGEST_PAUSE
from sandbox.simulators.meta.cast import CAST
from sandbox.simulators.scribe import Post
from tests.sandbox.endpoint import Endpoint, serving
from tests.sandbox.played import META, SECRET, decoded
from tests.support.waiting import until


def values(post: Post) -> list[dict[str, Any]]:
    return [change["value"] for entry in decoded(post.body)["entry"] for change in entry["changes"]]


def messages(turns: int) -> list[dict[str, Any]]:
    return [m for post in META.talk(turns) for value in values(post) for m in value.get("messages", [])]


def test_the_signature_is_the_documented_one() -> None:
    body = b'{"object":"whatsapp_business_account","entry":[]}'
    assert wire.sign(body, SECRET) == ("sha256=4c1c1065440e30751162900d2fe5f228cbc32a633f39d877d2033d2f5bfe9785")


def test_bodies_escape_what_meta_escapes() -> None:
    body = wire.encode({"text": "Café 😀 https://a.example/b"})
    assert body == rb'{"text":"Caf\u00e9 \ud83d\ude00 https:\/\/a.example\/b"}'


def test_within_thirty_seconds_of_opening_every_chat_speaks_in_all_its_ways() -> None:
    said = messages(45)
    assert {m["type"] for m in said} >= {"text", "image", "audio", "location", "interactive", "reaction"}
    assert {m["from"] for m in said} == {person.number for person in CAST}
    states = {item.what for post in META.talk(45) for item in post.items if item.kind == "status"}
    assert states == {"sent", "delivered", "read"}


def test_batches_come_out_of_order() -> None:
    stamps = [[int(m["timestamp"]) for v in values(post) for m in v.get("messages", [])] for post in META.talk(400)]
    assert any(len(batch) > 1 and batch != sorted(batch) for batch in stamps)


def test_ids_look_like_metas() -> None:
    ids = [i.id for post in META.talk(100) for i in post.items if i.kind != "status"]
    assert all(len(one) < 255 and one.startswith("wamid.") for one in ids)


def test_answers_and_reactions_refer_to_messages_of_the_team_in_that_chat() -> None:
    echoes = [e for post in META.talk(400) for value in values(post) for e in value.get("message_echoes", [])]
    chats = {echo["id"]: echo["to"] for echo in echoes}
    references = [
        (target, m["from"])
        for m in messages(400)
        if (target := m.get("reaction", {}).get("message_id") or m.get("context", {}).get("id"))
    ]
    assert len(references) > 20
    assert [one for one in references if chats[one[0]] != one[1]] == []


def test_media_carry_the_digest_of_what_their_id_stands_for_and_no_address() -> None:
    found = [one for m in messages(200) if (one := m.get("image") or m.get("audio"))]
    assert found
    for one in found:
        digest = hashlib.sha256(payloads.media_content(one["id"])).digest()
        assert base64.b64decode(one["sha256"]) == digest
        assert "url" not in one


def test_pauses_grow_to_a_minute_and_never_end() -> None:
    pauses = [doubling(failures, first=FIRST_PAUSE, longest=LONGEST_PAUSE) for failures in range(1, 13)]
    assert pauses[:4] == [0.0, 1.0, 2.0, 4.0]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 60.0


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serving() as server:
        yield server


def test_it_is_silent_while_the_endpoint_refuses_the_handshake(endpoint: Endpoint) -> None:
    endpoint.handshake = "refuse"
    arguments = {"--webhook": endpoint.url, "--port": str(free_port()), **META.arguments}
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox.simulators.meta", *(word for pair in arguments.items() for word in pair)],
        env={**os.environ, **META.environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        until(lambda: endpoint.challenges >= 2, seconds=15, what="two handshakes")
        assert not endpoint.received
        endpoint.handshake = "echo"
        until(lambda: endpoint.received, seconds=15, what="traffic")
    finally:
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=5)
    assert said.count("does not subscribe: 403") == 1
