import pytest

from models.values import EventStatus, Outcome
from models.webhook_event import event_type_of, status_of


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([], None),
        (["message"], "message"),
        (["status", "status"], "status"),
        (["message", "status"], "mixed"),
    ],
)
def test_a_delivery_is_named_after_its_parts(kinds: list[str], expected: str | None) -> None:
    assert event_type_of(kinds) == expected


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], EventStatus.IGNORED),
        ([Outcome.IGNORED, Outcome.IGNORED], EventStatus.IGNORED),
        ([Outcome.APPLIED, Outcome.IGNORED], EventStatus.PROCESSED),
        ([Outcome.DUPLICATE], EventStatus.PROCESSED),
        ([Outcome.APPLIED, Outcome.FAILED], EventStatus.FAILED),
        ([Outcome.IGNORED, Outcome.FAILED], EventStatus.FAILED),
    ],
)
def test_one_failed_part_fails_the_delivery(outcomes: list[Outcome], expected: EventStatus) -> None:
    assert status_of(outcomes) == expected
