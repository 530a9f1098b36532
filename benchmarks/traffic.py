"""Unique Meta webhooks of mixed traffic, and what a database must hold once they are applied.

Texts and media of many customers, statuses of messages the business sent before, reactions. The bodies are those of
Meta's Cloud API, compact as Meta sends them. Deliberately no signing and no HTTP: `benchmarks.signing` does that.
"""

import base64
import json
import random
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

#: The account that all traffic is for (numbers from the ranges kept for fiction).
PHONE_NUMBER_ID: Final = "331702589914420"
BUSINESS_ACCOUNT_ID: Final = "209145368820417"
DISPLAY_NUMBER: Final = "15550192744"
#: Who writes, at most: as many as the fictional range +44 7700 900000-900999 holds.
MOST_CUSTOMERS: Final = 1_000
CUSTOMERS: Final = 500
#: How often each kind of event occurs.
WEIGHTS: Final = {"text": 57, "media": 15, "status": 22, "reaction": 6}
#: What happens to a message of the business, one webhook each.
STATUSES: Final = ("sent", "delivered", "read")
#: The traffic begins this long (s) before now, and several webhooks share a second, as in life.
BEGAN_BEFORE_S: Final = 3_600
PER_SECOND: Final = 20

_FIRST_NAMES: Final = ("Amara", "Ben", "Chloe", "Dev", "Elif", "Farid", "Grace", "Hana", "Idris", "June")
_SENTENCES: Final = (
    "Hi, is the 09:40 slot still free?",
    "Could you send me the invoice again please, the link in the mail has expired",
    "Thanks!",
    "The parcel came today but one of the two boxes is missing. What should I do now? Order 58213, paid by card.",
    "👍 see you at eight",
)
_MEDIA: Final = (("image", "image/jpeg"), ("document", "application/pdf"), ("audio", "audio/ogg; codecs=opus"))
_EMOJI: Final = ("👍", "❤️", "😂", "🙏")


@dataclass(slots=True)
class Expected:
    """What must be true afterwards, whoever applied the traffic, in whatever order."""

    #: Customer's number in E.164 -> messages they sent, none of which anybody has read.
    unread: Counter[str] = field(default_factory=Counter)
    #: Ids of all messages, each of which exists once.
    messages: set[str] = field(default_factory=set)
    #: Message of the business -> the furthest status reported.
    statuses: dict[str, str] = field(default_factory=dict)
    #: Message -> the customer's emoji on it.
    reactions: dict[str, str] = field(default_factory=dict)


