"""What we sent comes back as a webhook: it is the message we have, in whichever order echo and answer arrive."""

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.ids import new_id
from models.message import Attempt, Location, Media, Message
from models.store.codec import from_document, to_document
from models.store.conversations import Conversations
from models.store.sending import Sends
from models.values import Direction, MediaState, MessageStatus, MessageType, SenderType
from models.whatsapp_config import WhatsAppConfig
from providers.chatapi import PROVIDER
from providers.outbound import Receipt
from services.conversing.messages import OWN_SEND
from services.sending.recording import Recording
from tests.providers.chatapi_bodies import AT, CHAT, INSTANCE, OWN_ID, ack, body, echo, item
from tests.support.wired import Wired

#: The moment the echo of the usual message names.
WRITTEN = datetime.fromtimestamp(AT, UTC)
WORDS = "We are open until six."
OTHER_ID = f"true_{CHAT}_3EB0AB0FD361FDE5C362"


@pytest.fixture
def desk(wired: Wired) -> "Desk":
    return Desk(wired)


class Desk:
    """A ChatAPI account with one chat, and messages that are being sent there."""

    def __init__(self, wired: Wired) -> None:
        self.wired = wired
        self.account: WhatsAppConfig = wired.connecting.add(
            PROVIDER, {"instanceId": INSTANCE, "webhookSecret": "s" * 22}
        )
        wired.clock_hand.move(WRITTEN - wired.clock.now())
        self.hear(messages=[item()])
        chat = wired.store.chats.find_one({"configId": self.account.id})
        assert chat is not None
        self.chat_id: str = chat["id"]

    def hear(self, **arrays: Any) -> list[tuple[str, str | None]]:
        """Receive a webhook; tell what became of its parts."""
        (event,) = self.wired.deliver(body(**arrays), config=self.account)
        return [(part.outcome.value, part.reason) for part in event.items]

    def sending(self, *, began: datetime = WRITTEN, outcome: str | None = None, **changes: Any) -> Message:
        """Store a message of ours as the send machine has it at its call, counted in its chat."""
        values: dict[str, Any] = {
            "id": new_id("msg", began),
            "chat_id": self.chat_id,
            "config_id": self.account.id,
            "direction": Direction.OUTBOUND,
            "sender_type": SenderType.AGENT,
            "provider": PROVIDER.name,
            "type": MessageType.TEXT,
            "text": WORDS,
            "status": MessageStatus.SENDING,
            "attempts": [Attempt(n=1, at=began, outcome=outcome)],
            "generation": 1,
            "queued_at": began,
            "timestamp": began,
            "received_at": began,
        }
        message = Message(**(values | changes))
        self.wired.store.messages.insert_one(to_document(message))
        counts = {"totalMessages": 1, "agentMessages": 1}
        self.wired.store.chats.update_one({"id": self.chat_id}, {"$inc": counts})
        self.wired.store.customers.update_one({}, {"$inc": {"totalMessages": 1}})
        return message

    def answer(self, message: Message, provider_message_id: str | None = OWN_ID, **metadata: object) -> None:
        """Let the send machine write down the vendor's answer."""
        conversations = Conversations(self.wired.store)
        recording = Recording(Sends(self.wired.store), conversations, self.wired.reconciling, self.wired.clock)
        recording.accepted(message, Receipt(provider_message_id=provider_message_id, metadata=metadata))

    def shown(self) -> list[Message]:
        """The bubbles of the business's side, oldest first."""
        rows = self.wired.store.messages.find({"direction": "outbound", "isDeleted": False}).sort("id", 1)
        return [from_document(Message, row) for row in rows]

    def counts(self) -> tuple[int, int, int]:
        chat, customer = self.wired.store.chats.find_one({"id": self.chat_id}), self.wired.store.customers.find_one({})
        assert chat is not None
        assert customer is not None
        return chat["totalMessages"], chat["agentMessages"], customer["totalMessages"]


def test_an_echo_before_the_answer_is_the_message_itself(desk: Desk) -> None:
    sent = desk.sending()

    assert desk.hear(messages=[echo(body=WORDS, self=1)]) == [("applied", OWN_SEND)]
    (known,) = desk.shown()
    assert (known.id, known.provider_message_id, known.status) == (sent.id, OWN_ID, MessageStatus.SENT)
    assert (known.sender_type, known.sent_at) == (SenderType.AGENT, WRITTEN)

    desk.answer(sent, queueNumber=101)
    (known,) = desk.shown()
    assert (known.id, known.provider_message_id, known.status) == (sent.id, OWN_ID, MessageStatus.SENT)
    assert known.metadata == {"queueNumber": 101}
    assert desk.counts() == (2, 1, 2)


