"""The message that goes with a reminder: queued once for each time it is scheduled, or the row says why not."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis

from models.follow_up import FollowUp, FollowUpStatus, ReminderStep, ReminderTemplate, idempotency_key
from models.store.codec import to_document
from models.store.follow_ups import FollowUps
from models.template import Template, TemplateStatus
from runtime.errors import Conflict, Forbidden, HooklineError, Invalid, NotFound
from services.reminding import messaging
from services.reminding.messaging import LEASE, MAX_ATTEMPTS, Messaging
from tests.services.reminding.rows import AMARA, add_follow_up, add_follow_ups, follow_up
from tests.support import meta_webhooks as meta
from tests.support.wired import Wired

TEMPLATE = ReminderTemplate(name="still_there", language="en", values={"parameters": ["Priya"]})


class Queue:
    """A queue that books every key before it answers, as `services.sending` does; one key is one message."""

    def __init__(self) -> None:
        self.messages: dict[str, dict[str, Any]] = {}
        self.calls = 0
        self.crash_after = False
        self.trouble: Exception | None = None

    def __call__(
        self,
        *,
        chat_id: str,
        name: str,
        language: str | None,
        values: Mapping[str, Any],
        idempotency_key: str,
        silent_since: datetime | None,
    ) -> str:
        self.calls += 1
        if self.trouble:
            raise self.trouble
        said = {"chat_id": chat_id, "name": name, "language": language, "values": values}
        booked = self.messages.setdefault(idempotency_key, {"id": f"msg_{len(self.messages)}", **said})
        if self.crash_after:
            raise SystemExit
        return str(booked["id"])


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def sending(wired: Wired, queue: Queue) -> Messaging:
    return Messaging(wired.follow_ups, wired.clock, queue)


def template_of(wired: Wired, one: str) -> ReminderTemplate:
    template = follow_up(wired, one).template
    assert template is not None
    return template


def test_it_is_queued_when_the_reminder_has_fired_and_not_before(
    wired: Wired, sending: Messaging, queue: Queue
) -> None:
    one = add_follow_up(wired, template=TEMPLATE, chat_id="chat_7")
    assert sending.due() == 0

    wired.firing.due()
    assert sending.due() == 1
    assert sending.due() == 0

    assert list(queue.messages.values()) == [
        {
            "id": "msg_0",
            "chat_id": "chat_7",
            "name": "still_there",
            "language": "en",
            "values": {"parameters": ["Priya"]},
        }
    ]
    told = template_of(wired, one)
    assert (told.state, told.message_id, told.attempts) == (ReminderStep.QUEUED, "msg_0", 1)
    assert follow_up(wired, one).template_due_at is None


def test_a_reminder_without_a_message_queues_none(wired: Wired, sending: Messaging, queue: Queue) -> None:
    add_follow_up(wired)
    wired.firing.due()
    assert sending.due() == queue.calls == 0


def crash_and_return(wired: Wired, sending: Messaging, queue: Queue) -> None:
    """Die between the queueing and its record, and let the next clock find what is left."""
    queue.crash_after = True
    with pytest.raises(SystemExit):
        sending.due()
    queue.crash_after = False
    assert sending.due() == 0
    wired.clock_hand.move(LEASE)
    assert sending.due() == 1


def test_a_clock_that_dies_after_queueing_queues_it_no_second_time(
    wired: Wired, sending: Messaging, queue: Queue
) -> None:
    """FAULTS D2: the second try happens after the lease, and its key makes it the same message."""
    one = add_follow_up(wired, template=TEMPLATE)
    wired.firing.due()
    crash_and_return(wired, sending, queue)
    assert (queue.calls, len(queue.messages)) == (2, 1)
    assert template_of(wired, one).message_id == "msg_0"


def test_without_a_key_of_the_follow_up_the_same_crash_sends_twice(
    wired: Wired, sending: Messaging, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAULTS D2, the negative control."""
    monkeypatch.setattr(messaging, "idempotency_key", lambda _: uuid4().hex)
    add_follow_up(wired, template=TEMPLATE)
    wired.firing.due()
    crash_and_return(wired, sending, queue)
    assert len(queue.messages) == 2


