"""A connection is not used again while something of its last body is left: it would stand before the next request."""

import io
from typing import Any

import pytest

from runtime.unread import ClosesUnread


def answered(body: bytes, read: list[int], **environ: str) -> dict[str, str]:
    """The headers of an answer for which so much was read of a body."""
    told: dict[str, str] = {}

    def inner(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        for size in read:
            environ["wsgi.input"].read(size)
        start_response("200 OK", [("X-Own", "1")])
        return []

    def start(_status: str, headers: list[tuple[str, str]], *_: object) -> None:
        told.update(headers)

    list(ClosesUnread(inner)({"wsgi.input": io.BytesIO(body), **environ}, start))
    assert told.pop("X-Own") == "1"
    return told


CHUNKED = {"HTTP_TRANSFER_ENCODING": "chunked"}
LENGTH = {"CONTENT_LENGTH": "6"}


@pytest.mark.parametrize(
    ("read", "environ"),
    [([6], LENGTH), ([4, 4], LENGTH), ([-1], LENGTH), ([-1], CHUNKED), ([4, 4, 4], CHUNKED), ([], {})],
)
def test_a_body_read_to_its_end_leaves_the_connection(read: list[int], environ: dict[str, str]) -> None:
    assert answered(b"abcdef" if environ else b"", read, **environ) == {}


@pytest.mark.parametrize(("read", "environ"), [([], LENGTH), ([5], LENGTH), ([], CHUNKED), ([6], CHUNKED)])
def test_a_body_of_which_something_is_left_closes_it(read: list[int], environ: dict[str, str]) -> None:
    assert answered(b"abcdef", read, **environ) == {"Connection": "close"}
