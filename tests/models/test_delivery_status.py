from datetime import UTC, datetime, timedelta
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.delivery_status import RANK, READ_STATUS, TIMES, advance, below, times
from models.message import Message
from models.store.codec import field_names
from models.values import MessageStatus

S = MessageStatus
STATUSES = st.sampled_from(MessageStatus)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
REPORTS = st.tuples(STATUSES, st.integers(0, 60).map(lambda s: NOON + timedelta(seconds=s)))


def final(*reports: MessageStatus) -> MessageStatus:
    """What a message queued by us ends as."""
    return reduce(advance, reports, S.QUEUED)


@given(st.lists(STATUSES), st.randoms())
def test_any_order_and_repetition_of_reports_ends_alike(reports: list[MessageStatus], chance: object) -> None:
    shuffled = reports * 2
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert final(*shuffled) == final(*reports)


@given(STATUSES, STATUSES, STATUSES)
def test_reports_are_joined(one: MessageStatus, two: MessageStatus, three: MessageStatus) -> None:
    assert advance(one, two) == advance(two, one)
    assert advance(advance(one, two), three) == advance(one, advance(two, three))
    assert advance(one, one) == one


@given(STATUSES, STATUSES)
def test_a_conditional_update_agrees_with_the_join(current: MessageStatus, reported: MessageStatus) -> None:
    replaced = current in below(reported)
    assert advance(current, reported) == (reported if replaced else current)


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        ((S.ACCEPTED, S.SENT, S.DELIVERED, S.READ, S.PLAYED), S.PLAYED),
        ((S.READ, S.DELIVERED, S.SENT), S.READ),
        ((S.ACCEPTED, S.QUEUED, S.SENDING, S.UNKNOWN), S.ACCEPTED),
        ((S.UNKNOWN, S.SENT), S.SENT),
        ((S.SENT, S.FAILED), S.FAILED),
        ((S.FAILED, S.SENT, S.ACCEPTED), S.FAILED),
        ((S.FAILED, S.DELIVERED), S.DELIVERED),
        ((S.DELIVERED, S.FAILED), S.DELIVERED),
        ((S.FAILED, S.READ), S.READ),
        ((S.FAILED, S.PLAYED), S.PLAYED),
        ((S.CANCELED, S.ACCEPTED, S.QUEUED, S.SENDING), S.CANCELED),
        ((S.CANCELED, S.SENT), S.SENT),
        ((S.CANCELED, S.DELIVERED), S.DELIVERED),
    ],
)
def test_evidence_decides(reports: tuple[MessageStatus, ...], expected: MessageStatus) -> None:
    assert final(*reports) == expected


def test_an_inbound_message_is_received_until_it_is_read() -> None:
    assert advance(S.RECEIVED, S.READ) == S.READ
    assert advance(S.READ, S.RECEIVED) == S.READ


def test_every_status_has_its_rank() -> None:
    assert set(RANK) == set(MessageStatus)
    assert len(set(RANK.values())) == len(RANK)


@given(st.lists(REPORTS), st.randoms())
def test_times_do_not_depend_on_the_order_of_reports(
    reports: list[tuple[MessageStatus, datetime]], chance: object
) -> None:
    shuffled = reports * 2
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert times(shuffled) == times(reports)


def test_read_implies_delivered() -> None:
    assert times([(S.READ, NOON)])["delivered_at"] == NOON


def test_a_late_report_corrects_an_implied_time() -> None:
    earlier = NOON - timedelta(minutes=5)
    established = times([(S.READ, NOON), (S.DELIVERED, earlier)])
    assert established["delivered_at"] == earlier
    assert established["read_at"] == NOON


def test_a_failure_keeps_its_time_beside_a_delivery() -> None:
    established = times([(S.FAILED, NOON), (S.DELIVERED, NOON + timedelta(seconds=1))])
    assert established["failed_at"] == NOON


def test_times_are_fields_of_a_message() -> None:
    assert {name for names in TIMES.values() for name in names} <= set(field_names(Message))


def test_the_seeds_read_status_has_its_three_words() -> None:
    assert set(READ_STATUS.values()) == {"sent", "delivered", "read"}
