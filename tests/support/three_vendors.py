"""A day of three vendors side by side: what each of them posts, when it was received, and a house to apply it in.

Deliveries keep the moment of their receipt whatever the order in which they are applied: Twilio tells no times, so
there the receipt is the time. Deliberately through the real parsers: bodies, not events.
"""

import itertools
import random
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from models.store.collections import COLLECTIONS
from models.store.intake import Intake, intake_row
from providers import chatapi, twilio
from tests.fixtures.twilio.conformance import FORM, KIT
from tests.fixtures.twilio.conformance import NUMBER as TWILIO_NUMBER
from tests.fixtures.twilio.webhooks import MESSAGE, STATUS
from tests.providers.chatapi_bodies import INSTANCE, ack, body, echo, item
from tests.services.conversing.test_identity import said
from tests.services.conversing.test_order import ANNA, BEN, a_day
from tests.services.conversing.test_uniting import a_number_with_a_past
from tests.support import meta_webhooks as meta
from tests.support.picture import picture
from tests.support.wired import Wired, add_meta_account

#: When the first delivery of the day was received.
MORNING: Final = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
SECOND_NUMBER: Final = "331702589914421"
DORA: Final = "447700900104"
_ANNA_THERE: Final = f"{ANNA}@c.us"


@dataclass(frozen=True, slots=True)
class Post:
    """One delivery: of which account, what, and when it was received."""

    account: str
    body: bytes
    received_at: datetime
    content_type: str = "application/json"


class House:
    """Accounts of three vendors, and workers as many as wanted."""

    def __init__(self, wired: Wired) -> None:
        self.wired = wired
        wired.clock_hand.move(timedelta(hours=12))
        forms = {
            "twilio": (twilio.PROVIDER, {"accountSid": MESSAGE["AccountSid"], "authToken": "t" * 32}),
            "chatapi": (chatapi.PROVIDER, {"instanceId": INSTANCE, "webhookSecret": "s" * 22, "apiKey": "k"}),
        }
        forms["twilio"][1]["phoneNumber"] = TWILIO_NUMBER
        self.accounts = {name: wired.connecting.add(provider, values) for name, (provider, values) in forms.items()}
        self.accounts |= {"meta": wired.account, "second": add_meta_account(wired, number_id=SECOND_NUMBER)}
        wired.directory.refresh(older_than=0)
        self.workers = [wired, *(self._another() for _ in range(3))]

    def _another(self) -> Wired:
        return Wired(self.wired.settings, application="test", clock=self.wired.clock)

    def apply(self, posts: Sequence[Post], *, batch: int, workers: int) -> dict[str, list[Any]]:
        """Apply deliveries to an empty database, so many at a time, and return what it then holds."""
        for collection in COLLECTIONS.values():
            if collection != "whatsappconfigs":
                self.wired.store.database[collection].delete_many({})
        batches = [posts[start : start + batch] for start in range(0, len(posts), batch)]
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(self._apply_some, batches, itertools.cycle(self.workers[:workers])))
        unfinished = {"status": {"$ne": "processed"}}
        assert [row.get("error") for row in self.wired.store.webhookevents.find(unfinished)] == []
        return picture(self.wired.store)

    def _apply_some(self, posts: Iterable[Post], worker: Wired) -> None:
        rows = [
            intake_row(
                provider=self.accounts[post.account].provider,
                config_id=self.accounts[post.account].id,
                body=post.body,
                content_type=post.content_type,
                query="",
                headers={},
                received_at=post.received_at,
            )
            for post in posts
        ]
        Intake(self.wired.store.webhookevents).store(rows)
        worker.receiving.receive([row.id for row in rows])

    def replay(self) -> dict[str, list[Any]]:
        """Apply everything once more."""
        ids = self.wired.events.ended_ids()
        for event_id in ids:
            self.wired.events.reopen(event_id, now=self.wired.clock.now())
        self.wired.receiving.receive(ids)
        return picture(self.wired.store)


