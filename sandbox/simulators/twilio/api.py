"""Twilio's REST API as the business calls it: messages, media of customers, typing, contents.

All hosts of Twilio's are one here. Deliberately one account with one sender.
"""

import base64
import hmac
import random
import re
from collections.abc import Callable, Mapping, Sequence
from email.utils import formatdate
from typing import Any
from urllib.parse import urlsplit

from sandbox.simulators.aftermath import Send
from sandbox.simulators.api import SEND, Api, Call, Refused, Route, refusing
from sandbox.simulators.exchange import Answer, Asked
from sandbox.simulators.stage import Backstage
from sandbox.simulators.twilio import errors, payloads
from sandbox.simulators.twilio.contents import Contents, fits
from sandbox.simulators.twilio.payloads import API_VERSION, Sender
from sandbox.simulators.twilio.scribe import TwilioScribe

Form = Mapping[str, list[str]]
Act = Callable[[Asked, str], Answer]

#: Characters of a body at most.
BODY = 1600
#: A customer's address: a number, or a business-scoped user id.
ADDRESS = re.compile(r"whatsapp:(?:\+\d{7,15}|[A-Z]{2}\.[A-Za-z0-9.]{1,128})")
#: What came of a send whose window was closed, and of one that is ordered to fail without a code.
WINDOW_CLOSED, USUAL_FAILURE = "63016", "63024"


class TwilioApi(Api):
    """The API of one account."""

    def __init__(self, backstage: Backstage, *, scribe: TwilioScribe, sender: Sender, auth_token: str) -> None:
        self._backstage = backstage
        self._scribe = scribe
        self._sender = sender
        self._credentials = base64.b64encode(f"{sender.account_sid}:{auth_token}".encode()).decode()
        self._chance = random.SystemRandom()
        self._contents = Contents(sender.account_sid, sender.media_host)
        account = f"/{API_VERSION}/Accounts/{sender.account_sid}"
        self._routes: Sequence[Route] = (
            ("POST", re.compile(f"{account}/Messages\\.json"), self._messages),
            self._route("GET", account + r"/Messages/[SM]M\w{32}/Media/(ME\w{32})", "media", self._media),
            ("GET", re.compile(r"/cdn/(ME\w{32})"), self._file),
            self._route("POST", r"/v[23]/Indicators/Typing\.json", "read", self._typing),
            self._route("GET", r"/v[12]/(?:Content|ContentAndApprovals)", "templates", self._content_page),
            self._route("GET", r"/v1/Content/(HX\w{32})", "template", self._content),
        )

    def routes(self) -> Sequence[Route]:
        """Return what is played."""
        return self._routes

    def unknown(self, _asked: Asked) -> Refused:
        """Say that there is no such resource."""
        return refusing(self, "20404")

    def error(self, code: str, status: int | None = None) -> Answer:
        """Return an error of the REST API."""
        return Answer(status or errors.status_of(code), errors.body(code, status))

    def throttled(self, _per: str) -> Refused:
        """Say that there are too many requests; Twilio makes no difference between limits here."""
        return refusing(self, "20429")

    def _route(self, method: str, path: str, name: str, act: Act) -> Route:
        """Return a route of a call that sends nothing; what its path names is handed on."""

        def build(asked: Asked, found: re.Match[str]) -> Call:
            subject = found[1] if found.re.groups else ""
            return Call(name=name, act=lambda _: self._guarded(asked, lambda: act(asked, subject)))

        return method, re.compile(path), build

    def _guarded(self, asked: Asked, act: Callable[[], Answer]) -> Answer:
        told = asked.headers.get("authorization", "")
        if not hmac.compare_digest(told.encode(), f"Basic {self._credentials}".encode()):
            raise refusing(self, "20003")
        return act()

    # --- messages ------------------------------------------------------------------------------------------------

    def _messages(self, asked: Asked, _found: re.Match[str]) -> Call:
        form = asked.form()
        return Call(
            name=SEND,
            act=lambda failing: self._guarded(asked, lambda: self._send(form, failing)),
            sender=_one(form, "From"),
            recipient=_recipient(form),
            reference=own_id(_one(form, "StatusCallback")),
        )

    def _send(self, form: Form, failing: str | None) -> Answer:
        """Check, book, answer."""
        self._check(form)
        person = self._scribe.person(_recipient(form))
        callback = _one(form, "StatusCallback")
        if not _one(form, "ContentSid") and not self._backstage.windows.is_open(self._scribe.chat(person)):
            failing = WINDOW_CLOSED
        sid = payloads.sid("MM" if "MediaUrl" in form else "SM", self._chance)
        self._backstage.aftermath.accepted(
            Send(
                person=person,
                recipient=_recipient(form),
                reference=own_id(callback),
                vendor_id=sid,
                content={name: values for name, values in form.items() if name != "StatusCallback"},
                callback=callback if _is_url(callback) else "",
                failing=USUAL_FAILURE if failing == "" else failing,
            )
        )
        return Answer(201, self._resource(form, sid))

    def _check(self, form: Form) -> None:
        """Check a send in the order Twilio does."""
        for fails, code in CHECKS:
            if fails(form):
                raise refusing(self, code)
        if "From" in form and _one(form, "From") != f"whatsapp:{self._sender.number}":
            raise refusing(self, "63007")
        if _one(form, "ContentSid"):
            self._check_content(form)

    def _check_content(self, form: Form) -> None:
        content = self._contents.find(_one(form, "ContentSid"))
        if content is None:
            raise refusing(self, "21655")
        if not fits(content, _one(form, "ContentVariables")):
            raise refusing(self, "21656")

    def _resource(self, form: Form, sid: str) -> dict[str, Any]:
        """Return a message as the API shows it."""
        uri = f"/{API_VERSION}/Accounts/{self._sender.account_sid}/Messages/{sid}"
        now = formatdate()
        return {
            "account_sid": self._sender.account_sid,
            "api_version": API_VERSION,
            "body": _one(form, "Body"),
            "date_created": now,
            "date_sent": None,
            "date_updated": now,
            "direction": "outbound-api",
            **dict.fromkeys(("error_code", "error_message", "price", "price_unit")),
            "from": _one(form, "From") or None,
            "messaging_service_sid": _one(form, "MessagingServiceSid") or None,
            "num_media": str(len(form.get("MediaUrl", ()))),
            "num_segments": "1",
            "sid": sid,
            "status": "queued" if "From" in form else "accepted",
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "to": _one(form, "To"),
            "uri": f"{uri}.json",
        }

    # --- the rest ------------------------------------------------------------------------------------------------

    def _media(self, _asked: Asked, media_sid: str) -> Answer:
        """Send on to where the file lies, as Twilio does; nobody needs to be known there."""
        return Answer(307, b"", "text/plain", {"Location": f"{self._sender.media_host}/cdn/{media_sid}"})

    def _file(self, asked: Asked, found: re.Match[str]) -> Call:
        return Call(name="download", act=lambda _: self._download(asked, found[1]))

    def _download(self, asked: Asked, media_sid: str) -> Answer:
        """Hand a file out; as at the real store, two ways of being known at once are one too many."""
        if "authorization" in asked.headers:
            return Answer(400, b"<Error><Code>InvalidArgument</Code></Error>", "application/xml")
        media_type, content = payloads.media_file(media_sid)
        return Answer(200, content, media_type)

    def _typing(self, asked: Asked, _subject: str) -> Answer:
        told = asked.json() or {name: values[0] for name, values in asked.form().items()}
        if not re.fullmatch(r"[SM]M\w{32}", str(told.get("messageId", ""))):
            raise refusing(self, "20001")
        return Answer(200, {"success": True})

    def _content_page(self, asked: Asked, _subject: str) -> Answer:
        return Answer(200, self._contents.page(asked.path, asked.query))

    def _content(self, _asked: Asked, sid: str) -> Answer:
        content = self._contents.find(sid)
        if content is None:
            raise refusing(self, "20404")
        return Answer(200, content)