class Traffic:
    """One day's traffic of one account; the same seed makes the same day but for the ids, which never repeat."""

    def __init__(self, *, events: int, customers: int = CUSTOMERS, seed: int = 1) -> None:
        if not 2 <= customers <= MOST_CUSTOMERS:
            raise ValueError(f"customers must be from 2 to {MOST_CUSTOMERS}")
        self.expected = Expected()
        self._events = events
        self._customers = customers
        self._random = random.Random(seed)
        self._nonce = secrets.token_bytes(6)
        self._made = 0
        self._last_id = ""
        self._began = int(time.time()) - BEGAN_BEFORE_S
        self._sent: list[tuple[int, str]] = []
        self._reports: Iterator[tuple[int, str, str]] = iter(())

    def before(self) -> Iterator[bytes]:
        """Yield what happened before: half of the customers wrote, and the business answered from its phone."""
        known = self._customers // 2
        for customer in range(known):
            yield self._text(customer)
        answers = max(known, self._events * WEIGHTS["status"] // sum(WEIGHTS.values()) // len(STATUSES) + 1)
        for number in range(answers):
            yield self._echo(number % known)
        self._reports = self._reported()

    def mixed(self) -> Iterator[bytes]:
        """Yield the day itself: `events` webhooks."""
        kinds = self._random.choices(list(WEIGHTS), list(WEIGHTS.values()), k=self._events)
        targets = iter(self._random.sample(self._sent, len(self._sent)))
        makers = {"text": self._any_text, "media": self._any_media, "status": self._status}
        for kind in kinds:
            target = next(targets, None) if kind == "reaction" else None
            yield self._reaction(*target) if target else makers.get(kind, self._any_text)()

    def watched(self) -> tuple[bytes, str]:
        """Make a text of the first customer, and tell its id."""
        body = self._text(0)
        return body, self._last_id

    def _reported(self) -> Iterator[tuple[int, str, str]]:
        """Order the reports of all messages at random within a moving window, so that some come before their turn."""
        reports = [(customer, sent, status) for customer, sent in self._sent for status in STATUSES]
        order = sorted(range(len(reports)), key=lambda place: place + self._random.uniform(0, 30))
        return (reports[place] for place in order)

    def _any_text(self) -> bytes:
        return self._text(self._random.randrange(self._customers))

    def _text(self, customer: int) -> bytes:
        text = self._random.choice(_SENTENCES)
        return self._inbound(customer, {"type": "text", "text": {"body": f"{text} ({self._made})"}})

    def _any_media(self) -> bytes:
        kind, mime = self._random.choice(_MEDIA)
        number = str(10**15 + self._made)
        digest = base64.b64encode(self._random.randbytes(32)).decode()
        media = {
            "mime_type": mime,
            "sha256": digest,
            "id": number,
            "url": f"https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid={number}&source=webhook",
        }
        return self._inbound(self._random.randrange(self._customers), {"type": kind, kind: media})

    def _inbound(self, customer: int, item: dict[str, Any]) -> bytes:
        own_id = self._next_id(customer)
        self.expected.unread[f"+{phone(customer)}"] += 1
        self.expected.messages.add(own_id)
        sender = {"from": phone(customer), "from_user_id": user_id(customer)}
        return self._webhook(customer, messages=[{**sender, "id": own_id, "timestamp": self._now(), **item}])

    def _echo(self, customer: int) -> bytes:
        own_id = self._next_id(customer)
        self._sent.append((customer, own_id))
        self.expected.messages.add(own_id)
        self.expected.statuses[own_id] = STATUSES[0]
        item = {
            "from": DISPLAY_NUMBER, "to": phone(customer), "to_user_id": user_id(customer), "id": own_id,
            "timestamp": self._now(), "type": "text", "text": {"body": f"Your table is booked ({self._made})"},
        }  # fmt: skip
        return self._webhook(customer, field="smb_message_echoes", message_echoes=[item])

    def _status(self) -> bytes:
        report = next(self._reports, None)
        if report is None:
            return self._any_text()
        customer, sent, status = report
        self._made += 1
        furthest = self.expected.statuses[sent]
        self.expected.statuses[sent] = max(furthest, status, key=STATUSES.index)
        item = {
            "id": sent, "status": status, "timestamp": self._now(), "recipient_id": phone(customer),
            "recipient_user_id": user_id(customer),
            "pricing": {"billable": True, "pricing_model": "PMP", "category": "utility", "type": "regular"},
        }  # fmt: skip
        return self._webhook(customer, statuses=[item])

    def _reaction(self, customer: int, target: str) -> bytes:
        emoji = self.expected.reactions[target] = self._random.choice(_EMOJI)
        item = {
            "from": phone(customer), "from_user_id": user_id(customer), "id": self._next_id(customer),
            "timestamp": self._now(), "type": "reaction", "reaction": {"message_id": target, "emoji": emoji},
        }  # fmt: skip
        return self._webhook(customer, messages=[item])

    def _next_id(self, customer: int) -> str:
        self._made += 1
        name = phone(customer).encode() + b"\x15\x02\x00\x12\x18" + self._nonce + self._made.to_bytes(6, "big")
        self._last_id = f"wamid.{base64.b64encode(name).decode()}"
        return self._last_id

    def _now(self) -> str:
        return str(self._began + self._made // PER_SECOND)

    @staticmethod
    def _webhook(customer: int, *, field: str = "messages", **items: list[dict[str, Any]]) -> bytes:
        contact = {"profile": {"name": name(customer)}, "wa_id": phone(customer), "user_id": user_id(customer)}
        value = {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": DISPLAY_NUMBER, "phone_number_id": PHONE_NUMBER_ID},
            "contacts": [contact],
            **items,
        }
        entry = {"id": BUSINESS_ACCOUNT_ID, "changes": [{"value": value, "field": field}]}
        return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}, separators=(",", ":")).encode()


def phone(customer: int) -> str:
    """A customer's number as Meta spells it."""
    return f"{447_700_900_000 + customer}"


def user_id(customer: int) -> str:
    """A customer's business-scoped id."""
    return f"GB.{48_213_907_715_562_000_000 + customer}"


def name(customer: int) -> str:
    """A customer's profile name."""
    return f"{_FIRST_NAMES[customer % len(_FIRST_NAMES)]} {customer}"
