"""Documents to JSON: spelled as stored, times as ISO 8601 in UTC with milliseconds.

Schemas describe answers (OpenAPI) and name the fields that are read; they do not dump them. Documents arrive
in the wire's own spelling and cut to those fields, so mapping fifty messages through marshmallow would change
nothing but the time it takes. Deliberately no lenience: a value JSON has no word for is a bug.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import orjson
from flask import Response

from models.store.paging import Page

JSON: Final = "application/json"
#: What a view returns: a document, or a page of them.
Result = Mapping[str, Any] | Page


def answer(result: Result, status: int = 200) -> Response:
    """Build the answer of a view."""
    content = {"data": result.items, "nextCursor": result.next_cursor} if isinstance(result, Page) else result
    return Response(to_json(content), status, content_type=JSON)


def to_json(content: object) -> bytes:
    """Write a value as JSON.

    Raises:
        TypeError: it holds something JSON has no word for, such as an ObjectId.
    """
    return orjson.dumps(content, default=_spelled, option=orjson.OPT_PASSTHROUGH_DATETIME)


def _spelled(value: object) -> str:
    if isinstance(value, datetime):
        # Stored moments are aware UTC; the driver's "+00:00" becomes "Z".
        return value.isoformat(timespec="milliseconds")[:-6] + "Z"
    raise TypeError(f"a {type(value).__name__} is not JSON")
