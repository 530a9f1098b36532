from itertools import product

import pytest

from models.follow_up import FollowUpStatus, may_step

S = FollowUpStatus
LEGAL = {
    (S.PENDING, S.OVERDUE),
    (S.PENDING, S.COMPLETED),
    (S.PENDING, S.CANCELLED),
    (S.OVERDUE, S.PENDING),
    (S.OVERDUE, S.COMPLETED),
    (S.OVERDUE, S.CANCELLED),
}


@pytest.mark.parametrize(("current", "target"), list(product(FollowUpStatus, FollowUpStatus)))
def test_completing_and_cancelling_are_final(current: FollowUpStatus, target: FollowUpStatus) -> None:
    assert may_step(current, target) == ((current, target) in LEGAL)