def test_four_clocks_queue_each_once(wired: Wired, queue: Queue) -> None:
    add_follow_ups(wired, [wired.clock.now()] * 100, template=TEMPLATE)
    wired.firing.due()
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda _: Messaging(wired.follow_ups, wired.clock, queue).due(), range(4)))
    assert sum(counts) == queue.calls == len(queue.messages) == 100


def test_put_off_after_it_fired_it_has_a_message_of_its_own(wired: Wired, sending: Messaging, queue: Queue) -> None:
    one = add_follow_up(wired, template=TEMPLATE)
    wired.firing.due()
    sending.due()
    wired.planning.change(one, {"scheduled_at": wired.clock.now() + timedelta(days=1)}, by=AMARA)
    wired.clock_hand.move(timedelta(days=1))
    assert (wired.firing.due(), sending.due()) == (1, 1)
    assert len(queue.messages) == 2
    assert template_of(wired, one).message_id == "msg_1"


@pytest.mark.parametrize("target", [FollowUpStatus.COMPLETED, FollowUpStatus.CANCELLED])
def test_ended_before_it_was_queued_there_is_no_message(
    wired: Wired, sending: Messaging, queue: Queue, target: FollowUpStatus
) -> None:
    one = add_follow_up(wired, template=TEMPLATE)
    wired.firing.due()
    wired.planning.change(one, {"status": target}, by=AMARA)
    assert sending.due() == queue.calls == 0
    assert template_of(wired, one).state is ReminderStep.DROPPED


def test_taken_back_before_it_was_queued_there_is_none_and_the_row_can_be_read(
    wired: Wired, sending: Messaging, queue: Queue
) -> None:
    one = add_follow_up(wired, template=TEMPLATE)
    wired.firing.due()
    wired.planning.change(one, {"template": None}, by=AMARA)
    assert sending.due() == queue.calls == 0
    assert follow_up(wired, one).template is None
    wired.clock_hand.move(timedelta(days=2))
    assert wired.firing.overdue() == 1


def test_taken_back_while_a_clock_takes_it_there_is_none(wired: Wired, queue: Queue) -> None:
    one = add_follow_up(wired, template=TEMPLATE)
    wired.firing.due()

    class Slow(FollowUps):
        def templates_due(self, **values: Any) -> list[FollowUp]:
            found = super().templates_due(**values)
            wired.planning.change(one, {"template": None}, by=AMARA)
            return found

    assert Messaging(Slow(wired.store), wired.clock, queue).due() == queue.calls == 0
    assert follow_up(wired, one).template is None


def test_a_caller_who_repeats_the_message_does_not_forget_what_became_of_it(
    wired: Wired, sending: Messaging, queue: Queue
) -> None:
    one = add_follow_up(wired, template=TEMPLATE)
    wired.firing.due()
    sending.due()
    same = ReminderTemplate(name=TEMPLATE.name, language=TEMPLATE.language, values=dict(TEMPLATE.values))
    wired.planning.change(one, {"template": same, "title": "Call"}, by=AMARA)
    told = template_of(wired, one)
    assert (told.state, told.message_id) == (ReminderStep.QUEUED, "msg_0")
    wired.planning.change(one, {"template": replace(same, language="de")}, by=AMARA)
    assert (template_of(wired, one).language, template_of(wired, one).state) == ("de", ReminderStep.WAITING)


def test_cancelled_while_it_is_queued_the_row_says_that_it_was(wired: Wired, queue: Queue) -> None:
    """FAULTS D3: never "cancelled but sent" unless recorded so."""
    one = add_follow_up(wired, template=TEMPLATE)
    wired.firing.due()

    def cancelling(**values: Any) -> str:
        wired.planning.change(one, {"status": FollowUpStatus.CANCELLED}, by=AMARA)
        return queue(**values)

    assert Messaging(wired.follow_ups, wired.clock, cancelling).due() == 1

    told = template_of(wired, one)
    assert follow_up(wired, one).status is FollowUpStatus.CANCELLED
    assert (told.state, told.message_id) == (ReminderStep.QUEUED, "msg_0")