def test_an_echo_after_the_answer_is_a_duplicate(desk: Desk) -> None:
    desk.answer(desk.sending())

    assert desk.hear(messages=[echo(body=WORDS, self=1)]) == [("duplicate", None)]
    (known,) = desk.shown()
    assert (known.provider_message_id, known.status) == (OWN_ID, MessageStatus.ACCEPTED)
    assert desk.counts() == (2, 1, 2)


def test_that_an_echo_is_spelled_in_another_way_is_no_conflict(desk: Desk) -> None:
    desk.answer(desk.sending(text=f"{WORDS}\n"))
    assert desk.hear(messages=[echo(body=WORDS, self=1)]) == [("duplicate", None)]


def test_a_message_whose_id_is_known_takes_no_other(desk: Desk) -> None:
    desk.sending(status=MessageStatus.ACCEPTED, outcome="accepted", provider_message_id=OTHER_ID)
    echoes = [echo(body=WORDS, self=1, id=own_id) for own_id in (OTHER_ID, OWN_ID)]
    assert desk.hear(messages=echoes) == [("duplicate", None), ("applied", None)]


def test_the_same_words_in_another_chat_are_another_message(desk: Desk) -> None:
    other = "447700900202@c.us"
    desk.hear(messages=[item(id="false_other", chatId=other, author=other)])
    chat = desk.wired.store.chats.find_one({"id": {"$ne": desk.chat_id}})
    assert chat is not None
    there = desk.sending(chat_id=chat["id"])
    echoes = [echo(body=WORDS, self=1), echo(body="Hello", self=1, id=f"true_{other}_3EB0", chatId=other)]

    assert desk.hear(messages=echoes) == [("applied", None)] * 2

    row = desk.wired.store.messages.find_one({"id": there.id})
    assert row is not None
    assert (row["status"], "providerMessageId" in row) == ("sending", False)


def test_an_echo_twice_is_the_message_once(desk: Desk) -> None:
    desk.sending()
    assert desk.hear(messages=[echo(body=WORDS, self=1)] * 2) == [("applied", OWN_SEND), ("duplicate", None)]
    assert desk.hear(messages=[echo(body=WORDS, self=1)]) == [("duplicate", None)]
    assert len(desk.shown()) == 1


def test_an_echo_that_is_not_recognised_is_united_by_the_answer(desk: Desk) -> None:
    """The vendor may spell a text in its own way; the id of the answer tells."""
    sent = desk.sending()
    assert desk.hear(messages=[echo(body="We are open until 6.", self=1)]) == [("applied", None)]
    assert len(desk.shown()) == 2

    desk.answer(sent)

    (known,) = desk.shown()
    assert (known.id, known.provider_message_id, known.status) == (sent.id, OWN_ID, MessageStatus.SENT)
    assert desk.counts() == (2, 1, 2)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (MessageStatus.UNKNOWN, "unknown"),
        (MessageStatus.ACCEPTED, "accepted"),
        (MessageStatus.QUEUED, "retry"),
        (MessageStatus.QUEUED, "unknown"),
    ],
)
def test_an_echo_settles_what_was_in_doubt(desk: Desk, status: MessageStatus, outcome: str) -> None:
    sent = desk.sending(status=status, outcome=outcome, next_attempt_at=WRITTEN + timedelta(minutes=1))
    assert desk.hear(messages=[echo(body=WORDS, self=1)]) == [("applied", OWN_SEND)]
    (known,) = desk.shown()
    assert (known.id, known.status, known.provider_message_id) == (sent.id, MessageStatus.SENT, OWN_ID)
    assert known.next_attempt_at is None


@pytest.mark.parametrize(
    "changes",
    [
        {"status": MessageStatus.QUEUED, "attempts": None},  # never tried
        {"status": MessageStatus.QUEUED, "outcome": "throttled"},  # never looked at by the vendor
        {"status": MessageStatus.QUEUED, "outcome": "failed"},  # refused, and asked for again
        {"status": MessageStatus.FAILED, "outcome": "failed"},
        {"status": MessageStatus.CANCELED, "attempts": None},
        {"text": "We close at six."},
        {"type": MessageType.IMAGE, "media": Media(caption=WORDS), "text": None},
        {"began": WRITTEN + timedelta(minutes=1)},  # begun after the echo was written
        {"provider_message_id": OTHER_ID},
        {"chat_id": "chat_other"},
        {"is_deleted": True},
    ],
)
def test_what_cannot_be_the_echoed_message_is_left_alone(desk: Desk, changes: dict[str, Any]) -> None:
    sent = desk.sending(**changes)
    assert desk.hear(messages=[echo(body=WORDS, self=1)]) == [("applied", None)]
    row = desk.wired.store.messages.find_one({"id": sent.id})
    assert row is not None
    assert (row["status"], row.get("providerMessageId")) == (sent.status, sent.provider_message_id)
    assert desk.wired.store.messages.count_documents({"providerMessageId": OWN_ID}) == 1


