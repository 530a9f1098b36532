"""Twilio's own library says the same as we do: the simulator's signatures, forms of sends, reading of answers."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from models.message import Location, Media, Message, TemplateUse
from providers.outbound import Destination, Receipt, SendError
from providers.twilio.outbound import TwilioTemplates
from runtime.calls import HttpAnswer
from sandbox.simulators.twilio import wire
from tests.fixtures.twilio.conformance import ACCOUNT_SID, KIT, NUMBER, PUBLIC_URL, SERVICE_SID
from tests.providers.twilio_sends import (
    BASE,
    BSUID,
    BY_SERVICE,
    CALLBACK,
    FIXTURES,
    LINK,
    OWN_ID,
    PHONE,
    SENDER,
    TOKEN,
    account,
    fixture,
    message,
    sending,
)
from tests.support.rawserver import Peer, RawServer, serving

WEBHOOK = f"{PUBLIC_URL}/api/whatsapp/webhooks/twilio"
CONTENT_SID = "HXa9f7e97965d6cf799a529102a973b8b9"
CALLED_BACK = f"{CALLBACK}?mid={OWN_ID}"
VARIABLES = {"1": "Zoë", "2": "12 May, 10:00"}


# Signatures


@pytest.mark.parametrize("path", KIT.fixtures(), ids=lambda path: path.stem)
@pytest.mark.parametrize("query", ["", f"?mid={OWN_ID}"])
def test_the_simulators_signatures_are_twilios(path: Path, query: str) -> None:
    parameters = {name: str(value) for name, value in json.loads(path.read_bytes()).items()}
    signature = wire.sign(WEBHOOK + query, parameters, TOKEN)
    validator: Any = RequestValidator(TOKEN)
    assert validator.validate(WEBHOOK + query, parameters, signature)
    assert not validator.validate(WEBHOOK + query, {**parameters, "Body": "forged"}, signature)


def test_a_signature_without_the_port_is_twilios_too() -> None:
    url, parameters = "https://inbox.example:8443/hook", {"Body": "hi"}
    validator: Any = RequestValidator(TOKEN)
    assert validator.validate(url, parameters, wire.sign(wire.without_port(url), parameters, TOKEN))


# Requests


class Vendor:
    """Twilio's client against a server of ours that gives one answer, as often as asked."""

    def __init__(self, server: RawServer) -> None:
        self.server = server
        self.client: Any = Client(ACCOUNT_SID, TOKEN)
        for domain in (self.client.api, self.client.content):
            domain.base_url = server.url

    def last(self) -> tuple[str, dict[str, list[str]], str]:
        """The last request's path, its form, and who made it."""
        request = self.server.requests[-1]
        who = (request.header("authorization") or b"").decode()
        return request.target, parse_qs(request.body.decode(), keep_blank_values=True), who


ANSWERS: dict[str, tuple[str, bytes]] = {"taken": ("201 Created", (FIXTURES / "message_created_201.json").read_bytes())}


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with serving(_answering) as server:
        yield Vendor(server)


def _answering(peer: Peer) -> None:
    while peer.request() is not None:
        status, body = ANSWERS["taken"]
        peer.answer(body, status=status, headers="Content-Type: application/json\r\n")


def template(**values: Any) -> Message:
    return message("template", template=TemplateUse(name="visit", provider_template_id=CONTENT_SID, **values))


#: What we send, and how their users would say it.
SAME: list[tuple[Message, dict[str, Any], dict[str, Any]]] = [
    (message(text="Grüße 👋🏽 a+b %20 &="), {}, {"body": "Grüße 👋🏽 a+b %20 &="}),
    (message("image", media=Media(caption="The roof")), {}, {"body": "The roof", "media_url": [LINK]}),
    (message("document", media=Media()), {}, {"media_url": [LINK]}),
    (
        message("location", location=Location(latitude=51.5, longitude=-0.12, name="Yard", address="2 Dock Rd")),
        {},
        {"body": "Yard", "persistent_action": ["geo:51.5,-0.12|2 Dock Rd"]},
    ),
    (template(), {}, {"content_sid": CONTENT_SID}),
    (
        template(variables=VARIABLES),
        {},
        {"content_sid": CONTENT_SID, "content_variables": json.dumps(VARIABLES, ensure_ascii=False)},
    ),
    (message(text="hi"), {"to": Destination(user_id=BSUID)}, {"body": "hi", "to": f"whatsapp:{BSUID}"}),
    (message(text="hi"), {"account": BY_SERVICE}, {"body": "hi", "messaging_service_sid": SERVICE_SID, "from_": None}),
]


@pytest.mark.parametrize(("sent", "ours", "theirs"), SAME, ids=[f"{i}-{case[0].type}" for i, case in enumerate(SAME)])
def test_our_forms_are_those_of_their_client(
    vendor: Vendor, sent: Message, ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    usual = {"to": f"whatsapp:{PHONE}", "from_": f"whatsapp:{NUMBER}", "status_callback": CALLED_BACK}
    vendor.client.messages.create(**{name: value for name, value in (usual | theirs).items() if value is not None})
    path, form, who = vendor.last()

    request = SENDER.request(sending(sent, **ours))

    assert urlsplit(request.url).path == path
    assert _meant(parse_qs(request.body.decode(), keep_blank_values=True)) == _meant(form)
    assert request.authorization is not None
    assert request.authorization.reveal() == who
    assert base64.b64decode(who.partition(" ")[2]).decode() == f"{ACCOUNT_SID}:{TOKEN}"


def _meant(form: dict[str, list[str]]) -> dict[str, Any]:
    """Read JSON within a form as what it says: how it is spaced does not matter."""
    return {
        name: [json.loads(one) for one in found] if name == "ContentVariables" else found
        for name, found in form.items()
    }


def test_their_client_asks_for_templates_where_we_do(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    body = (FIXTURES / "content_and_approvals_list.json").read_bytes()
    monkeypatch.setitem(ANSWERS, "taken", ("200 OK", body))
    (theirs,) = vendor.client.content.v1.content_and_approvals.list(page_size=500)
    path, _, _ = vendor.last()

    book = TwilioTemplates()
    ours = book.page(account(), base_url=BASE, cursor=None)
    assert urlsplit(ours.url)._replace(scheme="", netloc="").geturl() == path
    page: Any = book.read(HttpAnswer(status=200, body=body))
    assert [one["whatsapp_template_id"] for one in page.templates] == [theirs.sid]


# Answers


def test_a_receipt_says_what_their_client_reads(vendor: Vendor) -> None:
    theirs = vendor.client.messages.create(to=f"whatsapp:{PHONE}", from_=f"whatsapp:{NUMBER}", body="hi")
    ours = SENDER.judge(HttpAnswer(status=201, body=ANSWERS["taken"][1]))
    assert isinstance(ours, Receipt)
    assert (ours.provider_message_id, ours.provider_status) == (theirs.sid, theirs.status)


@pytest.mark.parametrize("name", ["error_400_21211", "error_400_21617", "error_401", "error_404", "error_429"])
def test_an_error_says_what_their_client_raises(vendor: Vendor, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = fixture(name)
    body = json.dumps(told).encode()
    monkeypatch.setitem(ANSWERS, "taken", (f"{told['status']} No", body))
    with pytest.raises(TwilioRestException) as raised:
        vendor.client.messages.create(to=f"whatsapp:{PHONE}", from_=f"whatsapp:{NUMBER}", body="hi")
    ours = SENDER.judge(HttpAnswer(status=told["status"], body=body))
    assert isinstance(ours, SendError)
    assert ours.error.code == str(raised.value.code)
    assert (ours.error.message or "") in raised.value.msg
