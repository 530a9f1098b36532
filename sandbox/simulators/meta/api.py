"""Meta's Graph API as the business calls it: messages, media, templates, the block list.

What may be sent is in `checks` and `templates`; here are the paths, the token and the order of checks. Deliberately
one business account with one number, under any version of the API or none.
"""

import hmac
import random
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sandbox.simulators.aftermath import Send
from sandbox.simulators.api import SEND, Api, Call, Refused, Route
from sandbox.simulators.exchange import Answer, Asked
from sandbox.simulators.meta import checks, errors, payloads
from sandbox.simulators.meta.blocks import Blocks
from sandbox.simulators.meta.checks import Wrong, digits
from sandbox.simulators.meta.media import Media
from sandbox.simulators.meta.payloads import Business
from sandbox.simulators.meta.scribe import MetaScribe
from sandbox.simulators.meta.templates import Templates
from sandbox.simulators.stage import Backstage
from sandbox.simulators.stories import Person

Json = dict[str, Any]
Act = Callable[[Asked, str], Answer]

#: Seconds until a new template is approved.
APPROVAL = 2.0
#: What came of a send whose window was closed, told afterwards.
WINDOW_CLOSED = "131047"
#: The code of a throttle, by what it counts.
THROTTLES = {"number": "130429", "pair": "131056"}
#: The error told where a send is ordered to fail, and no code is given.
USUAL_FAILURE = "131026"
VERSION = r"(?:/v\d+\.\d+)?"


