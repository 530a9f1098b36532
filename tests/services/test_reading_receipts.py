"""Read marks are exact, whatever arrives in the same moment; receipts follow, and are in nobody's way."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from models.agent import Role, permissions_of
from models.caller import Caller
from models.message import Message
from models.store.codec import from_document
from models.store.read_marks import UNREAD, ReadMarks
from models.values import MessageStatus
from providers import registry
from runtime.calls import HttpAnswer, NotSent, Unanswered
from runtime.connections import connect_redis_briefly
from runtime.crypto import Secret
from runtime.limiter import Limiter
from services.marking import PAUSE, RING_AGAIN_AFTER, TRIES, TYPING_EVERY, YOUNGER_THAN, Marking, Telling
from tests.support import meta_webhooks as meta
from tests.support.canned import CannedCalls
from tests.support.wired import Wired

AMARA = Caller(
    token_id="tok_1", name="Amara", agent_id="agt_amara", role=Role.AGENT, permissions=permissions_of(Role.AGENT)
)
TAKEN = HttpAnswer(status=200, body=b'{"success": true}')


class Bell:
    """Writes down its rings, and refuses when told to."""

    def __init__(self) -> None:
        self.rung: list[str] = []
        self.broken = False

    def __call__(self, ids: Sequence[str]) -> None:
        if self.broken:
            raise ConnectionError
        self.rung += ids


class Desk:
    """Marking and telling over one database, with rings recorded and a vendor's answers given."""

    def __init__(self, wired: Wired, redis_url: str, *, receipts: bool = True) -> None:
        wired.clock_hand._now = datetime.fromtimestamp(meta.NOON, UTC) + timedelta(minutes=10)
        self.wired = wired
        self.bell, self.typing_bell = Bell(), Bell()
        self.calls = CannedCalls(TAKEN)
        self.marking = Marking(
            ReadMarks(wired.store),
            wired.clock,
            receipts=receipts,
            ring=self.bell,
            ring_typing=self.typing_bell,
            limiter=Limiter(connect_redis_briefly(Secret(redis_url))),
        )
        self.telling = Telling(
            ReadMarks(wired.store),
            wired.clock,
            account=wired.directory.by_id,
            providers=registry.by_names(),
            calls=self.calls,
            base_url=lambda _: "https://graph.example",
        )

    @property
    def chat(self) -> dict[str, Any]:
        found = self.wired.store.chats.find_one()
        assert found is not None
        return found

    @property
    def chat_id(self) -> str:
        return str(self.chat["id"])

    @property
    def receipts(self) -> list[dict[str, Any]]:
        return list(self.wired.store.receipts.find())

    def message(self, text: str) -> Message:
        row = self.wired.store.messages.find_one({"text": text})
        assert row is not None
        return from_document(Message, row)

    def recount(self) -> int:
        return self.wired.store.messages.count_documents({"chatId": self.chat_id, **UNREAD})

    def write(self, *texts: str) -> None:
        self.wired.deliver(*(meta.envelope(meta.text(one, at=meta.NOON + n)) for n, one in enumerate(texts)))


@pytest.fixture
def desk(wired: Wired, redis_uri: str, redis_client: Redis) -> Desk:
    return Desk(wired, redis_uri)


