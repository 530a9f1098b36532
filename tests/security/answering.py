"""The way out, with canaries: an agent who answers, files, templates, follow-ups, blocks, and a vendor who blabs.

The vendor's refusals quote the number, the text and the access token, as vendors do. Deliberately searches nothing.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from models.ids import new_id
from models.template import Template, TemplateStatus
from tests.support.system import System
from tests.support.vendor import OK, Answer, Vendor
from tests.support.waiting import until

#: What must never be seen of what goes out, by what it is.
WORDS = {
    "answer text": "canary-answer-3c2e",
    "answer caption": "canary-answered-caption-90b4",
    "file name": "canary-file-2d61",
    "file content": "canary-bytes-b7aa",
    "template value": "canary-value-e513",
    "follow-up notes": "canary-notes-04d8",
    "block reason": "canary-reason-c9f2",
    "idempotency key": "canary-key-6a17",
}
#: States of messages with which nothing more happens by itself.
ENDED = ("accepted", "failed", "unknown")


@dataclass
class Answering:
    """An agent at the desk, with a chat whose window is open."""

    system: System
    vendor: Vendor
    #: What must not be seen, of the way in too.
    words: Mapping[str, str]
    #: Keeps what is seen.
    note: Callable[[str, str], None]
    api: str
    token: str

    def all(self) -> None:
        """Let everything happen that can."""
        self.well()
        self.refused_orders()
        self.badly()
        self.besides()
        self.without_a_token_that_is_good()

    def post(self, path: str, body: Any = None, **more: Any) -> requests.Response:
        """Ask the API to do something; what it refuses is kept."""
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        answer = requests.post(f"{self.api}/api/whatsapp/{path}", json=body, headers=headers, timeout=20, **more)
        if answer.status_code >= 400:
            self.note("answers of the desk", answer.text)
        return answer

    def queue(self, **order: Any) -> str:
        """Write to the customer; return our id of the message."""
        headers = {"Idempotency-Key": f"{self.words['idempotency key']}-{new_id('msg')}"}
        answer = self.post(f"chats/{self.chat_id}/messages", order, headers=headers)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def send(self, expected: str, **order: Any) -> None:
        """Write to the customer, and wait until that came to its end."""
        message_id = self.queue(**order)
        until(lambda: self.row(message_id)["status"] in ENDED, seconds=30, what=f"an answer to be {expected}")
        row = self.row(message_id)
        assert row["status"] == expected, row.get("error")

    def text(self) -> dict[str, str]:
        """What to send: a text."""
        return {"type": "text", "text": f"{self.words['answer text']} {self.words['phone number']}"}

    def row(self, message_id: str) -> dict[str, Any]:
        return self.system.store.messages.find_one({"id": message_id}) or {}

    @property
    def chat_id(self) -> str:
        row = self.system.store.chats.find_one({"phoneNumber": f"+{self.words['phone number']}"})
        assert row is not None
        return str(row["id"])

    @property
    def quoted(self) -> str:
        """What a vendor may quote of a request, in details or in a page that is no answer at all."""
        return "; ".join(self.words[name] for name in ("phone number", "answer text", "access token", "customer name"))

    def refusal(self, code: int, status: int = 400) -> Answer:
        """A refusal that quotes whom it is about, and who asked."""
        message = f"(#{code}) No: {self.words['phone number']}, {self.words['access token']}"
        content = {"message": message, "code": code, "error_data": {"details": self.quoted}}
        return Answer(takes=False, status=status, body=json.dumps({"error": content}).encode())

    def well(self) -> None:
        """Text, file and template, all taken."""
        self.send("accepted", **self.text())
        name = f"{self.words['file name']}.txt"
        part = {"file": (name, self.words["file content"].encode() * 50, "text/plain")}
        media_id = self.post("media", files=part).json()["id"]
        media = {"mediaId": media_id, "caption": self.words["answer caption"], "fileName": name}
        self.send("accepted", type="document", media=media)
        template = Template(
            id=new_id("tpl"),
            config_id=self.system.store.chats.distinct("configId", {"id": self.chat_id})[0],
            name="visit",
            language="en_GB",
            content="Hello {{1}}.",
            status=TemplateStatus.APPROVED,
            components=[{"type": "BODY", "text": "Hello {{1}}."}],
        )
        self.system.services.templates.add(template, now=datetime.now(UTC))
        values = {"name": "visit", "language": "en_GB", "parameters": [self.words["template value"]]}
        self.send("accepted", type="template", template=values)

    def refused_orders(self) -> None:
        """What nobody should have asked for; the caller's own words do not come back."""
        text, phone = self.words["answer text"], self.words["phone number"]
        path = f"chats/{self.chat_id}/messages"
        for body in (
            {"type": "text", "text": [text]},
            {"type": text, "text": text},
            {"type": "image", "media": {"url": f"gopher://{phone}", "caption": text}},
            {"type": "contact", "contact": {"phoneNumber": {phone: text}}},
            {"type": "template", "template": {"name": "visit", "language": "en_GB", "parameters": [text] * 3}},
            {"type": "text", "text": text * 1000},
        ):
            assert self.post(path, body).status_code in {409, 422}

    def badly(self) -> None:
        """A vendor that refuses in many words, answers rubbish, or says nothing at all."""
        quoted = self.quoted
        for expected, answer in (
            ("failed", self.refusal(131026)),
            ("unknown", Answer(closes=True)),
            ("unknown", Answer(body=f"<html>{quoted}".encode())),
            ("unknown", Answer(status=502, body=quoted.encode())),
            ("accepted", Answer(takes=False, status=500, body=quoted.encode())),
            ("unknown", Answer(hangs=True)),
        ):
            self.vendor.answers(answer, then=OK)
            self.send(expected, **self.text())
        self.vendor.release.set()

    def besides(self) -> None:
        """A reminder with a message, receipts, somebody who types, a block, a list of templates nobody has."""
        due = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
        notes = self.words["follow-up notes"]
        values = {"parameters": [self.words["template value"]]}
        template = {"name": "visit", "language": "en_GB", "values": values}
        plan = {"chatId": self.chat_id, "scheduledAt": due, "title": notes, "notes": notes, "template": template}
        assert self.post("followups", plan).status_code == 201
        fired = {"reminderSent": True, "templateDueAt": {"$exists": False}}
        until(lambda: self.system.store.followups.count_documents(fired), seconds=30, what="the reminder")
        assert self.post(f"chats/{self.chat_id}/typing").status_code == 202
        headers = {"Authorization": f"Bearer {self.token}"}
        read = requests.put(f"{self.api}/api/whatsapp/chats/{self.chat_id}/read", headers=headers, timeout=10)
        assert read.status_code == 200
        block = {"phoneNumber": f"+{self.words['phone number']}", "reason": self.words["block reason"]}
        made = self.post("blocked-numbers", block)
        assert made.status_code == 201, made.text
        ended = f"{self.api}/api/whatsapp/blocked-numbers/{made.json()['id']}"
        assert requests.delete(ended, headers=headers, timeout=10).status_code == 200
        assert self.post("templates/sync", {}).status_code == 200

    def without_a_token_that_is_good(self) -> None:
        """A vendor that refuses the account, and quotes its token; what is queued then stays queued."""
        self.vendor.answers(then=self.refusal(190, status=401))
        self.queue(**self.text())
        paused = {"pausedUntil": {"$exists": True}, "failures": {"$gt": 1}}
        until(lambda: self.system.store.sendpauses.count_documents(paused), seconds=30, what="the account to be paused")


def now() -> int:
    """This moment, in Unix seconds: a message of now opens the window."""
    return int(time.time())
