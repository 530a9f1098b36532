from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.api_token import ApiToken, is_live

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, True),
        ({"expires_at": NOON + timedelta(seconds=1)}, True),
        ({"expires_at": NOON}, False),
        ({"revoked_at": NOON - timedelta(days=1)}, False),
        ({"revoked_at": NOON, "expires_at": NOON + timedelta(days=1)}, False),
    ],
)
def test_a_token_lives_until_it_expires_or_is_revoked(fields: dict[str, Any], expected: bool) -> None:
    token = ApiToken(id="tok_1", name="desk", token_sha256="0" * 64, prefix="hk_1", **fields)
    assert is_live(token, NOON) is expected