class TestMarks:
    def test_a_chat_is_read_by_somebody_at_a_moment(self, desk: Desk) -> None:
        desk.write("one", "two")
        assert desk.marking.mark(desk.chat_id, by=AMARA) == 2

        assert desk.chat["unreadCount"] == desk.recount() == 0
        assert desk.chat["readBy"] == [{"agentId": "agt_amara", "at": desk.wired.clock.now()}]
        assert desk.chat["lastMessage"]["status"] == "read"
        for text in ("one", "two"):
            found = desk.message(text)
            assert (found.status, found.read_status, found.read_at) == (
                MessageStatus.READ,
                "read",
                desk.wired.clock.now(),
            )

    def test_once_more_changes_only_who_looked_when(self, desk: Desk) -> None:
        desk.write("one")
        desk.marking.mark(desk.chat_id, by=AMARA)
        first = desk.message("one")
        desk.wired.clock_hand.move(timedelta(minutes=1))
        assert desk.marking.mark(desk.chat_id, by=AMARA) == 0
        desk.marking.mark(desk.chat_id, by=replace(AMARA, agent_id="agt_ben"))
        assert desk.message("one") == first
        assert desk.chat["unreadCount"] == 0
        assert [mark["agentId"] for mark in desk.chat["readBy"]] == ["agt_amara", "agt_ben"]
        assert desk.bell.rung == [desk.chat_id]

    def test_one_message_is_read_alone(self, desk: Desk) -> None:
        desk.write("one", "two", "three")
        assert desk.marking.mark(desk.chat_id, message_id=desk.message("two").id, by=AMARA) == 1
        assert desk.marking.mark(desk.chat_id, message_id=desk.message("two").id, by=AMARA) == 0
        assert desk.chat["unreadCount"] == desk.recount() == 2
        assert [desk.message(text).status.value for text in ("one", "two", "three")] == ["received", "read", "received"]
        assert desk.chat["lastMessage"]["status"] == "received"

    def test_what_is_not_counted_is_left_as_it_is(self, desk: Desk) -> None:
        desk.write("one")
        desk.wired.deliver(meta.envelope(meta.echo("ours"), field="smb_message_echoes"))
        desk.wired.store.messages.insert_one(
            {
                "id": "msg_h",
                "chatId": desk.chat_id,
                "status": "received",
                "history": True,
                "direction": "inbound",
                "senderType": "customer",
                "timestamp": desk.wired.clock.now(),
                "isDeleted": False,
            }
        )
        assert desk.marking.mark(desk.chat_id, by=AMARA) == 1
        assert desk.message("ours").status is not MessageStatus.READ
        assert desk.wired.store.messages.count_documents({"status": "received"}) == 1

    def test_a_program_leaves_no_mark_of_its_own(self, desk: Desk) -> None:
        desk.write("one")
        desk.marking.mark(desk.chat_id, by=replace(AMARA, agent_id=None))
        assert (desk.chat["unreadCount"], desk.chat["readBy"]) == (0, [])

    def test_a_chat_that_never_was_is_nothing_to_read(self, desk: Desk) -> None:
        assert desk.marking.mark("chat_never", by=AMARA) == 0

    def test_what_arrives_between_looking_and_marking_stays_unread_and_counted(self, desk: Desk) -> None:
        desk.write("first", "second")

        class Slow(ReadMarks):
            arriving = True

            def _mark_messages(self, *args: Any) -> None:
                if self.arriving:
                    self.arriving = False
                    desk.wired.deliver(meta.envelope(meta.text("meanwhile", at=meta.NOON + 5)))
                super()._mark_messages(*args)

        marks = Slow(desk.wired.store)
        assert marks.mark(desk.chat_id, agent_id="agt_amara", receipt=True, now=desk.wired.clock.now()) == 2
        assert not marks.arriving
        assert desk.message("meanwhile").status is MessageStatus.RECEIVED
        assert desk.chat["unreadCount"] == desk.recount() == 1
        assert [(one["id"], one["messageId"]) for one in desk.receipts] == [(desk.chat_id, desk.message("second").id)]
        assert desk.chat["lastMessage"]["status"] == "received"

    def test_what_arrives_in_the_same_moment_is_counted(self, desk: Desk) -> None:
        desk.write("first")
        ids = [desk.wired.store_webhook(meta.envelope(meta.text(f"n{n}", at=meta.NOON + n))) for n in range(60)]

        def receive(start: int) -> None:
            for one in ids[start::3]:
                desk.wired.receiving.receive([one])

        def read(_: int) -> None:
            for _n in range(15):
                desk.marking.mark(desk.chat_id, by=AMARA)

        with ThreadPoolExecutor(5) as pool:
            jobs = [pool.submit(receive, n) for n in range(3)] + [pool.submit(read, n) for n in range(2)]
            for done in jobs:
                done.result()
        assert desk.chat["unreadCount"] == desk.recount()
        read_now = desk.wired.store.messages.count_documents({"status": "read"})
        assert read_now + desk.recount() == 61
        desk.marking.mark(desk.chat_id, by=AMARA)
        assert desk.chat["unreadCount"] == desk.recount() == 0

    def test_counting_and_marking_apart_would_drift(self, desk: Desk) -> None:
        """The negative control: zero the count beside the transaction while a message arrives."""
        desk.write("first")
        seen = [row["id"] for row in desk.wired.store.messages.find(UNREAD)]
        desk.wired.deliver(meta.envelope(meta.text("meanwhile", at=meta.NOON + 5)))
        desk.wired.store.messages.update_many({"id": {"$in": seen}}, {"$set": {"status": "read"}})
        desk.wired.store.chats.update_one({"id": desk.chat_id}, {"$set": {"unreadCount": 0}})
        assert desk.chat["unreadCount"] != desk.recount()

    def test_the_search_ends_where_the_count_does(self, desk: Desk) -> None:
        """A chat with many messages of which one is unread is not read through."""
        desk.write(*(f"n{n}" for n in range(50)))
        desk.marking.mark(desk.chat_id, by=AMARA)
        desk.wired.deliver(meta.envelope(meta.text("new", at=meta.NOON + 100)))
        query = desk.wired.store.messages.find({"chatId": desk.chat_id, **UNREAD}, {"_id": 0, "id": 1})
        found = query.sort([("timestamp", -1), ("receivedAt", -1), ("id", -1)]).limit(1).explain()
        assert found["executionStats"]["totalDocsExamined"] == 1


