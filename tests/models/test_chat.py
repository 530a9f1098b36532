from itertools import product

import pytest

from models.chat import STEPS, may_step, reopened_status, sources_of
from models.values import ChatStatus

U, A, R, C = ChatStatus.UNASSIGNED, ChatStatus.ASSIGNED, ChatStatus.RESOLVED, ChatStatus.CLOSED
LEGAL = {(U, A), (A, A), (A, U), (A, R), (R, C), (R, A), (R, U), (C, A), (C, U)}


@pytest.mark.parametrize(("current", "target"), list(product(ChatStatus, ChatStatus)))
def test_a_chat_takes_legal_steps_only(current: ChatStatus, target: ChatStatus) -> None:
    assert may_step(current, target) == ((current, target) in LEGAL)


@pytest.mark.parametrize("target", ChatStatus)
def test_the_condition_of_an_update_names_the_legal_sources(target: ChatStatus) -> None:
    assert set(sources_of(target)) == {current for current, goal in LEGAL if goal == target}


def test_no_state_is_a_dead_end() -> None:
    assert set(STEPS) == set(ChatStatus)
    assert all(STEPS.values())


def test_a_reopened_chat_keeps_an_available_assignee() -> None:
    assert reopened_status(assignee_kept=True) == A
    assert reopened_status(assignee_kept=False) == U
