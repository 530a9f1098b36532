"""Words of a vendor on a template: the later counts, in whatever order they come, part by part."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.store.batch import Tracked
from models.store.codec import to_document
from models.template import ParameterFormat, Template, TemplateStatus
from services.curating.telling import is_vanished, tell

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HEADER = {"type": "HEADER", "format": "IMAGE"}
BUTTONS = {"type": "BUTTONS", "buttons": [{"type": "URL", "text": "See", "url": "https://quayside.example/{{1}}"}]}


def body(text: str) -> dict[str, Any]:
    return {"type": "BODY", "text": text}


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def new() -> Tracked[Template]:
    return Tracked(Template(id="tpl_1", name="t", status=TemplateStatus.PENDING))


#: A whole definition, words on single parts, an older definition, and a status: each with its moment.
WORDS: list[dict[str, Any]] = [
    {"told": {"components": [HEADER, body("Hello {{1}}."), BUTTONS]}, "at": at(2)},
    {"told": {}, "parts": [body("Hello {{1}} and {{2}}.")], "at": at(3)},
    {"told": {}, "parts": [body("Older {{1}}."), {"type": "FOOTER", "text": "Older"}], "at": at(1)},
    {"told": {"components": [body("Oldest.")], "status": "rejected"}, "at": at(0)},
    {"told": {"status": "approved", "category": "utility"}, "at": at(4)},
]


@pytest.mark.parametrize("order", list(itertools.permutations(range(len(WORDS)))))
def test_the_order_of_words_does_not_matter(order: tuple[int, ...]) -> None:
    known = new()

    for index in (*order, order[0]):
        tell(known, **WORDS[index])

    template = known.entity
    assert template.components == [HEADER, body("Hello {{1}} and {{2}}."), BUTTONS]
    assert (template.status, template.category) == (TemplateStatus.APPROVED, "UTILITY")
    assert template.content == "Hello {{1}} and {{2}}."
    assert template.variables == ["1", "2"]
    assert [one["component"] for one in template.parameters or ()] == ["header", "body", "body", "button"]
    assert template.parameter_format is ParameterFormat.POSITIONAL


def test_a_word_on_the_text_alone_leaves_the_other_parts() -> None:
    known = new()
    tell(known, {"components": [HEADER, body("Hello."), BUTTONS]}, at=at(0))

    tell(known, {}, parts=[body("Good day.")], at=at(1))

    assert known.entity.components == [HEADER, body("Good day."), BUTTONS]


def test_a_word_of_the_same_moment_changes_nothing() -> None:
    known = new()
    tell(known, {"status": "approved"}, at=at(0))
    before = to_document(known.entity)

    assert tell(known, {"status": "paused"}, at=at(0)) == {}
    assert to_document(known.entity) == before


def test_a_status_we_have_no_word_for_leaves_the_present_one() -> None:
    known = new()
    tell(known, {"status": "approved"}, at=at(0))

    tell(known, {"status": "FLAGGED"}, at=at(1))

    assert known.entity.status is TemplateStatus.APPROVED


def test_what_is_not_a_definition_is_no_definition() -> None:
    known = new()

    tell(known, {"components": "oops"}, at=at(0))
    tell(known, {"components": [None, body("Hi {{a}}.")]}, at=at(1))

    assert known.entity.components == [body("Hi {{a}}.")]
    assert known.entity.parameter_format is ParameterFormat.NAMED


def test_a_format_that_was_told_stays_when_the_text_changes() -> None:
    known = new()
    tell(known, {"components": [body("Hi {{a}}.")], "parameter_format": "NAMED"}, at=at(0))

    tell(known, {}, parts=[body("Hi.")], at=at(1))

    assert known.entity.parameter_format is ParameterFormat.NAMED


def test_vanished_is_a_state_of_its_own() -> None:
    known = new()
    tell(known, {"status": "disabled"}, at=at(0))
    assert not is_vanished(known.entity)

    known.set(rejection_reason="vanished")
    assert is_vanished(known.entity)