class MetaApi(Api):
    """The API of one business account."""

    def __init__(
        self, backstage: Backstage, *, scribe: MetaScribe, business: Business, access_token: str, origin: str
    ) -> None:
        self._backstage = backstage
        self._scribe = scribe
        self._business = business
        self._token = access_token
        self._origin = origin
        self._chance = random.SystemRandom()
        self._media = Media(origin)
        self._templates = Templates()
        self._blocks = Blocks(lambda address: backstage.windows.is_open(scribe.chat(scribe.person(address))))
        number, account = re.escape(business.phone_number_id), re.escape(business.business_account_id)
        self._routes: Sequence[Route] = (
            ("POST", re.compile(f"{VERSION}/{number}/messages"), self._messages),
            self._route("POST", f"{VERSION}/{number}/media", "upload", self._upload),
            self._route("GET", "/whatsapp_business/attachments/", "download", self._download),
            self._route("GET", f"{VERSION}/{account}/message_templates", "templates", self._template_page),
            self._route("POST", f"{VERSION}/{account}/message_templates", "create_template", self._create_template),
            self._route("DELETE", f"{VERSION}/{account}/message_templates", "delete_template", self._delete_template),
            self._route("POST", f"{VERSION}/{number}/block_users", "block", self._block),
            self._route("DELETE", f"{VERSION}/{number}/block_users", "unblock", self._unblock),
            self._route("GET", f"{VERSION}/{number}/block_users", "blocked", self._blocked),
            self._route("GET", f"{VERSION}/{number}", "number", self._number),
            self._route("GET", VERSION + r"/(\d+)", "media", self._look_up),
            self._route("DELETE", VERSION + r"/(\d+)", "delete_media", self._delete_media),
        )

    def routes(self) -> Sequence[Route]:
        """Return what is played."""
        return self._routes

    def unknown(self, asked: Asked) -> Refused:
        """Say that there is no such object, or that it cannot do this."""
        what = f"Unsupported {asked.method.lower()} request. Object with ID '{asked.path.strip('/')}' does not exist"
        content = {"message": what, "type": "GraphMethodException", "code": 100, "error_subcode": 33}
        return Refused(Answer(400, {"error": {**content, "fbtrace_id": "Ademo"}}), "100/33")

    def error(self, code: str, status: int | None = None) -> Answer:
        """Return a Graph API error."""
        return Answer(status or errors.status_of(code), errors.body(code))

    def throttled(self, per: str) -> Refused:
        """Say that this number, or this pair, is too fast."""
        return Refused(self.error(THROTTLES[per]), THROTTLES[per])

    def _route(self, method: str, path: str, name: str, act: Act) -> Route:
        """Return a route of a call that sends nothing; what its path names is handed on."""

        def build(asked: Asked, found: re.Match[str]) -> Call:
            subject = found[1] if found.re.groups else ""
            return Call(name=name, act=lambda _: self._guarded(asked, lambda: act(asked, subject)))

        return method, re.compile(path), build

    def _guarded(self, asked: Asked, act: Callable[[], Answer]) -> Answer:
        """Check the token, act, and put what is wrong into Meta's words."""
        told = asked.headers.get("authorization", "")
        if not hmac.compare_digest(told.encode(), f"Bearer {self._token}".encode()):
            raise Refused(self.error("190"), "190")
        try:
            return act()
        except Wrong as wrong:
            answer = Answer(errors.status_of(wrong.code), errors.body(wrong.code, wrong.details))
            raise Refused(answer, wrong.code) from None

    # --- messages ------------------------------------------------------------------------------------------------

    def _messages(self, asked: Asked, _found: re.Match[str]) -> Call:
        message = asked.json()
        if "status" in message:
            return Call(name="read", act=lambda _: self._guarded(asked, lambda: self._read(message)))
        reference = message.get("biz_opaque_callback_data")
        return Call(
            name=SEND,
            act=lambda failing: self._guarded(asked, lambda: self._send(message, failing)),
            sender=self._business.phone_number_id,
            recipient=_recipient(message),
            reference=None if reference is None else str(reference),
        )

    def _read(self, message: Json) -> Answer:
        if message.get("status") != "read" or not str(message.get("message_id", "")).startswith("wamid."):
            raise Wrong("131009", "The parameters status and message_id do not fit.")
        return Answer(200, {"success": True})

    def _send(self, message: Json, failing: str | None) -> Answer:
        """Check, book, answer."""
        checks.check(message)
        person = self._scribe.person(_recipient(message))
        self._check_here(message, person)
        kind = message.get("type", "text")
        if kind not in {"template", "reaction"} and not self._is_open(message, person):
            failing = WINDOW_CLOSED
        wamid = payloads.wamid(person.number or person.user_id, self._chance, by_team=True)
        reference = message.get("biz_opaque_callback_data")
        self._backstage.aftermath.accepted(
            Send(
                person=person,
                recipient=_recipient(message),
                reference=None if reference is None else str(reference),
                vendor_id=wamid,
                content={name: value for name, value in message.items() if name != "biz_opaque_callback_data"},
                states=("sent",) if kind == "reaction" else None,
                failing=USUAL_FAILURE if failing == "" else failing,
            )
        )
        return Answer(200, _receipt(message, person, wamid))

    def _check_here(self, message: Json, person: Person) -> None:
        """Check what the message itself does not tell: templates, files, who it is for."""
        kind = message.get("type", "text")
        if person.number == self._business.display_phone_number:
            raise Wrong("131021")
        if self._blocks.holds(_recipient(message)):
            raise Wrong("130403")
        if kind == "template":
            self._templates.check(message["template"])
        if kind in checks.FILES and message[kind].get("id") and not self._media.find(str(message[kind]["id"])):
            raise Wrong("131009", f"Media id {message[kind]['id']} does not exist.")

    def _is_open(self, message: Json, person: Person) -> bool:
        return message.get("recipient_type") == "group" or self._backstage.windows.is_open(self._scribe.chat(person))

    # --- media ---------------------------------------------------------------------------------------------------

    def _upload(self, asked: Asked, _subject: str) -> Answer:
        fields, upload = asked.multipart()
        if fields.get("messaging_product") != "whatsapp":
            raise Wrong("100", "The parameter messaging_product is required.")
        return Answer(200, {"id": self._media.keep(upload, fields.get("type", ""))})

    def _look_up(self, asked: Asked, media_id: str) -> Answer:
        file = self._media.find(media_id)
        if file is None:
            raise self.unknown(asked)
        return Answer(200, self._media.describe(media_id, file))

    def _download(self, asked: Asked, _subject: str) -> Answer:
        file = self._media.at(asked.query.get("hash", ""))
        return Answer(200, file.content, file.media_type) if file else Answer(404, b"", "text/plain")

    def _delete_media(self, _asked: Asked, media_id: str) -> Answer:
        self._media.forget(media_id)
        return Answer(200, {"success": True})

    # --- templates, block list, number ---------------------------------------------------------------------------

    def _template_page(self, asked: Asked, _subject: str) -> Answer:
        return Answer(200, self._templates.page(asked.query, f"{self._origin}{asked.path}"))

    def _create_template(self, asked: Asked, _subject: str) -> Answer:
        made = self._templates.create(asked.json())
        timer = threading.Timer(APPROVAL, self._approve, [made])
        timer.daemon = True
        timer.start()
        return Answer(200, {name: made[name] for name in ("id", "status", "category")})

    def _approve(self, template: Json) -> None:
        self._templates.judge(template, "APPROVED")
        self._backstage.delivery.put(self._scribe.template(template, "APPROVED", int(time.time())))

    def _delete_template(self, asked: Asked, _subject: str) -> Answer:
        self._templates.delete(asked.query.get("name", ""), asked.query.get("hsm_id"))
        return Answer(200, {"success": True})

    def _block(self, asked: Asked, _subject: str) -> Answer:
        return Answer(*self._blocks.add(asked.json()))

    def _unblock(self, asked: Asked, _subject: str) -> Answer:
        return Answer(*self._blocks.remove(asked.json()))

    def _blocked(self, _asked: Asked, _subject: str) -> Answer:
        return Answer(200, self._blocks.page())

    def _number(self, _asked: Asked, _subject: str) -> Answer:
        told = {"verified_name": "Harbour Row Bicycles", "quality_rating": "GREEN", "status": "CONNECTED"}
        number = {"id": self._business.phone_number_id, "display_phone_number": self._business.display_phone_number}
        return Answer(200, {**number, **told})


def _recipient(message: Mapping[str, Any]) -> str:
    """Return digits, or the id of who or what has no number."""
    to = message.get("to")
    if not to:
        return str(message.get("recipient") or "")
    return str(to) if message.get("recipient_type") == "group" else digits(to)


def _receipt(message: Json, person: Person, wamid: str) -> Json:
    """Return the answer to a send."""
    to = message.get("to")
    known = {"wa_id": person.number or _recipient(message)} if to else {"user_id": message["recipient"]}
    status = {"message_status": "accepted"} if message.get("type") == "template" else {}
    return {
        "messaging_product": "whatsapp",
        "contacts": [{"input": to or message["recipient"], **known}],
        "messages": [{"id": wamid, **status}],
    }
