"""Message templates of 1msg: listed to the end, asked for, and sent under the namespace they were listed with."""

import pytest

from models.template import Template
from providers.chatapi.outbound import OneMsgTemplates
from providers.outbound import ErrorKind, SendError, TemplatePage
from tests.providers.chatapi_sends import (
    BASE,
    CHANNEL,
    NAMESPACE,
    ONE_MSG,
    TEMPLATE_ID,
    TOKEN,
    answer,
    called,
    fixture,
    sending,
    uses,
)


def test_templates_of_1msg_are_told_in_our_words() -> None:
    book = OneMsgTemplates()
    request = book.page(CHANNEL, base_url=BASE, cursor=None)
    assert (request.method, request.url) == ("GET", "https://api.1msg.io/463107/templates")
    assert request.secret_query["token"].reveal() == TOKEN
    page = book.read(answer(200, "response_onemsg_templates"))
    listed = fixture("response_onemsg_templates")["templates"][0]
    assert page == TemplatePage(
        templates=[
            {
                "whatsapp_template_id": TEMPLATE_ID,
                "name": "appointment_reminder",
                "language": "en",
                "status": "approved",
                "category": "UTILITY",
                "rejection_reason": None,
                "components": listed["components"],
            }
        ]
    )


def test_templates_that_1msg_held_back_are_asked_for() -> None:
    book, row = OneMsgTemplates(), fixture("response_onemsg_templates")["templates"][0]

    def following(cursor: str | None, held: int, total: object) -> str | None:
        page = book.read_at(answer(200, {"total": total, "templates": [row] * held}), cursor=cursor)
        assert isinstance(page, TemplatePage)
        return page.next

    assert following(None, 2, 5) == "2"
    assert book.page(CHANNEL, base_url=BASE, cursor="2").url == "https://api.1msg.io/463107/templates?offset=2"
    assert following("2", 2, "5") == "4"
    assert [following("4", 1, 5), following(None, 2, None), following(None, 0, 5), following(None, 2, 2)] == [None] * 4


def asked_for() -> Template:
    components = [{"type": "BODY", "text": "Hi {{1}}"}]
    return Template(id="tpl_1", name="reminder", language="en", category="utility", components=components)


def test_a_template_is_asked_for_at_1msg() -> None:
    request = OneMsgTemplates().create(CHANNEL, base_url=BASE, template=asked_for())
    assert request is not None
    assert called(request) == (
        "addTemplate",
        {"name": "reminder", "category": "UTILITY", "language": "en", "components": asked_for().components},
    )
    assert request.secret_query["token"].reveal() == TOKEN


@pytest.mark.parametrize(
    ("status", "body", "came"),
    [
        (200, {"id": "7", "status": "APPROVED"}, "approved"),
        (200, {"status": "submitted"}, "pending"),
        (200, {}, "pending"),
        (200, {"error": "Template name is taken"}, ErrorKind.FINAL),
        (400, {"error": "Invalid category"}, ErrorKind.FINAL),
        (401, {"error": f'Wrong token "{TOKEN}"'}, ErrorKind.OURS),
        (500, {"error": "oops"}, ErrorKind.UNKNOWN),
        (200, b"<html>", ErrorKind.UNKNOWN),
    ],
)
def test_what_became_of_a_template_asked_for(status: int, body: object, came: object) -> None:
    found = OneMsgTemplates().created(answer(status, body))
    assert (found.kind if isinstance(found, SendError) else found["status"]) == came
    assert TOKEN not in repr(found)


def test_1msg_removes_a_template_in_all_languages_so_we_do_not_ask() -> None:
    assert OneMsgTemplates().delete(CHANNEL, base_url=BASE, template=asked_for()) is None


def test_a_template_is_sent_under_the_namespace_it_was_listed_with() -> None:
    page = OneMsgTemplates().read(answer(200, "response_onemsg_templates"))
    assert isinstance(page, TemplatePage)
    sent = uses()
    assert sent.template is not None
    sent.template.provider_template_id = str(page.templates[0]["whatsapp_template_id"])
    _, body = called(ONE_MSG.request(sending(sent, account=CHANNEL)))
    assert body["namespace"] == NAMESPACE


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"error": f'Wrong token "{TOKEN}"'}, ErrorKind.OURS),
        (429, "response_onemsg_429", ErrorKind.THROTTLED),
        (200, {"error": "Internal error"}, ErrorKind.RETRYABLE),
        (200, b"<html>", ErrorKind.RETRYABLE),
        (200, {"templates": {}}, ErrorKind.RETRYABLE),
    ],
)
def test_a_list_that_cannot_be_had_is_an_error(status: int, body: object, kind: ErrorKind) -> None:
    found = OneMsgTemplates().read(answer(status, body))
    assert isinstance(found, SendError)
    assert found.kind is kind
