"""ChatAPI as the business calls it: seven ways to send, reading a chat, the state of the instance.

Refused sends are HTTP 200 with `sent: false` there. Deliberately one instance, the Web variant's answers.
"""

import hmac
import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sandbox.simulators.aftermath import Send
from sandbox.simulators.api import SEND, Api, Call, Refused, Route, refusing
from sandbox.simulators.chatapi import payloads
from sandbox.simulators.chatapi.payloads import Instance
from sandbox.simulators.chatapi.scribe import ChatApiScribe
from sandbox.simulators.exchange import Answer, Asked
from sandbox.simulators.stage import Backstage

Json = dict[str, Any]
Act = Callable[[Json], Answer]

CHAT_ID = re.compile(r"\d+(?:-\d+)?@(?:c|g)\.us")
#: Characters of a text at most.
TEXT = 65_536
#: What the vendor says to a send it does not take.
NO_TARGET = "Please set either chatId or phone"
WRONG_CHAT_ID = "Wrong chatId format. Expected something like 12345@c.us"


class ChatApi(Api):
    """The API of one instance."""

    def __init__(self, backstage: Backstage, *, scribe: ChatApiScribe, instance: Instance, token: str) -> None:
        self._backstage = backstage
        self._scribe = scribe
        self._instance = instance
        self._token = token
        self._chance = random.SystemRandom()
        base = f"/(?:instance)?{re.escape(instance.instance_id)}"
        self._routes: Sequence[Route] = (
            ("POST", re.compile(f"{base}/({'|'.join(SENDS)})"), self._sending),
            self._route("POST", f"{base}/readChat", "read", self._read),
            self._route("POST", f"{base}/(?:typing|recording)", "typing", self._read),
            self._route("GET", f"{base}/status", "status", lambda _: Answer(200, {"accountStatus": "authenticated"})),
            self._route("GET", f"{base}/me", "me", self._me),
            ("GET", re.compile(r"/incoming/(\w+)\.(\w+)"), self._file),
        )

    def routes(self) -> Sequence[Route]:
        """Return what is played."""
        return self._routes

    def unknown(self, _asked: Asked) -> Refused:
        """Say that there is no such method."""
        return Refused(Answer(404, {"error": "Method not found"}), "404")

    def error(self, code: str, status: int | None = None) -> Answer:
        """Return a refusal; the vendor has no codes, so the code is the sentence."""
        if status and status != 200:
            return Answer(status, {"error": code})
        return Answer(200, {"sent": False, "message": code})

    def throttled(self, _per: str) -> Refused:
        """Say that there are too many requests, as 1msg does; the Web variant has no limit of its own."""
        return Refused(Answer(429, {"error": "Too many requests"}), "429")

    def _route(self, method: str, path: str, name: str, act: Act) -> Route:
        def build(asked: Asked, _found: re.Match[str]) -> Call:
            return Call(name=name, act=lambda _: self._guarded(asked, lambda: act(_fields(asked))))

        return method, re.compile(path), build

    def _guarded(self, asked: Asked, act: Callable[[], Answer]) -> Answer:
        """Check the token; a wrong one is quoted in the answer, as the vendor does."""
        told = asked.query.get("token", "")
        if not hmac.compare_digest(told.encode(), self._token.encode()):
            words = f'Wrong token "{told}" for instance "{self._instance.instance_id}".'
            answer = Answer(401, {"error": f"{words} Please provide token as a GET parameter."})
            raise Refused(answer, "wrong_token")
        return act()

    def _sending(self, asked: Asked, found: re.Match[str]) -> Call:
        method, fields = found[1], _fields(asked)
        return Call(
            name=SEND,
            act=lambda _: self._guarded(asked, lambda: self._send(method, fields)),
            sender=self._instance.instance_id,
            recipient=_chat_id(fields).partition("@")[0],
        )

    def _send(self, method: str, fields: Json) -> Answer:
        """Check, book, answer."""
        self._check(method, fields)
        chat_id = _chat_id(fields)
        person = self._scribe.person(chat_id if chat_id.endswith("@g.us") else chat_id.partition("@")[0])
        own_id = payloads.api_message_id(chat_id, self._chance)
        self._backstage.aftermath.accepted(
            Send(
                person=person,
                recipient=chat_id.partition("@")[0],
                reference=None,
                vendor_id=own_id,
                content={"method": method, **fields},
                echo=self._scribe.sent(person, own_id, SENDS[method](fields)),
            )
        )
        number = payloads.queue_number(own_id)
        return Answer(200, {"sent": True, "message": f"Sent to {chat_id}", "id": own_id, "queueNumber": number})

    def _check(self, method: str, fields: Json) -> None:
        if bool(fields.get("chatId")) == bool(fields.get("phone")):
            raise refusing(self, NO_TARGET)
        if not CHAT_ID.fullmatch(_chat_id(fields)):
            raise refusing(self, WRONG_CHAT_ID)
        missing = [name for name in NEEDED[method] if fields.get(name) in (None, "", [])]
        if missing:
            raise refusing(self, f"{missing[0]} is required")
        if method == "sendMessage" and len(str(fields["body"])) > TEXT:
            raise refusing(self, "body is too long")
        if method == "sendFile" and not str(fields["body"]).startswith(("https://", "http://", "data:")):
            raise refusing(self, "body: expected a link or a data URI")

    def _read(self, fields: Json) -> Answer:
        return Answer(200, {"read": True, "message": None, "chatId": _chat_id(fields)})

    def _me(self, _fields: Json) -> Answer:
        return Answer(200, {"id": f"{self._instance.number}@c.us", "name": "Workshop", "battery": "88"})

    def _file(self, _asked: Asked, found: re.Match[str]) -> Call:
        media_type, content = payloads.media_file(found[1], found[2])
        return Call(name="download", act=lambda _: Answer(200, content, media_type))