def test_what_was_typed_on_the_phone_is_never_ours(desk: Desk) -> None:
    sent = desk.sending()
    assert desk.hear(messages=[echo(body=WORDS, self=0)]) == [("applied", None)]
    assert {one.id: one.provider_message_id for one in desk.shown()}[sent.id] is None
    assert len(desk.shown()) == 2


def test_where_a_version_does_not_say_who_sent_it_may_be_ours(desk: Desk) -> None:
    desk.sending()
    assert desk.hear(messages=[echo(body=WORDS, self=...)]) == [("applied", OWN_SEND)]


def test_of_two_alike_the_one_that_was_being_sent_comes_back(desk: Desk) -> None:
    doubtful = desk.sending(began=WRITTEN - timedelta(minutes=2), status=MessageStatus.UNKNOWN, outcome="unknown")
    sent = desk.sending()
    desk.hear(messages=[echo(body=WORDS, self=1)])
    assert {one.id: one.status for one in desk.shown()} == {
        doubtful.id: MessageStatus.UNKNOWN,
        sent.id: MessageStatus.SENT,
    }


def test_two_alike_come_back_as_two(desk: Desk) -> None:
    for minutes in (2, 1):
        desk.sending(began=WRITTEN - timedelta(minutes=minutes), status=MessageStatus.ACCEPTED, outcome="accepted")
    echoes = [echo(body=WORDS, self=1, id=own_id) for own_id in (OWN_ID, OTHER_ID)]
    assert desk.hear(messages=echoes) == [("applied", OWN_SEND)] * 2
    assert {one.provider_message_id for one in desk.shown()} == {OWN_ID, OTHER_ID}


@pytest.mark.parametrize(
    ("sent", "came_back"),
    [
        (
            {"type": MessageType.IMAGE, "text": None, "media": Media(caption="The roof", state=MediaState.READY)},
            {"type": "image", "body": "https://files.example/1.jpg", "caption": "The roof"},
        ),
        (
            {"type": MessageType.AUDIO, "text": None, "media": Media(voice=True, state=MediaState.READY)},
            {"type": "ptt", "body": "https://files.example/1.oga"},
        ),
        (
            {
                "type": MessageType.LOCATION,
                "text": None,
                "location": Location(latitude=51.5, longitude=-0.12, name="A"),
            },
            {"type": "location", "body": "51.500001;-0.12"},
        ),
        ({"text": f"{WORDS}\n"}, {"body": WORDS}),
    ],
)
def test_what_the_vendor_keeps_of_a_content_is_compared(
    desk: Desk, sent: dict[str, Any], came_back: dict[str, Any]
) -> None:
    message = desk.sending(**sent)
    assert desk.hear(messages=[echo(self=1, **came_back)]) == [("applied", OWN_SEND)]
    (known,) = desk.shown()
    assert known.id == message.id
    assert known.media == message.media


def test_acks_that_came_before_the_echo_are_applied_with_it(desk: Desk) -> None:
    desk.sending()
    desk.hear(ack=[ack("delivered")])
    desk.hear(messages=[echo(body=WORDS, self=1)])
    (known,) = desk.shown()
    assert known.status is MessageStatus.DELIVERED
    assert desk.wired.store.pendingupdates.count_documents({}) == 0


def test_echo_and_answer_at_once_make_one_message(desk: Desk) -> None:
    """Whichever transaction is the later sees what the earlier wrote; neither is lost."""
    for round_ in range(12):
        own_id = f"true_{CHAT}_3EB0AB0FD361FDE5{round_:04d}"
        text = WORDS if round_ % 2 else f"{WORDS} ({round_})"
        sent = desk.sending(text=text)
        spelled = text if round_ % 3 else f"{text}!"  # not recognised: the answer must unite the two
        with ThreadPoolExecutor(2) as both:
            at_once: list[Future[Any]] = [
                both.submit(desk.hear, messages=[echo(body=spelled, self=1, id=own_id)]),
                both.submit(desk.answer, sent, own_id),
            ]
        assert [one.exception() for one in at_once] == [None, None]
        rows = list(desk.wired.store.messages.find({"providerMessageId": own_id}))
        assert [row["id"] for row in rows] == [sent.id]
        assert len(desk.shown()) == round_ + 1
    assert desk.counts() == (13, 12, 13)


def test_the_list_of_chats_shows_the_one_message_under_its_id(desk: Desk) -> None:
    sent = desk.sending()
    shown = {"lastMessage.id": sent.id, "lastMessage.status": "sending"}
    desk.wired.store.chats.update_one({"id": desk.chat_id}, {"$set": shown})
    desk.hear(messages=[echo(body=WORDS, self=1)])
    chat = desk.wired.store.chats.find_one({"id": desk.chat_id})
    assert chat is not None
    assert (chat["lastMessage"]["id"], chat["lastMessage"]["status"]) == (sent.id, "sent")
    assert chat["lastMessageId"] == OWN_ID
