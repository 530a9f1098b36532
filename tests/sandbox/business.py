"""A business that sends by hand, as each vendor's documentation says: a request, and what the answer tells.

Deliberately neither our dialects nor the simulators' code.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from tests.sandbox import played
from tests.sandbox.endpoint import Endpoint, serving
from tests.sandbox.played import ACCOUNT_SID, SECRET, TOKEN, Played, decoded
from tests.support.accountant import Accountant, keeping_books

META_NUMBER, META_ACCOUNT = "331700900150001", "209700900150001"
#: Seconds for anything the simulator does by itself.
SOON = 15
Send = Callable[..., requests.Response]


@dataclass(frozen=True)
class Business:
    """One vendor's business: who it is, how it sends a text, and how it reads what it is told."""

    vendor: Played
    send: Send
    #: The vendor's id in the answer to a send.
    vendor_id: Callable[[Mapping[str, Any]], str | None]
    #: The states told of a message, in the order they came.
    told: Callable[[Endpoint, str], list[str]]
    #: Status and words of the vendor's throttle.
    throttle: tuple[int, str]
    #: The words in which it would carry our reference back; ChatAPI has none.
    carries_reference: bool = True


def meta_send(
    desk: "Desk", to: str, text: str = "hello", reference: str | None = None, timeout: float = 30, **more: Any
) -> requests.Response:
    message = {"messaging_product": "whatsapp", "to": f"+{to}", "type": "text", "text": {"body": text}, **more}
    if reference:
        message["biz_opaque_callback_data"] = reference
    return meta(desk, "POST", f"{META_NUMBER}/messages", json=message, timeout=timeout)


def meta(desk: "Desk", method: str, path: str, token: str = TOKEN, **more: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"}
    more.setdefault("timeout", 30)
    return requests.request(method, f"{desk.url}/v24.0/{path}", headers=headers, **more)


def twilio_send(
    desk: "Desk", to: str, text: str = "hello", reference: str | None = None, timeout: float = 30, **more: Any
) -> requests.Response:
    form = {"To": f"whatsapp:+{to}", "From": "whatsapp:+14155550101", "Body": text, **more}
    if reference:
        form["StatusCallback"] = f"{desk.endpoint.url}/cfg_twilio?mid={reference}"
    kept = {name: value for name, value in form.items() if value is not None}
    return twilio(desk, "POST", f"2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json", data=kept, timeout=timeout)


def twilio(desk: "Desk", method: str, path: str, password: str = SECRET, **more: Any) -> requests.Response:
    more.setdefault("timeout", 30)
    return requests.request(method, f"{desk.url}/{path}", auth=(ACCOUNT_SID, password), **more)


def chatapi_send(
    desk: "Desk", to: str, text: str = "hello", reference: str | None = None, timeout: float = 30, **more: Any
) -> requests.Response:
    return chatapi(desk, "sendMessage", {"chatId": f"{to}@c.us", "body": text, **more}, timeout=timeout)


def chatapi(
    desk: "Desk", method: str, fields: Mapping[str, Any], token: str = TOKEN, timeout: float = 30
) -> requests.Response:
    url = f"{desk.url}/instance318842/{method}"
    return requests.post(url, params={"token": token}, json=dict(fields), timeout=timeout)


def bodies(endpoint: Endpoint) -> Iterator[dict[str, Any]]:
    return (decoded(one.body) for one in list(endpoint.received))


def values(endpoint: Endpoint) -> list[dict[str, Any]]:
    """The values of all changes Meta told."""
    return [change["value"] for body in bodies(endpoint) for entry in body["entry"] for change in entry["changes"]]


def told_by_meta(endpoint: Endpoint, vendor_id: str) -> list[str]:
    rows = [row for value in values(endpoint) for row in value.get("statuses", [])]
    return [row["status"] for row in rows if row["id"] == vendor_id]


def told_by_twilio(endpoint: Endpoint, vendor_id: str) -> list[str]:
    forms = list(bodies(endpoint))
    return [form["MessageStatus"] for form in forms if form["MessageSid"] == vendor_id and "MessageStatus" in form]


def told_by_chatapi(endpoint: Endpoint, vendor_id: str) -> list[str]:
    rows = [row for body in bodies(endpoint) for row in body.get("ack", [])]
    return [row["status"] for row in rows if row["id"] == vendor_id]


META = Business(
    played.META,
    send=meta_send,
    vendor_id=lambda body: next((one["id"] for one in body.get("messages", [])), None),
    told=told_by_meta,
    throttle=(400, '"code": 130429'),
)
TWILIO = Business(
    played.TWILIO,
    send=twilio_send,
    vendor_id=lambda body: body.get("sid"),
    told=told_by_twilio,
    throttle=(429, '"code": 20429'),
)
CHATAPI = Business(
    played.CHATAPI,
    send=chatapi_send,
    vendor_id=lambda body: body.get("id"),
    told=told_by_chatapi,
    throttle=(429, "Too many requests"),
    carries_reference=False,
)
ALL = (META, TWILIO, CHATAPI)


@dataclass(frozen=True)
class Desk:
    """A business with its simulator and the endpoint that is told."""

    business: Business
    accountant: Accountant
    endpoint: Endpoint

    @property
    def url(self) -> str:
        return self.accountant.url

    def send(self, to: str, text: str = "hello", reference: str | None = None, **more: Any) -> requests.Response:
        return self.business.send(self, to, text, reference, **more)

    def sent(self, to: str, text: str = "hello", reference: str | None = None, **more: Any) -> str:
        """Send and return the vendor's id."""
        answer = self.send(to, text, reference, **more)
        assert answer.ok, answer.text
        found = self.business.vendor_id(answer.json())
        assert found, answer.text
        return found

    def told(self, vendor_id: str) -> list[str]:
        return self.business.told(self.endpoint, vendor_id)

    def taken(self, to: str) -> int:
        """How many messages to somebody are in the books."""
        return len(self.accountant.sends["byRecipient"].get(to, []))

    def refused(self, reason: str) -> int:
        return int(self.accountant.sends["refused"].get(reason, 0))


@contextmanager
def open_desk(business: Business, *, silent: bool = True) -> Iterator[Desk]:
    vendor = business.vendor
    with (
        serving() as endpoint,
        keeping_books(
            vendor.slug,
            webhook=endpoint.url,
            arguments=vendor.arguments,
            environment=vendor.environment,
            silent=silent,
        ) as accountant,
    ):
        yield Desk(business, accountant, endpoint)


def query_of(target: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(target).query)