def _fields(asked: Asked) -> Json:
    """Return what was told: a JSON object, a form, or a form with a file."""
    if asked.media_type == "multipart/form-data":
        fields, upload = asked.multipart()
        return {**fields, **({"body": f"data:{upload.media_type};base64,"} if upload else {})}
    return asked.json() or {name: values[0] for name, values in asked.form().items()}


def _chat_id(fields: Mapping[str, Any]) -> str:
    phone = fields.get("phone")
    return f"{phone}@c.us" if phone else str(fields.get("chatId") or "")


def _words(fields: Json) -> Json:
    return {"type": "chat", "body": str(fields["body"])}


def _document(fields: Json) -> Json:
    ending = str(fields["filename"]).rpartition(".")[2].lower()
    return {"type": KINDS.get(ending, "document"), "body": fields["body"], "caption": fields.get("caption")}


def _place(fields: Json) -> Json:
    return {"type": "location", "body": f"{fields['lat']};{fields['lng']}", "caption": fields.get("address")}


#: Ending of a file's name -> what the vendor makes of it.
KINDS = {**dict.fromkeys(("jpg", "jpeg", "png"), "image"), "mp4": "video", "mp3": "audio", "webp": "sticker"}
#: Method -> its own message as the vendor tells it.
SENDS: Mapping[str, Callable[[Json], Json]] = {
    "sendMessage": _words,
    "message": _words,
    "sendLink": _words,
    "sendFile": _document,
    "sendPTT": lambda fields: {"type": "ptt", "body": fields["audio"]},
    "sendLocation": _place,
    "sendContact": lambda fields: {"type": "vcard", "body": str(fields["contactId"])},
    "sendVCard": lambda fields: {"type": "vcard", "body": fields["vcard"]},
}
#: Method -> the fields it needs beside chatId or phone.
NEEDED: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("sendMessage", "message"), ("body",)),
    "sendLink": ("body", "title"),
    "sendFile": ("body", "filename"),
    "sendPTT": ("audio",),
    "sendLocation": ("lat", "lng"),
    "sendContact": ("contactId",),
    "sendVCard": ("vcard",),
}
