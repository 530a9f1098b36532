"""Meta's templates: pages, new ones, and removing one language only."""

import dataclasses
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from models.template import ParameterFormat, Template, TemplateStatus
from providers.meta.outbound.graph import API_VERSION
from providers.meta.templates import STATUSES
from providers.outbound import ErrorKind, TemplatePage
from runtime.calls import HttpRequest
from runtime.errors import Invalid
from tests.providers.meta_sends import BASE, BOOK, BUSINESS_ID, account, answer, failed, fixture, loaded


def asked(request: HttpRequest | None) -> tuple[str, str, dict[str, list[str]]]:
    assert request is not None
    assert request.authorization is not None
    address = urlsplit(request.url)
    return request.method, f"{address.scheme}://{address.netloc}{address.path}", parse_qs(address.query)


def page(*rows: Any, **paging: Any) -> TemplatePage:
    found = BOOK.read(answer({"data": list(rows), "paging": paging}))
    assert isinstance(found, TemplatePage)
    return found


def row(**more: Any) -> dict[str, Any]:
    return {"id": "1", "name": "visit_reminder", "language": "en_GB", "status": "APPROVED", **more}


def test_a_page_is_asked_for_with_every_field_we_read() -> None:
    method, url, query = asked(BOOK.page(account(), base_url=BASE, cursor=None))
    assert (method, url) == ("GET", f"{BASE}/{API_VERSION}/{BUSINESS_ID}/message_templates")
    assert query.keys() == {"fields", "limit"}
    fields = set(query["fields"][0].split(","))
    assert fields >= {
        "name",
        "language",
        "status",
        "components",
        "parameter_format",
        "rejected_reason",
        "quality_score",
    }


def test_the_next_page_is_asked_for_by_its_cursor() -> None:
    _, _, query = asked(BOOK.page(account(), base_url=BASE, cursor="QVFI&U=="))
    assert query["after"] == ["QVFI&U=="]


def test_without_a_business_account_there_are_no_templates() -> None:
    with pytest.raises(Invalid) as caught:
        BOOK.page(account(businessAccountId=""), base_url=BASE, cursor=None)
    assert "businessAccountId" in caught.value.fields


def test_a_page_is_read_into_our_fields() -> None:
    found = BOOK.read(answer(fixture("resp_templates_list")))
    assert isinstance(found, TemplatePage)
    assert found.next == "QVFIUafterEXAMPLE"
    reminder, quote = found.templates
    assert reminder == {
        "name": "visit_reminder",
        "language": "en_GB",
        "whatsapp_template_id": "1730559284410265",
        "whatsapp_template_name": "visit_reminder",
        "status": TemplateStatus.APPROVED,
        "category": "UTILITY",
        "parameter_format": ParameterFormat.POSITIONAL,
        "components": fixture("resp_templates_list")["data"][0]["components"],
        "rejection_reason": None,
        "quality": None,
    }
    assert (quote["status"], quote["rejection_reason"]) == (TemplateStatus.REJECTED, "INVALID_FORMAT")
    assert (quote["quality"], quote["parameter_format"]) == ("UNKNOWN", "named")


def test_what_is_read_makes_a_template() -> None:
    found = BOOK.read(answer(fixture("resp_templates_list")))
    assert isinstance(found, TemplatePage)
    names = {one.name for one in dataclasses.fields(Template)}
    assert [fields.keys() - names for fields in found.templates] == [set(), {"sub_category"}]


def test_cursors_without_a_next_page_are_the_end() -> None:
    found = BOOK.read(answer(fixture("resp_templates_list_last_page")))
    assert found == TemplatePage(templates=[], next=None)


def test_the_next_page_is_never_another_hosts() -> None:
    following = "https://evil.example/v1/message_templates?access_token=x&after=QVFI"
    assert page(next=following).next == "QVFI"
    assert page(next=following, cursors={"after": "ABC"}).next == "ABC"
    assert page(next="https://[evil").next is None


@pytest.mark.parametrize("word", sorted(STATUSES))
def test_a_listed_status_is_what_the_webhook_says(word: str) -> None:
    assert page(row(status=word)).templates[0]["status"] == STATUSES[word]


