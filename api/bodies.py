"""A stored body in a form people can read: the seed's `rawData`, made from the bytes when somebody looks.

JSON is passed through as the vendor wrote it, digit for digit, forms become an object, and what is neither is
shown as text or base 64. Any bytes can be shown. Deliberately no interpretation: that is the dialects'.
"""

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs

import orjson

Shown = dict[str, Any]


def readable(body: bytes, content_type: str | None) -> Shown:
    """Show a body as `rawData` where it has the structure its type promises, else as text or base 64."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    try:
        return _READERS.get(kind, _as_text)(body)
    except ValueError:
        return _as_plain(body)


def _as_json(body: bytes) -> Shown:
    orjson.loads(body)
    return {"rawData": orjson.Fragment(body)}


def _as_form(body: bytes) -> Shown:
    values = parse_qs(body.decode("ascii"), keep_blank_values=True, strict_parsing=True)
    return {"rawData": {name: found[0] if len(found) == 1 else found for name, found in values.items()}}


def _as_text(body: bytes) -> Shown:
    return {"rawText": body.decode("utf-8")}


def _as_plain(body: bytes) -> Shown:
    try:
        return _as_text(body)
    except UnicodeDecodeError:
        return {"rawBase64": base64.b64encode(body).decode()}


_READERS: Final[Mapping[str, Callable[[bytes], Shown]]] = {
    "application/json": _as_json,
    "application/x-www-form-urlencoded": _as_form,
}
