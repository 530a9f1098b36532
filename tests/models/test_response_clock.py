"""The response clock: what it counts, and that the order of arrival does not matter."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from models.chat import Chat
from models.response_clock import Turn, comes_in_turn, counted, moved

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TURNS = st.lists(
    st.builds(lambda s, a: Turn(NOON + timedelta(seconds=s), a), st.integers(0, 8), st.booleans()), max_size=12
)


def turn(minute: int, *, answer: bool = False) -> Turn:
    return Turn(NOON + timedelta(minutes=minute), answer)


def chat() -> Chat:
    return Chat(id="chat_1", config_id="cfg_1", address_id="adr_1", provider="meta-whatsapp")


def test_the_wait_runs_from_the_first_unanswered_message() -> None:
    clock = counted([turn(0), turn(5), turn(9, answer=True)])

    assert clock["first_response_time"] == 9 * 60
    assert clock["waiting_since"] is None


def test_an_answer_nobody_waited_for_counts_nothing() -> None:
    assert counted([turn(0, answer=True), turn(1, answer=True)])["response_count"] == 0


def test_the_average_is_over_answered_waits() -> None:
    clock = counted([turn(0), turn(2, answer=True), turn(10), turn(14, answer=True), turn(20)])

    assert clock["avg_response_time"] == 3 * 60
    assert clock["waiting_since"] == turn(20).at


@given(TURNS)
def test_step_by_step_gives_what_counting_anew_gives_in_any_order(turns: list[Turn]) -> None:
    entity, seen = chat(), list[Turn]()
    for one in turns:
        fields = moved(entity, one) if comes_in_turn(entity, one) else counted([*seen, one])
        for name, value in fields.items():
            setattr(entity, name, value)
        entity.last_turn_at = max(one.at, entity.last_turn_at or one.at)
        seen.append(one)

    assert {name: getattr(entity, name) for name in counted([])} == counted(turns)