def the_day() -> list[Post]:
    """Everything in the order in which it was received."""
    bodies = [("meta", one, "application/json") for one in [*a_day(), *a_number_with_a_past()]]
    bodies += [("second", one, "application/json") for one in _second_number()]
    bodies += [("twilio", KIT.encode(one), FORM) for one in _twilio()]
    bodies += [("chatapi", one, "application/json") for one in _chatapi()]
    random.Random(3).shuffle(bodies)
    return [
        Post(account, one, MORNING + timedelta(seconds=7 * number), kind)
        for number, (account, one, kind) in enumerate(bodies)
    ]


def again(post: Post) -> Post:
    """The same delivery once more, in other bytes, as a vendor repeats it that got no answer."""
    if post.account == "twilio":
        return replace(post, body=post.body.replace(b"%3A", b"%3a"))
    return replace(post, body=post.body + b" ")


def _second_number() -> list[bytes]:
    """Somebody known by user id only, who is known by number elsewhere; and a word on a template."""
    words = [
        said("second by id", at=meta.NOON + 30, user_id="GB.7777"),
        said("second by both", at=meta.NOON + 90, phone=DORA, user_id="GB.7777"),
        meta.envelope(meta.reaction("wamid.second by id", "👀", sender=DORA, at=meta.NOON + 95)),
    ]
    there = [word.replace(meta.NUMBER_ID.encode(), SECOND_NUMBER.encode()) for word in words]
    approved = {"message_template_id": 7, "message_template_name": "tea", "message_template_language": "en"}
    return [
        *there,
        meta.management("message_template_status_update", {**approved, "event": "APPROVED"}, at=meta.NOON + 5),
        meta.management("message_template_status_update", {**approved, "event": "PAUSED"}, at=meta.NOON + 50),
    ]


def _twilio() -> list[dict[str, str]]:
    """Two people known elsewhere, one who hides the number at first, a file, and statuses of somebody else's send."""
    inbound = [
        {"From": f"whatsapp:+{BEN}", "Body": "tb1", "ProfileName": "Ben at Twilio"},
        {"From": f"whatsapp:+{DORA}", "Body": "td1", "ProfileName": "Dora"},
        {"From": "whatsapp:GB.8888", "Body": "th1", "ProfileName": "Hidden"},
        {"From": "whatsapp:+447700900105", "ExternalUserId": "whatsapp:GB.8888", "Body": "th2"},
        {"From": "whatsapp:+447700900105", "Body": "th3", "NumMedia": "1", "MediaUrl0": "https://api.twilio.example/1"},
    ]
    messages = [{**MESSAGE, "MessageSid": f"SM{number:032x}", **one} for number, one in enumerate(inbound)]
    statuses = [{**STATUS, "MessageSid": "SM" + "f" * 32, "MessageStatus": word} for word in ("queued", "sent", "read")]
    return messages + statuses


def _chatapi() -> list[bytes]:
    """Anna again, an answer from the phone with its acks, a reaction to a message and a revoke."""
    theirs = {"chatId": _ANNA_THERE, "author": _ANNA_THERE, "senderName": "Anna at ChatAPI"}
    first, answer = f"false_{_ANNA_THERE}_3EB0A1", f"true_{_ANNA_THERE}_3EB0B1"
    noon = meta.NOON
    liked = {"type": "reaction", "body": "👍", "quotedMsgId": answer}
    return [
        body(messages=[item(**theirs, id=first, body="ca1", time=noon + 400)]),
        body(messages=[item(**theirs, id=f"false_{_ANNA_THERE}_3EB0A2", body="ca2", time=noon + 460)]),
        body(messages=[echo(id=answer, chatId=_ANNA_THERE, body="an answer", time=noon + 430)]),
        body(ack=[ack("sent", id=answer, chatId=_ANNA_THERE)]),
        body(ack=[ack("viewed", id=answer, chatId=_ANNA_THERE)]),
        body(ack=[ack("delivered", id=answer, chatId=_ANNA_THERE)]),
        body(messages=[item(**theirs, **liked, id=f"false_{_ANNA_THERE}_3EB0A3", time=noon + 440)]),
    ]
