"""One call of a vendor's API as plain values: what was asked, and what is answered.

Deliberately without sockets: `server` reads and writes them.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from werkzeug.formparser import FormDataParser

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Upload:
    """The file of a multipart body."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request; header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def media_type(self) -> str:
        """The body's media type, in lower case and without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def json(self) -> Json:
        """Return the body as a JSON object; empty where it is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def form(self) -> dict[str, list[str]]:
        """Return the fields of a URL-encoded form, each with all its values."""
        fields: dict[str, list[str]] = {}
        for name, value in parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True):
            fields.setdefault(name, []).append(value)
        return fields

    def multipart(self) -> tuple[dict[str, str], Upload | None]:
        """Return the plain fields of a multipart body, and its file."""
        options = dict(parse_qsl(self.headers.get("content-type", "").partition(";")[2].strip()))
        options = {name: value.strip('"') for name, value in options.items()}
        stream = io.BytesIO(self.body)
        _, form, files = FormDataParser().parse(stream, "multipart/form-data", len(self.body), options)
        upload = next((Upload(f.filename or "", f.mimetype, f.read()) for f in files.values()), None)
        return {name: str(value) for name, value in form.items()}, upload


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: JSON unless its content is bytes."""

    status: int
    content: object
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> bytes:
        """Return the bytes."""
        return self.content if isinstance(self.content, bytes) else json.dumps(self.content).encode()
