"""Files as answers: whole or a range of them, never run by a browser, never guessed at.

Deliberately no rows and no permission: the section asks before it comes here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from flask import Response, request
from werkzeug.datastructures import ContentRange
from werkzeug.http import is_resource_modified

from api.errors import refuse
from services.media.kinds import is_shown

#: A browser keeps a file but asks each time whether it may still have it: who may see a chat can change.
KEPT: Final = "private, no-cache"
#: Nothing in a file may act: no scripts, no forms, no frames, were it ever opened as a page.
POLICY: Final = "default-src 'none'; sandbox; frame-ancestors 'none'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A file to be answered; `read` gives the bytes from one place up to another."""

    read: Callable[..., Iterator[bytes]]
    size: int
    mime_type: str
    #: What it is the same file by.
    tag: str
    name: str


def file_answer(file: Served, *, cache: str = KEPT) -> Response:
    """Answer the request with a file, with the range it asks for, or with that it has it already.

    Raises:
        NotFound: the storage has lost the file.
    """
    response = Response(status=200, content_type=file.mime_type)
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Cache-Control"] = cache
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Content-Disposition"] = _disposition(file)
    response.set_etag(file.tag)
    if not is_resource_modified(request.environ, etag=file.tag, ignore_if_range=True):
        response.status_code = 304
        return response
    span = _span(file)
    if span is None:
        refusal = refuse(416)
        refusal.content_range = ContentRange("bytes", None, None, file.size)
        return refusal
    start, stop = span
    if stop - start < file.size:
        response.status_code = 206
        response.content_range = ContentRange("bytes", start, stop, file.size)
    if request.method != "HEAD":
        response.response = file.read(start=start, stop=stop)
    response.content_length = stop - start
    return response


def _span(file: Served) -> tuple[int, int] | None:
    """Which bytes are asked for, as start and stop; None where there are none such. Several ranges mean all of it."""
    asked = request.range
    whole = 0, file.size
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1 or not _is_still_the_same(file):
        return whole
    start, _ = asked.ranges[0]
    # The last so many bytes, where there are fewer, are all of them.
    return whole if start is not None and -start >= file.size > 0 else asked.range_for_length(file.size)


def _is_still_the_same(file: Served) -> bool:
    """Whether a part would fit to those that the caller has (If-Range)."""
    condition = request.if_range
    return not condition.date and condition.etag in {None, file.tag}


def _disposition(file: Served) -> str:
    """Say under which name a file is saved, and that it is to be saved unless a browser may show it."""
    way = "inline" if is_shown(file.mime_type) else "attachment"
    plain = "".join(one if one.isascii() and one.isprintable() and one not in '"\\' else "_" for one in file.name)
    return f"{way}; filename=\"{plain}\"; filename*=UTF-8''{quote(file.name, safe='')}"
