"""pywa, a client of Meta's API by others, says the same as we do: bodies compared as Meta would read them."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from pywa import types as pywa_types
from pywa.client import WhatsApp
from pywa.types import templates as pywa_templates

from models.message import Choice, ChoiceGroup, Contact, Interactive, Location, Media, Message, TemplateUse
from providers.outbound import Destination, Receipt
from runtime.calls import HttpAnswer
from tests.providers.meta_sends import (
    BSUID,
    GROUP,
    NUMBER_ID,
    PHONE,
    QUOTING,
    SENDER,
    TO_GROUP,
    TO_PHONE,
    TO_USER,
    TOKEN,
    WAMID,
    body,
    fixture,
    message,
    sending,
)

#: Its types tell a checker less than they do at run time.
types: Any = pywa_types
templates: Any = pywa_templates
#: Words whose case Meta does not mind.
CASELESS = ("type", "sub_type", "mode")
OUR_ID = message().id


class Listener:
    """A server that takes every message, and keeps what was sent."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []
        heard = self.heard

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = json.loads(self.rfile.read(int(self.headers["content-length"])))
                heard.append((f"{self.path} {self.headers['authorization']}", sent))
                whole = json.dumps(fixture("resp_send_phone")).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(whole)))
                self.end_headers()
                self.wfile.write(whole)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    listening = Listener()
    thread = threading.Thread(target=listening.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield listening
    listening.server.shutdown()
    thread.join()
    listening.server.server_close()


@pytest.fixture(scope="module")
def pywa(listener: Listener) -> Iterator[WhatsApp]:
    with httpx.Client(trust_env=False) as session:
        client = WhatsApp(phone_id=NUMBER_ID, token=TOKEN, session=session, api_version=26.0)
        session.base_url = httpx.URL(f"{listener.url}/v26.0")
        yield client


def read(value: Any, name: str = "") -> Any:
    """Bring a body into the form in which equal requests are equal: nothing empty, words and numbers of one kind."""
    if isinstance(value, dict):
        pairs = {key: read(inner, key) for key, inner in value.items()}
        return {key: inner for key, inner in pairs.items() if inner not in (None, [], {})}
    if isinstance(value, list):
        return [read(inner) for inner in value]
    if name in {"latitude", "longitude", "index"}:
        return float(value)
    return value.lower() if name in CASELESS else value


def asks(kind: str, text: str, **more: Any) -> Message:
    media = more.pop("media", None)
    return message("interactive", text=text, media=media, interactive=Interactive(kind=kind, **more))


BUTTONS = [Choice(id="yes", title="Yes"), Choice(id="no", title="No")]
ROWS = [ChoiceGroup(title="Heating", rows=[Choice(id="b", title="Boiler", description="60 minutes")])]
CARD = Contact(
    name="Priya Raman",
    details={
        "name": {"formatted_name": "Priya Raman", "first_name": "Priya"},
        "phones": [{"phone": PHONE, "type": "CELL", "wa_id": "447700900381"}],
        "emails": [{"email": "priya@a.example", "type": "HOME"}],
        "org": {"company": "Quayside Repairs"},
    },
)
PARTS: list[dict[str, Any]] = [
    {"type": "header", "parameters": [{"type": "document", "document": {"filename": "q.pdf"}}]},
    {"type": "body", "parameters": [{"type": "text", "text": "Priya"}, {"type": "text", "text": "09:40"}]},
    {"type": "button", "sub_type": "quick_reply", "index": "0", "parameters": [{"type": "payload", "payload": "OK"}]},
    {"type": "button", "sub_type": "url", "index": "1", "parameters": [{"type": "text", "text": "8817"}]},
]
NAMED = [{"type": "body", "parameters": [{"type": "text", "parameter_name": "slot", "text": "09:40"}]}]


def theirs_card() -> Any:
    return types.Contact(
        name=types.Contact.Name(formatted_name="Priya Raman", first_name="Priya"),
        phones=[types.Contact.Phone(phone=PHONE, type="CELL", wa_id="447700900381")],
        emails=[types.Contact.Email(email="priya@a.example", type="HOME")],
        org=types.Contact.Org(company="Quayside Repairs"),
    )


def use(parts: list[dict[str, Any]]) -> TemplateUse:
    return TemplateUse(name="quote_ready", language="en_GB", components=parts)


Theirs = Callable[[WhatsApp], object]
Ours = tuple[Message, Destination, dict[str, Any]]

#: What is sent -> pywa's call, and our message.
SAME: dict[str, tuple[Theirs, Ours]] = {
    "text": (
        lambda wa: wa.send_message(PHONE, "Hello", tracker=OUR_ID),
        (message(text="Hello"), TO_PHONE, {}),
    ),
    "text with a link, quoting": (
        lambda wa: wa.send_message(
            PHONE, "See https://a.example", preview_url=True, reply_to_message_id=WAMID, tracker=OUR_ID
        ),
        (message(text="See https://a.example", context=QUOTING), TO_PHONE, {}),
    ),
    "text to a user id": (
        lambda wa: wa.send_message(BSUID, "Hello", tracker=OUR_ID),
        (message(text="Hello"), TO_USER, {}),
    ),
    "text to a group": (
        lambda wa: wa.send_message(GROUP, "Hello", tracker=OUR_ID),
        (message(text="Hello"), TO_GROUP, {}),
    ),
    "image by id": (
        lambda wa: wa.send_image(PHONE, "1480226193371558", caption="Before", tracker=OUR_ID),
        (message("image", media=Media(caption="Before")), TO_PHONE, {"media": {"vendor_id": "1480226193371558"}}),
    ),
    "image by link": (
        lambda wa: wa.send_image(PHONE, "https://a.example/1.png", tracker=OUR_ID),
        (message("image", media=Media()), TO_PHONE, {"media": {"link": "https://a.example/1.png"}}),
    ),
    "document by link": (
        lambda wa: wa.send_document(
            PHONE, "https://a.example/q.pdf", filename="q.pdf", caption="Quote", tracker=OUR_ID
        ),
        (
            message("document", media=Media(file_name="q.pdf", caption="Quote")),
            TO_PHONE,
            {"media": {"link": "https://a.example/q.pdf"}},
        ),
    ),
    "voice": (
        lambda wa: wa.send_voice(PHONE, "842117360559204", tracker=OUR_ID),
        (message("audio", media=Media(voice=True)), TO_PHONE, {"media": {"vendor_id": "842117360559204"}}),
    ),
    "sticker": (
        lambda wa: wa.send_sticker(PHONE, "611840277350918", tracker=OUR_ID),
        (message("sticker", media=Media()), TO_PHONE, {"media": {"vendor_id": "611840277350918"}}),
    ),
    "location": (
        lambda wa: wa.send_location(PHONE, 54.4891, -0.6134, name="Quay", address="14 Harbour Row", tracker=OUR_ID),
        (
            message(
                "location",
                location=Location(latitude=54.4891, longitude=-0.6134, name="Quay", address="14 Harbour Row"),
            ),
            TO_PHONE,
            {},
        ),
    ),
    "contact": (
        lambda wa: wa.send_contact(PHONE, theirs_card(), tracker=OUR_ID),
        (message("contact", contact=CARD), TO_PHONE, {}),
    ),
    "reaction": (
        lambda wa: wa.send_reaction(PHONE, emoji="👍", message_id=WAMID, tracker=OUR_ID),
        (message("reaction", emoji="👍", context=QUOTING), TO_PHONE, {}),
    ),
    "reaction taken away": (
        lambda wa: wa.remove_reaction(PHONE, message_id=WAMID, tracker=OUR_ID),
        (message("reaction", context=QUOTING), TO_PHONE, {}),
    ),
    "buttons": (
        lambda wa: wa.send_message(
            PHONE,
            "Agreed?",
            header="Quote",
            footer="Valid 14 days",
            buttons=[types.Button(title="Yes", callback_data="yes"), types.Button(title="No", callback_data="no")],
            tracker=OUR_ID,
        ),
        (asks("buttons", "Agreed?", header="Quote", footer="Valid 14 days", buttons=BUTTONS), TO_PHONE, {}),
    ),
    "buttons under a picture": (
        lambda wa: wa.send_image(
            PHONE,
            "https://a.example/1.png",
            caption="Agreed?",
            buttons=[types.Button(title="Yes", callback_data="yes")],
            tracker=OUR_ID,
        ),
        (
            asks("buttons", "Agreed?", buttons=BUTTONS[:1], media=Media(mime_type="image/png")),
            TO_PHONE,
            {"media": {"link": "https://a.example/1.png"}},
        ),
    ),
    "list": (
        lambda wa: wa.send_message(
            PHONE,
            "What do you need?",
            header="Services",
            buttons=types.SectionList(
                button_title="Choose",
                sections=[
                    types.Section(
                        title="Heating",
                        rows=[types.SectionRow(title="Boiler", callback_data="b", description="60 minutes")],
                    )
                ],
            ),
            tracker=OUR_ID,
        ),
        (asks("list", "What do you need?", header="Services", label="Choose", sections=ROWS), TO_PHONE, {}),
    ),
    "link": (
        lambda wa: wa.send_message(
            PHONE, "Sign", buttons=types.URLButton(title="Open", url="https://a.example"), tracker=OUR_ID
        ),
        (asks("cta_url", "Sign", label="Open", url="https://a.example"), TO_PHONE, {}),
    ),
    "flow": (
        lambda wa: wa.send_message(
            PHONE,
            "Tell us",
            buttons=types.FlowButton(
                title="Start",
                flow_id="81",
                flow_token="t1",
                flow_action_type=types.FlowActionType.NAVIGATE,
                flow_action_screen="FAULT",
                flow_action_payload={"customer": "Priya"},
            ),
            tracker=OUR_ID,
        ),
        (
            asks(
                "flow",
                "Tell us",
                label="Start",
                flow={
                    "flow_id": "81",
                    "flow_token": "t1",
                    "mode": "published",
                    "flow_action": "navigate",
                    "flow_action_payload": {"screen": "FAULT", "data": {"customer": "Priya"}},
                },
            ),
            TO_PHONE,
            {},
        ),
    ),
    "location request": (
        lambda wa: wa.request_location(PHONE, "Where?", tracker=OUR_ID),
        (asks("location_request", "Where?"), TO_PHONE, {}),
    ),
    "contact request": (
        lambda wa: wa.request_contact_info(BSUID, "Your number?", tracker=OUR_ID),
        (asks("contact_request", "Your number?"), TO_USER, {}),
    ),
    "template": (
        lambda wa: wa.send_template(
            PHONE,
            name="quote_ready",
            language=templates.TemplateLanguage.ENGLISH_UK,
            params=[
                templates.HeaderDocument.params(document="3055920174481620", filename="q.pdf"),
                templates.BodyText.params("Priya", "09:40"),
                templates.QuickReplyButton.params(callback_data="OK", index=0),
                templates.URLButton.params(url_variable="8817", index=1),
            ],
            tracker=OUR_ID,
        ),
        (
            message("template", template=use(PARTS)),
            TO_PHONE,
            {"header_media": {"vendor_id": "3055920174481620"}},
        ),
    ),
    "template with named values": (
        lambda wa: wa.send_template(
            PHONE,
            name="quote_ready",
            language=templates.TemplateLanguage.ENGLISH_UK,
            params=[templates.BodyText.params(slot="09:40")],
            tracker=OUR_ID,
        ),
        (message("template", template=use(NAMED)), TO_PHONE, {}),
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_pywa_sends_the_same(name: str, listener: Listener, pywa: WhatsApp) -> None:
    theirs, (what, to, files) = SAME[name]
    listener.heard.clear()
    theirs(pywa)
    assert [read(sent) for _, sent in listener.heard] == [read(body(what, to, **files))]


def test_pywa_asks_at_the_same_place_with_the_same_token(listener: Listener, pywa: WhatsApp) -> None:
    listener.heard.clear()
    pywa.send_message(PHONE, "Hello")
    request = SENDER.request(sending(message(text="Hello")))
    assert request.authorization is not None
    ours = f"{request.url.removeprefix('https://graph.facebook.com')} {request.authorization.reveal()}"
    assert listener.heard[0][0] == ours


def test_pywa_reads_the_same_out_of_an_answer(pywa: WhatsApp) -> None:
    theirs = pywa.send_message(PHONE, "Hello")
    ours = SENDER.judge(HttpAnswer(status=200, body=json.dumps(fixture("resp_send_phone")).encode()))
    assert isinstance(ours, Receipt)
    assert ours.provider_message_id == theirs.id