@pytest.mark.parametrize(
    ("word", "status"),
    [("FLAGGED", "approved"), ("LOCKED", "approved"), ("IN_APPEAL", "rejected"), ("ARCHIVED", "disabled"),
     ("PENDING_DELETION", "disabled"), ("NOVEL", "pending"), (None, "pending"), ({}, "pending")],
)  # fmt: skip
def test_a_status_beyond_the_review_has_its_nearest(word: object, status: str) -> None:
    assert page(row(status=word)).templates[0]["status"] == status


def test_a_language_has_one_spelling() -> None:
    assert page(row(language="en-GB")).templates[0]["language"] == "en_GB"


def test_rows_that_cannot_be_read_do_not_harm_their_neighbours() -> None:
    found = page(7, None, row(name=None), row(components="x"), row(name="other", components=[7, {"type": "BODY"}]))
    assert [(one["name"], one["components"]) for one in found.templates] == [
        ("visit_reminder", []), ("other", [{"type": "BODY"}]),
    ]  # fmt: skip


@pytest.mark.parametrize("payload", [{}, {"data": None}, {"data": {}}, [], b"", b'{"data": [{"name": "a"'])
def test_a_page_that_cannot_be_read_whole_is_no_page(payload: object) -> None:
    assert failed(BOOK.read(answer(payload))).kind is ErrorKind.RETRYABLE


def test_a_page_that_was_refused_says_why() -> None:
    assert failed(BOOK.read(answer(fixture("error_waba_rate_80007"), 400))).kind is ErrorKind.THROTTLED


def made_of(definition: dict[str, Any]) -> Template:
    return Template(
        id="tpl_1",
        name="Visit reminder",
        whatsapp_template_name=definition["name"],
        language=definition["language"],
        category=definition["category"].lower(),
        parameter_format=ParameterFormat(definition["parameter_format"].lower()),
        components=definition["components"],
    )


def test_a_new_template_is_asked_for_as_documented() -> None:
    documented = fixture("req_template_create")
    request = BOOK.create(account(), base_url=BASE, template=made_of(documented))
    method, url, _ = asked(request)
    assert (method, url) == ("POST", f"{BASE}/{API_VERSION}/{BUSINESS_ID}/message_templates")
    assert loaded(request) == documented


def test_a_text_alone_is_a_templates_body() -> None:
    plain = Template(id="tpl_1", name="hours", language="en", category="utility", content="We open at 9.")
    found = loaded(BOOK.create(account(), base_url=BASE, template=plain))
    assert found["components"] == [{"type": "BODY", "text": "We open at 9."}]
    assert (found["name"], found["parameter_format"]) == ("hours", "POSITIONAL")


def test_a_new_template_has_an_id_and_waits_for_review() -> None:
    assert BOOK.created(answer(fixture("resp_template_create"))) == {
        "whatsapp_template_id": "1730559284410270", "status": "pending", "category": "UTILITY",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("payload", "status", "kind"),
    [
        ({"status": "PENDING"}, 200, ErrorKind.UNKNOWN),
        (b"", 504, ErrorKind.UNKNOWN),
        (b"", 503, ErrorKind.RETRYABLE),
        ({"error": {"code": 100, "error_subcode": 2388299}}, 400, ErrorKind.FINAL),
    ],
)
def test_a_template_that_was_not_made_says_why(payload: object, status: int, kind: ErrorKind) -> None:
    assert failed(BOOK.created(answer(payload, status))).kind is kind


def test_one_language_is_removed_and_no_other() -> None:
    template = Template(id="tpl_1", name="visit_reminder", language="en_GB", whatsapp_template_id="1730559284410265")
    method, url, query = asked(BOOK.delete(account(), base_url=BASE, template=template))
    assert (method, url) == ("DELETE", f"{BASE}/{API_VERSION}/{BUSINESS_ID}/message_templates")
    assert query == {"name": ["visit_reminder"], "hsm_id": ["1730559284410265"]}


def test_without_an_id_nothing_is_removed() -> None:
    assert BOOK.delete(account(), base_url=BASE, template=Template(id="tpl_1", name="visit_reminder")) is None


def test_removing_is_judged() -> None:
    assert BOOK.deleted(answer(fixture("resp_success_true"))) is None
    assert failed(BOOK.deleted(answer({"success": False}))).kind is ErrorKind.FINAL
    assert failed(BOOK.deleted(answer(fixture("error_permission_200"), 403))).kind is ErrorKind.OURS