class TestReceipts:
    def test_the_vendor_is_told_of_the_newest_message_read(self, desk: Desk) -> None:
        desk.write("one", "two")
        desk.marking.mark(desk.chat_id, by=AMARA)
        assert desk.bell.rung == [desk.chat_id]

        assert desk.telling.receipts(desk.bell.rung) == 1

        (request,) = desk.calls.requests
        told = json.loads(request.body)
        assert (told["status"], told["message_id"]) == ("read", desk.message("two").provider_message_id)
        assert "typing_indicator" not in told
        assert desk.receipts == []

    def test_it_is_told_once_however_many_rings_there_are(self, desk: Desk) -> None:
        desk.write("one")
        desk.marking.mark(desk.chat_id, by=AMARA)
        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(lambda _: desk.telling.receipts([desk.chat_id]), range(8))) == 1
        assert len(desk.calls.requests) == 1

    def test_a_lost_ring_is_rung_again(self, desk: Desk) -> None:
        desk.bell.broken = True
        desk.write("one")
        assert desk.marking.mark(desk.chat_id, by=AMARA) == 1
        desk.bell.broken = False
        assert desk.marking.sweep() == 0
        desk.wired.clock_hand.move(RING_AGAIN_AFTER)
        assert desk.marking.sweep() == 1
        assert desk.bell.rung == [desk.chat_id]
        assert desk.telling.receipts([]) == 1
        assert desk.marking.sweep() == 0

    @pytest.mark.parametrize("answer", [NotSent("dns"), HttpAnswer(status=400, body=b'{"error": {"code": 130429}}')])
    def test_trouble_that_passes_is_tried_again_and_not_for_ever(
        self, desk: Desk, answer: HttpAnswer | Exception
    ) -> None:
        desk.calls.answers = [answer]
        desk.write("one")
        desk.marking.mark(desk.chat_id, by=AMARA)
        for _ in range(TRIES + 2):
            assert desk.telling.receipts([]) == 0
            desk.wired.clock_hand.move(PAUSE)
        assert len(desk.calls.requests) == TRIES
        assert desk.receipts == []

    @pytest.mark.parametrize(
        "answer", [Unanswered("timeout"), HttpAnswer(status=400, body=b'{"error": {"code": 100}}')]
    )
    def test_what_was_refused_or_may_have_been_taken_is_let_be(
        self, desk: Desk, answer: HttpAnswer | Exception
    ) -> None:
        desk.calls.answers = [answer]
        desk.write("one")
        desk.marking.mark(desk.chat_id, by=AMARA)
        for _ in range(2):
            desk.telling.receipts([])
            desk.wired.clock_hand.move(PAUSE)
        assert len(desk.calls.requests) == 1

    def test_a_worker_that_dies_loses_the_receipt_and_nothing_else(self, desk: Desk) -> None:
        desk.write("one")
        desk.marking.mark(desk.chat_id, by=AMARA)
        desk.calls.answers = [SystemExit()]  # type: ignore[list-item]
        desk.calls.meanwhile = lambda: (_ for _ in ()).throw(SystemExit)
        with pytest.raises(SystemExit):
            desk.telling.receipts([])
        desk.calls.meanwhile = None
        assert desk.telling.receipts([]) == 0
        assert desk.chat["unreadCount"] == desk.recount() == 0

    def test_a_newer_one_that_came_due_meanwhile_is_not_overwritten(self, desk: Desk) -> None:
        desk.write("one")
        desk.marking.mark(desk.chat_id, by=AMARA)
        desk.calls.answers = [NotSent("dns"), TAKEN]

        def meanwhile() -> None:
            desk.calls.meanwhile = None
            desk.wired.deliver(meta.envelope(meta.text("two", at=meta.NOON + 60)))
            desk.marking.mark(desk.chat_id, by=AMARA)

        desk.calls.meanwhile = meanwhile
        desk.telling.receipts([])
        desk.telling.receipts([])
        told = [json.loads(request.body)["message_id"] for request in desk.calls.requests]
        assert told == [desk.message("one").provider_message_id, desk.message("two").provider_message_id]

    def test_old_messages_and_blocked_senders_are_told_nothing(self, desk: Desk) -> None:
        desk.write("one")
        desk.marking.mark(desk.chat_id, by=AMARA)
        desk.wired.clock_hand.move(YOUNGER_THAN)
        assert desk.telling.receipts([]) == 0

        desk.wired.deliver(meta.envelope(meta.text("two", at=meta.NOON + 40 * 86_400)))
        desk.marking.mark(desk.chat_id, by=AMARA)
        desk.wired.store.chats.update_one({}, {"$set": {"blocked": True}})
        assert desk.telling.receipts([]) == 0
        assert desk.calls.requests == []

    def test_a_message_that_moved_to_another_chat_is_told_of_all_the_same_unless_that_is_blocked(
        self, desk: Desk
    ) -> None:
        for blocked in (True, False):
            text = f"blocked: {blocked}"
            desk.write(text)
            desk.marking.mark(desk.chat_id, by=AMARA)
            other = desk.wired.store.chats.find_one({"id": desk.chat_id}, {"_id": 0}) or {}
            other |= {"id": f"chat_{blocked}", "addressId": f"adr_{blocked}", "blocked": blocked}
            desk.wired.store.chats.insert_one(other)
            desk.wired.store.messages.update_one({"text": text}, {"$set": {"chatId": other["id"]}})
            assert desk.telling.receipts([desk.chat_id]) == int(not blocked)
            assert desk.receipts == []

    def test_turned_off_nobody_is_told_anything(self, wired: Wired, redis_uri: str, redis_client: Redis) -> None:
        desk = Desk(wired, redis_uri, receipts=False)
        desk.write("one")
        assert desk.marking.mark(desk.chat_id, by=AMARA) == 1
        assert desk.receipts == []
        assert not desk.marking.typing(desk.chat_id)
        assert desk.bell.rung == desk.typing_bell.rung == []