REFUSALS: dict[str, HooklineError] = {
    "window_closed": Conflict("closed", code="window_closed"),
    "invalid: values.body": Invalid("two values are missing", fields={"values.body": ["needs 2"]}),
    "not_found": NotFound("no such template"),
    "forbidden": Forbidden("not there"),
}


@pytest.mark.parametrize("reason", REFUSALS)
def test_what_cannot_be_sent_says_why_and_is_not_tried_again(
    wired: Wired, sending: Messaging, queue: Queue, reason: str
) -> None:
    queue.trouble = REFUSALS[reason]
    one = add_follow_up(wired, template=TEMPLATE)
    wired.firing.due()
    assert sending.due() == 0
    wired.clock_hand.move(LEASE * 2)
    assert sending.due() == 0
    assert queue.calls == 1
    told = template_of(wired, one)
    assert (told.state, told.error) == (ReminderStep.FAILED, reason)


def test_trouble_of_the_moment_is_tried_again_and_not_for_ever(wired: Wired, sending: Messaging, queue: Queue) -> None:
    queue.trouble = ConnectionError()
    one = add_follow_up(wired, template=TEMPLATE)
    wired.firing.due()
    for _ in range(MAX_ATTEMPTS + 3):
        sending.due()
        wired.clock_hand.move(LEASE)
    assert queue.calls == MAX_ATTEMPTS
    assert template_of(wired, one).error == "not_queued"


@pytest.mark.parametrize(("away", "queued"), [(timedelta(hours=3), 1), (timedelta(hours=3, milliseconds=1), 0)])
def test_a_clock_that_was_away_sends_no_stale_messages(
    wired: Wired, queue: Queue, away: timedelta, queued: int
) -> None:
    """FAULTS D4, of the message: killed after the reminder had fired, and back so much later."""
    one = add_follow_up(wired, template=TEMPLATE)
    wired.firing.due()
    wired.clock_hand.move(away)
    assert Messaging(wired.follow_ups, wired.clock, queue, late=timedelta(hours=3)).due() == queue.calls == queued
    told = template_of(wired, one)
    assert (told.state, told.error) == ((ReminderStep.QUEUED, None) if queued else (ReminderStep.DROPPED, "too_late"))


def test_one_that_fails_does_not_hold_up_the_others(wired: Wired, queue: Queue) -> None:
    bad = add_follow_up(wired, template=ReminderTemplate(name="bad"))
    good = add_follow_up(wired, template=TEMPLATE)
    wired.firing.due()

    def picky(**values: Any) -> str:
        if values["name"] == "bad":
            raise RuntimeError
        return queue(**values)

    assert Messaging(wired.follow_ups, wired.clock, picky).due() == 1
    assert template_of(wired, good).state is ReminderStep.QUEUED
    assert template_of(wired, bad).state is ReminderStep.WAITING


def test_the_key_names_the_follow_up_and_its_time_and_nothing_else(wired: Wired) -> None:
    now = wired.clock.now()
    one = FollowUp(id="fup_1", chat_id="chat_1", scheduled_at=now)
    assert idempotency_key(one) == idempotency_key(FollowUp(id="fup_1", chat_id="x", scheduled_at=now))
    later = FollowUp(id="fup_1", chat_id="chat_1", scheduled_at=now + timedelta(milliseconds=1))
    assert idempotency_key(one) != idempotency_key(later)


