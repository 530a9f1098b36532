"""Reading what vendors send: JSON that may be anything, times, numbers, digests, file names.

Pure and total: every reader takes any value and answers with a clean one or None, and what is kept whole is
made storable first. Deliberately knows no vendor and no entity.
"""

import base64
import binascii
import hashlib
import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from runtime.errors import HooklineError

#: Levels of nesting kept of a vendor's value; what lies deeper becomes one string of JSON.
MAX_DEPTH: Final = 64
#: Levels of nesting read of a body that only Python's slower reader takes (orjson itself stops at 1,024).
ODD_DEPTH: Final = 256
#: The whole numbers a document can hold (64 bits, signed).
INT64: Final = range(-(2**63), 2**63)
#: Characters of the longest of them.
INT64_LENGTH: Final = 20
#: Stands for what could not be kept: half a surrogate pair, a NUL in a key.
REPLACEMENT: Final = "\ufffd"
#: Unix times that can be meant, in seconds: 2009 (when WhatsApp began) up to 2100.
PLAUSIBLE_SECONDS: Final = range(1_230_768_000, 4_102_444_800)
#: From here on a Unix time is in milliseconds.
MILLISECONDS_FROM: Final = 10**12
#: Characters of a file name, at most; more is cut in the middle so that the extension survives.
FILE_NAME_LENGTH: Final = 200

_SURROGATE = re.compile("[\ud800-\udfff]")
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.?)*+(?:"|\Z)|[\[\]{}]', re.DOTALL)
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,19}(?:\.[0-9]{1,19})?")
_PHONE = re.compile(r"\+?([1-9][0-9]{3,14})")
_PHONE_PUNCTUATION = re.compile(r"[\s().\-]")
_HEX_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
#: Control characters, and the marks that turn the reading direction (they make `exe.pdf` of `fdp.exe`).
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


class NotJsonError(HooklineError):
    """The bytes are no JSON document."""


class UnreadableError(HooklineError):
    """One part of a delivery cannot be read; `reason` is a stable word that holds no value."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def load_json(body: bytes) -> Any:
    """Read a JSON document, also one with half surrogates, NaN, boundless numbers or a byte order mark.

    Raises:
        NotJsonError: the bytes are something else, or nested beyond reason.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _load_oddity(body)


def holds_more(body: bytes, limit: int) -> bool:
    """Say whether a JSON document holds more than so many lists, objects and elements of lists; no more are counted.

    Cheap where it does not, and bounded where it does: making an event of each would take a hundred times as long.
    """
    if body.count(b",") + body.count(b"[") + body.count(b"{") <= limit:
        return False
    try:
        level = [one for one in [load_json(body)] if isinstance(one, (dict, list))]
    except NotJsonError:
        return False
    count = 0
    while level and count <= limit:
        held = level.pop()
        inner = held if isinstance(held, list) else [one for one in held.values() if isinstance(one, (dict, list))]
        count += len(inner)
        level += (one for one in inner if isinstance(one, (dict, list)))
    return count > limit


def _load_oddity(body: bytes) -> Any:
    try:
        text_ = body.decode("utf-8-sig", "surrogatepass")
        if _nested_beyond(text_, ODD_DEPTH):
            raise NotJsonError("nested beyond reason")
        return storable(json.loads(text_, parse_int=_whole, parse_constant=str))
    except ValueError as error:
        raise NotJsonError("not JSON") from error


def _nested_beyond(document: str, limit: int) -> bool:
    """Say whether brackets nest beyond a limit; Python's reader has one that depends on its caller."""
    depth = 0
    for token in _STRING_OR_BRACKET.finditer(document):
        first = token[0][0]
        if first in "[{":
            depth += 1
            if depth > limit:
                return True
        elif first in "]}":
            depth -= 1
    return False


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) <= INT64_LENGTH else digits


def storable(value: object, depth: int = MAX_DEPTH) -> Any:
    """Copy a JSON value into one that any store takes: 64-bit numbers, whole characters, bounded depth."""
    kind = type(value)
    if kind is str:
        return _whole_characters(value)  # type: ignore[arg-type]  # the type was just looked at
    if isinstance(value, dict):
        return {_key(k): storable(v, depth - 1) for k, v in value.items()} if depth > 0 else _folded(value)
    if isinstance(value, list):
        return [storable(v, depth - 1) for v in value] if depth > 0 else _folded(value)
    if kind is int:
        return value if value in INT64 else _digits(value)  # type: ignore[arg-type]  # as above
    if kind is float:
        return value if math.isfinite(value) else str(value)  # type: ignore[arg-type]  # as above
    return value if value is None or kind is bool else str(value)