class TestTyping:
    def test_the_customer_sees_it(self, desk: Desk) -> None:
        desk.write("one", "two")
        assert desk.marking.typing(desk.chat_id)
        assert desk.telling.typing(desk.typing_bell.rung) == 1
        (request,) = desk.calls.requests
        told = json.loads(request.body)
        assert told["typing_indicator"] == {"type": "text"}
        assert told["message_id"] == desk.message("two").provider_message_id

    def test_asked_for_again_while_it_shows_it_is_left_alone(self, desk: Desk) -> None:
        assert desk.marking.typing("chat_1")
        assert not any(desk.marking.typing("chat_1") for _ in range(20))
        assert desk.marking.typing("chat_2")
        assert timedelta(seconds=15) < TYPING_EVERY < timedelta(seconds=25)

    def test_it_is_never_an_error(self, wired: Wired, redis_uri: str) -> None:
        desk = Desk(wired, "redis://127.0.0.1:1/0")
        desk.typing_bell.broken = True
        assert not desk.marking.typing("chat_1")
        desk.calls.answers = [Unanswered("timeout")]
        desk.write("one")
        assert desk.telling.typing([desk.chat_id, "chat_never"]) == 0

    def test_blocked_senders_see_nothing(self, desk: Desk) -> None:
        desk.write("one")
        desk.wired.store.chats.update_one({}, {"$set": {"blocked": True}})
        assert desk.telling.typing([desk.chat_id]) == 0
        assert desk.calls.requests == []
