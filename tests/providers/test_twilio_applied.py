"""Twilio's webhooks from the street door to the desk, on a real database: the dialect where it is used."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Response

from ingest.committer import Committer
from ingest.door import StreetDoor
from ingest.webhooks import Receiver
from models.ids import new_id
from models.message import Attempt, Message
from models.store.codec import to_document
from models.store.intake import Intake, IntakeRow, Stored
from models.values import Direction, MessageStatus, SenderType
from models.whatsapp_config import WhatsAppConfig
from providers import registry
from providers.twilio import PROVIDER
from runtime.errors import Invalid
from tests.fixtures.twilio.conformance import ACCOUNT_SID, FORM, KIT, NUMBER, SERVICE_SID, signature
from tests.fixtures.twilio.webhooks import CUSTOMER, MEDIA, MESSAGE, STATUS
from tests.support.wired import Wired

PUBLIC_URL = "https://inbox.example"
TOKEN = "twilio-token-4c1f"
_serial = itertools.count(1)


class Twilio:
    """Twilio as the vendor: it signs and posts; we look at what came of it."""

    def __init__(self, wired: Wired) -> None:
        self.wired = wired
        self.config = self.add()
        self._rows: list[str] = []
        committer = Committer(Intake(wired.store.webhookevents), limit=100, patience=10.0, committed=self._committed)
        receiver = Receiver(
            providers=registry.by_slugs(),
            directory=wired.directory,
            committer=committer,
            now=wired.clock.now,
        )
        door = StreetDoor(Response("not found", 404), receiver, max_body=4_000_000, public_url=PUBLIC_URL)
        self._client = Client(door)

    def add(self, **fields: str) -> WhatsAppConfig:
        """Add an account as `hookline configs add` does."""
        values = {"accountSid": ACCOUNT_SID, "authToken": TOKEN, "phoneNumber": f"whatsapp:{NUMBER}", **fields}
        return self.wired.connecting.add(PROVIDER, values)

    def post(self, parameters: dict[str, str], *, path: str = "/twilio", token: str = TOKEN) -> Response:
        """Sign a form, post it, and apply what was stored."""
        body = KIT.encode(parameters)
        target = f"/api/whatsapp/webhooks{path}"
        headers = {KIT.signature_header: signature(f"{PUBLIC_URL}{target}", body, token)}
        answer = self._client.post(target, data=body, headers=headers, content_type=f"{FORM}; charset=utf-8")
        self.wired.receiving.receive(self._rows)
        return answer

    def get(self, parameters: dict[str, str], *, path: str = "/twilio", token: str = TOKEN) -> Response:
        """Deliver as an account does that is set to HTTP GET: all in the address, which alone is signed."""
        mark = "&" if "?" in path else "?"
        target = f"/api/whatsapp/webhooks{path}{mark}{KIT.encode(parameters).decode()}"
        headers = {KIT.signature_header: signature(f"{PUBLIC_URL}{target}", b"", token)}
        answer = self._client.get(target, headers=headers)
        self.wired.receiving.receive(self._rows)
        return answer

    def _committed(self, rows: Sequence[IntakeRow], results: Sequence[Stored]) -> None:
        self._rows += [row.id for row, stored in zip(rows, results, strict=True) if stored is Stored.NEW]

    def messages(self) -> list[dict[str, Any]]:
        return list(self.wired.store.messages.find(sort=[("receivedAt", 1)]))

    def events(self) -> list[dict[str, Any]]:
        return list(self.wired.store.webhookevents.find(sort=[("receivedAt", 1)]))

    def reasons(self) -> list[str | None]:
        return [item.get("reason") for event in self.events() for item in event.get("items", [])]

    def sent(self, **fields: Any) -> Message:
        """Store a message that an agent has sent."""
        message = Message(
            id=new_id("msg"),
            chat_id="chat_1",
            config_id=self.config.id,
            direction=Direction.OUTBOUND,
            status=MessageStatus.UNKNOWN,
            sender_type=SenderType.AGENT,
            provider="twilio",
            timestamp=datetime(2026, 11, 20, 11, 0, tzinfo=UTC),
            received_at=datetime(2026, 11, 20, 11, 0, tzinfo=UTC),
            **fields,
        )
        self.wired.store.messages.insert_one(to_document(message))
        return message

    def stored(self, message: Message) -> dict[str, Any]:
        found = self.wired.store.messages.find_one({"id": message.id})
        assert found is not None
        return dict(found)


@pytest.fixture
def twilio(wired: Wired) -> Twilio:
    return Twilio(wired)


def sid() -> str:
    return f"SM{next(_serial):032x}"


def inbound(**changes: str) -> dict[str, str]:
    return {**MESSAGE, "MessageSid": sid(), "ProfileName": "Jana", **changes}


def test_the_sender_is_stored_as_e164_however_it_was_given(twilio: Twilio) -> None:
    assert twilio.wired.configs.get(twilio.config.id).phone_number == NUMBER
    with pytest.raises(Invalid, match="--from is not valid"):
        twilio.add(phoneNumber="whatsapp:nobody")


@pytest.mark.parametrize("path", ["", "/twilio", "/twilio/{config}"])
def test_a_signed_message_becomes_a_chat_whatever_path_it_takes(twilio: Twilio, path: str) -> None:
    answer = twilio.post(inbound(Body="hello"), path=path.format(config=twilio.config.id))
    assert (answer.status_code, answer.mimetype) == (200, "text/xml")
    assert b"<Message" not in answer.data
    (message,) = twilio.messages()
    assert (message["text"], message["from"], message["to"]) == ("hello", CUSTOMER, NUMBER)
    assert message["configId"] == twilio.config.id
    chat = twilio.wired.store.chats.find_one({"id": message["chatId"]})
    assert chat is not None
    assert (chat["phoneNumber"], chat["customerName"], chat["unreadCount"]) == (CUSTOMER, "Jana", 1)
    assert chat["windowExpiresAt"] > chat["lastInboundAt"]


def test_a_wrong_token_is_refused_and_nothing_is_stored(twilio: Twilio) -> None:
    answer = twilio.post(inbound(Body="hello"), token="another")
    assert (answer.status_code, twilio.events()) == (401, [])
    assert TOKEN.encode() not in answer.data


@pytest.mark.parametrize("path", ["", "/twilio", "/twilio/{config}", "/twilio?tenant=7"])
def test_a_message_that_comes_by_get_is_a_message(twilio: Twilio, path: str) -> None:
    sent = inbound(
        Body="Grüße & a+b = 100 % 👋🏽\r\n ", NumMedia="1", MediaUrl0=f"{MEDIA}0", MediaContentType0="image/png"
    )
    answer = twilio.get(sent, path=path.format(config=twilio.config.id))
    assert (answer.status_code, answer.mimetype) == (200, "text/xml")
    (message,) = twilio.messages()
    assert (message["media"]["caption"], message["from"], message["to"]) == (sent["Body"], CUSTOMER, NUMBER)
    assert message["media"]["sourceUrl"] == f"{MEDIA}0"


def test_a_message_that_came_by_get_can_be_replayed_and_repeats_itself_by_post(twilio: Twilio) -> None:
    sent = inbound(Body="hello")
    assert [twilio.get(sent).status_code, twilio.get(sent).status_code, twilio.post(sent).status_code] == [200] * 3
    (message,) = twilio.messages()
    first, *_ = twilio.events()
    twilio.wired.replaying.replay(first["id"], by=None)
    twilio.wired.receiving.receive([first["id"]])
    replayed = twilio.events()[0]
    assert (replayed["status"], "replayedAt" in replayed, replayed["items"][0]["messageId"]) == (
        "processed",
        True,
        message["id"],
    )
    assert [one["id"] for one in twilio.messages()] == [message["id"]]
    assert [chat["unreadCount"] for chat in twilio.wired.store.chats.find()] == [1]


def test_a_callback_that_comes_by_get_finds_its_message_by_our_own_id(twilio: Twilio) -> None:
    message, their_sid = twilio.sent(), sid()
    callback = {**STATUS, "MessageSid": their_sid, "MessageStatus": "delivered"}
    twilio.get(callback, path=f"/twilio/{twilio.config.id}?mid={message.id}")
    assert twilio.stored(message)["status"] == "delivered"


@pytest.mark.parametrize("token", ["another", ""])
def test_a_get_that_twilio_did_not_sign_is_refused(twilio: Twilio, token: str) -> None:
    assert twilio.get(inbound(Body="x"), token=token).status_code == 401
    assert twilio._client.get("/api/whatsapp/webhooks/twilio").status_code == 401
    assert twilio.events() == []


def test_a_get_says_nothing_beyond_what_is_signed(twilio: Twilio) -> None:
    sent = inbound(Body="x")
    target = f"/api/whatsapp/webhooks/twilio?{KIT.encode(sent).decode()}"
    headers = {KIT.signature_header: signature(f"{PUBLIC_URL}{target}", b"", TOKEN)}
    form = KIT.encode({**sent, "Body": "forged"})
    assert twilio._client.get(f"{target}&Body=forged", headers=headers).status_code == 401
    assert twilio._client.get(target, headers=headers, data=form, content_type=FORM).status_code == 200
    twilio.wired.receiving.receive(twilio._rows)
    assert [one["text"] for one in twilio.messages()] == ["x"]


def test_a_repeated_message_is_one_message(twilio: Twilio) -> None:
    """The fallback URL gets the same message with an error of the first call added."""
    message = inbound(Body="hello")
    answers = [twilio.post(one) for one in (message, message, {**message, "ErrorCode": "11200"})]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert len(twilio.messages()) == 1
    assert len(twilio.events()) == 2


def test_several_files_are_stored_with_their_one_message(twilio: Twilio) -> None:
    files = {"MediaUrl0": f"{MEDIA}0", "MediaUrl1": f"{MEDIA}1", "MediaContentType0": "image/png"}
    twilio.post(inbound(NumMedia="2", MediaContentType1="image/png", **files))
    (message,) = twilio.messages()
    assert message["media"]["sourceUrl"] == f"{MEDIA}0"
    assert [(one["sourceUrl"], one["state"]) for one in message["moreMedia"]] == [(f"{MEDIA}1", "pending")]


def test_two_numbers_of_one_account_have_their_own_chats(twilio: Twilio) -> None:
    other = twilio.add(phoneNumber="+14155550133")
    twilio.wired.directory.refresh(older_than=0)
    twilio.post(inbound(Body="to one"))
    twilio.post(inbound(Body="to the other", To="whatsapp:+14155550133"))
    assert [(one["text"], one["configId"]) for one in twilio.messages()] == [
        ("to one", twilio.config.id),
        ("to the other", other.id),
    ]


def test_a_message_to_a_number_we_do_not_have_is_kept_as_ignored(twilio: Twilio) -> None:
    assert twilio.post(inbound(Body="x", To="whatsapp:+14155550177")).status_code == 200
    assert (twilio.messages(), twilio.reasons()) == ([], ["unknown_account"])


def test_a_valid_token_does_not_speak_for_another_account(twilio: Twilio) -> None:
    stranger = "AC" + "e" * 32
    theirs = twilio.add(accountSid=stranger, authToken="their-token")
    twilio.wired.directory.refresh(older_than=0)
    forged = inbound(Body="x", AccountSid=stranger)
    assert twilio.post(forged, path=f"/twilio/{twilio.config.id}").status_code == 200
    assert twilio.reasons() == ["foreign_account"]
    assert twilio.post(forged).status_code == 401
    assert twilio.post(forged, token="their-token").status_code == 200
    assert [one["configId"] for one in twilio.messages()] == [theirs.id]


def test_a_callback_before_the_answer_to_the_send_is_matched_by_our_own_id(twilio: Twilio) -> None:
    message, their_sid = twilio.sent(), sid()
    callback = {**STATUS, "MessageSid": their_sid, "MessageStatus": "queued"}
    twilio.post(callback, path=f"/twilio/{twilio.config.id}?mid={message.id}")
    stored = twilio.stored(message)
    assert (stored["status"], stored["providerMessageId"]) == ("accepted", their_sid)


def test_a_callback_for_a_message_not_known_yet_waits_for_it(twilio: Twilio) -> None:
    their_sid = sid()
    twilio.post({**STATUS, "MessageSid": their_sid, "MessageStatus": "delivered"})
    assert twilio.reasons() == ["waits_for_message"]
    message = twilio.sent(provider_message_id=their_sid)
    assert twilio.wired.reconciling.sweep() == 1
    assert twilio.stored(message)["status"] == "delivered"


def test_a_failure_of_an_attempt_whose_answer_never_came_leaves_the_later_one_alone(twilio: Twilio) -> None:
    """Twilio tells no times: only the SID says which attempt a callback is about."""
    first, second, at = sid(), sid(), datetime(2026, 11, 20, 11, 0, tzinfo=UTC)
    attempts = [Attempt(n=1, at=at, outcome="unknown"), Attempt(n=2, at=at, outcome="accepted")]
    message = twilio.sent(provider_message_id=second, attempts=attempts, queued_at=at)
    path = f"/twilio/{twilio.config.id}?mid={message.id}"
    twilio.post({**STATUS, "MessageSid": second, "MessageStatus": "queued"}, path=path)
    twilio.post({**STATUS, "MessageSid": first, "MessageStatus": "failed", "ErrorCode": "63018"}, path=path)
    assert (twilio.stored(message)["status"], "error" in twilio.stored(message)) == ("accepted", False)
    assert "earlier_attempt" in twilio.reasons()
    twilio.post({**STATUS, "MessageSid": second, "MessageStatus": "sent"}, path=path)
    assert twilio.stored(message)["status"] == "sent"


def test_a_messaging_services_first_callback_names_no_number_and_finds_its_message(twilio: Twilio) -> None:
    message, their_sid = twilio.sent(), sid()
    callback = {**STATUS, "MessageSid": their_sid, "MessageStatus": "accepted", "From": ""}
    twilio.post({**callback, "MessagingServiceSid": SERVICE_SID}, path=f"/twilio?mid={message.id}")
    assert twilio.stored(message)["status"] == "accepted"


@pytest.mark.parametrize("order", list(itertools.permutations(["accepted", "queued", "sending"])))
def test_the_order_of_callbacks_does_not_matter(twilio: Twilio, order: tuple[str, ...]) -> None:
    their_sid = sid()
    message = twilio.sent(provider_message_id=their_sid)
    for word in order:
        twilio.post({**STATUS, "MessageSid": their_sid, "MessageStatus": word})
    stored = twilio.stored(message)
    assert (stored["status"], stored["providerStatus"]) == ("accepted", "sending")


def test_a_failure_says_why(twilio: Twilio) -> None:
    their_sid = sid()
    message = twilio.sent(provider_message_id=their_sid)
    twilio.post({**STATUS, "MessageSid": their_sid, "MessageStatus": "failed", "ErrorCode": "63016"})
    stored = twilio.stored(message)
    assert stored["status"] == "failed"
    assert stored["error"]["code"] == "63016"
    assert "24-hour window" in stored["error"]["title"]


def test_a_hidden_number_that_shows_itself_stays_one_chat(twilio: Twilio) -> None:
    twilio.post(inbound(Body="a", From="whatsapp:GB.4821"))
    twilio.post(inbound(Body="b", ExternalUserId="whatsapp:GB.4821"))
    twilio.post(inbound(Body="c"))
    assert len({one["chatId"] for one in twilio.messages()}) == 1


def test_the_idempotency_token_is_stored_and_the_signature_is_not(twilio: Twilio) -> None:
    body = KIT.encode(inbound(Body="x"))
    target = "/api/whatsapp/webhooks/twilio"
    made = signature(f"{PUBLIC_URL}{target}", body, TOKEN)
    headers = {KIT.signature_header: made, "I-Twilio-Idempotency-Token": "idem-1"}
    twilio._client.post(target, data=body, headers=headers, content_type=FORM)
    (event,) = twilio.events()
    assert event["headers"]["i-twilio-idempotency-token"] == "idem-1"
    assert made not in repr(event)