class TestWired:
    """With what queues messages in the product."""

    def chat(self, wired: Wired) -> str:
        wired.deliver(meta.envelope(meta.text("hello")))
        components = [{"type": "BODY", "text": "Are you still there, {{1}}?"}]
        approved = Template(
            id="tpl_1",
            config_id=wired.account.id,
            name="still_there",
            language="en",
            status=TemplateStatus.APPROVED,
            category="UTILITY",
            components=components,
        )
        wired.store.templates.insert_one(to_document(approved))
        found = wired.store.chats.find_one()
        assert found is not None
        return str(found["id"])

    def test_the_customer_gets_one_message_whose_id_the_row_tells(self, wired: Wired, redis_client: Redis) -> None:
        one = add_follow_up(wired, chat_id=self.chat(wired), template=TEMPLATE)
        wired.firing.due()

        class Crashing(FollowUps):
            def settle_template(self, *args: Any, **values: Any) -> None:
                raise SystemExit

        with pytest.raises(SystemExit):
            Messaging(Crashing(wired.store), wired.clock, wired.queueing.queue_template).due()
        wired.clock_hand.move(LEASE)
        assert wired.messaging.due() == 1

        (message,) = wired.store.messages.find({"direction": "outbound"})
        told = template_of(wired, one)
        assert (told.state, told.message_id) == (ReminderStep.QUEUED, message["id"])
        assert (message["status"], message["type"], message["text"]) == (
            "queued",
            "template",
            "Are you still there, Priya?",
        )

    @pytest.mark.parametrize(
        ("name", "values", "reason"),
        [
            ("never_made", {}, "template_unusable"),
            ("still_there", {}, "invalid: template.parameters.0"),
        ],
    )
    def test_a_template_that_cannot_be_sent_says_why(
        self, wired: Wired, redis_client: Redis, name: str, values: dict[str, Any], reason: str
    ) -> None:
        template = ReminderTemplate(name=name, language="en", values=values)
        one = add_follow_up(wired, chat_id=self.chat(wired), template=template)
        wired.firing.due()
        assert wired.messaging.due() == 0
        told = template_of(wired, one)
        assert (told.state, told.error) == (ReminderStep.FAILED, reason)

    def test_a_blocked_customer_gets_none(self, wired: Wired, redis_client: Redis) -> None:
        one = add_follow_up(wired, chat_id=self.chat(wired), template=TEMPLATE)
        wired.blocking.block(phone_number=f"+{meta.PHONE}", by=AMARA)
        wired.firing.due()
        assert wired.messaging.due() == 0
        assert template_of(wired, one).error == "blocked"
        assert wired.store.messages.count_documents({"direction": "outbound"}) == 0

    @pytest.mark.parametrize(("asks", "sent"), [(True, 0), (False, 1)])
    def test_a_reply_between_the_reminder_and_its_message_is_an_answer_too(
        self, wired: Wired, redis_client: Redis, asks: bool, sent: int
    ) -> None:
        """FAULTS D3: the reminder stands, the customer who has just answered is not asked whether they are there."""
        one = add_follow_up(wired, chat_id=self.chat(wired), template=TEMPLATE, cancel_on_reply=asks)
        wired.firing.due()
        wired.deliver(meta.envelope(meta.text("here I am", at=int(wired.clock.now().timestamp()) + 1)))
        assert wired.messaging.due() == sent
        assert wired.store.messages.count_documents({"direction": "outbound"}) == sent
        told = template_of(wired, one)
        assert (told.state, told.error) == ((ReminderStep.DROPPED, "answered") if asks else (ReminderStep.QUEUED, None))

    def test_put_differently_between_two_tries_it_is_still_one_message(self, wired: Wired, redis_client: Redis) -> None:
        one = add_follow_up(wired, chat_id=self.chat(wired), template=TEMPLATE)
        wired.firing.due()

        class Crashing(FollowUps):
            def settle_template(self, *args: Any, **values: Any) -> None:
                raise SystemExit

        with pytest.raises(SystemExit):
            Messaging(Crashing(wired.store), wired.clock, wired.queueing.queue_template).due()
        wired.planning.change(one, {"template": replace(TEMPLATE, values={"parameters": ["Maya"]})}, by=AMARA)
        wired.clock_hand.move(LEASE)
        assert wired.messaging.due() == 1
        (message,) = wired.store.messages.find({"direction": "outbound"})
        assert template_of(wired, one).message_id == message["id"]