def _folded(value: dict[Any, Any] | list[Any]) -> str:
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
    except orjson.JSONEncodeError:
        return REPLACEMENT


def _digits(value: int) -> str:
    try:
        return str(value)
    except ValueError:
        return hex(value)


def _whole_characters(value: str) -> str:
    return value if value.isascii() else _SURROGATE.sub(REPLACEMENT, value)


def _key(key: object) -> str:
    """Make a key that is no operator and ends where it seems to."""
    name = _whole_characters(key if isinstance(key, str) else str(key)).replace("\x00", REPLACEMENT)
    return f"＄{name[1:]}" if name.startswith("$") else name


def leftovers(item: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any] | None:
    """Return what an object holds beyond the known keys, storable; None where nothing."""
    if item.keys() <= known:
        return None
    found: dict[str, Any] = storable({key: value for key, value in item.items() if key not in known})
    return found


def fingerprint(value: object) -> str:
    """Name a value by its content: 16 hex digits, the same whatever the order of keys."""
    return hashlib.sha256(orjson.dumps(storable(value), option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def text(value: object) -> str | None:
    """Read a string that is not empty; a whole number is written out, anything else is absent."""
    if type(value) is str:
        return value or None
    return _digits(value) if type(value) is int else None


def mapping(value: object) -> dict[str, Any]:
    """Read an object; anything else is an empty one."""
    return value if isinstance(value, dict) else {}


def listed(value: object) -> list[Any]:
    """Read a list; anything else is an empty one."""
    return value if isinstance(value, list) else []


def first(value: object) -> dict[str, Any]:
    """Read an object or the first one of a list: vendors write either."""
    if isinstance(value, list):
        return next((item for item in value if isinstance(item, dict)), {})
    return mapping(value)


def flag(value: object) -> bool | None:
    """Read a truth value, also where it is spelled out."""
    if type(value) is bool:
        return value
    return {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else None


def number(value: object) -> float | None:
    """Read a finite number, also where it is written as a string."""
    if type(value) is int:
        return float(value) if value in INT64 else None
    if type(value) is float:
        return value if math.isfinite(value) else None
    return float(value) if isinstance(value, str) and _DECIMAL.fullmatch(value) else None


def when(value: object) -> datetime | None:
    """Read a Unix time in seconds or milliseconds, number or string; None for what no clock shows."""
    seconds = _unix(value)
    if seconds is None:
        return None
    if seconds >= MILLISECONDS_FROM:
        seconds /= 1000
    return datetime.fromtimestamp(seconds, UTC) if int(seconds) in PLAUSIBLE_SECONDS else None


def _unix(value: object) -> float | None:
    if type(value) is str:
        return int(value) if _INTEGER.fullmatch(value) else number(value)
    return number(value)


def phone(value: object) -> str | None:
    """Read a phone number as E.164 with `+`, from bare digits or a common international spelling."""
    digits = text(value)
    if digits is None:
        return None
    found = _PHONE.fullmatch(digits) or _PHONE.fullmatch(_PHONE_PUNCTUATION.sub("", digits))
    return f"+{found[1]}" if found else None


def sha256(value: object) -> str | None:
    """Read a SHA-256 digest, from hex or base64, as lower-case hex."""
    if not isinstance(value, str):
        return None
    if _HEX_DIGEST.fullmatch(value):
        return value.lower()
    try:
        digest = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest.hex() if len(digest) == hashlib.sha256().digest_size else None


def media_type(value: object) -> str | None:
    """Read a media type, lower case, without its parameters."""
    whole = text(value)
    return (whole.partition(";")[0].strip().lower() or None) if whole else None


def file_name(value: object) -> str | None:
    """Read the last part of a sender's file name, without characters that hide, climb or command."""
    whole = text(value)
    if whole is None:
        return None
    name = _UNPRINTABLE.sub("", whole.replace("\\", "/")).rpartition("/")[2].strip(" .")
    return _shortened(name) or None


def _shortened(name: str) -> str:
    if len(name) <= FILE_NAME_LENGTH:
        return name
    stem, dot, extension = name.rpartition(".")
    if not dot or len(extension) > FILE_NAME_LENGTH // 4:
        return name[:FILE_NAME_LENGTH]
    return f"{stem[: FILE_NAME_LENGTH - len(extension) - 1]}.{extension}"