def own_id(callback: str) -> str | None:
    """Return the business's own id of a message: the parameter `mid` of its status callback."""
    parts = dict(pair.partition("=")[::2] for pair in urlsplit(callback).query.split("&"))
    return parts.get("mid") or None


def _one(form: Form, name: str) -> str:
    return form.get(name, [""])[0]


def _recipient(form: Form) -> str:
    """Return digits, or the user id of who hides the number."""
    return _one(form, "To").removeprefix("whatsapp:").lstrip("+")


def _is_url(url: str) -> bool:
    """Say whether Twilio can call an address; one it cannot call is left out, and the message is sent."""
    parts = urlsplit(url)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and "_" not in str(parts.hostname)


#: What is wrong with a send, and the code it is refused with; the first counts.
CHECKS: Sequence[tuple[Callable[[Form], bool], str]] = (
    (lambda form: not _one(form, "To"), "21604"),
    (lambda form: not ADDRESS.fullmatch(_one(form, "To")), "21211"),
    (lambda form: "From" not in form and "MessagingServiceSid" not in form, "21603"),
    (lambda form: "From" in form and not _one(form, "From").startswith("whatsapp:+"), "21212"),
    (lambda form: not any(_one(form, name) for name in ("Body", "MediaUrl", "ContentSid")), "21602"),
    (lambda form: len(_one(form, "Body")) > BODY, "21617"),
    (lambda form: len(form.get("MediaUrl", ())) > 1, "21623"),
    (lambda form: "MediaUrl" in form and not _is_url(_one(form, "MediaUrl")), "21620"),
)
